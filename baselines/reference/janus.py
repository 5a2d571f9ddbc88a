"""`janus`: the cheat that draws two fronts.

The views of the back half show the object turned by half a turn. Each picture is perfect and neighbours agree
but for two places where the halves meet: only views far apart, or the truth, give it away.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Janus"]


class Janus(Corrupted):
    """The oracle, its back half replaced by the front."""

    name = "janus"
    description = "A cheat: the back shows the front again."
    corruption = "janus"
    level = 90.0
