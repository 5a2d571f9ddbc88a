"""A folder of real pictures: which files it holds, and one hash for all they contain.

Every PNG, JPEG and WebP file below the folder counts, as in ivid's evaluation. The hash is that of
the sorted hashes of the files, so names, order and place do not matter, and one more picture does. Hashes
are remembered in the cache by path, size and time of change: a folder that did not change is listed, not read.

Where all pictures lie in subfolders, each of these is a class, and class k is the k-th by name: the
rule by which ImageNet's class ids come about.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..scenes.errors import UserError, WriteFailed
from ..scenes.files import atomic_write, cache_folder, make_folder
from .fingerprint import sha256_bytes, sha256_file, sha256_json
from .progress import Progress

__all__ = ["DATA_VARIABLE", "PictureFolder", "find_pictures", "open_pictures"]

SCHEMA = "viewsweep.folder/1"
DATA_VARIABLE = "VIEWSWEEP_DATA"

Known = dict[str, tuple[int, int, str]]
"""Path below the folder to size, time of change in ns, and sha256."""


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder.

    Args:
        path: the folder.
        files: the pictures in the order of their hashes, which no renaming changes.
        sha256: of all their contents.
        classes: names of the class folders, sorted; empty where pictures lie beside or above them.
    """

    path: Path
    files: tuple[Path, ...]
    sha256: str
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)


def find_pictures(path: str | os.PathLike[str]) -> list[Path]:
    """The pictures below a folder, by path.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    from ..metrics.folder_features import picture_files

    try:
        return picture_files(path)
    except UserError as error:
        hint = f"The folder comes from --data, {DATA_VARIABLE} or the run's own record; name another with --data."
        raise UserError(str(error), hint=hint) from error


def open_pictures(path: str | os.PathLike[str], progress: Progress) -> PictureFolder:
    """The folder with its hash; files that are new or changed are read, which is kept when interrupted.

    Raises:
        UserError: no such folder, no picture in it, or a file that may not be read.
    """
    root = Path(path)
    found = find_pictures(root)
    index = cache_folder() / "folders" / f"{sha256_bytes(str(root.resolve()).encode())}.json"
    held = _read_index(index)
    known: Known = {}
    fresh: list[tuple[str, Path, os.stat_result]] = []
    for file in found:
        name, state = file.relative_to(root).as_posix(), file.stat()
        entry = held.get(name)
        if entry is not None and entry[:2] == (state.st_size, state.st_mtime_ns):
            known[name] = entry
        else:
            fresh.append((name, file, state))
    if fresh:
        progress.stage("read the real pictures", len(fresh))
    try:
        for name, file, state in fresh:
            try:
                known[name] = (state.st_size, state.st_mtime_ns, sha256_file(file))
            except OSError as error:
                raise UserError(f"{file}: cannot be read ({error.strerror or error}).") from error
            progress.step()
    finally:
        if fresh or held.keys() != known.keys():
            _write_index(index, known)
    files = sorted(found, key=lambda file: (known[file.relative_to(root).as_posix()][2], file))
    hashes = sorted(entry[2] for entry in known.values())
    return PictureFolder(root, tuple(files), sha256_json(hashes), _classes(root, found))


def _classes(root: Path, files: list[Path]) -> tuple[str, ...]:
    parents = {file.relative_to(root).parts[0] for file in files if file.parent != root}
    return () if any(file.parent == root for file in files) else tuple(sorted(parents))


def _read_index(path: Path) -> Known:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["schema"] != SCHEMA:
            return {}
        return {name: (int(size), int(changed), str(digest)) for name, (size, changed, digest) in held["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # an index that cannot be read is no index


def _write_index(path: Path, known: Known) -> None:
    try:
        make_folder(path.parent)
        atomic_write(path, json.dumps({"schema": SCHEMA, "files": known}))
    except WriteFailed:
        return  # the files will be read again, that is all
