"""StyleGAN2's modulated convolution (Karras et al. 2020, section 2.2, equations 1 to 3), in the form that shares its
weights over the batch: a style multiplies the channels that come in, and the demodulation those that go out, which is
the same as a kernel of its own for each picture and costs one convolution instead of N."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .equalised import EqualLinear, activate, full_precision, gain_of

__all__ = ["ModulatedConv2d", "StyledConv", "ToPlanes", "upsample"]


def upsample(x: Tensor) -> Tensor:
    """Twice the resolution, bilinear: StyleGAN2's zero insertion and (1, 3, 3, 1) filter, but for the border."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class ModulatedConv2d(nn.Module):
    """A convolution whose kernel is scaled by a style.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel, odd.
        latent: length of the latents the style is made from.
        demodulate: whether each output channel is brought back to unit variance.
        gain: multiplies the output.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, latent: int, *, demodulate: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.style = EqualLinear(latent, inputs, bias=1.0)
        self.scale, self.demodulate, self.gain = 1 / math.sqrt(inputs * kernel**2), demodulate, gain

    def forward(self, x: Tensor, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """The convolution and the factors still to be multiplied in, so that they can join the next operation.

        Returns:
            response: [N, outputs, H, W].
            factors: [N, outputs, 1, 1], or None where there is nothing to multiply.
        """
        with full_precision(x):
            style = self.style(latents.float())
            weight = self.weight * self.scale
            factors = None
            if self.demodulate:
                energy = style.square() @ weight.square().sum((2, 3)).T
                factors = (self.gain * (energy + 1e-8).rsqrt())[:, :, None, None]
        x = x * style.to(x.dtype)[:, :, None, None]
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2), factors


class StyledConv(nn.Module):
    """A modulated convolution with constant noise, bias and leaky ReLU.

    Args:
        inputs: channels in.
        outputs: channels out.
        latent: length of the latents.
        up: whether the resolution doubles.
        size: resolution of the output, which the noise has.
        noise: whether there is spatial noise: drawn once and kept, so that a scene stays the same scene.
        late: upsample after the convolution, which is four times as cheap; else before it, as StyleGAN2 does.
    """

    noise: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        latent: int,
        *,
        up: bool = False,
        size: int = 0,
        noise: bool = False,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.gain = gain_of("leaky_relu")  # joins the demodulation, where it costs nothing
        self.convolution = ModulatedConv2d(inputs, outputs, 3, latent, gain=self.gain)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.up, self.late = up, late
        self.strength = nn.Parameter(torch.zeros(())) if noise else None
        if noise:
            self.register_buffer("noise", torch.randn(size, size))

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        """[N, inputs, H, W] and [N, latent] to [N, outputs, size, size]."""
        if self.up and not self.late:
            x = upsample(x)
        x, factors = self.convolution(x, latents)
        if self.up and self.late:
            x = upsample(x)
        assert factors is not None
        shift = self.bias[None, None] * self.gain  # channels last, as everything here
        if self.strength is not None:
            shift = shift + self.noise[..., None] * (self.strength * self.gain)
        x = torch.addcmul(shift.permute(2, 0, 1).to(x.dtype), x, factors.to(x.dtype))
        return activate(x, "leaky_relu")


class ToPlanes(nn.Module):
    """The 1x1 modulated convolution, without demodulation, that a skip connection collects ("toRGB")."""

    def __init__(self, inputs: int, outputs: int, latent: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        """[N, inputs, H, W] and [N, latent] to [N, outputs, H, W]."""
        x, _ = self.convolution(x, latents)
        return x + self.bias[:, None, None].to(x.dtype)
