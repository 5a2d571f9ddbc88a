"""`blurred`: the cheat that shows the truth out of focus.

Every view is blurred by the same Gaussian, so the views still agree and errors of pixels shrink: measures
of consistency must not praise it, and measures of image quality must see it.
"""

from __future__ import annotations

from .corrupted import Corrupted

__all__ = ["Blurred"]


class Blurred(Corrupted):
    """The oracle's pictures under one Gaussian, sigma 4 pixels at 256."""

    name = "blurred"
    description = "A cheat: the oracle's views, all blurred alike."
    corruption = "blur_all"
    level = 4.0
