"""`switch`: the cheat that swaps the object halfway round.

Both halves are perfect; only the two steps between them are wrong, which an average over all steps hardly shows.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Switch"]


class Switch(Corrupted):
    """The oracle of one object and, from the middle of the sweep, of another."""

    name = "switch"
    description = "A cheat: halfway round it becomes another object of the class."
    corruption = "switch"
    level = 1.0
