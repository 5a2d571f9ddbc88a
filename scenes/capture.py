"""`Capture`: what a file of calibrated pictures says, before a pixel is read; and its way to a `Scene`.

Readers (`nerfstudio`, `colmap`) fill it; `develop` reads the pictures, takes the distortion out, brings
them to one size and returns the scene with intrinsics that follow each step exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .alignment import Similarity, canonical_world
from .cameras import Cameras
from .errors import InvalidScene, UserError
from .lens import Lens, rectify
from .pictures import Picture, nearest, read_depth, read_picture
from .scene import MAXIMUM_BYTES, Scene

__all__ = ["Capture", "Developed", "Failure", "Frame", "develop", "develop_pictures"]

Failure = tuple[Path, str]
"""A file that could not be used, and why."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One calibrated picture.

    Args:
        path: the picture.
        lens: its calibration; may be for another resolution of the same picture.
        cam_to_world: OpenCV axes, float64, [4, 4].
        depth: its map of z-depth, or None.
        depth_unit: what one unit of the depth file is, in the unit of the positions.
    """

    path: Path
    lens: Lens
    cam_to_world: Tensor
    depth: Path | None = None
    depth_unit: float = 1.0


@dataclass(frozen=True, eq=False)
class Capture:
    """Calibrated pictures of one scene, in the natural order of their names.

    Args:
        source: the file or folder they were described in.
        frames: those that can be used.
        failed: those that cannot.
        distance: typical z-depth of what is seen, where the source knows points; else None.
    """

    source: Path
    frames: tuple[Frame, ...]
    failed: tuple[Failure, ...] = ()
    distance: float | None = None


@dataclass(frozen=True, eq=False)
class Developed:
    """A scene made of pictures.

    Args:
        scene: the scene.
        views: the picture of each view.
        failed: pictures left out.
        world: the similarity from the source's world to the scene's; None for pictures without cameras
            and for worlds left as they were.
    """

    scene: Scene
    views: tuple[Path, ...]
    failed: tuple[Failure, ...] = ()
    world: Similarity | None = None


@dataclass
class _Sheet:
    """The parts of a scene while they are collected."""

    pictures: list[Picture] = field(default_factory=list)
    depths: list[npt.NDArray[np.float32]] = field(default_factory=list)
    intrinsics: list[Tensor] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)


def develop(capture: Capture, *, size: int | None = None, normalise: bool = True) -> Developed:
    """The scene of a capture.

    Args:
        size: side of the square images in pixels: the largest centred square, resized. None keeps the
            pictures' own size, which must then be one.
        normalise: move the scene to the canonical world (see `alignment`), in which yaw and pitch mean
            something; otherwise keep the source's.

    Pictures that cannot be read are left out and named in `failed`. Depth is kept if every remaining
    view has it; a scene with holes would call them "no surface".

    Raises:
        UserError: no picture is left, or pictures of several sizes and no `size`.
    """
    failed = list(capture.failed)
    sheet = _Sheet()
    guard = _size_guard()
    for frame in capture.frames:
        try:
            picture, depth, lens = _expose(frame, size)
        except UserError as error:
            failed.append((frame.path, str(error)))
            continue
        guard(frame.path, picture, len(capture.frames))
        sheet.pictures.append(picture)
        sheet.intrinsics.append(lens.intrinsics)
        sheet.frames.append(frame)
        if depth is not None:
            sheet.depths.append(depth)
    if not sheet.frames:
        raise UserError(f"{capture.source}: none of its pictures can be used. {_first_reason(failed)}".rstrip())
    depth_maps = None
    if len(sheet.depths) == len(sheet.frames):
        depth_maps = torch.from_numpy(np.stack(sheet.depths))
    elif sheet.depths:
        counts = f"{len(sheet.depths)} of {len(sheet.frames)}"
        failed.append((capture.source, f"Only {counts} pictures have depth; the scene was imported without."))
    cameras = Cameras(torch.stack([frame.cam_to_world for frame in sheet.frames]), torch.stack(sheet.intrinsics))
    world = None
    if normalise:
        world = canonical_world(cameras, distance=_median(depth_maps) or capture.distance)
        cameras = world.apply(cameras)
        depth_maps = None if depth_maps is None else depth_maps * world.scale
    rgb, alpha = _stack(sheet.pictures)
    scene = Scene(rgb=rgb, alpha=alpha, cameras=cameras, depth=depth_maps)
    return Developed(scene, tuple(frame.path for frame in sheet.frames), tuple(failed), world)


def develop_pictures(source: Path, paths: list[Path], *, size: int | None = None) -> Developed:
    """The scene of pictures without cameras, in the given order; turned as their EXIF data say.

    Raises:
        UserError: as `develop`.
    """
    failed: list[Failure] = []
    pictures: list[Picture] = []
    views: list[Path] = []
    guard = _size_guard()
    for path in paths:
        try:
            picture = read_picture(path, upright=True)
        except UserError as error:
            failed.append((path, str(error)))
            continue
        picture = picture if size is None else picture.square(size)
        guard(path, picture, len(paths))
        pictures.append(picture)
        views.append(path)
    if not pictures:
        raise UserError(f"{source}: none of its pictures can be used. {_first_reason(failed)}".rstrip())
    rgb, alpha = _stack(pictures)
    return Developed(Scene(rgb=rgb, alpha=alpha), tuple(views), tuple(failed))


def _stack(pictures: list[Picture]) -> tuple[Tensor, Tensor | None]:
    """rgb [V, H, W, 3] and, if any picture has transparency, alpha [V, H, W]."""
    rgb = torch.from_numpy(np.stack([picture.rgb for picture in pictures]))
    if all(picture.alpha is None for picture in pictures):
        return rgb, None
    opaque = np.full(rgb.shape[1:3], 255, np.uint8)
    alpha = np.stack([opaque if picture.alpha is None else picture.alpha for picture in pictures])
    return rgb, torch.from_numpy(alpha)


def _expose(frame: Frame, size: int | None) -> tuple[Picture, npt.NDArray[np.float32] | None, Lens]:
    """Picture, depth and pinhole lens of one frame at the final size."""
    picture = read_picture(frame.path)
    width, height = picture.size
    lens = frame.lens
    if (width, height) != (lens.width, lens.height):
        if abs(width * lens.height - height * lens.width) > 0.01 * height * lens.width:
            raise UserError(
                f"{frame.path}: the picture is {width}x{height}, its calibration is for "
                f"{lens.width}x{lens.height}, another shape."
            )
        lens = lens.resized(width, height)
    depth = None
    if frame.depth is not None:
        stored = read_depth(frame.depth, frame.depth_unit)
        whole = (0.0, 0.0, float(stored.shape[1]), float(stored.shape[0]))
        depth = rectify(nearest(stored, whole, (width, height)), lens, exact=True)
    alpha = None if picture.alpha is None else rectify(picture.alpha, lens)
    picture = Picture(rectify(picture.rgb, lens), alpha)
    lens = lens.undistorted()
    if size is None:
        return picture, depth, lens
    left, top, side = picture.middle
    if depth is not None:
        depth = nearest(depth, (left, top, left + side, top + side), (size, size))
    return picture.square(size), depth, lens.cropped(left, top, side, size)


def _size_guard() -> Callable[[Path, Picture, int], None]:
    """Refuses a second picture size, and scenes that would not fit a scene file, before memory is full."""
    first: list[tuple[Path, tuple[int, int]]] = []

    def guard(path: Path, picture: Picture, count: int) -> None:
        if not first:
            first.append((path, picture.size))
            width, height = picture.size
            if width * height * 8 * count > MAXIMUM_BYTES:  # rgb 3, depth 4, alpha 1
                raise InvalidScene(
                    f"{path}: {count} pictures of {width}x{height} are more than a scene file holds. "
                    "Import them smaller with --size."
                )
        path_1, size_1 = first[0]
        if picture.size != size_1:
            raise InvalidScene(
                f"{path} is {picture.size[0]}x{picture.size[1]}, {path_1} is {size_1[0]}x{size_1[1]}. "
                "The images of a scene share one size: give --size to crop and resize them."
            )

    return guard


def _median(depth: Tensor | None) -> float | None:
    if depth is None:
        return None
    finite = depth[torch.isfinite(depth)]
    return float(finite.median()) if len(finite) else None


def _first_reason(failed: list[Failure]) -> str:
    return failed[0][1] if failed else ""
