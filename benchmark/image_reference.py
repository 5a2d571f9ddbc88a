"""What set metrics need to know of a folder of real pictures: computed once, then read from the cache.

Each picture is decoded, cut to its centred square, brought to the protocol's size by Lanczos
resampling, rounded to 8 bits, and sent through the feature network, as the authors of ivid do before they measure.
Kept are

    the mean and the covariance of the features of all pictures, for FID
    the features of the first `KEPT` pictures in the order of their hashes, for KID and the like

The second are a random sample of the folder that no name decides; a folder of no more pictures is kept whole. An
entry is named by the hash of the pictures' contents, the preparation and the network. The work goes in
chunks; when it is cut short, it goes on with the chunk that was not finished, to the same bits.

A folder with pictures that cannot be read is refused, and all of them are named: left out, they would
make another reference set under the same name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ..scenes.errors import UnreadableFile, UserError, WriteFailed
from ..scenes.files import cache_folder
from .checked_tensors import read_tensors, write_tensors
from .fingerprint import sha256_json
from .picture_folder import PictureFolder
from .progress import Progress
from .protocol import FolderReference, Protocol

if TYPE_CHECKING:
    from ..metrics.features import FeatureNetwork, Features
    from ..metrics.gaussian import GaussianSums

__all__ = ["RealPictures", "centred_square", "folder_key", "folder_reference"]

VERSION = 1
"""Changes whenever the same pictures would give other numbers."""

KEPT = 50_000
CHUNK = 1024  # pictures between two writes
BATCH = 64  # pictures through the network at once; part of what makes the bits
DECODERS = 2  # threads
SHOWN = 20  # unreadable files named in an error

Moments = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RealPictures:
    """What is known of a folder.

    Args:
        features: of the pictures that were kept; their class probabilities are not.
        moments: mean [D] and covariance [D, D] (divided by N - 1) of all pictures.
        count: how many pictures there are.
    """

    features: Features
    moments: Moments
    count: int


def centred_square(picture: Picture, size: int) -> Picture:
    """The largest centred square of uint8 [H, W, 3], cut out and then resized to [size, size, 3] by Lanczos.

    Of an odd margin the smaller half lies left and above. Cutting comes first: what lies outside the
    square does not reach its border pixels.
    """
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def folder_key(protocol: Protocol, folder: PictureFolder) -> str:
    """Hash of everything the statistics come from."""
    assert isinstance(protocol.reference, FolderReference)
    assert protocol.features is not None
    return sha256_json(
        {
            "schema": "viewsweep.reals/1",
            "version": VERSION,
            "pictures": folder.sha256,
            "preparation": {**protocol.reference.model_dump(mode="json"), "size": protocol.size},
            "network": protocol.features.model_dump(mode="json"),
            "kept": KEPT,
        }
    )


def folder_reference(
    protocol: Protocol, folder: PictureFolder, network: FeatureNetwork, progress: Progress
) -> RealPictures:
    """The statistics of a folder under a protocol.

    Raises:
        UserError: fewer than two pictures, or some that cannot be read.
    """
    if len(folder) < 2:
        raise UserError(f"{folder.path}: one picture is no reference set; there must be two at least.")
    place = cache_folder() / "reals" / folder_key(protocol, folder)
    whole = place.with_name(f"{place.name}.safetensors")
    held = read_tensors(whole)
    if held is not None:
        return _unpacked(held)
    work = _Work(folder, protocol.size, network, place, progress)
    found = work.run()
    try:
        write_tensors(whole, found)
        shutil.rmtree(place, ignore_errors=True)
    except WriteFailed as error:
        progress.say(f"the statistics of the real pictures were not cached: {error}")
    return _unpacked(found)


class _Work:
    """One pass over a folder, chunk by chunk; `place` holds what is finished."""

    def __init__(
        self, folder: PictureFolder, size: int, network: FeatureNetwork, place: Path, progress: Progress
    ) -> None:
        self._folder, self._size, self._network = folder, size, network
        self._place, self._progress = place, progress
        self._writes = True

    def run(self) -> dict[str, Tensor]:
        files = self._folder.files
        sums, kept = self._finished()
        done = 0 if sums is None else int(sums.count)
        again = f", {done} of them are done" if done else ""
        self._progress.say(f"computing the features of {len(files)} real pictures in {self._folder.path} (once{again})")
        self._progress.stage("features of real pictures", len(files) - done)
        for first in range(done, len(files), CHUNK):
            features = self._chunk(first)
            sums = _added(sums, features.embedding)
            if first < KEPT:
                rows = slice(0, KEPT - first)
                kept.append({"embedding": features.embedding[rows], "sharpness": features.sharpness[rows]})
                self._keep(f"{first:09d}", kept[-1])
            self._keep("sums", {"count": sums.count, "shift": sums.shift, "first": sums.first, "second": sums.second})
        assert sums is not None
        mean, covariance = sums.moments()
        joined = {name: torch.cat([part[name] for part in kept]) for name in ("embedding", "sharpness")}
        moments = {"mean": torch.from_numpy(mean), "covariance": torch.from_numpy(covariance)}
        return joined | moments | {"count": sums.count}

    def _finished(self) -> tuple[GaussianSums | None, list[dict[str, Tensor]]]:
        """Sums over the first chunks and their kept rows, as far as an earlier pass came."""
        from ..metrics.gaussian import GaussianSums

        held = read_tensors(self._place / "sums.safetensors")
        if held is None:
            return None, []
        kept = []
        for first in range(0, min(int(held["count"]), KEPT), CHUNK):
            rows = read_tensors(self._place / f"{first:09d}.safetensors")
            if rows is None:
                return None, []  # without it the rest is of no use
            kept.append(rows)
        return GaussianSums(**held), kept

    def _chunk(self, first: int) -> Features:
        from ..metrics.features import Features, extract

        files = self._folder.files[first : first + CHUNK]
        parts, broken = [], []
        batch: list[Picture] = []
        with ThreadPoolExecutor(DECODERS, thread_name_prefix="viewsweep-decode") as pool:
            for place, picture in enumerate(pool.map(_reader(self._size), files), 1):
                if isinstance(picture, str):
                    broken.append(picture)
                else:
                    batch.append(picture)
                if not broken and batch and (len(batch) == BATCH or place == len(files)):
                    parts.append(extract(self._network, torch.from_numpy(np.stack(batch)), BATCH))
                    batch = []
                self._progress.step()
        if broken:
            self._refuse(broken, self._folder.files[first + CHUNK :])
        return Features.cat(parts)

    def _refuse(self, broken: list[str], rest: Sequence[Path]) -> None:
        """Look at the rest as well, so that all that is wrong is said at once."""
        self._progress.stage("looking for further unreadable pictures", len(rest))
        with ThreadPoolExecutor(DECODERS, thread_name_prefix="viewsweep-decode") as pool:
            for picture in pool.map(_reader(self._size), rest):
                broken += [picture] if isinstance(picture, str) else []
                self._progress.step()
        more = [f"and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        count = f"{self._folder.path}: {len(broken)} of {len(self._folder)} pictures cannot be read; "
        advice = "replace them, or take them out of the folder:"
        raise UserError("\n  ".join([count + advice, *sorted(broken)[:SHOWN], *more]))

    def _keep(self, name: str, tensors: dict[str, Tensor]) -> None:
        if not self._writes:
            return
        try:
            write_tensors(self._place / f"{name}.safetensors", tensors)
        except WriteFailed as error:
            self._writes = False
            self._progress.say(f"what is done so far cannot be kept: {error}")


def _reader(size: int) -> Callable[[Path], Picture | str]:
    """From a file to its prepared picture, or to the sentence why there is none."""
    from ..metrics.folder_features import read_picture

    def read(file: Path) -> Picture | str:
        try:
            return centred_square(read_picture(file), size)
        except UnreadableFile as error:
            return str(error)

    return read


def _added(sums: GaussianSums | None, rows: Tensor) -> GaussianSums:
    from ..metrics.gaussian import GaussianSums

    return GaussianSums.of(rows) if sums is None else sums.add(rows)


def _unpacked(held: dict[str, Tensor]) -> RealPictures:
    from ..metrics.features import Features

    rows = held["embedding"]
    features = Features(rows, torch.zeros(len(rows), 0), held["sharpness"])
    return RealPictures(features, (held["mean"].numpy(), held["covariance"].numpy()), int(held["count"]))
