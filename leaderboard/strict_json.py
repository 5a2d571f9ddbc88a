"""JSON from others, read strictly: sizes before content, every fault at once, each with its place.

What the standard allows and nobody means is refused: keys given twice, NaN and infinity, numbers no metric
has, depth without end, texts that are longer than a page or do not read as they are stored.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .entry import Entry
from .faults import Fault, as_error, shown
from .migrations import ENTRY_MIGRATIONS, Migrated
from .model_faults import model_faults
from .texts import value_faults

__all__ = ["MAXIMUM_ENTRY", "load_entry", "parse_json", "read_bounded", "read_entry", "read_json_strictly"]

MAXIMUM_ENTRY = 4 << 20
"""Bytes of an entry; one of 500 metrics and many failed scenes has a tenth."""

MAXIMUM_DEPTH = 16
MAXIMUM_INTEGER, MAXIMUM_REAL = 10**15, 1e12
"""Bytes of large archives are counted in integers; no measurement comes near the other limit."""
MAXIMUM_DIGITS = 40
MOST_FAULTS = 50

STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def load_entry(path: Path) -> Entry:
    """The entry at `path`, brought to the current schema.

    Raises:
        UserError: it cannot be read, is no strict JSON, or does not fit the model; all faults are listed.
    """
    entry, faults = read_entry(path)
    if entry is None:
        raise as_error(faults)
    return entry


def read_entry(path: Path) -> tuple[Entry | None, list[Fault]]:
    """The entry at `path` and what is wrong with the file; no entry where there is an error."""
    data, faults = read_bounded(path, MAXIMUM_ENTRY)
    if data is None:
        return None, faults
    value, faults = read_json_strictly(data, name=str(path), limit=MAXIMUM_ENTRY)
    if any(fault.severity == "error" for fault in faults):
        return None, faults
    migrated = ENTRY_MIGRATIONS.migrate(value, str(path))
    if not isinstance(migrated, Migrated):
        return None, [*faults, migrated]
    try:
        return Entry.model_validate(migrated.content), faults
    except ValidationError as error:
        return None, [*faults, *model_faults(error, str(path), Entry)]


def parse_json(data: bytes, *, name: str, limit: int) -> Any:
    """The value of a JSON document.

    Args:
        data: the whole document.
        name: what it is called in messages.
        limit: largest size in bytes.

    Raises:
        UserError: it is too large, no JSON, or holds what is not read; all faults are listed.
    """
    value, faults = read_json_strictly(data, name=name, limit=limit)
    if any(fault.severity == "error" for fault in faults):
        raise as_error(faults)
    return value


def read_bounded(path: Path, limit: int) -> tuple[bytes | None, list[Fault]]:
    """The content of a plain file of at most `limit` bytes, or why there is none."""
    try:
        if path.is_symlink() or not path.is_file():
            kind = "a link" if path.is_symlink() else "no plain file"
            if not os.path.lexists(path):
                return None, [Fault.error(path, "", "there is no such file", "check the path")]
            return None, [Fault.error(path, "", f"it is {kind}", "put the file itself there")]
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return None, [Fault.error(path, "", f"cannot be read ({reason})", "check the path and its permissions")]
    if len(data) > limit:
        hint = f"keep it below {limit >> 10} KiB"
        return None, [Fault.error(path, "", f"larger than {limit >> 10} KiB", hint)]
    return data, []


def read_json_strictly(data: bytes, *, name: str, limit: int) -> tuple[Any, list[Fault]]:
    """The value of a JSON document, and all that is wrong with it; the value counts only without errors."""
    refusal = _before_parsing(data, name, limit)
    if refusal is not None:
        return None, [refusal]
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_Pairs,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=_Refused,
        )
    except UnicodeDecodeError as error:
        return None, [Fault.error(name, "", f"not UTF-8 (byte {error.start})", "save it as UTF-8")]
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}"
        return None, [Fault.error(place, "", f"not JSON ({error.msg}, column {error.colno})", "mend the syntax")]
    except (ValueError, RecursionError) as error:
        return None, [Fault.error(name, "", f"not JSON ({type(error).__name__})", "mend the syntax")]
    faults: list[Fault] = []
    plain = _plain(value, "", name, faults)
    return plain, [*faults, *value_faults(name, plain)]


def _before_parsing(data: bytes, name: str, limit: int) -> Fault | None:
    if len(data) > limit:
        return Fault.error(name, "", f"larger than {limit >> 10} KiB", f"keep it below {limit >> 10} KiB")
    if data.startswith(b"\xef\xbb\xbf"):
        return Fault.error(name, "", "begins with a byte order mark", "save it as UTF-8 without one")
    depth = 0
    for token in STRING_OR_BRACKET.finditer(data):
        sign = token.group()
        depth += (sign in (b"[", b"{")) - (sign in (b"]", b"}"))
        if depth > MAXIMUM_DEPTH:
            return Fault.error(name, "", f"nested deeper than {MAXIMUM_DEPTH} levels", "make it flatter")
    return None


class _Refused:
    """Stands where a number was that is not read."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, so that a key given twice is seen."""


def _integer(text: str) -> int | _Refused:
    return _Refused(text) if len(text) > MAXIMUM_DIGITS or abs(int(text)) > MAXIMUM_INTEGER else int(text)


def _real(text: str) -> float | _Refused:
    return _Refused(text) if len(text) > MAXIMUM_DIGITS or abs(float(text)) > MAXIMUM_REAL else float(text)


def _plain(value: Any, place: str, name: str, faults: list[Fault]) -> Any:
    """`value` as lists and mappings; what cannot be is noted and left out."""
    if len(faults) >= MOST_FAULTS:
        return None
    if isinstance(value, _Refused):
        hint = "write a finite number of ordinary size, or null with a reason"
        faults.append(Fault.error(name, place, f"{shown(value.text)} is not read", hint))
        return None
    if isinstance(value, _Pairs):
        found: dict[str, Any] = {}
        for key, inner in value:
            inside = f"{place}.{key}" if place else key
            if key in found:
                faults.append(Fault.error(name, inside, "given twice", "keep one of them"))
            found[key] = _plain(inner, inside, name, faults)
        return found
    if isinstance(value, list):
        return [_plain(inner, f"{place}.{at}" if place else str(at), name, faults) for at, inner in enumerate(value)]
    return value
