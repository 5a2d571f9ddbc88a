"""The oracle and the cheats: reference methods that are always on the board."""

from .billboard import Billboard
from .frozen import Frozen
from .noise import Noise
from .oracle import Oracle

__all__ = ["Billboard", "Frozen", "Noise", "Oracle"]
