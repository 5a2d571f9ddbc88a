"""What the files in ``broken/`` do to a valid board.

about      a sentence: who would do this, and why it must not pass
check      what is validated, below the board; the board itself where it is not said
edit       list of {file, set: {dotted.key: value}, delete: [dotted.key]}, of JSON and YAML
replace    list of {file, text, by}: the first place where the file has this text
write      list of {file, text} or {file, hex}
copy       list of {file, to}
remove     list of files
link       list of {file, to}
table      list of {file, seal, change: [{where, set}], drop: [where], again: [where]}: rows of a table; with
           `seal` the entry beside it is told the new hash
archive    {kind: tar or zip, members: [{name, kind, to, size}]}: becomes scenes.tar or scenes.zip
faults     every error that has to be found: {path, key, says}
"""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import yaml
from viewsweep.benchmark.results import COLUMNS

from .good_board import read_rows, write_rows

__all__ = ["break_board"]

SEALED = b"not a scene"


def break_board(board: Path, recipe: dict[str, Any]) -> Path:
    """Break `board` and return what is to be validated."""
    for step in recipe.get("edit", []):
        _edit(board / step["file"], step)
    for step in recipe.get("replace", []):
        path = board / step["file"]
        text = path.read_text(encoding="utf-8")
        assert step["text"] in text, step
        path.write_text(text.replace(step["text"], step["by"], 1), encoding="utf-8")
    for step in recipe.get("write", []):
        path = board / step["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(step["hex"]) if "hex" in step else step["text"].encode())
    for step in recipe.get("copy", []):
        (board / step["to"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(board / step["file"], board / step["to"])
    for name in recipe.get("remove", []):
        (board / name).unlink()
    for step in recipe.get("link", []):
        (board / step["file"]).unlink(missing_ok=True)
        (board / step["file"]).symlink_to(step["to"])
    for step in recipe.get("table", []):
        _table(board / step["file"], step)
    if "archive" in recipe:
        return _archive(board, **recipe["archive"])
    return board / recipe.get("check", ".")


def _edit(path: Path, step: dict[str, Any]) -> None:
    text = path.read_text(encoding="utf-8")
    content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    for dotted, value in step.get("set", {}).items():
        place, last = _find(content, dotted)
        place[last] = value
    for dotted in step.get("delete", []):
        place, last = _find(content, dotted)
        del place[last]
    dump = json.dumps(content, indent=2, default=str) if path.suffix == ".json" else yaml.safe_dump(content)
    path.write_text(dump, encoding="utf-8")


def _find(content: Any, dotted: str) -> tuple[Any, Any]:
    *way, last = [int(part) if part.isdigit() else part for part in dotted.split(".")]
    for part in way:
        content = content.setdefault(part, {}) if isinstance(content, dict) else content[part]
    return content, last


def _table(path: Path, step: dict[str, Any]) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in read_rows(path)]
    for change in step.get("change", []):
        chosen = [row for row in rows if _matches(row, change["where"])]
        assert chosen, change
        for row in chosen:
            row.update(change["set"])
    for where in step.get("drop", []):
        kept = [row for row in rows if not _matches(row, where)]
        assert len(kept) < len(rows), where
        rows = kept
    for where in step.get("again", []):
        rows += [dict(row) for row in rows if _matches(row, where)]
    write_rows(path, [tuple(row[name] for name in COLUMNS) for row in rows], seal=step.get("seal", True))


def _matches(row: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(row[key] == value for key, value in where.items())


TAR_KINDS = {
    "file": tarfile.REGTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
}


def _archive(board: Path, kind: str, members: list[dict[str, Any]]) -> Path:
    path = board.parent / f"scenes.{kind}"
    (_tar if kind == "tar" else _zip)(path, members)
    return path


def _tar(path: Path, members: list[dict[str, Any]]) -> None:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            header = tarfile.TarInfo(member["name"])
            header.type = TAR_KINDS[member.get("kind", "file")]
            header.linkname = member.get("to", "")
            content = b"\0" * member.get("size", 0) if "size" in member else SEALED
            header.size = len(content) if header.isreg() else 0
            archive.addfile(header, io.BytesIO(content))


def _zip(path: Path, members: list[dict[str, Any]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            header = zipfile.ZipInfo(member["name"])
            header.compress_type = zipfile.ZIP_LZMA if member.get("kind") == "lzma" else zipfile.ZIP_DEFLATED
            header.create_system = 3
            mode = stat.S_IFLNK if member.get("kind") == "symlink" else stat.S_IFREG
            mode = stat.S_IFCHR if member.get("kind") == "device" else mode
            header.external_attr = (mode | 0o644) << 16
            content = b"\0" * member["size"] if "size" in member else member.get("to", "").encode() or SEALED
            archive.writestr(header, content)
