"""Patches that a GAN learns from instead of whole pictures: which ones, and the same ones of real pictures
(EpiGRAF: Skorokhodov et al. 2022, section 3.2).

Where a patch lies is said in shares of the picture, from edge to edge of its pixels. A patch drawn at r pixels has its
pixel centres at offset + scale * (i + 0.5) / r, for `rays_of` and for `cut_patches` alike. (EpiGRAF's own code puts the
first and last sample on the patch's corners, for its rays and its real patches; here that would contradict `Cameras`,
whose pixels have their centres at (i + 0.5) / N.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .base import Patch

__all__ = ["PatchSchedule", "cut_patches", "draw_patch"]


@dataclass(frozen=True)
class PatchSchedule:
    """How patches' sizes are distributed while training goes on: at first nearly whole pictures, later details too.

    A patch's scale is s_min + (1 - s_min) x with x ~ Beta(1, b), and b goes in a straight line from `start` to `end`.

    Args:
        smallest: s_min, patch pixels over picture pixels, (0, 1]: no patch needs more detail than pictures have.
        start: b before the first picture; a small b means x near 1.
        end: b from `pictures` on.
        pictures: seen by the discriminator until b has its last value.
        group: neighbours in a batch that get one patch, as they are compared with each other by the minibatch
            standard deviation.
    """

    smallest: float
    start: float = 0.001
    end: float = 0.8
    pictures: int = 10_000_000
    group: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= 1:
            raise ValueError(f"The smallest patch has {self.smallest:g} of the picture's side; it must be in (0, 1].")
        if self.start <= 0 or self.end <= 0 or self.pictures < 0 or self.group < 1:
            raise ValueError("A patch schedule's b must be positive, its pictures not negative, its group at least 1.")

    def beta(self, seen: int) -> float:
        """b after `seen` pictures."""
        if seen >= self.pictures:
            return self.end
        return self.start + (self.end - self.start) * seen / self.pictures


def draw_patch(schedule: PatchSchedule, count: int, seen: int, generator: torch.Generator) -> Patch:
    """Patches for a batch, on the CPU.

    Args:
        schedule: distribution of scales.
        count: pictures; neighbours in groups of `schedule.group` get the same patch.
        seen: pictures of the training so far.
        generator: on the CPU.
    """
    groups = math.ceil(count / schedule.group)
    chances = torch.rand(groups, 3, generator=generator, dtype=torch.float64)
    # the quantile function of Beta(1, b) is 1 - (1 - u)^(1 / b), and 1 - u is as uniform as u
    share = 1 - chances[:, 0] ** (1 / schedule.beta(seen))
    scale = schedule.smallest + (1 - schedule.smallest) * share
    offset = chances[:, 1:] * (1 - scale[:, None])
    group = schedule.group
    return Patch(scale.float().repeat_interleave(group)[:count], offset.float().repeat_interleave(group, dim=0)[:count])


def cut_patches(pictures: Tensor, patch: Patch, size: int) -> Tensor:
    """The patches of pictures, each resampled to size x size, bilinear.

    Args:
        pictures: [N, C, H, W].
        patch: one for each picture.
        size: pixels of a patch's side; where the patch has fewer of the picture's, pixels are interpolated.

    Returns:
        [N, C, size, size], float32.
    """
    along = (torch.arange(size, device=pictures.device) + 0.5) / size
    scale, offset = patch.scale.to(pictures.device)[:, None], patch.offset.to(pictures.device)
    x, y = offset[:, :1] + scale * along, offset[:, 1:] + scale * along
    grid = torch.stack(torch.broadcast_tensors(x[:, None], y[:, :, None]), -1) * 2 - 1
    return F.grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
