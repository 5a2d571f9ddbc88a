"""What happened to an entry since it was submitted: checks by the maintainers, and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..faults import Fault
from .submission import Submission

__all__ = ["check_attestations", "check_dates", "check_lifecycle"]


def check_attestations(submission: Submission) -> Iterator[Fault]:
    """Each check once, by somebody, with what it found."""
    attestations = submission.entry.attestations
    seen = Counter((made.kind, made.by, made.date) for made in attestations)
    for (kind, by, day), count in seen.items():
        if count > 1:
            yield submission.error("attestations", f"{kind} by {by} on {day}, {count} times", "keep one of them")
    for position, made in enumerate(attestations):
        place = f"attestations.{position}"
        if not made.by.strip():
            yield submission.error(f"{place}.by", "nobody", "say who checked it")
        if made.kind == "spot-checked" and made.seeds == 0:
            yield submission.error(f"{place}.seeds", "spot-checked without a seed", "say how many were drawn again")
        if made.seeds > submission.entry.scenes.requested:
            message = f"{made.seeds} seeds; the protocol has {submission.entry.scenes.requested}"
            yield submission.error(f"{place}.seeds", message, "say how many were drawn again")
        if made.largest_difference < 0:
            message = f"{made.largest_difference} is no size of a difference"
            yield submission.error(f"{place}.largest_difference", message, "copy what viewsweep verify printed")


def check_dates(submission: Submission) -> Iterator[Fault]:
    """Nothing happens before the submission, and nothing in the future."""
    entry = submission.entry
    later = {f"attestations.{position}.date": made.date for position, made in enumerate(entry.attestations)}
    if entry.lifecycle.date is not None:
        later["lifecycle.date"] = entry.lifecycle.date
    for key, day in later.items():
        if day < entry.submitted:
            yield submission.error(key, f"{day} is before the submission, {entry.submitted}", "correct the day")
    if submission.today is not None:
        for key, day in {"submitted": entry.submitted, **later}.items():
            if day > submission.today:
                yield submission.error(key, f"{day} lies in the future", "correct the day")


def check_lifecycle(submission: Submission) -> Iterator[Fault]:
    """What is superseded names what took its place, and that is there."""
    entry = submission.entry
    successor = entry.lifecycle.successor
    if entry.lifecycle.status == "superseded" and successor is None:
        yield submission.error("lifecycle.successor", "superseded by nothing", "name the method that took its place")
    if entry.lifecycle.status == "active" and successor is not None:
        message = f"active, but superseded by {successor}"
        yield submission.error("lifecycle.successor", message, "write superseded, with date and reason")
    if successor == entry.method.name:
        yield submission.error("lifecycle.successor", "it is its own successor", "name another method")
    elif successor is not None and successor not in submission.neighbours:
        message = f"{successor} has no entry under {entry.protocol.name}"
        yield submission.error("lifecycle.successor", message, "submit the successor first, or correct the name")
