"""The part a method plays on the board: the ceiling, a competitor, or a cheat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

__all__ = ["CEILINGS", "CHEATS", "COMPLETION_CHEATS", "SWEEP_CHEATS", "Role", "in_order", "role"]

Role = Literal["ceiling", "method", "cheat"]

CEILINGS = frozenset({"oracle", "possible", "truth"})
"""Methods that draw the world itself: the best any method could do, and no competitor."""

SWEEP_CHEATS = frozenset({"billboard", "blurred", "drift", "frozen", "janus", "jitter", "noise", "switch", "wobble"})
COMPLETION_CHEATS = frozenset({"completion-copy", "completion-mean", "completion-nearest"})

CHEATS = SWEEP_CHEATS | COMPLETION_CHEATS
"""Methods that break one rule on purpose, to show which metric notices."""


def role(method: str) -> Role:
    """What a method of that name is."""
    if method in CEILINGS:
        return "ceiling"
    return "cheat" if method in CHEATS else "method"


def in_order(methods: Iterable[str]) -> list[str]:
    """The names as tables show them: the ceiling, those that compete, the cheats; each by name."""
    return sorted(methods, key=lambda name: (get_args(Role).index(role(name)), name))
