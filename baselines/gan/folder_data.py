"""Pictures from a folder of the user's, with the cameras that EG3D's `dataset.json` gives them, or without.

    {"labels": [["00000/img00000000.png", [25 numbers]], ...]}

The format is the published one: a row-major camera-to-world matrix (OpenCV axes, y up) and the intrinsics divided
by the picture's size. An entry "classes" is ours, for class-conditional training: {"00000/img00000000.png": "cat"}.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...scenes.converters import from_eg3d
from ...scenes.errors import InvalidCameras, UnreadableFile, UserError
from ...scenes.pictures import SUFFIXES, inside, natural, picture_size, read_picture
from .base import Views

__all__ = ["FolderPictures"]

READERS = 8  # threads that decode pictures
HELD = 4 << 30  # bytes of decoded pictures kept in memory


class FolderPictures:
    """Square pictures of a folder, resized to one size.

    Where `dataset.json` is there, the pictures are those it lists; else all in the folder and its sub-folders,
    without cameras or classes.

    Args:
        folder: where they are.
        size: height and width they are brought to.

    Raises:
        UserError: there is no such folder or no picture in it; a listed file is not there, is listed twice or leads
            out of the folder; a picture with a camera is not square; some have a class and others have not.
        UnreadableFile: `dataset.json` or a picture is damaged.
    """

    def __init__(self, folder: Path, size: int) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder.", hint="Give a folder of pictures with --data.")
        self._folder, self._size = folder, size
        record = folder / "dataset.json"
        listing = _read(record) if record.is_file() else {}
        labels = listing.get("labels")
        if labels is None:
            names = [
                path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
            ]
            self._names, self.views = sorted(names, key=natural), None
        else:
            self._names, self.views = _posed(record, labels)
        if not self._names:
            raise UserError(f"{folder}: there is no picture in it ({', '.join(SUFFIXES)}).")
        self._files = [inside(folder, name) for name in self._names]
        self._check_files()
        self.classes, self._labels = _classes(record, self._names, listing.get("classes"))
        held = len(self) * size * size * 3 <= HELD
        self._rgb = self._read(range(len(self))) if held else None

    def __len__(self) -> int:
        return len(self._names)

    @property
    def description(self) -> str:
        """See `Pictures`."""
        poses = "without cameras" if self.views is None else "with cameras"
        kinds = f" of {len(self.classes)} classes" if self.classes else ""
        return f"{len(self)} pictures{kinds} from '{self._folder.resolve().name}', {poses}"

    @cached_property
    def identity(self) -> str:
        """See `Pictures`: names and contents of files, cameras and classes. Each file is read through once.

        Raises:
            UnreadableFile: a file is gone or cannot be read.
        """
        digest = hashlib.sha256()
        with ThreadPoolExecutor(READERS) as pool:
            for name, content in zip(self._names, pool.map(_sha256, self._files), strict=True):
                digest.update(f"{name}\0{content}\0".encode())
        if self.views is not None:
            digest.update(self.views.labels.numpy().tobytes())
        digest.update(self._labels.numpy().tobytes())
        return f"folder {self._size} {digest.hexdigest()}"

    def batch(self, index: Tensor) -> Tensor:
        """See `Pictures`.

        Raises:
            UnreadableFile: a file is gone or damaged.
        """
        rows = index.tolist()
        rgb = self._read(rows) if self._rgb is None else self._rgb[rows]
        return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1

    def labels(self, index: Tensor) -> Tensor:
        """See `Pictures`."""
        return self._labels[index]

    def _read(self, rows: Sequence[int]) -> np.ndarray:
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(lambda row: read_picture(self._files[row]).square(self._size).rgb, rows))
        return np.stack(read)

    def _check_files(self) -> None:
        missing = [name for name, file in zip(self._names, self._files, strict=True) if not file.is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UserError(f"{self._folder}: dataset.json lists {missing[0]}{more}, which is not there.")
        for name, file in zip(self._names, self._files, strict=True):
            if self.views is None:
                return
            width, height = picture_size(file)
            if width != height:
                raise UserError(
                    f"{self._folder}: {name} has {width} x {height} pixels; pictures with cameras must be square, "
                    "for cutting them would change their cameras."
                )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{path}: not readable ({error}).") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: not readable ({error}).") from error
    if not isinstance(content, dict) or not isinstance(content.get("labels", []), (list, type(None))):
        raise UnreadableFile(f'{path}: it must hold {{"labels": [[file, [25 numbers]], ...]}}, as EG3D\'s do.')
    return content


def _posed(path: Path, labels: list[Any]) -> tuple[list[str], Views]:
    """Names and cameras of EG3D's list."""
    names, numbers = [], []
    for position, entry in enumerate(labels):
        try:
            name, values = entry
            row = [float(value) for value in values]
        except (TypeError, ValueError) as error:
            raise UnreadableFile(f"{path}: entry {position} of labels is not [file, [25 numbers]].") from error
        if not isinstance(name, str) or len(row) != 25:
            raise UnreadableFile(f"{path}: entry {position} of labels is not [file, [25 numbers]].")
        names.append(name)
        numbers.append(row)
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise UserError(f"{path}: {twice} is listed twice.")
    try:
        cameras = from_eg3d(torch.tensor(numbers, dtype=torch.float64).reshape(-1, 25))
    except InvalidCameras as error:
        raise InvalidCameras(f"{path}: {error}") from error
    return names, Views.of(cameras)


def _classes(path: Path, names: list[str], given: Any) -> tuple[tuple[str, ...], Tensor]:
    """Names of the classes in alphabetical order, and each picture's."""
    if given is None:
        return (), torch.zeros(len(names), dtype=torch.int64)
    if not isinstance(given, dict):
        raise UnreadableFile(f'{path}: "classes" must hold {{file: class, ...}}.')
    without = [name for name in names if not isinstance(given.get(name), str)]
    if without:
        raise UserError(f'{path}: "classes" names no class for {without[0]}; either all pictures have one or none.')
    kinds = tuple(sorted({given[name] for name in names}))
    return kinds, torch.tensor([kinds.index(given[name]) for name in names])
