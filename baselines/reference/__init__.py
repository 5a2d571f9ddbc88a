"""The oracle and the cheats: reference methods that are always on the board."""

from .billboard import Billboard
from .blurred import Blurred
from .completion_copy import CompletionCopy
from .completion_mean import CompletionMean
from .completion_nearest import CompletionNearest
from .drift import Drift
from .frozen import Frozen
from .janus import Janus
from .jitter import Jitter
from .noise import Noise
from .oracle import Oracle
from .switch import Switch
from .truth import Truth
from .wobble import Wobble

__all__ = [
    "Billboard",
    "Blurred",
    "CompletionCopy",
    "CompletionMean",
    "CompletionNearest",
    "Drift",
    "Frozen",
    "Janus",
    "Jitter",
    "Noise",
    "Oracle",
    "Switch",
    "Truth",
    "Wobble",
]
