"""Folders that are filled piece by piece: how far an earlier call came, if what it made is what is wanted now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import atomic_write

__all__ = ["mark_done", "pieces_done"]


def pieces_done(record: Path, wanted: Mapping[str, Any], *, replace: bool = False) -> int:
    """How many pieces of `wanted` are there. With none, what is going to be there is noted, so that others keep off.

    Args:
        record: file that says what its folder holds; `mark_done` writes it.
        wanted: what the pieces are made of, JSON-able.
        replace: whether something else that the folder holds gives way. Not where another training may be reading it.

    Raises:
        UserError: the folder holds something else.
    """
    if not record.exists():
        mark_done(record, wanted, 0)
        return 0
    try:
        held = json.loads(record.read_text())
        done = int(held.pop("done", 0))
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{record} is not readable.", hint=_HINT) from None
    asked = json.loads(json.dumps(wanted))
    if held != asked:
        if replace:
            mark_done(record, wanted, 0)
            return 0
        other = sorted(name for name in {*held, *asked} if held.get(name) != asked.get(name))
        about = "; ".join(f"{name} is {_short(held.get(name))}, not {_short(asked.get(name))}" for name in other)
        raise UserError(f"{record.parent} holds other training data: {about}.", hint=_HINT)
    return done


def mark_done(record: Path, wanted: Mapping[str, Any], done: int) -> None:
    """Note that the first `done` pieces are whole."""
    atomic_write(record, json.dumps({**wanted, "done": done}))


_HINT = "Give another folder (`--data`), or delete this one if nothing uses it."


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
