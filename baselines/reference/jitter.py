"""`jitter`: the cheat that does not obey the camera.

Every view is a true picture of the object with its true depth, from an azimuth off the commanded one by its
own angle: pictures are perfect, places are not.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Jitter"]


class Jitter(Corrupted):
    """The oracle, its cameras off by random angles, 8 degrees in standard deviation."""

    name = "jitter"
    description = "A cheat: each view is off the commanded azimuth by a random angle."
    corruption = "disobedience"
    level = 8.0
