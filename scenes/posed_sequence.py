"""`PosedSequence`: the frames of a video with their cameras, in the order they were filmed; and its way to a `Scene`.

Readers (`re10k`, `co3d`) fill it without looking at a pixel; `expose` reads the pictures of a few frames,
cuts the largest centred square, brings it to one size, and returns them with intrinsics that follow the
cut exactly. Resizing does not change normalised intrinsics; no pixel is shifted by half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .alignment import Similarity
from .cameras import Cameras, look_at
from .errors import InvalidScene, UnreadableFile
from .half_depth import HalfDepth
from .pictures import Picture, nearest, read_picture
from .scene import Scene
from .sweeps import RADIUS

__all__ = ["PosedFrame", "PosedSequence", "context_world", "expose", "median_depth", "square_intrinsics"]

SHAPE_TOLERANCE = 0.01
"""How far width : height of a depth map or a mask may be off the picture's."""

DEPTH_FRAMES = 10
DEPTH_SIDE = 256  # pixels along the shorter side are plenty for a median


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """One frame.

    Args:
        path: its picture.
        number: what the data set counts frames by: microseconds, or a frame number.
        intrinsics: pinhole matrix normalised by the *whole* picture's width and height, float64, [3, 3].
        cam_to_world: OpenCV axes, float64, [4, 4].
        mask: picture of the object's coverage, or None.
        depth: its depth map, or None.
        shape: width and height that the camera was calibrated for; None where any will do. The picture may
            be of another size, not of another shape.
    """

    path: Path
    number: int
    intrinsics: Tensor
    cam_to_world: Tensor
    mask: Path | None = None
    depth: HalfDepth | None = None
    shape: tuple[int, int] | None = None

    @property
    def files(self) -> list[Path]:
        """Everything that is read for this frame."""
        depth = [] if self.depth is None else self.depth.files
        return [self.path, *([] if self.mask is None else [self.mask]), *depth]


@dataclass(frozen=True, eq=False)
class PosedSequence:
    """Frames of one video.

    Args:
        name: what the data set calls it.
        source: the file that describes it.
        frames: in the order they were filmed; never empty.
        category: class of the object, where the data set has classes.
    """

    name: str
    source: Path
    frames: tuple[PosedFrame, ...]
    category: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, indices: Sequence[int]) -> list[PosedFrame]:
        """The frames at `indices`, counted from 0.

        Raises:
            InvalidScene: the sequence is too short.
        """
        if not 0 <= min(indices) <= max(indices) < len(self):
            raise InvalidScene(
                f"{self.source}: sequence {self.name} has {len(self)} frames; frame {max(indices)} was asked for, "
                "counted from 0. Take a longer sequence or a smaller gap."
            )
        return [self.frames[index] for index in indices]


def square_intrinsics(intrinsics: Tensor, width: int, height: int) -> Tensor:
    """Normalised intrinsics [3, 3] of the largest centred square of a picture, from those of the whole picture.

    For 640 x 360: the square is 360 wide with a border of 140 on each side, so f_x grows by 640 / 360, and
    c_x becomes (640 c_x - 140) / 360. Where the sides differ by an odd number the square lies between
    pixels, as `Picture.square` cuts it.
    """
    side = min(width, height)
    cut = torch.as_tensor(intrinsics, dtype=torch.float64).clone()
    for axis, extent in enumerate((width, height)):
        cut[axis] *= extent / side
        cut[axis, 2] -= (extent - side) / 2 / side
    return cut


def expose(sequence: PosedSequence, indices: Sequence[int], size: int) -> Scene:
    """The frames at `indices` as a scene of `size` x `size` pictures, in the sequence's own world and unit.

    Masks become `alpha`, depth maps `depth` (by the nearest pixel; not measured is NaN); each only if every
    one of these frames has it.

    Raises:
        InvalidScene: the sequence is too short.
        UnreadableFile: a picture, mask or depth map is missing, damaged, or of another shape.
    """
    frames = sequence.at(indices)
    rgb: list[npt.NDArray[np.uint8]] = []
    alpha: list[npt.NDArray[np.uint8]] = []
    depth: list[npt.NDArray[np.float32]] = []
    intrinsics = []
    for frame in frames:
        picture = read_picture(frame.path)
        if frame.shape is not None:
            _check_shape(frame.path, "the picture", picture.size, frame.shape, "its camera's")
        # transparency of the file itself says nothing about the object
        picture = Picture(picture.rgb, None if frame.mask is None else _mask(frame.mask, picture))
        intrinsics.append(square_intrinsics(frame.intrinsics, *picture.size))
        if frame.depth is not None:
            depth.append(_square_depth(frame.depth, picture, size))
        square = picture.square(size)
        rgb.append(square.rgb)
        if square.alpha is not None:
            alpha.append(square.alpha)
    poses = torch.stack([frame.cam_to_world for frame in frames])
    return Scene(
        rgb=torch.from_numpy(np.stack(rgb)),
        cameras=Cameras(poses, torch.stack(intrinsics)),
        alpha=torch.from_numpy(np.stack(alpha)) if len(alpha) == len(frames) else None,
        depth=torch.from_numpy(np.stack(depth)) if len(depth) == len(frames) else None,
    )


def median_depth(sequence: PosedSequence) -> float | None:
    """Median z-depth of what is seen in a sequence, in its unit; None where it has no depth.

    Taken over up to ten frames that are spread evenly over the sequence; of a large map over every k-th pixel
    each way, k the largest number that leaves 256 pixels along its shorter side.

    Raises:
        UnreadableFile: a depth map is missing or damaged.
    """
    measured = [frame.depth for frame in sequence.frames if frame.depth is not None]
    if not measured:
        return None
    chosen = np.unique(np.linspace(0, len(measured) - 1, DEPTH_FRAMES).round().astype(int))
    values = np.concatenate([_sampled(measured[index]) for index in chosen])
    return float(np.median(values)) if len(values) else None


def context_world(camera: Cameras, distance: float | None = None) -> Similarity:
    """The similarity that puts one camera in front: at (0, 0, 1.6), looking at the origin, its own up on +y.

    Video data sets choose their axes freely, so "in front" is what the context view sees. With `distance`,
    a depth in the source's unit, the world is scaled so that this depth becomes 1.6, and the origin
    lies that far down the optical axis; without it the unit stays.

    Args:
        camera: one camera.
        distance: positive, or None.
    """
    scale = 1.0 if distance is None else RADIUS / distance
    front = look_at(torch.tensor([[0.0, 0.0, RADIUS]], dtype=torch.float64), torch.zeros(3, dtype=torch.float64))[0]
    pose = camera.cam_to_world[0]
    turn = front[:3, :3] @ pose[:3, :3].T
    return Similarity(scale, turn, front[:3, 3] - scale * (turn @ pose[:3, 3]))


def _sampled(depth: HalfDepth) -> npt.NDArray[np.float32]:
    """Depths that were measured, [N]; of a large map an even share."""
    values = depth.read()
    step = max(1, min(values.shape) // DEPTH_SIDE)
    thinned = values[::step, ::step]
    found: npt.NDArray[np.float32] = thinned[np.isfinite(thinned)]
    return found


def _mask(path: Path, picture: Picture) -> npt.NDArray[np.uint8]:
    """Coverage, uint8, [H, W], of the picture's own size."""
    mask = read_picture(path)
    if mask.size != picture.size:
        raise UnreadableFile(
            f"{path}: the mask is {_by(mask.size)}, its picture {_by(picture.size)}. "
            "Both must come from the same release of the data set."
        )
    return np.ascontiguousarray(mask.rgb[..., 0])


def _square_depth(depth: HalfDepth, picture: Picture, size: int) -> npt.NDArray[np.float32]:
    """z-depth of the picture's square, float32, [size, size]; the map may have another resolution."""
    values = depth.read()
    height, width = values.shape
    _check_shape(depth.path, "the depth map", (width, height), picture.size, "its picture's")
    left, top, side = picture.middle
    x, y = width / picture.size[0], height / picture.size[1]
    box = (left * x, top * y, (left + side) * x, (top + side) * y)
    return np.ascontiguousarray(nearest(values, box, (size, size)))


def _check_shape(path: Path, what: str, found: tuple[int, int], expected: tuple[int, int], whose: str) -> None:
    """Refuse a map of another width : height."""
    if abs(found[0] * expected[1] / (found[1] * expected[0]) - 1) > SHAPE_TOLERANCE:
        raise UnreadableFile(
            f"{path}: {what} is {_by(found)}, another shape than {whose} {_by(expected)}. "
            "Both must come from the same release of the data set."
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
