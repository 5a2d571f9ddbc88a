"""Faults of the solid itself: it is bent or flattened, and then seen exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch.nn.functional import normalize

from ..scene import Scene
from ..tabletop import Deformation, TabletopObject, render_batch

__all__ = ["flattened", "wobble"]

WAVES = 3
LENGTHS = (0.9, 1.6)
"""Of a wave, in units: an object is at most 1 wide, so it is bent as a whole and stays smooth."""


def wobble(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each view shows the solid bent smoothly in its own way.

    Points move by `level` (root mean square over space) of the width an object may have; texture
    and depth move along.
    """
    assert clean.cameras is not None  # checked by Corruption.apply
    shape = (clean.views, WAVES, 3)
    sway = normalize(torch.randn(shape, generator=generator), dim=-1) * level * math.sqrt(2 / WAVES)
    low, high = LENGTHS
    length = low + (high - low) * torch.rand(clean.views, WAVES, 1, generator=generator)
    wave = normalize(torch.randn(shape, generator=generator), dim=-1) * (2 * math.pi / length)
    phase = 2 * math.pi * torch.rand(clean.views, WAVES, generator=generator)
    bent = [
        replace(thing, deformation=Deformation(torch.ones(1, 3), sway[[view]], wave[[view]], phase[[view]]))
        for view in range(clean.views)
    ]
    rgb, depth, alpha, normals = render_batch(bent, clean.cameras, clean.size[0])
    return replace(clean, rgb=rgb, depth=depth, alpha=alpha, normals=normals)


def flattened(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """The solid loses the share `level` of its depth from front to back and is seen exactly.

    Raises:
        ValueError: `level` is 1 or more; nothing would be left to see.
    """
    if level >= 1:
        raise ValueError(f"flattened by {level:g}: the level must be below 1.")
    assert clean.cameras is not None  # checked by Corruption.apply
    flat = replace(thing, deformation=Deformation.squeezed(z=1 - level))
    shown = flat.render(clean.cameras, clean.size[0])
    return replace(clean, rgb=shown.rgb, depth=shown.depth, alpha=shown.alpha, normals=shown.normals)
