"""Graded faults of generators, put into scenes whose truth is known.

`CORRUPTIONS` names them all. Each answers what a generator with that one fault would return for the
same commanded cameras, at five or more levels from barely noticeable to gross; those marked as
controls are harmless to consistency, and a consistency metric must not react to them.
"""

from .base import Corruption
from .catalogue import CORRUPTIONS

__all__ = ["CORRUPTIONS", "Corruption"]
