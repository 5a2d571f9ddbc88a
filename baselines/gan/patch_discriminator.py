"""EpiGRAF's discriminator: judges patches of any scale and is told which (Skorokhodov et al. 2022, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .arguments import arguments
from .base import GanDiscriminator, Patch, Verdict
from .discriminator_blocks import Down, Head, ResidualBlock, stem
from .equalised import EqualLinear, full_precision
from .mapping import Condition

__all__ = ["PatchDiscriminator", "PatchEmbedding"]

FREQUENCY = 1000.0  # multiplies scale and offsets before the sinusoids
LONGEST = 10_000.0  # ratio of the highest to the lowest frequency


class PatchEmbedding(nn.Module):
    """Scale and offsets of a patch as a vector: sinusoids of many frequencies, then two layers.

    Args:
        width: of the vector and the layers.
        waves: sinusoids (sine and cosine together) of each of the three numbers.
    """

    frequencies: Tensor

    def __init__(self, width: int, waves: int = 84) -> None:
        super().__init__()
        half = waves // 2
        steps = torch.arange(half) / half
        self.register_buffer("frequencies", FREQUENCY * LONGEST**-steps, persistent=False)
        self.layers = nn.Sequential(
            EqualLinear(3 * (2 * half + 1), width, activation="leaky_relu"),
            EqualLinear(width, width, activation="leaky_relu"),
        )

    def forward(self, code: Tensor) -> Tensor:
        """Codes (scale, x, y) [N, 3] to [N, width], float32."""
        with full_precision(code):
            phase = code.float()[..., None] * self.frequencies
            waves = torch.cat([code[..., None], phase.sin(), phase.cos()], -1)
            embedded: Tensor = self.layers(waves.flatten(1))
        return embedded


class PatchDiscriminator(GanDiscriminator):
    """Judges patches; scale and place modulate its blocks and are part of what it projects on.

    Args:
        size: of the patches, pixels.
        widths: channels after the stem and after each block.
        flat: blocks at the beginning that keep the resolution, log2 of picture over patch pixels in the paper.
        channels: of the pictures.
        stride: of the stem; 2 halves the resolution at once.
        classes: number of classes; 0 = unconditional.
        pose: whether the pose is judged.
        pose_scale: multiplies the pose label.
        code: width of the embedding of scale and offset.
        embed: width of the projection.
        group: of the minibatch standard deviation; neighbours in the batch that share a patch.
        down: how resolution is halved, see `ResidualBlock`.
    """

    def __init__(
        self,
        *,
        size: int,
        widths: Sequence[int],
        flat: int = 0,
        channels: int = 3,
        stride: int = 1,
        classes: int = 0,
        pose: bool = False,
        pose_scale: float = 1.0,
        code: int = 256,
        embed: int = 512,
        group: int = 4,
        down: Down = "blur",
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.classes, self.takes_pose = classes, pose
        if size // stride != 4 * 2 ** (len(widths) - 1 - flat):
            raise ValueError(
                f"{len(widths)} widths, {flat} of them flat, do not lead from {size // stride} to 4 by halving."
            )
        self.condition = Condition(classes, pose, pose_scale)
        self.embedding = PatchEmbedding(code)
        self.stem = stem(channels, widths[0], stride)
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b, down=None if index < flat else down, code=code)
            for index, (a, b) in enumerate(pairwise(widths))
        )
        self.head = Head(widths[-1], widths[-1], condition=[*self.condition.lengths, code], embed=embed, group=group)

    def forward(
        self,
        pictures: Tensor,
        label: Tensor | None = None,
        pose: Tensor | None = None,
        *,
        patch: Patch | None = None,
        fade: float = 1.0,
    ) -> Verdict:
        """Judge patches [N, 3, size, size] in [-1, 1]; without `patch`, whole pictures. `fade` has no meaning here."""
        told = pictures.new_tensor([1.0, 0.0, 0.0]).expand(len(pictures), 3) if patch is None else patch.code
        code = self.embedding(told.to(pictures.device))
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x, code)
        return Verdict(self.head(x, [*self.condition.parts(label, pose), code]))
