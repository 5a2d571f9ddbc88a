"""EG3D's discriminator: StyleGAN2's residual network on six channels, projected on class and pose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .arguments import arguments
from .base import GanDiscriminator, Patch, Verdict
from .discriminator_blocks import Down, Head, ResidualBlock, stem
from .mapping import Condition

__all__ = ["EG3DDiscriminator"]


class EG3DDiscriminator(GanDiscriminator):
    """Judges a picture together with the volume rendering it came from (`dual_pictures`).

    Args:
        size: of the pictures.
        widths: channels after the stem and at each halving, down to 4x4.
        channels: of the pictures; six for dual discrimination.
        stride: of the stem; 2 halves the resolution at once, which is half as expensive.
        classes: number of classes; 0 = unconditional.
        pose: whether the pose is judged.
        pose_scale: multiplies the pose label.
        embed: width of the projection on class and pose.
        group: of the minibatch standard deviation.
        down: how resolution is halved, see `ResidualBlock`.
    """

    def __init__(
        self,
        *,
        size: int,
        widths: Sequence[int],
        channels: int = 6,
        stride: int = 1,
        classes: int = 0,
        pose: bool = True,
        pose_scale: float = 1.0,
        embed: int = 512,
        group: int = 4,
        down: Down = "blur",
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.classes, self.takes_pose = classes, pose
        if size // stride != 4 * 2 ** (len(widths) - 1):
            raise ValueError(f"{len(widths)} widths do not lead from {size // stride} to 4 by halving.")
        self.condition = Condition(classes, pose, pose_scale)
        self.stem = stem(channels, widths[0], stride)
        self.blocks = nn.ModuleList(ResidualBlock(a, b, down=down) for a, b in pairwise(widths))
        self.head = Head(widths[-1], widths[-1], condition=self.condition.lengths, embed=embed, group=group)

    def forward(
        self,
        pictures: Tensor,
        label: Tensor | None = None,
        pose: Tensor | None = None,
        *,
        patch: Patch | None = None,
        fade: float = 1.0,
    ) -> Verdict:
        """Judge pictures [N, 6, size, size] in [-1, 1]; `patch` must be None, `fade` has no meaning here."""
        if patch is not None:
            raise ValueError("EG3D judges whole pictures, not patches.")
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x)
        return Verdict(self.head(x, self.condition.parts(label, pose)))
