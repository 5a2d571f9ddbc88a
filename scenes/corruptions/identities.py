"""Faults of identity: the sweep does not stay with one object."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .. import tabletop
from ..scene import Scene
from ..tabletop import TabletopObject
from .base import painted
from .viewpoints import with_views

__all__ = ["drift", "switch"]

CANDIDATES = 8


def switch(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """From the middle of the sweep on it is `level` of the way to another object of the class, in the same light.

    Its shape parameters lie between those of both objects, its colours are a blend of both materials.
    """
    other = _stranger(thing, generator)
    where = list(range(clean.views // 2, clean.views))
    assert clean.cameras is not None  # checked by Corruption.apply
    cameras, size = clean.cameras[where], clean.size[0]
    share = min(level, 1.0)
    own, theirs = thing.field.parameters, other.field.parameters
    between = {name: value + share * (theirs[name] - value) for name, value in own.items()}
    field = replace(thing.field, parameters=between)
    repainted = replace(thing, field=field, material=other.material).render(cameras, size)
    if share < 1:
        kept = replace(thing, field=field).render(cameras, size)
        repainted = painted(kept, kept.rgb.double() + share * (repainted.rgb.double() - kept.rgb.double()))
    return with_views(clean, where, repainted)


def drift(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Materials turn into those of another object, evenly along the sweep; `level` is how far at its end."""
    assert clean.cameras is not None  # checked by Corruption.apply
    repainted = replace(thing, material=_stranger(thing, generator).material)
    other = repainted.render(clean.cameras, clean.size[0]).rgb.double()
    progress = level * torch.linspace(0, 1, clean.views, dtype=torch.float64)[:, None, None, None]
    return painted(clean, clean.rgb + progress * (other - clean.rgb))


def _stranger(thing: TabletopObject, generator: torch.Generator) -> TabletopObject:
    """Another object of the class; of a few drawn at random the one whose colours differ most."""
    seeds = torch.randint(1 << 30, (CANDIDATES,), generator=generator).tolist()
    return max((tabletop.sample(seed, thing.label) for seed in seeds), key=lambda other: _difference(thing, other))


def _difference(one: TabletopObject, other: TabletopObject) -> float:
    parts = [*range(len(one.field.kind.parts)), -1]  # and the turntable; the rows between repeat

    def colours(thing: TabletopObject) -> Tensor:
        return ((thing.material.first + thing.material.second) / 2)[parts].sqrt()  # about as the eye sees them

    return float((colours(one) - colours(other)).abs().mean())
