"""From picture files to features, each file read once, for all set metrics together.

Threads decode while the network computes; no more than a few batches of pictures are held at any
time. Rows are in the order of the files.

How files become sRGB with 8 bits, the same as in clean-fid:

    grey                  the three channels are equal
    alpha                 is dropped: the colours beneath transparent pixels count
    palette, CMYK         converted by Pillow
    16 bits               the high byte
    animation             the first picture
    orientation (EXIF)    ignored: pixels are taken as they are stored
    colour profile        ignored

Files with 32 bits a channel are refused.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ..scenes.errors import UnreadableFile, UserError
from .features import FeatureNetwork, Features, sharpness

__all__ = ["PreparingNetwork", "folder_features", "picture_files", "read_picture"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
SHOWN = 20  # unreadable files named in an error
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError)
"""What Pillow raises for files that are broken, foreign or absurdly large."""

Picture = npt.NDArray[np.uint8]


@runtime_checkable
class PreparingNetwork(Protocol):
    """A feature network that tells its resizing apart, so that pictures of all sizes share a batch."""

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures uint8 [N, H, W, 3] at the network's own size."""
        ...

    def compute(self, prepared: Tensor) -> Features:
        """Features of what `prepare` returned."""
        ...


def picture_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The PNG, JPEG and WebP files below `folder`, sorted by their path.

    Raises:
        UserError: no such folder, or no such files in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"{root}: there is no such folder of pictures.")
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{root}: no picture in it. Files that end in {', '.join(SUFFIXES)} count, in all subfolders.")
    return found


def folder_features(
    pictures: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    network: FeatureNetwork,
    *,
    batch_size: int = 32,
    workers: int = 2,
) -> Features:
    """Features and sharpness of picture files, one row a file.

    Rows are those of any other batch size, and any company, up to float32 rounding.

    Args:
        pictures: a folder (see `picture_files` for which files, in which order), or files in an
            order of their own.
        network: the feature network.
        batch_size: pictures the network gets at once.
        workers: threads that decode.

    Raises:
        UserError: no pictures, or files that cannot be read: all of them are named.
        ValueError: batch_size or workers below 1, or a network that returns another number of rows.
    """
    if batch_size < 1 or workers < 1:
        raise ValueError(f"batch_size is {batch_size} and workers {workers}: both must be at least 1.")
    given = picture_files(pictures) if isinstance(pictures, str | os.PathLike) else [Path(file) for file in pictures]
    if not given:
        raise UserError("There are no pictures to take features of.")
    parts: list[Features] = []
    broken: list[str] = []
    with closing(_decoded(given, workers, 2 * batch_size, broken)) as whole, torch.inference_mode():
        if isinstance(network, PreparingNetwork):
            while batch := list(islice(whole, batch_size)):
                parts.append(_of_any_size(network, batch))
                _same_count(network, parts[-1], len(batch))
        else:
            for batch in _of_one_size(whole, batch_size):
                images = torch.from_numpy(np.stack(batch))
                parts.append(replace(network(images), sharpness=sharpness(images)))
                _same_count(network, parts[-1], len(batch))
    if broken:
        more = [f"and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        count = f"{len(broken)} of {len(given)} pictures cannot be read; replace them or leave them out"
        raise UserError("\n  ".join([f"{count}:", *broken[:SHOWN], *more]))
    return Features.cat(parts)  # outside inference mode, so that these are ordinary tensors


def read_picture(file: str | os.PathLike[str]) -> Picture:
    """The pixels of a file, uint8 sRGB [H, W, 3]; see the module for what is done to other formats.

    Raises:
        UnreadableFile: it is broken, or no picture.
    """
    try:
        with Image.open(file) as image:
            return _pixels(image)
    except UNREADABLE as error:
        raise UnreadableFile(f"{file}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _pixels(image: Image.Image) -> Picture:
    if image.mode.startswith("I;16"):
        high = (np.array(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(high[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError(f"32 bits a channel (Pillow's mode {image.mode}); save it with 8 or 16")
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        image = image.convert("RGBA")  # Pillow warns on the direct way
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _decoded(files: Sequence[Path], workers: int, ahead: int, broken: list[str]) -> Generator[Picture, None, None]:
    """The pictures in order; once one is broken no more come, and all broken ones are noted."""
    waiting: deque[Future[Picture]] = deque()
    left = iter(files)
    with ThreadPoolExecutor(workers, thread_name_prefix="viewsweep-decode") as pool:
        try:
            waiting.extend(pool.submit(read_picture, file) for file in islice(left, ahead))
            while waiting:
                try:
                    picture = waiting.popleft().result()
                except UnreadableFile as error:
                    broken.append(str(error))
                    continue
                finally:
                    waiting.extend(pool.submit(read_picture, file) for file in islice(left, 1))
                if not broken:
                    yield picture
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _of_any_size(network: PreparingNetwork, batch: Sequence[Picture]) -> Features:
    """Neighbours of equal size resized together, all computed at once."""
    stacks = [torch.from_numpy(np.stack(list(alike))) for _, alike in groupby(batch, key=lambda picture: picture.shape)]
    prepared = torch.cat([network.prepare(images) for images in stacks])
    return replace(network.compute(prepared), sharpness=torch.cat([sharpness(images) for images in stacks]))


def _of_one_size(pictures: Iterator[Picture], batch_size: int) -> Iterator[list[Picture]]:
    """Neighbours of equal size, at most `batch_size` at once."""
    batch: list[Picture] = []
    for picture in pictures:
        if batch and (len(batch) == batch_size or picture.shape != batch[0].shape):
            yield batch
            batch = []
        batch.append(picture)
    if batch:
        yield batch


def _same_count(network: FeatureNetwork, found: Features, count: int) -> None:
    if len(found) != count:
        raise ValueError(f"{network.name} returned {len(found)} rows for {count} pictures.")
