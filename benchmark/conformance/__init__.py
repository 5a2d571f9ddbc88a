"""Does a method keep the rules? A check for any method, ours or a user's: `check_conformance(name)`.

It is no benchmark: a cheat that keeps the rules passes, and a poor method does as well. What it finds is what
spoils numbers without anybody noticing: a seed that is ignored, batch-mates that leak into one another, depth along
the ray, a yaw of the wrong sign.
"""

from .check import Check
from .conformance import check_conformance

__all__ = ["Check", "check_conformance"]
