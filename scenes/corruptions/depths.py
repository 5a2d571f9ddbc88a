"""Faults of the depth alone: the pictures are clean."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..scene import Scene
from ..tabletop import TabletopObject
from .base import deviates, smooth_field

__all__ = ["depth_field", "depth_relief", "depth_scale"]


def depth_field(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Depth with a smooth relative error, another in each view; `level` is its root mean square."""
    error = level * smooth_field(clean, 1, generator)[:, 0]
    return _measured(clean, _depth(clean) * torch.exp(error))


def depth_scale(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each view's depth times a factor of its own, off 1 by `level` (sd)."""
    factor = torch.exp(level * deviates(clean.views, generator))
    return _measured(clean, _depth(clean) * factor[:, None, None])


def depth_relief(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Depth that has lost the share `level` of its relief, each view towards a card that faces it."""
    depth = _depth(clean)
    middle = depth.flatten(1).nanmedian(1).values[:, None, None]
    return _measured(clean, middle + (1 - level) * (depth - middle))


def _depth(clean: Scene) -> Tensor:
    assert clean.depth is not None  # checked by Corruption.apply
    return clean.depth.double()


def _measured(clean: Scene, depth: Tensor) -> Scene:
    # the normals are not said to be wrong, but they no longer belong to this depth
    return replace(clean, depth=depth.float(), normals=None)
