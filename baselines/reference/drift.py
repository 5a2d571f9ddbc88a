"""`drift`: the cheat that changes too slowly to be caught between neighbours.

The shape is right and the materials turn evenly into those of another object along the sweep, so any two
neighbours agree: views far apart and the ends of the circle give it away.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Drift"]


class Drift(Corrupted):
    """The oracle, its materials another object's at the end of the sweep."""

    name = "drift"
    description = "A cheat: the materials turn into another object's along the sweep."
    corruption = "drift"
    level = 1.0
