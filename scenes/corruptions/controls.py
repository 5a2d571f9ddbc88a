"""Changes after which the views agree as well as before."""

from __future__ import annotations

import torch

from ..scene import Scene
from ..tabletop import TabletopObject

__all__ = ["resolution", "view_order"]


def view_order(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Views and their cameras exchanged together, `level` random pairs one after the other."""
    order = list(range(clean.views))
    for _ in range(round(level) if clean.views > 1 else 0):
        one, other = torch.randperm(clean.views, generator=generator)[:2].tolist()
        order[one], order[other] = order[other], order[one]
    return clean.select(order)


def resolution(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """The object rendered at another size, smaller by `level` octaves."""
    assert clean.cameras is not None  # checked by Corruption.apply
    return thing.render(clean.cameras, max(1, round(clean.size[0] * 2**-level)))
