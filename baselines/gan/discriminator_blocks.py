"""StyleGAN2's discriminator in parts: stem, residual blocks, minibatch standard deviation, head with projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .equalised import EqualConv2d, EqualLinear, full_precision, normalise_moment
from .mapping import Embeddings

__all__ = ["ConditionEmbedding", "Down", "Head", "ResidualBlock", "minibatch_deviation", "stem"]

Down = Literal["pool", "blur"]


def stem(channels: int, width: int, stride: int) -> EqualConv2d:
    """From pictures to features: a 1x1 convolution (stride 1), or a 4x4 one that also halves the resolution (2)."""
    return EqualConv2d(channels, width, 1 if stride == 1 else 4, stride=stride, activation="leaky_relu")


def blurred(x: Tensor, stride: int, padding: int) -> Tensor:
    """Each channel through the (1, 3, 3, 1) filter in both directions."""
    taps = torch.tensor([0.125, 0.375, 0.375, 0.125], dtype=x.dtype, device=x.device)
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1])


class ResidualBlock(nn.Module):
    """Two convolutions beside a 1x1 skip connection, their sum over sqrt 2.

    Args:
        inputs: channels in.
        outputs: channels out.
        down: how the resolution halves: "pool" averages 2x2 pixels before the second convolution; "blur" is
            StyleGAN2's filter and strided convolution, at several times the cost. None keeps the resolution.
        code: length of a code that modulates the second convolution; 0 = none. Its input channels are multiplied by
            1 + tanh(A code) (EpiGRAF: Skorokhodov et al. 2022, section 3.2, "hyper-modulation").
    """

    def __init__(self, inputs: int, outputs: int, *, down: Down | None = "pool", code: int = 0) -> None:
        super().__init__()
        self.first = EqualConv2d(inputs, inputs, 3, activation="leaky_relu")
        self.second = EqualConv2d(inputs, outputs, 3, stride=2 if down == "blur" else 1, activation="leaky_relu")
        if down == "blur":
            self.second.padding = 0  # the filter pads
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False)
        self.modulation = EqualLinear(code, inputs) if code else None
        self.down = down

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """[N, inputs, H, W] and code [N, L] to [N, outputs, H / 2, W / 2]."""
        y = self.first(x)
        if self.modulation is not None:
            assert code is not None
            y = y * (1 + torch.tanh(self.modulation(code))).to(y.dtype)[:, :, None, None]
        if self.down == "pool":
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        elif self.down == "blur":
            x, y = blurred(x, 2, 1), blurred(y, 1, 2)
        joined: Tensor = (self.skip(x) + self.second(y)) * math.sqrt(0.5)
        return joined


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """Features with one more channel: how much the pictures of a group differ (Karras et al. 2018, section 3).

    Args:
        x: [N, C, H, W]; neighbours form a group.
        group: its size; where it does not divide N, the largest number below that does.
    """
    count = len(x)
    group = next(size for size in range(min(group, count), 0, -1) if count % size == 0)
    with full_precision(x):
        grouped = x.float().unflatten(0, (-1, group))
        spread = (grouped.var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    channel = spread.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], 1)


class ConditionEmbedding(nn.Module):
    """What a picture should show, as the vector its features are projected on (Miyato and Koyama 2018).

    Args:
        lengths: of the vectors that say it.
        width: of the result.
        layers: fully connected layers after the embedding (EG3D: two).
        rate: their relative learning rate.
    """

    def __init__(self, lengths: Sequence[int], width: int, *, layers: int = 2, rate: float = 0.01) -> None:
        super().__init__()
        self.embed = Embeddings(lengths, width)
        sizes = [width * len(lengths)] + [width] * layers
        self.layers = nn.Sequential(
            *(EqualLinear(a, b, rate=rate, activation="leaky_relu") for a, b in pairwise(sizes))
        )

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """[N, length] each to [N, width], of unit mean square."""
        with full_precision(parts[0]):
            return normalise_moment(self.layers(self.embed(parts)))


class Head(nn.Module):
    """From 4x4 features to logits.

    Args:
        inputs: channels in.
        width: of the layers.
        condition: lengths of the vectors whose embedding the features are projected on; empty = none.
        embed: width of the projection.
        group: of the minibatch standard deviation.
    """

    def __init__(
        self, inputs: int, width: int, *, condition: Sequence[int] = (), embed: int = 64, group: int = 4
    ) -> None:
        super().__init__()
        self.convolution = EqualConv2d(inputs + 1, width, 3, activation="leaky_relu")
        self.hidden = EqualLinear(width * 16, width, activation="leaky_relu")
        self.output = EqualLinear(width, embed if condition else 1)
        self.embedding = ConditionEmbedding(condition, embed) if condition else None
        self.group = group

    def forward(self, x: Tensor, condition: Sequence[Tensor] = ()) -> Tensor:
        """Features [N, inputs, 4, 4] and vectors [N, length] to logits [N], float32."""
        x = self.convolution(minibatch_deviation(x, self.group))
        with full_precision(x):
            found: Tensor = self.output(self.hidden(x.float().flatten(1)))
            if self.embedding is None:
                return found[:, 0]
            wanted: Tensor = self.embedding(condition)
            return (found * wanted).sum(1) / math.sqrt(found.shape[1])
