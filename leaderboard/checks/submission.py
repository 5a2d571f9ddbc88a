"""`Submission`: an entry and all that lies around it, as far as it could be read."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..card import MethodCard
from ..entry import Entry
from ..expectation import Expectation
from ..faults import Fault
from .table import SceneTable

__all__ = ["Submission", "listed"]

MOST_NAMES = 8


@dataclass(frozen=True)
class Submission:
    """One entry under examination.

    Args:
        path: of the entry.
        entry: as it was read.
        expected: what its protocol asks for; None where the protocol is not known.
        card: of its method; None where there is none that can be read.
        table: the values behind it; None where they cannot be read.
        neighbours: methods with an entry under the same protocol, its own included.
        today: no day of an entry lies after it; None = any may.
    """

    path: Path
    entry: Entry
    expected: Expectation | None = None
    card: MethodCard | None = None
    table: SceneTable | None = None
    neighbours: frozenset[str] = field(default_factory=frozenset)
    today: datetime.date | None = None

    @property
    def table_path(self) -> Path:
        return self.path.with_suffix(".parquet")

    def error(self, key: str, message: str, hint: str) -> Fault:
        """A fault of the entry's file."""
        return Fault.error(self.path, key, message, hint)

    def warning(self, key: str, message: str, hint: str) -> Fault:
        return Fault.warning(self.path, key, message, hint)

    def table_error(self, key: str, message: str, hint: str) -> Fault:
        """A fault of the table beside the entry."""
        return Fault.error(self.table_path, key, message, hint)


def listed(names: Iterable[object]) -> str:
    """The first few names, and how many more there are."""
    every = [str(name) for name in names]
    more = f" and {len(every) - MOST_NAMES} more" if len(every) > MOST_NAMES else ""
    return ", ".join(every[:MOST_NAMES]) + more
