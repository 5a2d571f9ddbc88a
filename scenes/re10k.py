"""RealEstate10K: camera files as its authors publish them, with frames that users cut from the videos.

A camera file is text. Line 1 is the address of the video; each further line is one frame of 19 numbers, from
the data set's own description:

    1       timestamp in microseconds from the start of the video
    2 - 5   f_x f_y c_x c_y, for pictures whose corners are (0, 0) and (1, 1): normalised by width and height
    6, 7    zeros
    8 - 19  the 3 x 4 matrix [R | t], row by row, world to camera, x right, y down, z forward

The unit of t is arbitrary, one for each sequence, and there is no depth. Below a root folder we look for

    <split>/<id>.txt, or RealEstate10K/<split>/<id>.txt            the cameras
    frames/<split>/<id>/<timestamp>.png, or <split>/<id>/...       the pictures (.jpg and the like as well)

and, if there is one, for ``<split>_ids.txt``: one id a line, the sequences that count and their order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .alignment import nearest_rotation
from .errors import InvalidCameras, UnreadableFile, UserError
from .pictures import SUFFIXES
from .posed_sequence import PosedFrame, PosedSequence

__all__ = ["Re10kEntry", "list_re10k", "read_re10k"]

COLUMNS = 19
MAXIMUM_BYTES = 16 << 20  # the longest sequences have some thousand frames of 200 bytes
MAXIMUM_LIST = 64 << 20
HINT = "Download the camera files of RealEstate10K again."


@dataclass(frozen=True)
class Re10kEntry:
    """A sequence on disk, not read yet.

    Args:
        name: its id.
        cameras: its text file.
        frames: the folder of its pictures; None where there is none, as for videos that are gone.
    """

    name: str
    cameras: Path
    frames: Path | None


def list_re10k(root: Path, split: str = "test") -> list[Re10kEntry]:
    """The sequences of a split: those of ``<split>_ids.txt`` in its order, else all, by id.

    Raises:
        UserError: there is no such split, or the list names a sequence that has no camera file.
    """
    root = Path(root)
    folder = next((root / place / split for place in ("", "RealEstate10K") if (root / place / split).is_dir()), None)
    if folder is None:
        raise UserError(
            f"{root}: there is no folder '{split}' with camera files of RealEstate10K here.",
            hint=f"Give the folder that holds {split}/<id>.txt and frames/{split}/<id>/<timestamp>.png.",
        )
    chosen = root / f"{split}_ids.txt"
    names = _ids(chosen) if chosen.is_file() else sorted(path.stem for path in folder.glob("*.txt"))
    if not names:
        raise UserError(f"{folder}: no camera files (<id>.txt) here.", hint=HINT)
    entries = []
    for name in names:
        cameras = folder / f"{name}.txt"
        if not cameras.is_file():
            raise UserError(f"{chosen}: names {name}, and {cameras} does not exist. Take the id out, or add the file.")
        places = (root / "frames" / split / name, folder / name)
        entries.append(Re10kEntry(name, cameras, next((place for place in places if place.is_dir()), None)))
    return entries


def read_re10k(cameras: Path, frames: Path) -> PosedSequence:
    """The sequence of a camera file and a folder of pictures, by time.

    Frame numbers are timestamps in microseconds. A frame whose picture is missing keeps its place, so that
    counting frames does not depend on what was downloaded; its `path` does not exist then.

    Raises:
        UnreadableFile: missing, too large, or a line that is not of the format; file and line are named.
        InvalidCameras: numbers that are not finite, no rotation, or focal lengths that are not positive.
    """
    cameras, frames = Path(cameras), Path(frames)
    pictures = _pictures(frames)
    found = []
    for number, fields in _lines(cameras):
        try:
            timestamp, intrinsics, pose = _frame(fields)
        except InvalidCameras as error:
            raise InvalidCameras(f"{cameras}, line {number}: {error}", hint=HINT) from error
        except ValueError as error:
            raise UnreadableFile(f"{cameras}, line {number}: {error}.", hint=HINT) from error
        path = pictures.get(timestamp, frames / f"{timestamp}.png")
        found.append(PosedFrame(path, timestamp, intrinsics, pose))
    if not found:
        raise UnreadableFile(f"{cameras}: holds no frame, only {_what_is_there(cameras)}.", hint=HINT)
    return PosedSequence(cameras.stem, cameras, tuple(sorted(found, key=lambda frame: frame.number)))


def _frame(fields: list[str]) -> tuple[int, Tensor, Tensor]:
    """Timestamp, normalised intrinsics [3, 3] and camera to world [4, 4] of one line."""
    if len(fields) != COLUMNS:
        raise ValueError(f"a frame has {COLUMNS} numbers, here are {len(fields)}")
    if not re.fullmatch(r"[0-9]{1,18}", fields[0]):
        raise ValueError(f"the timestamp '{fields[0]}' is no whole number of microseconds")
    numbers = [_number(field) for field in fields[1:]]
    fx, fy, cx, cy, *zeros = numbers[:6]
    if not all(math.isfinite(number) for number in numbers):
        raise InvalidCameras("it holds numbers that are not finite.")
    if min(fx, fy) <= 0:
        raise InvalidCameras(f"the focal lengths are {fx:g} and {fy:g}; both must be positive.")
    if any(zeros):
        raise ValueError(f"columns 6 and 7 must be 0, they are {zeros[0]:g} and {zeros[1]:g}; this is another format")
    intrinsics = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
    to_camera = torch.tensor(numbers[6:], dtype=torch.float64).reshape(3, 4)
    rotation = nearest_rotation(to_camera[:, :3])
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = rotation.T, -(rotation.T @ to_camera[:, 3])
    return int(fields[0]), intrinsics, pose


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        raise ValueError(f"'{field[:40]}' is no number") from None


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbered frame lines, split; the first line, the video's address, is passed over."""
    for number, line in enumerate(_text(path, MAXIMUM_BYTES).splitlines(), 1):
        if number > 1 and line.strip():
            yield number, line.split()
        elif number == 1 and len(line.split()) == COLUMNS:
            raise UnreadableFile(f"{path}: line 1 must be the address of the video; it is a frame.", hint=HINT)


def _text(path: Path, limit: int) -> str:
    try:
        if path.stat().st_size > limit:
            raise UnreadableFile(f"{path}: larger than {limit >> 20} MiB; this is no file of RealEstate10K.", hint=HINT)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UnreadableFile(f"{path}: not readable ({reason}).", hint=HINT) from error


def _pictures(folder: Path) -> dict[int, Path]:
    """Pictures by timestamp; names may carry leading zeros."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise UnreadableFile(f"{folder}: the frames cannot be listed ({error.strerror or error}).") from error
    return {int(path.stem): path for path in reversed(found) if re.fullmatch(r"[0-9]{1,18}", path.stem)}


def _ids(path: Path) -> list[str]:
    """The ids of a list: one a line, letters, digits, '-' and '_'."""
    names = [line.strip() for line in _text(path, MAXIMUM_LIST).splitlines() if line.strip()]
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name):
            raise UnreadableFile(f"{path}: '{name[:60]}' is no id of a sequence; write one a line.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableFile(f"{path}: names {twice} twice.")
    return names


def _what_is_there(path: Path) -> str:
    return "the address of a video" if path.stat().st_size else "nothing"
