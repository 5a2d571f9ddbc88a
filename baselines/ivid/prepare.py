"""`viewsweep prepare`: any folder of pictures, to square pictures with estimated disparity.

What stands in the folder afterwards:

- ``pictures/NAME.png``: centre crop, Lanczos resize; NAME is the file's path below the source folder;
- ``disparity/NAME.npz``: what the estimator said of the same square, float16, array ``arr_0``, resized
  by the nearest pixel, in the estimator's own unit: the depth code is a matter of the training;
- ``index.csv``: one line a picture with its class; ``unreadable.csv``: one line a file that was left out;
- ``prepared.json``: the record of it all, written last. Its `unit` is the raw disparity taken to stand
  at the pivot: the median over pictures of their median, unless it is given.

The class of a picture is the first folder below the source; without folders, or with one, there are none.
A killed call goes on where it stopped; pictures that are newer than what was made of them are made again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...scenes.errors import UnreadableFile, UserError, ViewsweepError
from ...scenes.files import atomic_write, make_folder, remove_leftovers
from ...scenes.pictures import SUFFIXES, natural, nearest, read_depth, read_picture
from .estimators import DepthEstimator, SimulatedEstimator, load_estimator
from .image_data import (
    PREPARED_SCHEMA,
    disparity_file,
    encode_disparity,
    picture_file,
    read_disparity,
    read_record,
)

__all__ = ["Prepared", "prepare"]

BATCH = 8
LOG_EVERY = 200


@dataclass(frozen=True)
class Prepared:
    """What came of it.

    Args:
        folder: where it lies.
        pictures: how many there are now.
        made: how many of them this call made.
        failed: files that were left out, and why.
    """

    folder: Path
    pictures: int
    made: int
    failed: list[tuple[Path, str]]


@dataclass(frozen=True)
class _Square:
    """One picture on its way: at the networks' size, and at the estimator's."""

    name: str
    small: Tensor
    large: Tensor
    depth: Tensor | None


def prepare(
    source: Path,
    out: Path,
    *,
    depth_model: str | DepthEstimator,
    size: int = 128,
    unit: float | None = None,
    device: str = "cpu",
    log: Callable[[str], None] = print,
) -> Prepared:
    """Prepare the pictures below `source` for training.

    True z-depth may lie beside a picture as ``NAME.depth.npy`` (the picture's name without its suffix);
    the simulated estimator distorts it.

    Args:
        source: folder of pictures; searched with all its folders.
        out: where to.
        depth_model: "simulated", a folder, a name on the hub, or an estimator.
        size: height and width wanted.
        unit: raw disparity that stands at the pivot; measured without.
        device: torch device of the estimator.

    Raises:
        UserError: there is no such folder, no picture in it, no such estimator, or `out` holds
            pictures prepared in another way.
    """
    if not source.is_dir():
        raise UserError(f"{source}: there is no such folder.")
    if size < 8:
        raise UserError(f"--size {size}: pictures have at least 8 pixels a side.")
    if unit is not None and not unit > 0:
        raise UserError(f"--depth-unit {unit}: the unit of disparity is greater than 0.")
    names = sorted(_found(source, out), key=natural)
    if not names:
        raise UserError(f"{source}: there is no picture in it ({', '.join(SUFFIXES)}).")
    classes, failed = _classes(names)
    failed_names = {name for name, _ in failed}
    estimator = load_estimator(depth_model, device) if isinstance(depth_model, str) else depth_model
    wanted = {"schema": PREPARED_SCHEMA, "size": size, "source": source.resolve().name}
    wanted["depth_model"] = {"name": estimator.name, "identity": estimator.identity}
    _claim(out, wanted)
    todo = [name for name in names if name not in failed_names and not _done(source, out, name)]
    kept = len(names) - len(todo) - len(failed)
    if kept:
        log(f"{kept} pictures were prepared before")
    made = 0
    for squares in _batches(source, todo, size, estimator.side, failed):
        made += _estimate(source, squares, out, size, estimator, failed)
        if made % LOG_EVERY < BATCH:
            log(f"prepared {kept + made} of {len(names)} pictures")
    left_out = {name for name, _ in failed}
    good = [name for name in names if name not in left_out]
    made_up = 0
    if isinstance(estimator, SimulatedEstimator):
        made_up = sum(not _truth(source / name).exists() for name in good)
        if made_up:
            log(f"{made_up} pictures have no true depth beside them; their relief is made up, good for trials only")
    _close(out, {**wanted, "depth_made_up": made_up}, good, classes, failed, unit)
    log(f"{out}: {len(good)} pictures, {len(failed)} files left out")
    return Prepared(out, len(good), made, [(source / name, reason) for name, reason in failed])


def _found(source: Path, out: Path) -> Iterator[str]:
    """Names of all pictures below `source`, what lies in `out` and hidden files left aside."""
    top, inside = source.resolve(), out.resolve()
    made = inside.relative_to(top) if inside.is_relative_to(top) else None
    for path in source.rglob("*"):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(source)
        ours = made is not None and name.is_relative_to(made)
        if not ours and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()


def _classes(names: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Class names, and the pictures that have no place among them."""
    folders = sorted({name.split("/")[0] for name in names if "/" in name}, key=natural)
    beside = [name for name in names if "/" not in name]
    if len(folders) < 2:
        return [], []
    return folders, [(name, f"{name}: lies beside the folders of the classes, so it has none.") for name in beside]


def _claim(out: Path, wanted: dict[str, object]) -> None:
    """Make `out` the place for pictures prepared this way, or refuse."""
    make_folder(out)
    record = out / "prepared.json"
    if record.exists():
        held = read_record(out)
        for key, meaning in (("size", "size"), ("depth_model", "depth model"), ("source", "source folder")):
            if held.get(key) != wanted[key]:
                raise UserError(
                    f"{out}: it holds pictures prepared with another {meaning}.",
                    hint="Choose another --out, or delete that folder.",
                )
    atomic_write(record, json.dumps({**wanted, "complete": False}, indent=2) + "\n")


def _done(source: Path, out: Path, name: str) -> bool:
    """Whether both files of `name` are there, written after the picture was."""
    made = disparity_file(out, name)  # written last
    try:
        return picture_file(out, name).exists() and made.stat().st_mtime_ns >= (source / name).stat().st_mtime_ns
    except OSError:
        return False


def _batches(
    source: Path, names: list[str], size: int, side: int | None, failed: list[tuple[str, str]]
) -> Iterator[list[_Square]]:
    squares: list[_Square] = []
    for name in names:
        try:
            squares.append(_square(source, name, size, side))
        except ViewsweepError as error:
            failed.append((name, str(error)))
        if len(squares) == BATCH:
            yield squares
            squares = []
    if squares:
        yield squares


def _truth(path: Path) -> Path:
    """Where the true depth of the picture at `path` may lie."""
    return path.with_name(f"{path.stem}.depth.npy")


def _square(source: Path, name: str, size: int, side: int | None) -> _Square:
    path = source / name
    picture = read_picture(path, upright=True)
    left, top, length = picture.middle
    if length < size:
        width, height = picture.size
        raise UnreadableFile(f"{path}: {width} x {height} pixels; it would have to be enlarged to {size} x {size}.")
    small = torch.from_numpy(picture.square(size).rgb.copy())
    large = small if side is None else torch.from_numpy(picture.square(side).rgb.copy())
    depth, truth = None, _truth(path)
    if truth.exists():
        values = read_depth(truth, 1.0)
        if values.shape != picture.rgb.shape[:2]:
            raise UnreadableFile(f"{truth}: depth of {values.shape}; its picture has {picture.rgb.shape[:2]} pixels.")
        box = (left, top, left + length, top + length)
        depth = torch.from_numpy(nearest(values, box, (large.shape[1], large.shape[0])).copy())
    return _Square(name, small, large, depth)


def _estimate(
    source: Path, squares: list[_Square], out: Path, size: int, estimator: DepthEstimator, failed: list[tuple[str, str]]
) -> int:
    """Write what becomes of a few pictures; how many did."""
    made = 0
    for known in (False, True):
        group = [square for square in squares if (square.depth is not None) == known]
        if not group:
            continue
        depth = torch.stack([square.depth for square in group if square.depth is not None]) if known else None
        found = estimator.disparity(torch.stack([square.large for square in group]), depth).cpu()
        for square, disparity in zip(group, found.float().numpy(), strict=True):
            if not np.isfinite(disparity).all():
                failed.append(
                    (square.name, f"{source / square.name}: {estimator.name} gave values that are not finite.")
                )
                continue
            height, width = disparity.shape
            small = torch.from_numpy(nearest(disparity, (0, 0, width, height), (size, size)).copy())
            buffer = io.BytesIO()
            Image.fromarray(square.small.numpy()).save(buffer, format="PNG")
            files = picture_file(out, square.name), disparity_file(out, square.name)
            for path, content in zip(files, (buffer.getvalue(), encode_disparity(small)), strict=True):
                make_folder(path.parent)
                atomic_write(path, content)
            made += 1
    return made


def _close(
    out: Path,
    wanted: dict[str, object],
    names: list[str],
    classes: list[str],
    failed: list[tuple[str, str]],
    unit: float | None,
) -> None:
    """Write the index, the list of what was left out, and the record."""
    content, middles, rows = hashlib.sha256(), [], []
    number = {name: position for position, name in enumerate(classes)}
    for name in names:
        picture = picture_file(out, name).read_bytes()
        disparity = disparity_file(out, name)
        label = number.get(name.split("/")[0], 0)
        content.update(f"{name}\0{label}\0".encode())
        content.update(hashlib.sha256(picture).digest() + hashlib.sha256(disparity.read_bytes()).digest())
        middles.append(float(np.median(read_disparity(disparity))))
        rows.append([name, str(label)])
    middle = float(np.median(middles)) if middles else 1.0
    _write_csv(out / "index.csv", ["file", "class"], rows)
    _write_csv(out / "unreadable.csv", ["file", "reason"], [[name, reason] for name, reason in failed])
    for folder in {
        out,
        *(file.parent for name in names for file in (picture_file(out, name), disparity_file(out, name))),
    }:
        remove_leftovers(folder)
    record = {
        **wanted,
        "complete": True,
        "pictures": len(names),
        "left_out": len(failed),
        "classes": classes,
        "unit": unit if unit is not None else max(middle, 1e-6),
        "unit_measured": unit is None,
        "content": content.hexdigest(),
    }
    atomic_write(out / "prepared.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([header, *rows])
    atomic_write(path, buffer.getvalue())
