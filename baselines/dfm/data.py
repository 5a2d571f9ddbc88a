"""What the three problems are trained on: several pictures of each of many tabletop objects, rendered once, resumable.

Layout of the folder: ``dataset.json`` (what it holds), ``rgb.npy`` uint8 [N, K, S, S, 3], ``pose.npy`` camera to world,
float32 [N, K, 4, 4]. Which cameras an object is seen from depends on the problem; all have tabletop's intrinsics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.files import make_folder
from ...scenes.generator import scene_generator
from ...scenes.resumable import mark_done, pieces_done
from ...scenes.sweeps import FOV, RADIUS
from ...scenes.tabletop import CLASSES, render_views, sample, train_cameras
from ...scenes.tabletop.clips import MOTIONS, moved_cameras
from ...scenes.tabletop.splits import PITCH_MEAN, PITCH_RANGE, PITCH_STD

__all__ = ["Pictures", "View", "prepare_pictures"]

CHUNK = 320  # objects between two progress marks

View = Literal["around", "clips"]
"""What an object is seen from: places all around it, or where it stands and where each motion would take it."""


@dataclass(frozen=True)
class Pictures:
    """K pictures of each of N objects.

    Args:
        rgb: uint8 [N, K, S, S, 3].
        pose: camera to world, float32 [N, K, 4, 4].
        intrinsics: of all, [3, 3].
        description: for records.
    """

    rgb: np.ndarray
    pose: np.ndarray
    intrinsics: Tensor
    description: str

    def __len__(self) -> int:
        return len(self.rgb)

    def pictures(self, index: Tensor, view: Tensor) -> Tensor:
        """Picture `view` [n] of object `index` [n], in [-1, 1], [n, 3, S, S]."""
        chosen = torch.from_numpy(self.rgb[index.numpy(), view.numpy()])
        return chosen.permute(0, 3, 1, 2).float() / 127.5 - 1

    def poses(self, index: Tensor, view: Tensor) -> Tensor:
        """Their cameras to the world, [n, 4, 4]."""
        return torch.from_numpy(self.pose[index.numpy(), view.numpy()])


def prepare_pictures(
    folder: Path, view: View, seeds: range, size: int, *, views: int, log: Callable[[str], None] = print
) -> Pictures:
    """Render the pictures of `seeds` into `folder`, or go on where an earlier call stopped.

    Args:
        view: what each object is seen from.
        views: how many places, for "around"; clips have one and as many as there are motions.
    """
    make_folder(folder)
    count, per = len(seeds), views if view == "around" else 1 + len(MOTIONS)
    wanted = {
        "schema": "viewsweep.tabletop-pictures/1",
        "view": view,
        "seeds": [seeds.start, seeds.stop],
        "size": size,
        "views": per,
    }
    record = folder / "dataset.json"
    done = pieces_done(record, wanted)
    mode = "r+" if done else "w+"
    rgb = _array(folder / "rgb.npy", mode, np.uint8, (count, per, size, size, 3))
    pose = _array(folder / "pose.npy", mode, np.float32, (count, per, 4, 4))
    for first in range(done, count, CHUNK):
        chunk = list(seeds[first : first + CHUNK])
        objects = [sample(seed, seed % len(CLASSES)) for seed in chunk]
        own = [around(seed, per) if view == "around" else _clip(seed) for seed in chunk]
        every = Cameras(torch.cat([cameras.cam_to_world for cameras in own]), own[0].intrinsics[0])
        for positions, pictures, _ in render_views([entry for entry in objects for _ in range(per)], every, size):
            places = np.asarray(positions)
            rgb[first + places // per, places % per] = pictures.numpy()
        pose[first : first + len(chunk)] = every.cam_to_world.float().unflatten(0, (-1, per)).numpy()
        rgb.flush()  # type: ignore[attr-defined]  # memory maps; the record below must not overtake them
        pose.flush()  # type: ignore[attr-defined]
        mark_done(record, wanted, first + len(chunk))
        log(f"rendered {(first + len(chunk)) * per} of {count * per} training pictures")
    lens = Cameras.orbit([0.0], [0.0], radius=RADIUS, fov=FOV).intrinsics[0].float()
    last = seeds.stop - 1
    text = f"tabletop training seeds {seeds.start} to {last}, {per} pictures each, cameras known"
    return Pictures(rgb, pose, lens, text)


def around(seed: int, views: int) -> Cameras:
    """Cameras all around the object of `seed`, at the pitches of tabletop's training views."""
    random = scene_generator(seed, "dfm.views")
    yaw = torch.rand(views, generator=random, dtype=torch.float64) * 2 * torch.pi
    pitch = PITCH_MEAN + PITCH_STD * torch.randn(views, generator=random, dtype=torch.float64)
    return Cameras.orbit(yaw, pitch.clamp(*PITCH_RANGE), radius=RADIUS, fov=FOV)


def _clip(seed: int) -> Cameras:
    """The camera of the clip of `seed`, and those that see the resting object as it would be after each motion."""
    still = train_cameras([seed])
    moved = moved_cameras(still[[0] * len(MOTIONS)], range(len(MOTIONS)))
    return Cameras(torch.cat([still.cam_to_world, moved.cam_to_world]), still.intrinsics[0])


def _array(path: Path, mode: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    return np.lib.format.open_memmap(path, mode=mode, dtype=np.dtype(dtype), shape=shape)
