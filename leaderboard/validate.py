"""`validate`: everything that is wrong with a board, an entry, a card or an archive, at once."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..benchmark.roles import in_order
from ..scenes.errors import UserError
from .archive import check_archive
from .board import Board, BoardFolder, board_of
from .card import MethodCard, Reported
from .cards import read_card, read_reported
from .checks import Submission, check_entry, check_rows_kept
from .checks.table import read_scene_table
from .entry import Entry
from .expectation import Expectation, expectation, find_protocol
from .faults import Fault, as_error
from .strict_json import read_entry

__all__ = ["read_board", "validate"]

FOLDERS = {"entries": ".json", "methods": ".yml", "reported": ".yml", "protocols": ".yaml"}
"""The folders of a board and what their files end in."""

MOST_ENTRIES = 10_000

ONE_DAY = datetime.timedelta(days=1)
"""Where the sun rises earlier, it is tomorrow already."""


@dataclass
class _Read:
    """A board as far as it could be read."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    cards: dict[str, MethodCard] = field(default_factory=dict)
    reported: dict[str, Reported] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def validate(
    path: Path, *, previous: Path | None = None, maintainer: bool = False, today: datetime.date | None = None
) -> list[Fault]:
    """All faults of what lies at `path`.

    Args:
        path: the folder of a board, an entry (``.json``), a card or numbers from a paper (``.yml``), or an
            archive of scenes (``.tar``, ``.zip``). An entry is checked with the table, card and protocol around it.
        previous: the folder of the same board before a change; no row may have vanished since, and no check have been
            added.
        maintainer: whether the change is by somebody who maintains the board, and may record checks.
        today: no day lies after it; the present one where it is not said.

    Raises:
        UserError: there is nothing of that kind at `path`, or `previous` is no board.
    """
    latest = datetime.date.today() + ONE_DAY if today is None else today
    if previous is not None and not (path.is_dir() and previous.is_dir()):
        raise UserError(f"{previous}: boards are compared with boards; give two folders.")
    if maintainer and previous is None:
        raise UserError("--maintainer belongs to --previous: without it nobody knows which checks are new.")
    if path.is_dir():
        found = _read_board(path, latest)
        if previous is not None:
            found.faults += check_rows_kept(_rows(previous), found.entries, path, maintainer=maintainer)
            found.faults += _papers_kept(previous, path)
        return found.faults
    if not path.exists():
        raise UserError(f"{path}: there is nothing there.")
    if path.suffix == ".json":
        return _check_one(path, latest)
    if path.suffix == ".yml":
        return _check_paper(path, latest)[1] if path.absolute().parent.name == "reported" else _check_card(path)[1]
    if path.suffix in (".tar", ".zip"):
        return check_archive(path)
    hint = "Give a board's folder, an entry (.json), a card (.yml) or an archive of scenes (.tar, .zip)."
    raise UserError(f"{path}: nothing that can be checked.", hint=hint)


def read_board(root: Path) -> Board:
    """The board below `root`.

    Raises:
        UserError: it has faults; all of them are listed. Warnings do not count.
    """
    found = _read_board(root, datetime.date.today() + ONE_DAY)
    if errors := [fault for fault in found.faults if fault.severity == "error"]:
        raise as_error(errors)
    protocols = sorted({protocol for protocol, _ in found.entries})
    order = [
        (protocol, method)
        for protocol in protocols
        for method in in_order(name for other, name in found.entries if other == protocol)
    ]
    return Board(
        {key: found.entries[key] for key in order},
        {name: found.cards[name] for name in in_order(found.cards)},
        {name: found.reported[name] for name in sorted(found.reported)},
    )


def _read_board(root: Path, today: datetime.date) -> _Read:
    folder, found = BoardFolder(root), _Read()
    if not any((root / name).is_dir() for name in FOLDERS):
        hint = f"a board has the folders {', '.join(FOLDERS)}"
        found.faults.append(Fault.error(root, "", "there is no board in this folder", hint))
        return found
    found.faults += _stray_files(root)
    found.faults += _protocol_faults(root)
    paths = folder.entries()
    if len(paths) > MOST_ENTRIES:
        found.faults.append(Fault.error(root, "entries", f"over {MOST_ENTRIES} entries", "split the board"))
        return found
    for path in folder.cards():
        card, faults = _check_card(path)
        found.faults += faults
        if card is not None:
            found.cards[path.stem] = card
    for path in folder.all_reported():
        reported, faults = _check_paper(path, today)
        found.faults += faults
        if reported is not None:
            found.reported[path.stem] = reported
    for path in paths:
        entry, faults = read_entry(path)
        found.faults += faults
        if entry is not None:
            found.entries[path.parent.name, path.stem] = entry
    for (protocol, method), entry in found.entries.items():
        path = folder.entry(protocol, method)
        neighbours = frozenset(name for other, name in found.entries if other == protocol)
        found.faults += _check_entry(path, entry, root, found.cards.get(entry.method.name), neighbours, today)
    found.faults += _copies(folder, found.entries)
    return found


def _check_one(path: Path, today: datetime.date) -> list[Fault]:
    """One entry, with what lies around it where it lies on a board."""
    entry, faults = read_entry(path)
    if entry is None:
        return faults
    root = board_of(path)
    card = None
    if root is not None and (on_board := BoardFolder(root).card(entry.method.name)).exists():
        card, own = _check_card(on_board)
        faults += own
    neighbours = frozenset(other.stem for other in path.parent.glob("*.json"))
    return faults + _check_entry(path, entry, root, card, neighbours, today)


def _check_entry(
    path: Path,
    entry: Entry,
    root: Path | None,
    card: MethodCard | None,
    neighbours: frozenset[str],
    today: datetime.date,
) -> list[Fault]:
    expected, faults = _expected(path, entry, root)
    table, own = read_scene_table(path.with_suffix(".parquet"), entry.per_scene)
    faults += own
    if card is None and (root is None or not BoardFolder(root).card(entry.method.name).exists()):
        message = f"there is no card methods/{entry.method.name}.yml"
        faults.append(Fault.error(path, "method.name", message, "write one; viewsweep submit begins it"))
    return faults + check_entry(Submission(path, entry, expected, card, table, neighbours, today))


def _expected(path: Path, entry: Entry, root: Path | None) -> tuple[Expectation | None, list[Fault]]:
    try:
        return expectation(find_protocol(entry.protocol.name, root)), []
    except UserError as error:
        message, hint = " ".join(str(error).split()).rstrip("."), "name a protocol that viewsweep list shows"
        return None, [Fault.error(path, "protocol.name", message, hint)]


def _check_card(path: Path) -> tuple[MethodCard | None, list[Fault]]:
    card, faults = read_card(path)
    if card is not None:
        faults += _card_faults(path, card)
    return card, faults


def _card_faults(path: Path, card: MethodCard) -> Iterator[Fault]:
    if card.name != path.stem:
        message = f"the card is about {card.name}, but the file is named {path.name}"
        yield Fault.error(path, "name", message, f"name the file {card.name}.yml")
    for key in ("title", "version", "description"):
        if not getattr(card, key).strip():
            yield Fault.error(path, key, "empty", "fill it in")
    if not all(author.strip() for author in card.authors):
        yield Fault.error(path, "authors", "an author without a name", "fill it in")
    if card.division == "open" and not card.conditions.strip():
        yield Fault.error(
            path, "conditions", "empty, but the division is open", "say how it departs from the protocols"
        )
    papers = {other.stem for other in BoardFolder(path.parent.parent).all_reported()}
    for name in card.reported:
        if name not in papers:
            yield Fault.error(path, "reported", f"there is no reported/{name}.yml", "add it, or correct the name")
    lifecycle = card.lifecycle
    if lifecycle.status == "superseded" and lifecycle.successor is None:
        yield Fault.error(path, "lifecycle.successor", "superseded by nothing", "name what took its place")
    if lifecycle.successor == card.name:
        yield Fault.error(path, "lifecycle.successor", "it is its own successor", "name another method")
    elif lifecycle.successor is not None and not path.with_name(f"{lifecycle.successor}.yml").exists():
        message = f"there is no card of {lifecycle.successor}"
        yield Fault.error(path, "lifecycle.successor", message, "add it, or correct the name")


def _check_paper(path: Path, today: datetime.date) -> tuple[Reported | None, list[Fault]]:
    reported, faults = read_reported(path)
    if reported is not None and reported.name != path.stem:
        message = f"the numbers are of {reported.name}, but the file is named {path.name}"
        faults.append(Fault.error(path, "name", message, f"name the file {reported.name}.yml"))
    if reported is not None and reported.read > today:
        faults.append(Fault.error(path, "read", f"{reported.read} lies in the future", "correct the day"))
    return reported, faults


def _stray_files(root: Path) -> Iterator[Fault]:
    """What lies on a board and would be passed over in silence."""
    for name, suffix in FOLDERS.items():
        folder = root / name
        if folder.is_symlink():
            yield Fault.error(folder, "", "it is a link", "put the folder itself there")
        for path in sorted(folder.rglob("*")):
            depth = len(path.relative_to(folder).parts)
            expected = depth == (2 if name == "entries" else 1)
            if path.is_symlink():
                yield Fault.error(path, "", "it is a link", "put the file itself there")
            elif path.is_dir():
                if name != "entries" or depth > 1:
                    yield Fault.error(path, "", "a folder that no board has", "remove it")
            elif path.name in (".gitkeep", "README.md"):
                continue
            elif name == "entries" and expected and path.suffix == ".parquet":
                if not path.with_suffix(".json").exists():
                    yield Fault.error(path, "", "a table without an entry", "add the entry, or remove the table")
            elif not expected or path.suffix != suffix:
                yield Fault.error(path, "", "a file that no board has", f"files in {name}/ end in {suffix}")


def _protocol_faults(root: Path) -> Iterator[Fault]:
    """The board's own protocols, each once, whoever uses them."""
    for path in sorted((root / "protocols").glob("*.yaml")):
        try:
            find_protocol(path.stem, root)
        except UserError as error:
            yield Fault.error(
                path, "", " ".join(str(error).split()).rstrip("."), "viewsweep show tabletop64 prints one that is right"
            )


def _copies(folder: BoardFolder, entries: dict[tuple[str, str], Entry]) -> Iterator[Fault]:
    """The same scenes under two names: one of them did not draw them."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (protocol, method), entry in sorted(entries.items()):
        owners[protocol, entry.archive.sha256].append(method)
    for (protocol, _), methods in owners.items():
        for method in methods[1:]:
            path, message = folder.entry(protocol, method), f"the same archive as that of {methods[0]}"
            yield Fault.error(path, "archive.sha256", message, "find out who drew it, and remove the other")


def _rows(root: Path) -> dict[tuple[str, str], Entry]:
    """The entries of a board that was published, whatever is wrong with them now."""
    found = {(path.parent.name, path.stem): read_entry(path)[0] for path in BoardFolder(root).entries()}
    return {key: entry for key, entry in found.items() if entry is not None}


def _papers_kept(previous: Path, root: Path) -> Iterator[Fault]:
    for path in BoardFolder(previous).all_reported():
        kept = BoardFolder(root).reported(path.stem)
        if not kept.exists():
            yield Fault.error(kept, "", "the reported numbers have vanished", "put the file back")
