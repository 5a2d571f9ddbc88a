"""pi-GAN's discriminator: strided residual blocks of CoordConvs that grow with the picture
(Chan et al. 2021, section 3.4 and supplement; progressive growing: Karras et al. 2018; CoordConv: Liu et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import GanDiscriminator, Patch, Verdict
from .discriminator_blocks import minibatch_deviation
from .equalised import full_precision
from .mapping import Condition

__all__ = ["CoordConv", "PiGANDiscriminator"]

LEAK = 0.2


class CoordConv(nn.Module):
    """A 3x3 convolution that is told where in the picture it is: two more channels with x and y in [-1, 1].

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: 1 keeps the resolution; 2 halves it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs + 2, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.stride = stride
        nn.init.kaiming_normal_(self.weight, a=LEAK, mode="fan_in", nonlinearity="leaky_relu")

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        own, place = self.weight[:, :-2], self.weight[:, -2:]
        across, down = (torch.linspace(-1, 1, length, device=x.device, dtype=x.dtype) for length in x.shape[:1:-1])
        places = torch.stack(torch.meshgrid(across, down, indexing="xy"))[None]
        # the coordinates' part is the same for all pictures
        where = functional.conv2d(places, place, self.bias, self.stride, padding=1)
        return functional.conv2d(x, own, None, self.stride, padding=1) + where


class CoordBlock(nn.Module):
    """Two CoordConvs, the second of which halves the resolution, beside a 1x1 one; their sum over sqrt 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = CoordConv(inputs, outputs)
        self.second = CoordConv(outputs, outputs, stride=2)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / 2, W / 2]."""
        y = functional.leaky_relu(self.first(x), LEAK)
        y = functional.leaky_relu(self.second(y), LEAK)
        joined: Tensor = (y + self.skip(x)) * math.sqrt(0.5)
        return joined


class PiGANDiscriminator(GanDiscriminator):
    """Judges pictures of `size` and of halves, quarters ... of it, down to 4, and says where it believes the camera is.

    Args:
        size: largest height and width, a power of two.
        widths: channels at `size`, at half of it, and so on, down to 2x2.
        channels: of the pictures.
        classes: number of classes; features are projected on their embedding (Miyato and Koyama 2018).
        embed: width of the projection.
        group: of the minibatch standard deviation before the head; 0 = none, as in the paper.
    """

    def __init__(
        self,
        *,
        size: int,
        widths: Sequence[int],
        channels: int = 3,
        classes: int = 0,
        embed: int = 128,
        group: int = 0,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "size": size,
            "widths": list(widths),
            "channels": channels,
            "classes": classes,
            "embed": embed,
            "group": group,
        }
        if size != 2 ** len(widths):
            raise ValueError(f"{len(widths)} widths lead from {2 ** len(widths)} to 2 by halving, not from {size}.")
        self.size, self.classes, self.group = size, classes, group
        self.inputs = nn.ModuleList(nn.Conv2d(channels, width, 1) for width in widths[:-1])
        self.blocks = nn.ModuleList(CoordBlock(a, b) for a, b in pairwise(widths))
        self.condition = Condition(classes, False)
        self.embedding = nn.Linear(classes, embed, bias=False) if classes else None
        self.head = nn.Linear((widths[-1] + bool(group)) * 4, 4 + (embed if classes else 0))  # a 2x2 convolution
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=LEAK, mode="fan_in", nonlinearity="leaky_relu")
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight)

    def forward(
        self,
        pictures: Tensor,
        label: Tensor | None = None,
        pose: Tensor | None = None,
        *,
        patch: Patch | None = None,
        fade: float = 1.0,
    ) -> Verdict:
        """Judge pictures [N, channels, H, H] in [-1, 1], H any of the sizes it knows.

        Raises:
            ValueError: another size, a patch, or a label that is missing.
        """
        if patch is not None:
            raise ValueError("pi-GAN judges whole pictures, not patches.")
        first = self._level(pictures.shape[-1])
        x = self._enter(first, pictures)
        for level in range(first, len(self.blocks)):
            x = self.blocks[level](x)
            if level == first and fade < 1:
                if level + 1 == len(self.inputs):
                    raise ValueError("Pictures of 4x4 are the smallest; they have nothing to fade in from.")
                x = fade * x + (1 - fade) * self._enter(level + 1, functional.avg_pool2d(pictures, 2))
        if self.group:
            x = minibatch_deviation(x, self.group)
        with full_precision(x):
            found = self.head(x.to(self.head.weight).flatten(1))
            logits, direction, features = found[:, 0], found[:, 1:4], found[:, 4:]
            if self.embedding is not None:
                embedded = self.embedding(self.condition(label, None).to(self.head.weight))
                logits = logits + (features * embedded).sum(1) / math.sqrt(features.shape[1])
        return Verdict(logits, functional.normalize(direction, dim=1))

    def _level(self, size: int) -> int:
        """Which block takes pictures of `size`."""
        sizes = [self.size >> level for level in range(len(self.inputs))]
        if size not in sizes:
            raise ValueError(f"Pictures of {size}x{size}; this discriminator takes {sizes}.")
        return sizes.index(size)

    def _enter(self, level: int, pictures: Tensor) -> Tensor:
        """Pictures as features of a level."""
        return functional.leaky_relu(self.inputs[level](pictures), LEAK)
