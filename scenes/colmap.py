"""COLMAP's text models to captures, and scenes to them.

A model is a folder with ``cameras.txt``, ``images.txt`` and ``points3D.txt``. Its conventions, from COLMAP's
documentation: poses are *world to camera*, as a quaternion (w, x, y, z) and a translation, with OpenCV axes;
the centre of the first pixel lies at (0.5, 0.5); the world's axes, origin and unit are arbitrary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from .cameras import Cameras
from .capture import Capture, Failure, Frame
from .converters import to_pixels
from .errors import InvalidScene, UnreadableFile, UserError
from .files import atomic_write, make_folder
from .lens import Lens
from .pictures import inside, natural, write_png
from .scene import Scene

__all__ = ["find_model", "holds_model", "read_colmap", "write_colmap"]

MODELS: dict[str, tuple[Literal["pinhole", "opencv", "fisheye"], tuple[str, ...]]] = {
    "SIMPLE_PINHOLE": ("pinhole", ("f", "cx", "cy")),
    "PINHOLE": ("pinhole", ("fx", "fy", "cx", "cy")),
    "SIMPLE_RADIAL": ("opencv", ("f", "cx", "cy", "k1")),
    "RADIAL": ("opencv", ("f", "cx", "cy", "k1", "k2")),
    "OPENCV": ("opencv", ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
    "FULL_OPENCV": ("opencv", ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "SIMPLE_RADIAL_FISHEYE": ("fisheye", ("f", "cx", "cy", "k1")),
    "RADIAL_FISHEYE": ("fisheye", ("f", "cx", "cy", "k1", "k2")),
    "OPENCV_FISHEYE": ("fisheye", ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")),
}
"""Distortion model and order of the parameters by COLMAP's name."""

PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "text")
"""Where in a project folder a model is looked for."""


def holds_model(source: Path) -> bool:
    """Whether there is a model, text or binary, in a project folder."""
    return any((source / place / name).is_file() for place in PLACES for name in ("images.txt", "images.bin"))


def find_model(source: Path) -> Path:
    """The folder of the text model in a project folder.

    Raises:
        UserError: there is none, or only one in COLMAP's binary format.
    """
    for place in PLACES:
        if (source / place / "images.txt").is_file():
            return source / place
    for place in PLACES:
        if (source / place / "images.bin").is_file():
            model = source / place
            raise UserError(
                f"{model}: this model is binary.",
                hint=f"Run `colmap model_converter --input_path {model} --output_path {model} --output_type TXT`.",
            )
    raise UserError(f"{source}: no COLMAP text model here (cameras.txt, images.txt), nor in sparse/0.")


def read_colmap(source: Path) -> Capture:
    """The capture of a COLMAP project.

    Args:
        source: the project folder (with ``sparse/0``) or the model's own. The pictures are looked for in
            ``images/`` beside the model and up to two folders above it, then in the project folder.

    Images whose pose, camera or name cannot be used are named in `failed`.

    Raises:
        UserError: no model, or only a binary one.
        UnreadableFile: a line that is not of the format; file and line are named.
    """
    model = find_model(source)
    pictures = _pictures(model, source)
    lenses = _lenses(model / "cameras.txt")
    frames: list[Frame] = []
    failed: list[Failure] = []
    for name, camera, pose in sorted(_images(model / "images.txt"), key=lambda image: natural(image[0])):
        path = pictures / name
        try:
            path = inside(pictures, name)
            lens = lenses.get(camera)
            if lens is None:
                raise UserError(f"cameras.txt has no camera {camera}.")
            if isinstance(lens, UserError):
                raise lens
            frames.append(Frame(path, lens, _inverse(pose)))
        except UserError as error:
            failed.append((path, str(error)))
    return Capture(model, tuple(frames), tuple(failed), _distance(model / "points3D.txt", frames))


def write_colmap(folder: Path, scene: Scene) -> Path:
    """Write a scene as a COLMAP project: ``images/`` and the text model in ``sparse/0``, without points.

    Returns:
        the model's folder.

    Raises:
        InvalidScene: no cameras, or intrinsics with skew, which COLMAP's models have no place for.
        WriteFailed: disk full or folder not writable.
    """
    if scene.cameras is None:
        raise InvalidScene("A scene without cameras cannot be written as a COLMAP model.")
    if bool((scene.cameras.intrinsics[:, 0, 1].abs() > 1e-9).any()):
        raise InvalidScene("The cameras have skew; COLMAP's models have no place for it.")
    images, model = make_folder(folder / "images"), make_folder(folder / "sparse" / "0")
    height, width = scene.size
    cameras: dict[str, int] = {}
    lines = []
    pixels = to_pixels(scene.cameras.intrinsics, width, height)
    poses = scene.cameras.world_to_cam.numpy()
    for view, (matrix, pose) in enumerate(zip(pixels.tolist(), poses, strict=True)):
        name = f"{view:05d}.png"
        write_png(images / name, scene.rgb[view])
        parameters = _numbers([matrix[0][0], matrix[1][1], matrix[0][2], matrix[1][2]])
        camera = cameras.setdefault(f"PINHOLE {width} {height} {parameters}", len(cameras) + 1)
        quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True)
        lines += [f"{view + 1} {_numbers(quaternion)} {_numbers(pose[:3, 3])} {camera} {name}", ""]
    header = "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then POINTS2D[] as (X, Y, POINT3D_ID)"
    atomic_write(model / "images.txt", "\n".join([header, *lines]) + "\n")
    records = [f"{camera} {parameters}" for parameters, camera in cameras.items()]
    atomic_write(model / "cameras.txt", "\n".join(["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]", *records]) + "\n")
    atomic_write(model / "points3D.txt", "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n")
    return model


def _pictures(model: Path, source: Path) -> Path:
    for folder in (model, *model.resolve().parents[:2], source):
        if (folder / "images").is_dir():
            return folder / "images"
    return source


def _lenses(path: Path) -> dict[str, Lens | UserError]:
    """Lens, or why there is none, by camera id."""
    lenses: dict[str, Lens | UserError] = {}
    for number, line in _lines(path):
        if not line or line.startswith("#"):
            continue
        camera, *record = line.split()
        if len(record) < 3:
            raise UnreadableFile(f"{path}, line {number}: a camera needs an id, a model, a width and a height.")
        try:
            lenses[camera] = _lens(record)
        except ValueError as error:
            raise UnreadableFile(f"{path}, line {number}: {error}.") from error
        except UserError as error:
            lenses[camera] = UserError(f"{path}, line {number}: {error}")
    return lenses


def _lens(record: list[str]) -> Lens:
    model, width, height, *parameters = record
    if model not in MODELS:
        raise UserError(f"camera model {model} is not supported; {', '.join(MODELS)} are.")
    kind, names = MODELS[model]
    if len(parameters) != len(names):
        raise ValueError(f"{model} has {len(names)} parameters, here are {len(parameters)}")
    values = dict(zip(names, map(float, parameters), strict=True))
    if "f" in values:
        values["fx"] = values["fy"] = values["f"]
    order = ("k1", "k2", "k3", "k4") if kind == "fisheye" else ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
    coefficients = () if kind == "pinhole" else tuple(values.get(name, 0.0) for name in order)
    return Lens(int(width), int(height), values["fx"], values["fy"], values["cx"], values["cy"], kind, coefficients)


def _images(path: Path) -> Iterator[tuple[str, str, list[float]]]:
    """Name, camera id and (qw qx qy qz tx ty tz) of each image; two lines each, the second may be empty."""
    image: str | None = None
    for number, line in _lines(path):
        if image is not None:
            if len(line.split()) % 3:
                raise UnreadableFile(
                    f"{path}, line {number}: here the 2D points of {image} should stand, three numbers each. "
                    "Every image has two lines, the second of which may be empty."
                )
            image = None
            continue
        if not line or line.startswith("#"):
            continue
        fields = line.split(maxsplit=9)
        try:
            pose = [float(field) for field in fields[1:8]]
            camera, image = fields[8], fields[9]
        except (ValueError, IndexError) as error:
            raise UnreadableFile(
                f"{path}, line {number}: not an image (id, four of a quaternion, three of a translation, camera, name)."
            ) from error
        yield image, camera, pose


def _inverse(pose: list[float]) -> torch.Tensor:
    """Camera to world [4, 4] of COLMAP's seven numbers."""
    quaternion, translation = np.array(pose[:4]), np.array(pose[4:])
    length = float(np.linalg.norm(quaternion))
    if not math.isfinite(length) or abs(length - 1) > 1e-2 or not np.isfinite(translation).all():
        raise UserError(f"its pose is no rigid motion: the quaternion has length {length:g}.")
    rotation = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    inverse = np.eye(4)
    inverse[:3, :3], inverse[:3, 3] = rotation.T, -rotation.T @ translation
    return torch.from_numpy(inverse)


def _distance(path: Path, frames: list[Frame]) -> float | None:
    """Median z-depth of the model's points in front of its cameras; None without points."""
    if not path.is_file() or not frames:
        return None
    points = []
    for number, line in _lines(path):
        if line and not line.startswith("#"):
            try:
                x, y, z = map(float, line.split(maxsplit=4)[1:4])
            except ValueError as error:
                raise UnreadableFile(f"{path}, line {number}: not a point (id, x, y, z, ...).") from error
            points.append([x, y, z])
    if not points:
        return None
    poses = torch.stack([frame.cam_to_world for frame in frames])
    cameras = Cameras(poses, torch.eye(3))
    depth = cameras.project(torch.tensor(points[:: max(1, len(points) // 2000)]))[1]
    ahead = depth[depth > 0]
    return float(ahead.median()) if len(ahead) else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered, stripped lines; read as they are used, since images.txt may be large."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield number, line.strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UnreadableFile(f"{path}: not readable ({reason}).") from error


def _numbers(values: list[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return " ".join(repr(float(value)) for value in values)
