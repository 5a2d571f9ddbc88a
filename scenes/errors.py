"""Everything that can go wrong in a way the person at the keyboard can mend.

    ViewsweepError              exit 1   root; carries an optional hint
      UserError                 exit 2   what was asked for cannot be done; nothing is lost
        UnknownName             exit 2   a protocol, method or class nobody registered
        InvalidCameras          exit 2   poses that are no rotations, bad intrinsics
        InvalidScene            exit 2   a scene whose parts do not fit together
        UnreadableFile          exit 2   a truncated, foreign or too new file
        WriteFailed             exit 2   disk full, folder not writable
        RunLocked               exit 2   another process holds the run directory
      ChecksFailed              exit 3   the command worked; what it checked did not pass

Bugs are ordinary exceptions: they show a traceback and exit with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ChecksFailed",
    "InvalidCameras",
    "InvalidScene",
    "RunLocked",
    "UnknownName",
    "UnreadableFile",
    "UserError",
    "ViewsweepError",
    "WriteFailed",
]


class ViewsweepError(Exception):
    """Root of all errors viewsweep raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class UserError(ViewsweepError):
    """What was asked for cannot be done; the message says what, where and what to do."""

    exit_code = 2


class UnknownName(UserError):
    """A name that is not registered; offers the nearest ones, then all of them."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=3, cutoff=0.5)
        everything = f"Known: {', '.join(self.known) or 'none'}."
        suggestion = f"Did you mean {', '.join(near)}?" if near else everything
        super().__init__(f"There is no {kind} named '{name}'. {suggestion}", hint=hint)


class InvalidCameras(UserError):
    """Poses that are no rigid motions, or intrinsics no pinhole camera has."""


class InvalidScene(UserError):
    """A scene whose parts do not fit together."""


class UnreadableFile(UserError):
    """A file that is truncated, of a foreign format, or written by a newer viewsweep."""


class WriteFailed(UserError):
    """The operating system refused a write; nothing that was on disk is changed."""


class RunLocked(UserError):
    """Another process holds the run directory."""


class ChecksFailed(ViewsweepError):
    """The command did its work, and what it checked did not pass."""

    exit_code = 3
