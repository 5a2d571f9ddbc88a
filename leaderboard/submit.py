"""`submit`: what a finished run says about one method, written as files of a board.

    entries/<protocol>/<method>.json      the entry
    entries/<protocol>/<method>.parquet   the values of single scenes and views behind it
    methods/<method>.yml                  the card, where there is none yet
    protocols/<protocol>.yaml             the protocol, where it is one of the user's own
    RUN/<method>-scenes.tar               the scenes, to be put where others can fetch them; not part of the board

The same run gives the same bytes, but for the date of submission: that of the same results on the board, or the one
that is given, or today.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..benchmark.fingerprint import sha256_bytes
from ..benchmark.protocol import Protocol, protocol_names
from ..scenes.errors import UserError
from ..scenes.files import atomic_write, make_folder
from .archive import write_archive
from .board import BoardFolder
from .card_skeleton import MARK, card_skeleton
from .cards import load_card
from .checks import measured
from .entry import URL, Archive, Division, Entry, PerScene
from .expectation import find_protocol
from .faults import Fault, as_error
from .run_entry import FinishedRun, check_files, entry_of, open_run
from .scene_table import pack, rows_of
from .strict_json import MAXIMUM_ENTRY, read_entry, read_json_strictly
from .validate import validate

__all__ = ["Written", "entry_text", "protocol_text", "submit"]


@dataclass(frozen=True)
class Written:
    """The files of a submission and what is wrong with them.

    Args:
        skeleton: whether the card is a new one that its author has to complete.
        faults: of entry, table and card.
        notes: what was kept of an entry that lay there, and what was not, a sentence each.
    """

    entry: Path
    table: Path
    card: Path
    archive: Path
    skeleton: bool = False
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[Fault]:
        """Faults that keep the entry off a board."""
        return [fault for fault in self.faults if fault.severity == "error"]


def submit(
    run_dir: Path,
    *,
    method: str | None = None,
    board: BoardFolder,
    card: Path | None = None,
    archive: Path | None = None,
    archive_url: str | None = None,
    date: datetime.date | None = None,
) -> Written:
    """Write entry, table, card and archive of one method of a run, then check them.

    Where the board has an entry of that name, its lifecycle stays; its day, its checks and the address of its archive
    stay as long as they are of the same results.

    Args:
        run_dir: a complete run directory.
        method: which one; the only one, or the only one that competes, where it is not said.
        board: where to; it is begun where it does not exist.
        card: the method's card, copied to the board; else the one on the board, else a skeleton is written there.
        archive: where the archive of the scenes goes; beside the other files of the run where it is not said.
        archive_url: where others will find it, https.
        date: of submission; that of the entry with the same results, or today.

    Raises:
        UserError: the run is not complete, was changed, or is not of a protocol as it stands; the card is faulty or
            of another method; an argument or a text of the run does not fit into an entry; a file cannot be written.
            The board is as it was.
    """
    _check_arguments(archive_url, date)
    run = open_run(run_dir)
    name = run.method(method)
    check_files(run, name)
    division, given, skeleton = _card(run, name, board, card)
    own_protocol = _own_protocol(run, board)
    out = archive if archive is not None else run.place.path / f"{name}-scenes.tar"
    make_folder(out.absolute().parent)
    packed = write_archive(run.place.method_folder(name), out)
    table = rows_of(run.place.per_scene, name)
    table_bytes = pack(table)
    entry = entry_of(
        run,
        name,
        archive=Archive.model_validate(packed.model_dump() | {"url": archive_url}),
        per_scene=PerScene(sha256=sha256_bytes(table_bytes), bytes=len(table_bytes), rows=table.num_rows),
        division=division,
        day=date or datetime.date.today(),
    )
    protocol = run.protocol.name
    written = Written(board.entry(protocol, name), board.table(protocol, name), board.card(name), out, skeleton)
    entry = _carried_over(written, entry, dated=date is not None)
    text = entry_text(entry)
    _, faults = read_json_strictly(text.encode(), name=str(written.entry), limit=MAXIMUM_ENTRY)
    if refused := [fault for fault in faults if fault.severity == "error"]:
        raise as_error(refused)
    for path in (written.entry, written.card):
        make_folder(path.parent)
    if own_protocol is not None:
        make_folder(own_protocol.parent)
        atomic_write(own_protocol, protocol_text(run.protocol))
    if given is not None:
        atomic_write(written.card, given)
    atomic_write(written.table, table_bytes)
    atomic_write(written.entry, text)
    written.faults.extend(_faults(written))
    return written


def entry_text(entry: Entry) -> str:
    """The entry as its file holds it: keys sorted, one a line, so that differences read well."""
    return json.dumps(entry.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False) + "\n"


def protocol_text(protocol: Protocol) -> str:
    """The YAML file of a protocol: what its hash covers, and its description."""
    head = {"schema": protocol.content["schema"], "name": protocol.name, "version": protocol.version}
    content = {**head, "description": protocol.description, **protocol.content}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _check_arguments(archive_url: str | None, date: datetime.date | None) -> None:
    """Refuse what no board would take before anything is written.

    Raises:
        UserError: the address is none, or the day has not come.
    """
    if archive_url is not None and not re.fullmatch(URL, archive_url):
        raise UserError(f"--archive-url {archive_url}: this is no address.", hint="Give one that begins with https://.")
    if date is not None and date > datetime.date.today() + datetime.timedelta(days=1):
        raise UserError(f"--date {date}: lies in the future.", hint="Give the day of submission, or none for today.")


def _carried_over(written: Written, entry: Entry, *, dated: bool) -> Entry:
    """`entry` with what stays of the one that lies in its place; what stays and what goes is noted.

    Args:
        dated: whether the user said which day it was submitted.
    """
    if not written.entry.exists():
        return entry
    before, _ = read_entry(written.entry)
    if before is None:
        written.notes.append(f"{written.entry}: could not be read, so nothing of it was kept.")
        return entry
    kept: dict[str, Any] = {"lifecycle": before.lifecycle}
    if entry.archive.url is None and before.archive.sha256 == entry.archive.sha256:
        kept["archive"] = entry.archive.model_copy(update={"url": before.archive.url})
    if measured(before) == measured(entry):
        if dated and any(made.date < entry.submitted for made in before.attestations):
            raise UserError(f"--date {entry.submitted}: {written.entry} was checked before.", hint="Leave out --date.")
        kept |= {"attestations": before.attestations} | ({} if dated else {"submitted": before.submitted})
    elif before.attestations:
        checks = ", ".join(f"{made.kind} by {made.by} on {made.date}" for made in before.attestations)
        written.notes.append(f"The results are others than before, so the checks of them were dropped: {checks}.")
    ended = before.lifecycle
    if ended.status != "active":
        written.notes.append(
            f"The row stays {ended.status} ({ended.reason}); if it is to count again, set lifecycle to active."
        )
        day = kept.get("submitted", entry.submitted)
        if ended.date is not None and ended.date < day:  # nothing ends before it was submitted
            kept["lifecycle"] = ended.model_copy(update={"date": day})
            written.notes.append(f"Its day moves from {ended.date} to {day}, the day of the new results.")
    return entry.model_copy(update=kept)


def _own_protocol(run: FinishedRun, board: BoardFolder) -> Path | None:
    """Where the protocol of the run has to be written; None where it is shipped or lies there.

    Raises:
        UserError: another one of that name lies there.
    """
    if run.protocol.name in protocol_names():
        return None
    path = board.root / "protocols" / f"{run.protocol.name}.yaml"
    if not path.exists():
        return path
    held = find_protocol(run.protocol.name, board.root)
    if held.hash != run.protocol.hash:
        raise UserError(
            f"{path}: is another protocol (hash {held.hash[:12]}) than that of {run.place.path} "
            f"({run.protocol.hash[:12]}).",
            hint="Give yours another name or version, and run it again.",
        )
    return None


def _card(run: FinishedRun, method: str, board: BoardFolder, given: Path | None) -> tuple[Division, bytes | None, bool]:
    """The division, the card's new content where it changes, and whether that is a skeleton."""
    on_board = board.card(method)
    if given is None and not on_board.exists():
        return "closed", card_skeleton(run.record["methods"][method]["info"]).encode(), True
    source = given if given is not None else on_board
    try:
        found = load_card(source)
    except UserError:
        if given is not None:
            raise
        return "closed", None, MARK in source.read_text(encoding="utf-8", errors="replace")  # validation says why
    if found.name != method:
        raise UserError(f"{source}: is the card of '{found.name}', and the run has '{method}'.")
    same = on_board.exists() and source.samefile(on_board)
    return found.division, None if same else source.read_bytes(), False


def _faults(written: Written) -> list[Fault]:
    """The faults of entry and card; each once, since the check of an entry may look at its card as well."""
    return list(dict.fromkeys([*validate(written.entry), *validate(written.card)]))
