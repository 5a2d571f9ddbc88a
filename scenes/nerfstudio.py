"""nerfstudio's ``transforms.json`` (and instant-ngp's, Blender's NeRF sets) to captures, and scenes to it.

Its conventions, from nerfstudio's documentation and data parser:

- ``transform_matrix``: camera to world, camera axes x right, y up, z backward; world z-up;
- ``fl_x fl_y cx cy w h k1 k2 k3 k4 p1 p2`` in pixels, the centre of the first pixel at (0.5, 0.5); at
  the top of the file for all frames, or in a frame for that frame;
- ``applied_transform`` and ``applied_scale`` are what was *already done* to the poses; they are undone
  here, so that poses come back in the world the capture was made in;
- depth files hold z-depth in units of ``depth_unit_scale_factor``, 0.001 by default (millimetres), also
  those in ``.npy``, before ``applied_scale``;
- ``mask_path`` says what a trainer shall ignore, not what the object is: it is not read.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from .alignment import Similarity, nearest_rotation
from .cameras import Cameras
from .capture import Capture, Failure, Frame
from .converters import FLIP_Y_AND_Z, to_opengl, to_pixels
from .errors import InvalidCameras, InvalidScene, UnreadableFile, UserError
from .files import atomic_write, make_folder
from .lens import Lens
from .pictures import SUFFIXES, inside, natural, picture_size, write_png
from .scene import Scene

__all__ = ["read_nerfstudio", "write_nerfstudio"]

MAXIMUM_BYTES = 256 << 20
MILLIMETRE = 1e-3
Z_UP = [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
"""Our y-up world to the z-up world of the file."""

Row = Annotated[list[float], Field(min_length=4, max_length=4)]
Matrix = Annotated[list[Row], Field(min_length=3, max_length=4)]


class _Settings(BaseModel):
    """What may stand at the top of the file and, for one picture, in its frame."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    camera_model: str | None = None
    is_fisheye: bool | None = None
    camera_angle_x: float | None = None
    camera_angle_y: float | None = None
    fl_x: float | None = None
    fl_y: float | None = None
    cx: float | None = None
    cy: float | None = None
    w: float | None = None
    h: float | None = None
    k1: float | None = None
    k2: float | None = None
    k3: float | None = None
    k4: float | None = None
    p1: float | None = None
    p2: float | None = None
    distortion_params: list[float] | None = None


class _Frame(_Settings):
    file_path: str
    transform_matrix: Any  # checked frame by frame, so that one bad pose does not lose the others
    depth_file_path: str | None = None


class _File(_Settings):
    frames: list[_Frame]
    applied_transform: Matrix | None = None
    applied_scale: float = Field(default=1.0, gt=0)
    depth_unit_scale_factor: float = Field(default=MILLIMETRE, gt=0)


def read_nerfstudio(path: Path) -> Capture:
    """The capture that a ``transforms.json`` describes.

    Args:
        path: the file, or the folder that holds it.

    Frames whose pose, calibration or path cannot be used are named in `failed`.

    Raises:
        UnreadableFile: missing, no JSON, or not of this format.
        InvalidCameras: `applied_transform` is no similarity.
    """
    path = path / "transforms.json" if path.is_dir() else path
    content = _load(path)
    world = torch.eye(4, dtype=torch.float64)
    world[:3] = torch.tensor((content.applied_transform or world[:3].tolist())[:3], dtype=torch.float64)
    try:
        applied = Similarity.of_matrix(world)
    except InvalidCameras as error:
        raise InvalidCameras(f"{path}: applied_transform: {error}") from error
    back = applied.inverse()
    frames: list[Frame] = []
    failed: list[Failure] = []
    for entry in sorted(content.frames, key=lambda frame: natural(frame.file_path)):
        picture = path.parent / entry.file_path
        try:
            picture = _picture(path.parent, entry.file_path)
            pose = _pose(entry.transform_matrix)
            pose[:3, 3] /= content.applied_scale
            depth = None if entry.depth_file_path is None else inside(path.parent, entry.depth_file_path)
            lens = _lens(_merge(content, entry), picture)
            pose = back.apply(Cameras(pose[None], lens.intrinsics)).cam_to_world[0]
        except UserError as error:
            failed.append((picture, str(error)))
            continue
        # nerfstudio takes depth to be in the unit after applied_transform and before applied_scale
        frames.append(Frame(picture, lens, pose, depth, content.depth_unit_scale_factor * back.scale))
    return Capture(path, tuple(frames), tuple(failed))


def write_nerfstudio(folder: Path, scene: Scene) -> Path:
    """Write a scene for nerfstudio: ``transforms.json``, ``images/``, and ``depth/`` if it has depth.

    Depth goes to float32 ``.npy`` in millimetres, which nerfstudio takes by default; no surface is 0.
    Transparency is not written: the pictures hold their background already.

    Returns:
        the path of ``transforms.json``.

    Raises:
        InvalidScene: no cameras, or intrinsics with skew, which the format has no place for.
        WriteFailed: disk full or folder not writable.
    """
    if scene.cameras is None:
        raise InvalidScene("A scene without cameras cannot be written as transforms.json.")
    if bool((scene.cameras.intrinsics[:, 0, 1].abs() > 1e-9).any()):
        raise InvalidScene("The cameras have skew; transforms.json has no place for it.")
    make_folder(folder / "images")
    if scene.depth is not None:
        make_folder(folder / "depth")
    height, width = scene.size
    world = torch.eye(4, dtype=torch.float64)
    world[:3] = torch.tensor(Z_UP, dtype=torch.float64)
    poses = world @ to_opengl(scene.cameras)
    pixels = to_pixels(scene.cameras.intrinsics, width, height)
    frames: list[dict[str, Any]] = []
    for view in range(scene.views):
        frame: dict[str, Any] = {"file_path": f"images/{view:05d}.png"}
        write_png(folder / frame["file_path"], scene.rgb[view])
        if scene.depth is not None:
            frame["depth_file_path"] = f"depth/{view:05d}.npy"
            _write_array(folder / frame["depth_file_path"], (scene.depth[view] / MILLIMETRE).nan_to_num(0.0))
        matrix = pixels[view]
        frame |= {"fl_x": float(matrix[0, 0]), "fl_y": float(matrix[1, 1])}
        frame |= {"cx": float(matrix[0, 2]), "cy": float(matrix[1, 2])}
        frames.append(frame | {"transform_matrix": poses[view].tolist()})
    content = {
        "camera_model": "OPENCV",
        "w": width,
        "h": height,
        "applied_transform": Z_UP,
        "depth_unit_scale_factor": MILLIMETRE,
        "frames": frames,
    }
    target = folder / "transforms.json"
    atomic_write(target, json.dumps(content, indent=2) + "\n")
    return target


def _load(path: Path) -> _File:
    hint = "It must be a transforms.json as nerfstudio, instant-ngp or Blender's NeRF sets write it."
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise UnreadableFile(f"{path}: larger than {MAXIMUM_BYTES >> 20} MiB.", hint=hint)
        return _File.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UnreadableFile(f"{path}: there is no such file.", hint=hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise UnreadableFile(f"{path}: at {place}: {first['msg']}.", hint=hint) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: not readable as JSON ({error}).", hint=hint) from error


def _picture(folder: Path, name: str) -> Path:
    """The picture called `name`; Blender's sets leave the suffix out."""
    path = inside(folder, name)
    if path.suffix.lower() in SUFFIXES or path.is_file():
        return path
    return next((found for suffix in SUFFIXES if (found := path.with_name(path.name + suffix)).is_file()), path)


def _pose(matrix: Any) -> Tensor:
    """Pose with OpenCV axes [4, 4] of a frame's matrix; rounding of printed numbers is taken out."""
    try:
        given = torch.tensor(matrix, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidCameras("transform_matrix is no matrix of numbers.") from error
    if given.shape not in ((3, 4), (4, 4)) or not bool(torch.isfinite(given).all()):
        raise InvalidCameras(f"transform_matrix must be finite, [4, 4]; it is {list(given.shape)}.")
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = given[:3]
    pose[:3, :3] = nearest_rotation(pose[:3, :3])
    return pose @ FLIP_Y_AND_Z


def _merge(top: _Settings, frame: _Settings) -> _Settings:
    """The frame's settings, those of the file where the frame has none."""
    own = frame.model_dump(include=set(_Settings.model_fields), exclude_none=True)
    shared = top.model_dump(include=set(_Settings.model_fields), exclude_none=True)
    return _Settings(**(shared | own))


def _lens(given: _Settings, picture: Path) -> Lens:
    if given.w is not None and given.h is not None:
        width, height = int(given.w), int(given.h)
    else:
        width, height = picture_size(picture)
    fx, fy = given.fl_x, given.fl_y
    if fx is None and given.camera_angle_x is not None:
        fx = _focal(width, given.camera_angle_x)
    if fy is None and given.camera_angle_y is not None:
        fy = _focal(height, given.camera_angle_y)
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)  # square pixels where only one is given
    if fx is None or fy is None:
        raise InvalidCameras(f"{picture}: neither fl_x nor camera_angle_x is given, so its field of view is unknown.")
    cx = width / 2 if given.cx is None else given.cx
    cy = height / 2 if given.cy is None else given.cy
    kind, coefficients = _distortion(given)
    return Lens(width, height, fx, fy, cx, cy, kind, coefficients)


def _focal(pixels: int, angle: float) -> float:
    if not 0 < angle < math.pi:
        raise InvalidCameras(f"A field of view of {angle:g} radians is not between 0 and pi.")
    return 0.5 * pixels / math.tan(angle / 2)


def _distortion(given: _Settings) -> tuple[Literal["opencv", "fisheye"], tuple[float, ...]]:
    model = "OPENCV_FISHEYE" if given.is_fisheye else (given.camera_model or "OPENCV")
    if given.distortion_params is not None:
        k1, k2, k3, k4, p1, p2 = (given.distortion_params + [0.0] * 6)[:6]
    else:
        k1, k2, k3, k4, p1, p2 = (
            value or 0.0 for value in (given.k1, given.k2, given.k3, given.k4, given.p1, given.p2)
        )
    if model == "OPENCV_FISHEYE":
        if p1 or p2:
            raise InvalidCameras("OPENCV_FISHEYE has no p1 and p2.")
        return "fisheye", (k1, k2, k3, k4)
    if model not in ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE"):
        raise InvalidCameras(f"Camera model {model} is not supported; OPENCV, PINHOLE and OPENCV_FISHEYE are.")
    if k4:
        raise InvalidCameras(
            "k4 belongs to OPENCV_FISHEYE; the OPENCV model of transforms.json has k1, k2, k3, p1, p2."
        )
    return "opencv", (k1, k2, p1, p2, k3)


def _write_array(path: Path, values: Tensor) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values.to(torch.float32).cpu().numpy())
    atomic_write(path, buffer.getvalue())
