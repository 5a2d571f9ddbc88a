"""Where an entry lies: the path says protocol and method, and so does the content."""

from __future__ import annotations

from collections.abc import Iterator

from ..faults import Fault, shown
from .submission import Submission

__all__ = ["check_place"]


def check_place(submission: Submission) -> Iterator[Fault]:
    """``entries/<protocol>/<method>.json``."""
    path, entry = submission.path.absolute(), submission.entry
    if path.stem != entry.method.name:
        message = f"the method is {entry.method.name}, but the file is named {shown(path.name)}"
        yield submission.error("method.name", message, f"name the file {entry.method.name}.json")
    if path.parent.name != entry.protocol.name:
        message = f"the protocol is {entry.protocol.name}, but the folder is named {shown(path.parent.name)}"
        yield submission.error("protocol.name", message, f"move the file to entries/{entry.protocol.name}/")
    elif path.parent.parent.name != "entries":
        message = "the file does not lie on a board"
        hint = f"put it into entries/{entry.protocol.name}/ of a board, with the card in methods/"
        yield submission.error("", message, hint)
