"""A training set of tabletop on disk: single unposed views, rendered once, resumable.

Layout of the folder: ``dataset.json`` (what it holds), ``rgb.npy`` uint8 [N, S, S, 3], ``depth.npy``
float16 [N, S, S] holding depth - 1.6 (which keeps 2e-4 precision; NaN = no surface), ``label.npy``,
``camera.npy`` yaw and pitch. Training methods on unposed data read only rgb, depth and label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files import make_folder
from ..resumable import mark_done, pieces_done
from ..sweeps import RADIUS
from .classes import CLASSES
from .splits import render_views, train_cameras
from .world import sample

__all__ = ["TabletopViews", "prepare_views"]

CHUNK = 1280  # pictures between two progress marks


@dataclass(frozen=True)
class TabletopViews:
    """N single views: rgb uint8 [N, S, S, 3], depth float32-able [N, S, S], label [N], yaw and pitch [N, 2]."""

    rgb: np.ndarray
    depth: np.ndarray
    label: np.ndarray
    camera: np.ndarray

    def __len__(self) -> int:
        return len(self.rgb)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """rgb uint8 [n, S, S, 3], z-depth float32 [n, S, S] (NaN = none) and labels int64 [n]."""
        rows = index.numpy()
        depth = torch.from_numpy(self.depth[rows].astype(np.float32)) + RADIUS
        return torch.from_numpy(self.rgb[rows]), depth, torch.from_numpy(self.label[rows])


def prepare_views(
    folder: Path,
    seeds: range,
    size: int,
    *,
    frontal_share: float,
    log: Callable[[str], None] = print,
) -> TabletopViews:
    """Render the training views of `seeds` into `folder`, or go on where an earlier call stopped."""
    make_folder(folder)
    wanted = {
        "schema": "viewsweep.tabletop-views/1",
        "seeds": [seeds.start, seeds.stop],
        "size": size,
        "frontal_share": frontal_share,
    }
    record = folder / "dataset.json"
    done = pieces_done(record, wanted)
    count = len(seeds)
    mode = "r+" if done else "w+"
    views = TabletopViews(
        _array(folder / "rgb.npy", mode, np.uint8, (count, size, size, 3)),
        _array(folder / "depth.npy", mode, np.float16, (count, size, size)),
        _array(folder / "label.npy", mode, np.int64, (count,)),
        _array(folder / "camera.npy", mode, np.float32, (count, 2)),
    )
    for first in range(done, count, CHUNK):
        chunk = list(seeds[first : first + CHUNK])
        objects = [sample(seed, seed % len(CLASSES)) for seed in chunk]
        cameras = train_cameras(chunk, frontal_share=frontal_share)
        for positions, rgb, depth in render_views(objects, cameras, size):
            rows = first + np.asarray(positions)
            views.rgb[rows] = rgb.numpy()
            views.depth[rows] = (depth - RADIUS).half().numpy()
        views.label[first : first + len(chunk)] = [entry.label for entry in objects]
        views.camera[first : first + len(chunk)] = torch.stack([cameras.yaw, cameras.pitch], 1).float().numpy()
        for array in (views.rgb, views.depth, views.label, views.camera):
            array.flush()  # type: ignore[attr-defined]  # memory maps; the record below must not overtake them
        mark_done(record, wanted, first + len(chunk))
        log(f"rendered {first + len(chunk)} of {count} training views")
    return views


def _array(path: Path, mode: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.lib.format.open_memmap(path, mode=mode, dtype=np.dtype(dtype), shape=shape)
