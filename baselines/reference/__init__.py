"""The oracle and the cheats: reference methods that are always on the board."""

from .billboard import Billboard
from .blurred import Blurred
from .drift import Drift
from .frozen import Frozen
from .janus import Janus
from .jitter import Jitter
from .noise import Noise
from .oracle import Oracle
from .switch import Switch
from .wobble import Wobble

__all__ = [
    "Billboard",
    "Blurred",
    "Drift",
    "Frozen",
    "Janus",
    "Jitter",
    "Noise",
    "Oracle",
    "Switch",
    "Wobble",
]
