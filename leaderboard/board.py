"""Where things lie on a board, and how the whole board is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..benchmark.roles import Role, in_order, role
from .card import MethodCard, Reported
from .entry import Entry

__all__ = ["Board", "BoardFolder", "board_of"]


@dataclass(frozen=True)
class BoardFolder:
    """The files of a board below `root`; nothing is read or written."""

    root: Path

    def entry(self, protocol: str, method: str) -> Path:
        return self.root / "entries" / protocol / f"{method}.json"

    def table(self, protocol: str, method: str) -> Path:
        return self.root / "entries" / protocol / f"{method}.parquet"

    def card(self, method: str) -> Path:
        return self.root / "methods" / f"{method}.yml"

    def reported(self, name: str) -> Path:
        return self.root / "reported" / f"{name}.yml"

    def entries(self) -> list[Path]:
        """All entry files, sorted."""
        return sorted((self.root / "entries").glob("*/*.json"))

    def cards(self) -> list[Path]:
        return sorted((self.root / "methods").glob("*.yml"))

    def all_reported(self) -> list[Path]:
        return sorted((self.root / "reported").glob("*.yml"))


def board_of(entry: Path) -> Path | None:
    """The folder of the board that an entry lies on, written as the entry's own path is; None where it lies on none."""
    for path in (entry, entry.absolute()):  # as given where that says enough, so that messages name one file one way
        if len(path.parents) > 2 and path.parents[1].name == "entries":
            return path.parents[2]
    return None


@dataclass(frozen=True)
class Board:
    """A board that was read and found valid.

    Args:
        entries: by protocol and method, in the order of the protocols' names and of `roles.in_order`.
        cards: by method.
        reported: numbers from papers, by name.
    """

    entries: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    cards: Mapping[str, MethodCard] = field(default_factory=dict)
    reported: Mapping[str, Reported] = field(default_factory=dict)

    @cached_property
    def protocols(self) -> list[str]:
        return sorted({protocol for protocol, _ in self.entries})

    def methods(self, protocol: str) -> list[str]:
        """The methods with an entry, as tables show them."""
        return in_order(method for name, method in self.entries if name == protocol)

    def role(self, method: str) -> Role:
        """The ceiling, a competitor, or a cheat."""
        return role(method)
