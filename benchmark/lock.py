"""One process at a time in a run directory; the second is told who is there and since when.

The lock is the operating system's (flock), so it goes with its process, even one that was killed.
Who holds it stands in a file beside it, for people only: a stale one locks nobody out.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..scenes.errors import RunLocked, WriteFailed
from ..scenes.files import atomic_write

__all__ = ["hold", "holder"]

LOCK = ".lock"
HOLDER = ".holder.json"
PATIENCE = 0.5  # seconds; `holder` takes the lock for an instant, which must turn nobody away


@contextmanager
def hold(folder: Path, purpose: str) -> Iterator[None]:
    """Hold the run directory `folder` (it must exist) while the body runs.

    Raises:
        RunLocked: another process holds it.
    """
    lock = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise RunLocked(
            f"{folder}: {_describe(folder) or 'another process is at work here'}.",
            hint="Wait for it, stop it, or choose another --out.",
        ) from None
    except OSError as error:
        raise WriteFailed(f"{folder}: cannot be locked ({error.strerror or error}).") from error
    try:
        record = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "purpose": purpose,
        }
        atomic_write(folder / HOLDER, json.dumps(record))
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> str | None:
    """Who holds `folder` now, as a sentence without its full stop; None when nobody does."""
    if not (folder / LOCK).exists():
        return None
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return _describe(folder) or "another process is at work here"
    except OSError:
        return None  # a read-only copy: nobody can work in it
    lock.release()
    return None


def _describe(folder: Path) -> str | None:
    try:
        record = json.loads((folder / HOLDER).read_text())
        return f"process {record['pid']} on {record['host']} ({record['purpose']}) holds it since {record['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None  # between taking the lock and writing its name
