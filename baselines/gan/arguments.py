"""A network's constructor arguments, kept so that it can be built again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...scenes.errors import UnknownName

__all__ = ["arguments", "check_choice"]


def arguments(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What a constructor was called with, from the `locals()` of its first line, as JSON would hold it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in scope.items()
        if name not in ("self", "__class__")
    }


def check_choice(what: str, value: str, known: Iterable[str]) -> None:
    """Refuse a word that a network does not know, before it draws something else or fails in the middle.

    Raises:
        UnknownName: `value` is none of `known`.
    """
    if value not in (choices := tuple(known)):
        raise UnknownName(what, value, choices)
