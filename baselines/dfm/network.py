"""The picture networks of the denoisers, on diffusers' `UNet2DModel`.

Squares of `patch` x `patch` pixels are folded into channels before the first convolution and unfolded after the last:
the same picture at a fraction of the work. The folding is not learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .process import STEPS

__all__ = ["PictureEncoder", "PictureNetwork"]


class PictureNetwork(nn.Module):
    """Pictures and times to pictures of as many channels as wanted.

    Args:
        size: height and width.
        inputs: channels in.
        outputs: channels out.
        patch: side of the squares folded into channels; 1 = none.
        channels: width of each level.
        attention: whether each level attends.
        layers: residual blocks a level.
        groups: groups of the group norms.
        zero: start from zeros, so that nothing is answered before anything is learned.
    """

    def __init__(
        self,
        size: int,
        inputs: int,
        outputs: int,
        *,
        patch: int = 2,
        channels: Sequence[int] = (48, 96, 128),
        attention: Sequence[bool] | None = None,
        layers: int = 1,
        groups: int = 16,
        zero: bool = False,
    ) -> None:
        super().__init__()
        flags = [False] * (len(channels) - 1) + [True] if attention is None else list(attention)
        self.patch = patch
        self.unet: Any = UNet2DModel(
            sample_size=size // patch,
            in_channels=inputs * patch * patch,
            out_channels=outputs * patch * patch,
            layers_per_block=layers,
            block_out_channels=tuple(channels),
            down_block_types=tuple("AttnDownBlock2D" if flag else "DownBlock2D" for flag in flags),
            up_block_types=tuple("AttnUpBlock2D" if flag else "UpBlock2D" for flag in reversed(flags)),
            norm_num_groups=groups,
            attention_head_dim=32,
        )
        if zero:
            nn.init.zeros_(self.unet.conv_out.weight)
            nn.init.zeros_(self.unet.conv_out.bias)

    def forward(self, pictures: Tensor, time: Tensor) -> Tensor:
        """Pictures [N, inputs, size, size] and times [N] in [0, 1] to [N, outputs, size, size]."""
        folded = F.pixel_unshuffle(pictures, self.patch).contiguous(memory_format=torch.channels_last)
        found: Tensor = self.unet(folded, time * STEPS).sample
        return F.pixel_shuffle(found, self.patch)


class PictureEncoder(nn.Module):
    """Pictures, times and a vector to a vector.

    Args:
        size: height and width; halved at every level.
        inputs: channels in.
        extra: length of the vector beside the picture.
        outputs: length of the answer.
        channels: width of each level.
        hidden: width of the layers after the pictures.
    """

    def __init__(
        self,
        size: int,
        inputs: int,
        extra: int,
        outputs: int,
        *,
        channels: Sequence[int] = (32, 64, 96, 128),
        hidden: int = 256,
    ) -> None:
        super().__init__()
        widths = [inputs * 4, *channels]
        self.blocks = nn.ModuleList(_Halving(a, b, hidden) for a, b in pairwise(widths))
        side = size // 2 // 2 ** len(channels)
        self.told = nn.Sequential(nn.Linear(1 + 2 * WAVES + extra, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.head = nn.Sequential(
            nn.Linear(channels[-1] * side * side + hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, outputs),
        )

    def forward(self, pictures: Tensor, time: Tensor, extra: Tensor) -> Tensor:
        """Pictures [N, inputs, size, size], times [N] in [0, 1] and vectors [N, extra] to [N, outputs], float32."""
        told = self.told(torch.cat([_waves(time), extra], 1))
        x = F.pixel_unshuffle(pictures, 2).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, told)
        answer: Tensor = self.head(torch.cat([x.flatten(1), told], 1))
        return answer.float()


WAVES = 8


def _waves(time: Tensor) -> Tensor:
    """Times [N] as sinusoids, [N, 1 + 2 WAVES]."""
    phase = time[:, None] * (2.0 ** torch.arange(WAVES, device=time.device)) * torch.pi / 2
    return torch.cat([time[:, None], phase.sin(), phase.cos()], 1)


class _Halving(nn.Module):
    """A residual block that halves the picture, its scales and shifts made from what the network was told."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(8, outputs)
        self.film = nn.Linear(told, 2 * outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.film(told)[:, :, None, None].chunk(2, 1)
        found = F.silu(self.norm(self.first(x)) * (1 + scale) + shift)
        return F.avg_pool2d(self.second(found) + self.skip(x), 2)
