"""What earlier views say about a new one, and how it steers the clean estimate.

The rules are those of ivid's public code (arXiv 2303.17905): holes in the condition are fresh noise
at every step; the clean estimate is pulled towards colour and depth where they are known, and depth
outside of the mask is pushed behind the *hull* of what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

__all__ = ["DEPTH_PULL", "HULL_PULL", "RGB_PULL", "Condition", "Pulls"]

RGB_PULL = 0.1
DEPTH_PULL = 0.2
HULL_PULL = 0.5


@dataclass(frozen=True)
class Condition:
    """What earlier views say about a new one.

    Args:
        rgb: warped colours in [-1, 1], [N, 3, H, W]; meaningless outside `rgb_mask`.
        depth: warped depth code in [-1, 1], [N, 1, H, W]; meaningless outside `mask`.
        rgb_mask: where colour is known, 0 or 1, [N, 1, H, W].
        mask: where depth is known, 0 or 1, [N, 1, H, W].
        hull: code of the nearest depth at which something unseen may stand, [N, 1, H, W]; -1 where
            anything may. None where the rule of the hull is not used.
    """

    rgb: Tensor
    depth: Tensor
    rgb_mask: Tensor
    mask: Tensor
    hull: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rgb)

    @classmethod
    def join(cls, conditions: Sequence[Condition]) -> Condition:
        """The pictures of all `conditions`, one after the other."""
        held = [[getattr(one, field.name) for one in conditions] for field in fields(cls)]
        parts: list[Any] = [None if values[0] is None else torch.cat(values) for values in held]
        return cls(*parts)

    def rows(self, index: list[int]) -> Condition:
        """Pictures `index` alone."""
        return self._each(lambda part: part[index])

    def to(self, device: torch.device) -> Condition:
        """The same on another device."""
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Condition:
        held = [getattr(self, field.name) for field in fields(self)]
        parts: list[Any] = [None if part is None else change(part) for part in held]
        return Condition(*parts)

    def channels(self, noise: Tensor) -> Tensor:
        """The six input channels, holes filled with `noise` [N, 4, H, W], fresh at every step."""
        rgb = torch.where(self.rgb_mask > 0, self.rgb, noise[:, :3])
        depth = torch.where(self.mask > 0, self.depth, noise[:, 3:])
        return torch.cat([self.rgb_mask, rgb, depth, self.mask], 1)


@dataclass(frozen=True)
class Pulls:
    """How far each step moves the clean estimate towards its condition, each in [0, 1].

    Args:
        rgb: colour, where known; not at the last step, whose estimate becomes the picture.
        depth: depth, where known, at every step.
        hull: depth, where not known, towards the hull where it stands before it.
    """

    rgb: float = RGB_PULL
    depth: float = DEPTH_PULL
    hull: float = HULL_PULL

    def __call__(self, x0: Tensor, condition: Condition, *, last: bool) -> Tensor:
        """The edited estimate, RGBD in [-1, 1], [N, 4, H, W]."""
        rgb, depth = x0[:, :3], x0[:, 3:]
        if not last:
            rgb = torch.where(condition.rgb_mask > 0, self.rgb * condition.rgb + (1 - self.rgb) * rgb, rgb)
        outside = depth
        if condition.hull is not None:
            outside = self.hull * torch.maximum(depth, condition.hull) + (1 - self.hull) * depth
        known = self.depth * condition.depth + (1 - self.depth) * depth
        return torch.cat([rgb, torch.where(condition.mask > 0, known, outside)], 1)
