"""The protocol an entry names is the one it was measured under."""

from __future__ import annotations

from collections.abc import Iterator

from ...benchmark.protocol import Protocol
from ..faults import Fault, shown
from ..seeds import seeds_sha256
from .submission import Submission

__all__ = ["check_protocol", "check_seeds", "check_split"]

RUN_AGAIN = "run the protocol as it is and submit again"


def check_protocol(submission: Submission) -> Iterator[Fault]:
    """Version and hash; what no longer competes may rest on an older version."""
    if submission.expected is None:
        return
    entry, protocol = submission.entry, submission.expected.protocol
    record = entry.protocol
    wanted = protocol.hash_with(record.pictures)
    if record.version == protocol.version and record.hash == wanted:
        return
    found = f"{protocol.name} v{record.version} ({record.hash[:12]})"
    known = f"v{protocol.version} with the hash {wanted}"
    if entry.lifecycle.status != "active" and record.version < protocol.version:
        yield submission.warning("protocol.version", f"{found} is an older version; now it is {known}", "leave it so")
        return
    if record.version != protocol.version:
        yield submission.error("protocol.version", f"measured under {found}; the protocol is {known}", RUN_AGAIN)
    count = entry.scenes.requested // protocol.samples
    if _with_scenes(protocol, count, record.pictures) == record.hash:
        message = f"measured with {count} scenes; {protocol.name} has {protocol.scenes}"
        yield submission.error("protocol.hash", message, "run it again without --scenes and submit that")
        return
    if record.hash != wanted:
        message = f"{record.hash} is not the hash of {protocol.name} {known}"
        yield submission.error("protocol.hash", message, RUN_AGAIN)


def check_split(submission: Submission) -> Iterator[Fault]:
    """The split of the data."""
    if submission.expected is None:
        return
    wanted, found = submission.expected.protocol.split, submission.entry.scenes.split
    if found != wanted:
        message = f"{shown(found)}; {submission.entry.protocol.name} is about the split '{wanted}'"
        yield submission.error("scenes.split", message, RUN_AGAIN)


def check_seeds(submission: Submission) -> Iterator[Fault]:
    """The scenes were drawn from the protocol's seeds."""
    if submission.expected is None or submission.entry.scenes.requested != submission.expected.requested:
        return
    wanted = seeds_sha256(submission.expected.seeds)
    if submission.entry.scenes.seeds_sha256 != wanted:
        message = f"the seeds are not those of {submission.entry.protocol.name}, whose hash is {wanted}"
        yield submission.error("scenes.seeds_sha256", message, RUN_AGAIN)


def _with_scenes(protocol: Protocol, count: int, pictures: str | None) -> str | None:
    """The hash of the same protocol with `count` scenes; None where that is no other protocol."""
    if count == protocol.scenes or not 1 <= count <= 100_000:
        return None
    return protocol.with_scenes(count).hash_with(pictures)
