"""Bringing a capture's arbitrary world to the one in which yaw and pitch mean something.

Structure from motion and scanners choose axes, origin and unit freely. `canonical_world` finds the
similarity that puts

- the point the cameras look at (nearest to all optical axes) in the origin,
- the direction across which no camera is tilted on +y,
- the first camera in front (azimuth 0),
- the cameras' median distance at 1.6.

Depth must be multiplied by the similarity's scale along with the positions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .cameras import Cameras
from .errors import InvalidCameras
from .sweeps import RADIUS

__all__ = ["Similarity", "canonical_world", "nearest_rotation"]

SPREAD = math.sin(math.radians(5.0)) ** 2
"""Axes that spread by less than about 5 degrees fix neither the point looked at nor the up direction."""

ROUNDING = 1e-2
"""How far a rotation printed with few digits may be off before it is none."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """The map x -> scale * rotation x + translation.

    Args:
        scale: positive.
        rotation: float64, [3, 3].
        translation: float64, [3].
    """

    scale: float
    rotation: Tensor
    translation: Tensor

    @classmethod
    def of_matrix(cls, matrix: Tensor) -> Similarity:
        """The similarity of a matrix [3, 4] or [4, 4].

        Raises:
            InvalidCameras: it mirrors, shears or is singular.
        """
        matrix = torch.as_tensor(matrix, dtype=torch.float64)
        if matrix.shape not in ((3, 4), (4, 4)) or not bool(torch.isfinite(matrix).all()):
            raise InvalidCameras(f"A similarity is a finite matrix [3, 4] or [4, 4], not {list(matrix.shape)}.")
        determinant = float(torch.linalg.det(matrix[:3, :3]))
        if determinant <= 0:
            raise InvalidCameras("The matrix mirrors the world or flattens it; a similarity only turns and scales.")
        scale = determinant ** (1 / 3)
        return cls(scale, nearest_rotation(matrix[:3, :3] / scale), matrix[:3, 3])

    def inverse(self) -> Similarity:
        """The way back."""
        back = self.rotation.T / self.scale
        return Similarity(1 / self.scale, self.rotation.T, -(back @ self.translation))

    def apply(self, cameras: Cameras) -> Cameras:
        """The cameras in the new world; their depth maps are to be multiplied by `scale`."""
        pose = cameras.cam_to_world.clone()
        pose[:, :3, :3] = self.rotation @ pose[:, :3, :3]
        pose[:, :3, 3] = self.scale * cameras.positions @ self.rotation.T + self.translation
        return Cameras(pose, cameras.intrinsics)

    def to_json(self) -> dict[str, object]:
        """Scale, rotation (rows) and translation as plain numbers."""
        return {
            "scale": self.scale,
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }


def canonical_world(cameras: Cameras, *, distance: float | None = None) -> Similarity:
    """The similarity from the cameras' world to the canonical one.

    Args:
        distance: typical z-depth of what is seen, in the unit of the positions. Used where the
            optical axes meet nowhere in front of the cameras (one camera, parallel ones, a room seen
            from its middle); without it the cameras' spread stands in.

    The up direction is the one most nearly perpendicular to all the cameras' horizontal axes: exact
    for cameras held level, whatever their pitch. Cameras that all face one way leave it open; there
    the mean of their own up directions is taken.
    """
    rotation, positions = cameras.cam_to_world[:, :3, :3], cameras.positions
    up = _up(rotation)
    centre = _meeting_point(positions, rotation[:, :, 2])
    if centre is None:
        centre = positions.mean(0) + _unit(rotation[:, :, 2].mean(0), rotation[0, :, 2]) * (
            distance or _size(positions)
        )
    away = positions[0] - centre
    front = away - (away @ up) * up
    if float(front.norm()) < 1e-6 * max(float(away.norm()), 1e-300):  # straight above: its image-up points to the back
        front = rotation[0, :, 1] - (rotation[0, :, 1] @ up) * up
    front = _unit(front, _perpendicular(up))
    right = torch.linalg.cross(up, front)
    turn = torch.stack([right, up, front])
    distances = (positions - centre).norm(dim=1)
    scale = RADIUS / max(float(distances.median()), 1e-12)
    return Similarity(scale, turn, -scale * (turn @ centre))


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotation nearest to `matrix` [3, 3], which may carry rounding of up to 1e-2.

    Raises:
        InvalidCameras: it scales, shears or mirrors.
    """
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    if not bool(torch.isfinite(matrix).all()):
        raise InvalidCameras("The rotation holds numbers that are not finite.")
    left, stretch, right = torch.linalg.svd(matrix)
    off = float((stretch - 1).abs().max())
    if off > ROUNDING:
        raise InvalidCameras(f"The upper left 3x3 of the pose is no rotation: it stretches by up to {off:.2g}.")
    rotation: Tensor = left @ right
    if float(torch.linalg.det(rotation)) < 0:
        raise InvalidCameras("The upper left 3x3 of the pose mirrors the axes (determinant -1).")
    return rotation


def _up(rotation: Tensor) -> Tensor:
    """Unit vector most nearly perpendicular to all image-right axes, on the side of the images' up."""
    mean = _unit(-rotation[:, :, 1].mean(0), -rotation[0, :, 1])
    right = rotation[:, :, 0]
    values, vectors = torch.linalg.eigh(right.T @ right / len(right))
    if float(values[1]) < SPREAD:
        return mean
    level: Tensor = vectors[:, 0]
    return level if float(level @ mean) >= 0 else -level


def _meeting_point(positions: Tensor, forward: Tensor) -> Tensor | None:
    """The point nearest to all optical axes, if it is determined and in front of most cameras."""
    across = torch.eye(3, dtype=torch.float64) - forward[:, :, None] * forward[:, None, :]
    system = across.mean(0)
    if float(torch.linalg.eigvalsh(system)[0]) < SPREAD:
        return None
    point: Tensor = torch.linalg.solve(system, (across @ positions[:, :, None]).mean(0)[:, 0])
    ahead = ((point - positions) * forward).sum(1) > 0
    return point if float(ahead.double().mean()) > 0.5 else None


def _size(positions: Tensor) -> float:
    spread = float((positions - positions.mean(0)).norm(dim=1).max())
    return spread if spread > 0 else 1.0


def _unit(vector: Tensor, otherwise: Tensor) -> Tensor:
    chosen = vector if float(torch.linalg.vector_norm(vector)) > 1e-9 else otherwise
    return torch.nn.functional.normalize(chosen, dim=0)


def _perpendicular(vector: Tensor) -> Tensor:
    axis = torch.zeros(3, dtype=torch.float64)
    axis[int(vector.abs().argmin())] = 1.0
    return axis - (axis @ vector) * vector
