"""No row vanishes, and no check outlives the numbers it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..board import BoardFolder
from ..entry import Attestation, Entry
from ..faults import Fault

__all__ = ["check_rows_kept", "measured"]

Rows = Mapping[tuple[str, str], Entry]


def check_rows_kept(old: Rows, new: Rows, board: Path, *, maintainer: bool = False) -> Iterator[Fault]:
    """Compare the entries of a board with those it had before.

    Args:
        old, new: by protocol and method.
        board: folder of the new one.
        maintainer: whether whoever asks may record checks; of anybody else a new one is an error.
    """
    folder = BoardFolder(board)
    for (protocol, method), before in sorted(old.items()):
        path = folder.entry(protocol, method)
        after = new.get((protocol, method))
        if after is None:
            hint = "put the file back and set its lifecycle to withdrawn or superseded, with date and reason"
            yield Fault.error(path, "", f"the row of {method} has vanished", hint)
            continue
        kept = [made for made in after.attestations if made in before.attestations]
        if kept and measured(before) != measured(after):
            message = f"the numbers changed, but it is still {kept[0].kind} of {kept[0].date}"
            yield Fault.error(path, "attestations", message, "remove the checks that were made of the old numbers")
        if before.lifecycle.status != "active" and after.lifecycle.status == "active":
            message = f"it was {before.lifecycle.status} and is active again"
            yield Fault.warning(path, "lifecycle.status", message, "make sure that this is meant")
        if measured(before) != measured(after):
            yield Fault.warning(path, "metrics", "the numbers of this row changed", "make sure that this is meant")
        elif before.cost != after.cost:
            message = "what the row says of its own cost changed, which no check can find out again"
            yield Fault.warning(path, "cost", message, "make sure that this is meant")
    for (protocol, method), after in sorted(new.items()):
        known: list[Attestation] = old[protocol, method].attestations if (protocol, method) in old else []
        if any(made not in known for made in after.attestations):
            path = folder.entry(protocol, method)
            message = f"{method} becomes {after.tier} by this change"
            if maintainer:
                yield Fault.warning(path, "attestations", message, "make sure that you know who checked it")
            else:
                hint = "remove the check: only those who maintain the board record any, with viewsweep verify --attest"
                yield Fault.error(path, "attestations", message, hint)


def measured(entry: Entry) -> object:
    """What a check was made of."""
    files = entry.per_scene.sha256, entry.archive.sha256
    return entry.metrics, entry.scenes, files, entry.cost.views, entry.protocol, entry.method
