"""What ivid trains on: single RGBD pictures with labels, from tabletop or from a prepared folder."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...scenes.errors import UnreadableFile, UserError
from ...scenes.pictures import read_picture
from ...scenes.tabletop import CLASSES
from ...scenes.tabletop.dataset import TabletopViews
from .depth_code import DepthCode
from .disparity import depth_channel
from .estimators import SimulatedEstimator

__all__ = ["PREPARED_SCHEMA", "Pictures", "PreparedPictures", "TabletopPictures"]

PREPARED_SCHEMA = "viewsweep.prepared-pictures/1"
READERS = 8  # threads that decode pictures


class Pictures(Protocol):
    """N pictures of S x S pixels."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty = pictures have none."""
        ...

    @property
    def description(self) -> str:
        """What they are, for people."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever a picture would."""
        ...

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """RGBD in [-1, 1], [n, 4, S, S], and labels [n] (0 where there are no classes)."""
        ...


class TabletopPictures:
    """Rendered views of tabletop.

    Args:
        views: what `prepare_views` rendered.
        code: the depth code.
        seeds: which objects they show, for records.
        estimator: distorts the depth, as if it had been estimated; None = the true depth.
        radius: distance of the cameras.
    """

    classes = CLASSES

    def __init__(
        self,
        views: TabletopViews,
        code: DepthCode,
        seeds: range,
        *,
        estimator: SimulatedEstimator | None = None,
        radius: float = 1.0,
    ) -> None:
        self.views, self.code, self.seeds, self.estimator, self.radius = views, code, seeds, estimator, radius

    @property
    def description(self) -> str:
        """See `Pictures`."""
        kind = "" if self.estimator is None else ", simulated depth"
        return f"tabletop training seeds {self.seeds.start} to {self.seeds.stop - 1}{kind}"

    @property
    def identity(self) -> str:
        """See `Pictures`."""
        estimator = "true depth" if self.estimator is None else self.estimator.identity
        return f"tabletop {self.seeds!r} {self.views.rgb.shape[1]} {self.code!r} {estimator}"

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pictures`."""
        rgb, depth, label = self.views.batch(index)
        if self.estimator is None:
            channel = self.code.encode(depth)
        else:  # the simulated disparity keeps the unit of the true one up to its own scale and shift
            raw = self.estimator.disparity(rgb, depth)
            channel = depth_channel(
                raw, unit=1 / self.radius, radius=self.radius, near=self.code.near, far=self.code.far
            )
        return torch.cat([rgb.permute(0, 3, 1, 2).float() / 127.5 - 1, channel[:, None]], 1), label


class PreparedPictures:
    """What `viewsweep prepare` wrote, in an order that mixes the classes.

    Args:
        folder: its folder.
        size: height and width the networks work at.
        code: the depth code.
        radius: distance to the pivot, in the unit of the code's planes.

    Raises:
        UnreadableFile: the folder is not a prepared one, or of a newer viewsweep.
        UserError: it is not finished, holds no picture, or pictures of another size.
    """

    def __init__(self, folder: Path, size: int, code: DepthCode, radius: float) -> None:
        self.folder, self.code, self.radius = folder, code, radius
        record = read_record(folder)
        if not record.get("complete"):
            raise UserError(f"{folder}: these pictures are not all prepared.", hint="Run `viewsweep prepare` again.")
        if record["size"] != size:
            raise UserError(
                f"{folder}: the pictures are prepared at {record['size']} pixels, this configuration trains at {size}.",
                hint=f"Prepare them with --size {size} into another --out, or choose another configuration.",
            )
        if not record["pictures"]:
            raise UserError(f"{folder}: not one picture was prepared, so there is nothing to train on.")
        self.record = record
        self.classes: tuple[str, ...] = tuple(record["classes"])
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        mixed = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        self.files = [rows[position]["file"] for position in mixed]
        self.labels = torch.tensor([int(rows[position]["class"]) for position in mixed])

    @property
    def description(self) -> str:
        """See `Pictures`."""
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        model = self.record["depth_model"]["name"]
        return f"{len(self)} pictures{classes} from '{self.record['source']}', depth by {model}"

    @property
    def identity(self) -> str:
        """See `Pictures`."""
        return f"prepared {self.record['content']} {self.code!r} {self.radius}"

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """See `Pictures`.

        Raises:
            UnreadableFile: a file is gone or damaged.
        """
        rows = index.tolist()
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(self._read, [self.files[row] for row in rows]))
        rgb = torch.from_numpy(np.stack([picture for picture, _ in read])).permute(0, 3, 1, 2)
        raw = torch.from_numpy(np.stack([disparity for _, disparity in read]))
        channel = depth_channel(
            raw, unit=self.record["unit"], radius=self.radius, near=self.code.near, far=self.code.far
        )
        return torch.cat([rgb.float() / 127.5 - 1, channel[:, None]], 1), self.labels[index]

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return read_picture(picture_file(self.folder, name)).rgb, read_disparity(disparity_file(self.folder, name))


def picture_file(folder: Path, name: str) -> Path:
    """Where the square picture made of file `name` lies."""
    return folder / "pictures" / f"{name}.png"


def disparity_file(folder: Path, name: str) -> Path:
    """Where its disparity lies."""
    return folder / "disparity" / f"{name}.npz"


def encode_disparity(values: Tensor) -> bytes:
    """Bytes of an ``.npz`` file with one array, ``arr_0``, float16, as ivid's authors keep theirs."""
    buffer = io.BytesIO()
    held = values.numpy().clip(0, float(np.finfo(np.float16).max)).astype(np.float16)
    np.savez_compressed(buffer, held)
    return buffer.getvalue()


def read_disparity(path: Path) -> np.ndarray:
    """Raw disparity, float32 [S, S].

    Raises:
        UnreadableFile: missing, damaged, or not such a file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            values: np.ndarray = stored["arr_0"].astype(np.float32)
    except Exception as error:  # numpy raises whatever a damaged archive makes it trip over
        raise UnreadableFile(
            f"{path}: not readable ({error}).", hint="Delete it and run `viewsweep prepare` again."
        ) from error
    if values.ndim != 2 or not np.isfinite(values).all():
        raise UnreadableFile(f"{path}: disparity of shape {list(values.shape)} or with values that are not finite.")
    return values


def read_record(folder: Path) -> dict[str, Any]:
    """The content of ``prepared.json``.

    Raises:
        UnreadableFile: damaged, or of another schema.
    """
    path = folder / "prepared.json"
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: not readable ({error}).", hint="Run `viewsweep prepare` again.") from error
    if not isinstance(record, dict) or record.get("schema") != PREPARED_SCHEMA:
        raise UnreadableFile(f"{path}: not a record of this version ({PREPARED_SCHEMA}).")
    return record
