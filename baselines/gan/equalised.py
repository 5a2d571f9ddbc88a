"""Layers at equalised learning rate (Karras et al. 2018, section 4.1): weights are stored as standard normals and
scaled when they are used, so that the optimiser sees all of them at one size."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["Activation", "EqualConv2d", "EqualLinear", "activate", "full_precision", "normalise_moment"]

Activation = Literal["linear", "leaky_relu", "softplus"]

LEAK = 0.2


def activate(x: Tensor, activation: Activation) -> Tensor:
    """`x` through a nonlinearity, in place where that is safe.

    Leaky ReLU is positively homogeneous: its gain of sqrt 2, which keeps the second moment, goes into the weights and
    biases before it (`gain_of`), where it costs nothing.
    """
    if activation == "leaky_relu":
        return F.leaky_relu(x, LEAK, inplace=True)
    return F.softplus(x) if activation == "softplus" else x


def gain_of(activation: Activation) -> float:
    """What weights and biases are multiplied by for the sake of the nonlinearity that follows."""
    return math.sqrt(2) if activation == "leaky_relu" else 1.0


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which autocast leaves float32 alone, for what half precision would spoil."""
    return torch.autocast(x.device.type, enabled=False)


def normalise_moment(x: Tensor) -> Tensor:
    """Vectors [..., C] scaled to a mean square of one."""
    return x * (x.square().mean(-1, keepdim=True) + 1e-8).rsqrt()


class EqualLinear(nn.Module):
    """A fully connected layer at equalised learning rate.

    Args:
        inputs: channels in.
        outputs: channels out.
        bias: what the bias starts from.
        rate: multiplies the learning rate of weights and bias (0.01 in mapping networks).
        activation: what follows.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, activation: Activation = "linear"
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.bias_gain, self.activation = rate * gain_of(activation), activation
        self.gain = self.bias_gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        bias = self.bias if self.bias_gain == 1.0 else self.bias * self.bias_gain
        return activate(F.linear(x, self.weight * self.gain, bias), self.activation)


class EqualConv2d(nn.Module):
    """A convolution at equalised learning rate, optionally followed by leaky ReLU.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel.
        stride: 1 keeps the resolution; 2 halves it.
        bias: whether there is one.
        activation: what follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        bias: bool = True,
        activation: Activation = "linear",
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.bias_gain = gain_of(activation)
        self.gain = self.bias_gain / math.sqrt(inputs * kernel**2)
        self.stride, self.padding, self.activation = stride, (kernel - 1) // 2, activation

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        bias = None if self.bias is None else self.bias * self.bias_gain
        return activate(F.conv2d(x, self.weight * self.gain, bias, self.stride, self.padding), self.activation)
