"""Scenes written in the formats of RealEstate10K and CO3D, as their descriptions say and without our readers' help.

The cameras that go in are ours; the numbers that come out are got by another way than the readers take back:
matrices are inverted by `numpy.linalg.inv`, and what CO3D calls focal length and principal point is *measured* by
moving a point until PyTorch3D's projection formula gives what our pixels say.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from viewsweep.scenes import Scene

VIDEO = "https://www.youtube.com/watch?v=0123456789a"
STEP = 33_366  # microseconds a frame


def write_re10k(root: Path, name: str, scene: Scene, *, split: str = "test", suffix: str = "png") -> Path:
    """Camera file and frames of one sequence; returns the camera file."""
    (root / split).mkdir(parents=True, exist_ok=True)
    folder = root / "frames" / split / name
    folder.mkdir(parents=True)
    lines = [VIDEO]
    for view in range(scene.views):
        timestamp = 52_000_000 + STEP * view
        to_camera = np.linalg.inv(scene.cameras.cam_to_world[view].numpy())
        matrix = scene.cameras.intrinsics[view].numpy()
        lens = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], 0.0, 0.0]
        numbers = " ".join(f"{number:.9f}" for number in [*lens, *to_camera[:3].ravel()])
        lines.append(f"{timestamp} {numbers}")
        Image.fromarray(scene.rgb[view].numpy()).save(folder / f"{timestamp}.{suffix}")
    path = root / split / f"{name}.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def project_pytorch3d(points: np.ndarray, view: dict[str, Any]) -> np.ndarray:
    """NDC coordinates [N, 2] of world points [N, 3], row vectors, x left and y up."""
    local = points @ np.array(view["R"]) + np.array(view["T"])
    return np.array(view["focal_length"]) * local[:, :2] / local[:, 2:] + np.array(view["principal_point"])


def ndc_of_uv(uv: np.ndarray, width: int, height: int, convention: str) -> np.ndarray:
    """NDC coordinates of normalised image coordinates: x left, y up, corners at the pixels' outer edges."""
    across, up = width * (1 - 2 * uv[:, 0]), height * (1 - 2 * uv[:, 1])  # in half pixels from the middle
    if convention == "ndc_isotropic":
        return np.stack([across, up], 1) / min(width, height)
    return np.stack([across / width, up / height], 1)


def viewpoint(cam_to_world: np.ndarray, intrinsics: np.ndarray, width: int, height: int, convention: str) -> dict:
    """CO3D's `viewpoint` of one of our cameras."""
    axes = cam_to_world[:3, :3] * [-1, -1, 1]  # columns: where left, up and forward point in the world
    record: dict[str, Any] = {"R": axes.tolist(), "T": (-cam_to_world[:3, 3] @ axes).tolist()}
    # on the optical axis, and one unit to the left and up at depth one
    uv = np.array([intrinsics[:2, 2], intrinsics[:2, 2] - [intrinsics[0, 0], intrinsics[1, 1]]])
    middle, away = ndc_of_uv(uv, width, height, convention)
    record |= {"principal_point": middle.tolist(), "focal_length": (away - middle).tolist()}
    return record | {"intrinsics_format": convention}


def write_co3d(
    root: Path,
    category: str,
    scenes: dict[str, Scene],
    *,
    convention: str = "ndc_isotropic",
    scale_adjustment: float = 0.37,
    suffix: str = "png",
    change: Callable[[dict[str, Any]], None] = lambda entry: None,
) -> Path:
    """A category: pictures, masks, depth, annotations and the set list fewview_dev; returns its folder.

    `change` may spoil each entry of the annotations before it is written.
    """
    folder = root / category
    frames, sequences, listed = [], [], []
    for name, scene in scenes.items():
        for part in ("images", "masks", "depths", "depth_masks"):
            (folder / name / part).mkdir(parents=True)
        height, width = scene.size
        for view in range(scene.views):
            stem, number = f"{category}/{name}", 2 * view + 3  # frame numbers are not file numbers
            place = f"frame{view + 1:06d}"
            entry: dict[str, Any] = {
                "sequence_name": name,
                "frame_number": number,
                "frame_timestamp": 0.1 * view,
                "image": {"path": f"{stem}/images/{place}.{suffix}", "size": [height, width]},
                "mask": {"path": f"{stem}/masks/{place}.png", "mass": 10.0},
                "depth": {
                    "path": f"{stem}/depths/{place}.jpg.geometric.png",
                    "scale_adjustment": scale_adjustment,
                    "mask_path": f"{stem}/depth_masks/{place}.png",
                },
                "viewpoint": viewpoint(
                    scene.cameras.cam_to_world[view].numpy(),
                    scene.cameras.intrinsics[view].numpy(),
                    width,
                    height,
                    convention,
                ),
                "meta": {"frame_type": "dev_known"},
            }
            Image.fromarray(scene.rgb[view].numpy()).save(root / entry["image"]["path"])
            depth = scene.depth[view].numpy()
            seen = np.isfinite(depth)
            half = (np.where(seen, depth, 0.0) / scale_adjustment).astype(np.float16)
            Image.fromarray(half.view(np.uint16)).save(root / entry["depth"]["path"])
            Image.fromarray((seen * 255).astype(np.uint8)).save(root / entry["depth"]["mask_path"])
            Image.fromarray((seen * 255).astype(np.uint8)).save(root / entry["mask"]["path"])
            listed.append([name, number, entry["image"]["path"]])
            change(entry)
            frames.append(entry)
        sequences.append({"sequence_name": name, "category": category, "viewpoint_quality_score": 1.5})
    rewrite_co3d(folder, frames, sequences)
    (folder / "set_lists").mkdir()
    lists = {"train": [], "val": listed[::-1], "test": listed[:1]}
    (folder / "set_lists" / "set_lists_fewview_dev.json").write_text(json.dumps(lists))
    return folder


def rewrite_co3d(folder: Path, frames: list[Any], sequences: list[Any]) -> None:
    """The two annotation files of a category."""
    with gzip.open(folder / "frame_annotations.jgz", "wt") as file:
        json.dump(frames, file)
    with gzip.open(folder / "sequence_annotations.jgz", "wt") as file:
        json.dump(sequences, file)
