"""What happened to the board, from the dates that entries, cards and reported numbers carry."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ..board import Board
from ..entry import Lifecycle

__all__ = ["Change", "changes"]


@dataclass(frozen=True, order=True)
class Change:
    """One line of the changelog.

    Args:
        kind: added, checked, superseded, withdrawn or reported.
        protocol: empty where it concerns a method as such.
        text: what happened, as the end of a sentence about the method.
    """

    day: datetime.date
    protocol: str
    method: str
    kind: str
    text: str


def changes(board: Board) -> list[Change]:
    """Everything that happened, the latest day first; within a day entries before papers' numbers, by protocol and
    method."""
    found = []
    for (protocol, method), entry in board.entries.items():
        division = "" if entry.division == "closed" else ", open division"
        scenes = entry.scenes.evaluated
        text = f"submitted with {scenes} scene{'' if scenes == 1 else 's'}{division}"
        found.append(Change(entry.submitted, protocol, method, "added", text))
        for check in entry.attestations:
            what = "verified" if check.kind == "verified" else f"spot-checked on {check.seeds} seeds"
            found.append(Change(check.date, protocol, method, "checked", f"{what} by {check.by}"))
        found += _ended(protocol, method, entry.lifecycle)
    for method, card in board.cards.items():
        found += _ended("", method, card.lifecycle)
    for name, reported in board.reported.items():
        count = len(reported.numbers)
        whose = "its authors" if reported.evidence == "authors" else "others"
        text = f"{count} number{'' if count == 1 else 's'} reported by {whose} read from their source"
        found.append(Change(reported.read, "", name, "reported", text))
    return sorted(found, key=lambda change: (-change.day.toordinal(), change.kind == "reported", change))


def _ended(protocol: str, method: str, state: Lifecycle) -> list[Change]:
    if state.status == "active" or state.date is None:
        return []
    by = f" by {state.successor}" if state.successor else ""
    return [Change(state.date, protocol, method, state.status, f"{state.status}{by}: {state.reason}")]
