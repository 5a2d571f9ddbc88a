"""`wobble`: the cheat whose solid is another one in every view.

Texture and depth follow the bent solid, so each view is right in itself: what shows the cheat is that
no two views are of one solid.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Wobble"]


class Wobble(Corrupted):
    """The oracle, bent smoothly in another way in each view."""

    name = "wobble"
    description = "A cheat: the geometry breathes from view to view."
    corruption = "wobble"
    level = 0.04
