"""`Cameras`: where the pictures are taken from, in the one convention used inside viewsweep.

World: right-handed, y up, the frontal camera on +z looking at the origin; positive yaw moves the
camera towards +x, positive pitch upwards:

    position = radius * (sin yaw cos pitch, sin pitch, cos yaw cos pitch)

Camera axes are OpenCV's: x right, y down, z forward. Intrinsics are normalised by the image's
width (first row) and height (second row); the centre of pixel (i, j) lies at
((i + 0.5) / W, (j + 0.5) / H). Angles are radians. Other conventions live in `converters`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import InvalidCameras

__all__ = ["Cameras", "look_at"]

ROTATION_TOLERANCE = 1e-4  # float32 files from elsewhere are orthonormal to about 1e-6


@dataclass(frozen=True, eq=False)
class Cameras:
    """V pinhole cameras.

    Args:
        cam_to_world: rigid motions from camera to world, [V, 4, 4], stored as float64.
        intrinsics: normalised pinhole matrices, [V, 3, 3] (or [3, 3] for all), stored as float64.

    Raises:
        InvalidCameras: wrong shapes, non-finite numbers, a rotation that is none, a mirrored
            axis, or a focal length that is not positive; the first view at fault is named.

    Example:
        >>> cameras = Cameras.orbit(yaw=[0.0, 0.1], pitch=[0.0, 0.0], radius=2.0, fov=0.7)
        >>> len(cameras), tuple(cameras.cam_to_world.shape)
        (2, (2, 4, 4))
    """

    cam_to_world: Tensor
    intrinsics: Tensor

    def __post_init__(self) -> None:
        pose = torch.as_tensor(self.cam_to_world).to(torch.float64).cpu()
        matrix = torch.as_tensor(self.intrinsics).to(torch.float64).cpu()
        if pose.ndim != 3 or pose.shape[1:] != (4, 4):
            raise InvalidCameras(f"cam_to_world has shape {list(pose.shape)}; it must be [views, 4, 4].")
        if matrix.shape == (3, 3):
            matrix = matrix.expand(len(pose), 3, 3)
        if matrix.shape != (len(pose), 3, 3):
            raise InvalidCameras(
                f"intrinsics have shape {list(matrix.shape)}; they must be [{len(pose)}, 3, 3] or [3, 3]."
            )
        object.__setattr__(self, "cam_to_world", pose.clone())
        object.__setattr__(self, "intrinsics", matrix.clone())
        _check_poses(self.cam_to_world)
        _check_intrinsics(self.intrinsics)

    @classmethod
    def orbit(
        cls,
        yaw: Sequence[float] | Tensor,
        pitch: Sequence[float] | Tensor,
        *,
        radius: float = 1.6,
        fov: float = math.radians(40.0),
        target: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Cameras:
        """Cameras on a sphere around `target`, all looking at it.

        Args:
            yaw: angles around the vertical axis, radians, [V]; 0 is the front.
            pitch: angles above the horizon, radians, [V], strictly between -pi/2 and pi/2.
            radius: distance to the target.
            fov: field of view, radians, horizontal and vertical (square images).
            target: the point looked at.
        """
        azimuth = torch.as_tensor(yaw, dtype=torch.float64).reshape(-1)
        elevation = torch.as_tensor(pitch, dtype=torch.float64).reshape(-1)
        if bool((elevation.abs() >= math.pi / 2).any()):
            raise InvalidCameras("pitch must lie strictly between -pi/2 and pi/2; it is given in radians.")
        centre = torch.as_tensor(target, dtype=torch.float64)
        level = elevation.cos()
        parts = azimuth.sin() * level, elevation.sin() + 0 * azimuth, azimuth.cos() * level
        direction = torch.stack(parts, -1)
        return cls(look_at(centre + radius * direction, centre), pinhole(fov))

    def __len__(self) -> int:
        return len(self.cam_to_world)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Cameras:
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"camera {index} of {len(self)}")
            index = [index]
        return Cameras(self.cam_to_world[index], self.intrinsics[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cameras):
            return NotImplemented
        return torch.equal(self.cam_to_world, other.cam_to_world) and torch.equal(self.intrinsics, other.intrinsics)

    def __repr__(self) -> str:
        return f"Cameras({len(self)} views)"

    __hash__ = None  # type: ignore[assignment]  # mutable tensors inside

    @property
    def world_to_cam(self) -> Tensor:
        """Inverse poses, [V, 4, 4]; exact for rigid motions, without a matrix inversion."""
        rotation = self.cam_to_world[:, :3, :3].transpose(1, 2)
        inverse = torch.zeros_like(self.cam_to_world)
        inverse[:, :3, :3] = rotation
        inverse[:, :3, 3] = -(rotation @ self.positions[:, :, None])[:, :, 0]
        inverse[:, 3, 3] = 1.0
        return inverse

    @property
    def positions(self) -> Tensor:
        """Camera centres in the world, [V, 3]."""
        return self.cam_to_world[:, :3, 3]

    @property
    def yaw(self) -> Tensor:
        """Azimuth of each camera's position about the world's vertical axis, (-pi, pi], [V]."""
        return torch.atan2(self.positions[:, 0], self.positions[:, 2])

    @property
    def pitch(self) -> Tensor:
        """Elevation of each camera's position seen from the origin, [V]."""
        horizontal = torch.hypot(self.positions[:, 0], self.positions[:, 2])
        return torch.atan2(self.positions[:, 1], horizontal)

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] or [V, N, 3] to normalised image coordinates and z-depth.

        Returns:
            uv: [V, N, 2]; inside the image where both lie in [0, 1].
            depth: z-depth, [V, N]; negative behind the camera (uv is meaningless there).
        """
        points = points.to(torch.float64)
        if points.ndim == 2:
            points = points.expand(len(self), *points.shape)
        inverse = self.world_to_cam
        local = points @ inverse[:, :3, :3].transpose(1, 2) + inverse[:, None, :3, 3]
        image = local @ self.intrinsics.transpose(1, 2)
        return image[..., :2] / image[..., 2:], local[..., 2]

    def rays(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """One ray a pixel, through its centre.

        Returns:
            origins: [V, 3].
            directions: [V, H, W, 3] in the world, scaled so that ``origin + depth * direction``
                is the point at that *z-depth*. Their length is therefore 1 only at the centre;
                it is the factor between distance along the ray and z-depth.
        """
        u = (torch.arange(width, dtype=torch.float64) + 0.5) / width
        v = (torch.arange(height, dtype=torch.float64) + 0.5) / height
        grid = torch.stack([*torch.meshgrid(u, v, indexing="xy"), torch.ones(height, width, dtype=u.dtype)], -1)
        local = grid @ torch.linalg.inv(self.intrinsics).transpose(1, 2)[:, None]
        world = local @ self.cam_to_world[:, None, :3, :3].transpose(2, 3)
        return self.positions, world

    def unproject(self, depth: Tensor) -> Tensor:
        """World points of z-depth maps [V, H, W] as [V, H, W, 3]; NaN stays NaN."""
        origins, directions = self.rays(depth.shape[1], depth.shape[2])
        return origins[:, None, None] + depth[..., None].to(torch.float64) * directions

    def relative(self, source: int, target: int) -> Tensor:
        """The motion that takes points from camera `source`'s axes to camera `target`'s, [4, 4]."""
        return self.world_to_cam[target] @ self.cam_to_world[source]


def pinhole(fov: float, aspect: float = 1.0) -> Tensor:
    """Normalised intrinsics [3, 3] of a centred camera.

    Args:
        fov: *vertical* field of view, radians, in (0, pi).
        aspect: image width / height.
    """
    if not 0.0 < fov < math.pi:
        raise InvalidCameras(f"A field of view of {fov:g} radians is not between 0 and pi.")
    focal = 0.5 / math.tan(fov / 2)
    return torch.tensor([[focal / aspect, 0, 0.5], [0, focal, 0.5], [0, 0, 1]], dtype=torch.float64)


def look_at(position: Tensor, target: Tensor) -> Tensor:
    """Poses [V, 4, 4] at `position` [V, 3] looking at `target` [3], image up = world up."""
    forward = torch.nn.functional.normalize(target - position, dim=-1)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    pose = torch.zeros(len(position), 4, 4, dtype=torch.float64)
    pose[:, :3, 0], pose[:, :3, 2] = right, forward
    pose[:, :3, 1] = torch.linalg.cross(forward, right)  # image down
    pose[:, :3, 3], pose[:, 3, 3] = position, 1.0
    return pose


def _check_poses(pose: Tensor) -> None:
    finite = torch.isfinite(pose).all(-1).all(-1)
    if not bool(finite.all()):
        raise InvalidCameras(f"Camera {_first(~finite)}: the pose holds numbers that are not finite.")
    rotation = pose[:, :3, :3]
    error = (rotation @ rotation.transpose(1, 2) - torch.eye(3, dtype=pose.dtype)).abs().amax((1, 2))
    if bool((error > ROTATION_TOLERANCE).any()):
        view = _first(error > ROTATION_TOLERANCE)
        raise InvalidCameras(
            f"Camera {view}: the upper left 3x3 of cam_to_world is no rotation "
            f"(R R^T is off the identity by {error[view]:.2g})."
        )
    mirrored = torch.linalg.det(rotation) < 0
    if bool(mirrored.any()):
        raise InvalidCameras(f"Camera {_first(mirrored)}: the axes are mirrored (determinant -1).")
    last_row = torch.tensor([0.0, 0, 0, 1], dtype=pose.dtype)
    off = (pose[:, 3] - last_row).abs().amax(1) > ROTATION_TOLERANCE
    if bool(off.any()):
        raise InvalidCameras(f"Camera {_first(off)}: the last row of cam_to_world must be 0 0 0 1.")


def _check_intrinsics(matrix: Tensor) -> None:
    bad = ~torch.isfinite(matrix).all(-1).all(-1)
    bad |= (matrix[:, 0, 0] <= 0) | (matrix[:, 1, 1] <= 0)
    if bool(bad.any()):
        raise InvalidCameras(f"Camera {_first(bad)}: focal lengths must be finite and positive.")
    last_row = torch.tensor([0.0, 0, 1], dtype=matrix.dtype)
    off = ((matrix[:, 2] - last_row).abs().amax(1) > ROTATION_TOLERANCE) | (matrix[:, 1, 0].abs() > 1e-9)
    if bool(off.any()):
        raise InvalidCameras(f"Camera {_first(off)}: intrinsics must have rows (fx s cx) (0 fy cy) (0 0 1).")


def _first(mask: Tensor) -> int:
    return int(torch.nonzero(mask)[0, 0])
