"""The StyleGAN2-style network that paints a scene's tri-planes (skip architecture; Karras et al. 2020, figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .modulated import StyledConv, ToPlanes, upsample

__all__ = ["Backbone", "SynthesisBlock"]


class SynthesisBlock(nn.Module):
    """Two styled convolutions at one resolution, and their share of the output.

    Args:
        inputs: channels in; 0 makes the block start from a learned constant.
        width: channels of the resolution.
        outputs: channels of the skip connection's output.
        latent: length of the latents.
        size: resolution of the block.
        up: whether its input has half that resolution.
        noise: whether its convolutions add constant noise.
        late: upsample after the convolution rather than before it.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        latent: int,
        *,
        size: int,
        up: bool = True,
        noise: bool = False,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(width, size, size)) if inputs == 0 else None
        self.first = StyledConv(inputs, width, latent, up=up, size=size, noise=noise, late=late) if inputs > 0 else None
        self.second = StyledConv(width, width, latent, size=size, noise=noise)
        self.output = ToPlanes(width, outputs, latent)
        self.up = up

    def forward(self, x: Tensor | None, skip: Tensor | None, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The block's features [N, width, size, size] and the output collected so far [N, outputs, size, size]."""
        if self.first is None:
            assert self.constant is not None
            x = self.constant.expand(len(latents), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.first(x, latents)
        features: Tensor = self.second(x, latents)
        output: Tensor = self.output(features, latents)
        if skip is not None:
            output = output + (upsample(skip) if self.up else skip)
        return features, output


class Backbone(nn.Module):
    """From latents to an image of `outputs` channels, 4x4 upwards.

    Args:
        latent: length of the latents.
        widths: channels at 4, 8, 16, ...; the last one is the resolution of the output.
        outputs: channels of the output.
        noise: whether there is (constant) spatial noise.
        late: upsample after the convolution rather than before it (four times as cheap).
    """

    def __init__(
        self, latent: int, widths: Sequence[int], outputs: int, *, noise: bool = False, late: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SynthesisBlock(inputs, width, outputs, latent, size=4 * 2**index, noise=noise, late=late)
            for index, (inputs, width) in enumerate(zip([0, *widths], widths, strict=False))
        )
        self.size = 4 * 2 ** (len(widths) - 1)

    def forward(self, latents: Tensor) -> Tensor:
        """[N, latent] to [N, outputs, size, size]."""
        x: Tensor | None = None
        image: Tensor | None = None
        for block in self.blocks:
            x, image = block(x, image, latents)
        assert image is not None
        if image.requires_grad:
            # what looks planes up hands back gradients channel by channel, in which all that follows is slow
            image.register_hook(_channels_last)
        return image


def _channels_last(gradient: Tensor) -> Tensor:
    """The same numbers, laid out as the convolutions want them."""
    return gradient.contiguous(memory_format=torch.channels_last)
