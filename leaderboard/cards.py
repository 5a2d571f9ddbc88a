"""Method cards and numbers from papers: YAML read strictly, and every text looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from ..benchmark.strict_yaml import StrictModel, load_strict
from ..scenes.errors import UserError
from .card import MethodCard, Reported
from .faults import Fault, as_error
from .migrations import CARD_MIGRATIONS, Migrated
from .model_faults import model_faults
from .strict_json import read_bounded
from .texts import value_faults

__all__ = ["MAXIMUM_CARD", "load_card", "load_reported", "read_card", "read_reported"]

MAXIMUM_CARD = 1 << 18
"""Bytes of a card."""

MAXIMUM_DEPTH = 16

ModelT = TypeVar("ModelT", bound=StrictModel)


def load_card(path: Path) -> MethodCard:
    """The method card at `path`.

    Raises:
        UserError: it cannot be read, or does not fit the model; all faults are listed.
    """
    card, faults = read_card(path)
    if card is None:
        raise as_error(faults)
    return card


def load_reported(path: Path) -> Reported:
    """The numbers from a paper at `path`.

    Raises:
        UserError: it cannot be read, or does not fit the model; all faults are listed.
    """
    reported, faults = read_reported(path)
    if reported is None:
        raise as_error(faults)
    return reported


def read_card(path: Path) -> tuple[MethodCard | None, list[Fault]]:
    """The card at `path` and what is wrong with the file; no card where there is an error."""
    return _read(path, MethodCard)


def read_reported(path: Path) -> tuple[Reported | None, list[Fault]]:
    """The numbers at `path` and what is wrong with the file; none where there is an error."""
    return _read(path, Reported)


def _read(path: Path, model: type[ModelT]) -> tuple[ModelT | None, list[Fault]]:
    data, faults = read_bounded(path, MAXIMUM_CARD)
    if data is None:
        return None, faults
    faults = _look(path, data)
    if faults:
        return None, faults
    try:
        made = load_strict(path, model)
    except UserError as error:
        return _explain(path, data, model, error)
    faults = value_faults(path, made.model_dump(mode="json"))
    return (None if any(fault.severity == "error" for fault in faults) else made), faults


def _look(path: Path, data: bytes) -> list[Fault]:
    """What is wrong with the text, and everything YAML has beyond plain values."""
    if data.startswith(b"\xef\xbb\xbf"):
        return [Fault.error(path, "", "begins with a byte order mark", "save it as UTF-8 without one")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [Fault.error(path, "", f"not UTF-8 (byte {error.start})", "save it as UTF-8")]
    # comments never reach a page, but people who review the file read them
    faults = [
        Fault.error(f"{path}:{number}", "", fault.message, fault.hint)
        for number, line in enumerate(text.split("\n"), 1)
        for fault in value_faults(path, line.removesuffix("\r"))
        if fault.severity == "error" and "mark-up" not in fault.message
    ]
    try:
        return faults + _events(path, text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1 if mark else 1}"
        said = f"not YAML ({error.problem or error.context})"
        return [*faults, Fault.error(place, "", said, "mend the syntax")]
    except yaml.YAMLError:
        return faults or [Fault.error(path, "", "holds characters YAML does not allow", "delete them")]


def _events(path: Path, text: str) -> list[Fault]:
    found: list[Fault] = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = f"{path}:{event.start_mark.line + 1}" if event.start_mark else str(path)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAXIMUM_DEPTH:
                return [*found, Fault.error(place, "", f"nested deeper than {MAXIMUM_DEPTH} levels", "make it flatter")]
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):  # a few nested ones unfold into gigabytes
            found.append(Fault.error(place, f"*{event.anchor}", "an alias", "write the value out"))
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            found.append(Fault.error(place, f"&{event.anchor}", "an anchor", "delete it"))
        if getattr(event, "tag", None) is not None:
            found.append(Fault.error(place, str(getattr(event, "tag", "")), "a tag", "write the plain value"))
    return found


def _explain(path: Path, data: bytes, model: type[ModelT], error: UserError) -> tuple[ModelT | None, list[Fault]]:
    """Why the file does not fit the model, unless it is of an older schema and fits once it was brought forward."""
    faults = [_from_line(path, line) for line in str(error).splitlines()]
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):  # a list as key, an integer of a million digits
        return None, faults
    migrated = CARD_MIGRATIONS.migrate(content, str(path))
    if not isinstance(migrated, Migrated):
        return None, [migrated]
    if migrated.found < CARD_MIGRATIONS.current:
        try:
            return model.model_validate(migrated.content), value_faults(path, content)
        except ValidationError as wrong:
            faults = model_faults(wrong, str(path), model)
    return None, [*value_faults(path, content), *faults]


def _from_line(path: Path, line: str) -> Fault:
    """A fault out of ``path:line: key: message``."""
    number, _, rest = line.removeprefix(f"{path}:").partition(": ")
    place, said = (f"{path}:{number}", rest) if number.isdigit() else (str(path), line.removeprefix(f"{path}: "))
    key, colon, message = said.partition(": ")
    if not colon or " " in key:
        key, message = "", said
    if message.endswith(", not None."):
        return Fault.error(place, key, "empty", "fill it in")
    message, _, hint = message.rstrip(".").partition(". " if message.startswith("unknown key") else "; ")
    return Fault.error(
        place,
        key,
        message,
        hint[:1].lower() + hint[1:].rstrip("?") or "see docs/submit.md and the schema in leaderboard/schema",
    )
