"""`Check`: one thing a method must do, whether it does, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "fault", "ok", "skipped"]


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Args:
        name: what was checked.
        verdict: ``skipped`` where the method does not promise it, or where an earlier fault hides it.
        message: what was seen; of a fault also what to do.
    """

    name: str
    verdict: Literal["ok", "fault", "skipped"]
    message: str


def ok(name: str, message: str) -> Check:
    """A tick."""
    return Check(name, "ok", message)


def fault(name: str, message: str) -> Check:
    """A cross."""
    return Check(name, "fault", message)


def skipped(name: str, message: str) -> Check:
    """Neither: it could not be checked, or need not be."""
    return Check(name, "skipped", message)
