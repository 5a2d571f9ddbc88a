"""A network's constructor arguments, kept so that it can be built again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["arguments"]


def arguments(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What a constructor was called with, from the `locals()` of its first line, as JSON would hold it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in scope.items()
        if name not in ("self", "__class__")
    }
