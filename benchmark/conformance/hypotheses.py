"""What a method may have taken depth and cameras for, each as a change that would make its views fit together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.converters import FLIP_Y_AND_Z, focal_of_eg3d_fov, focal_of_fov, ray_to_z
from ...scenes.scene import Scene

__all__ = ["AS_ASKED", "AS_GIVEN", "CAMERAS", "DEPTHS", "CameraReading", "DepthReading"]


@dataclass(frozen=True)
class CameraReading:
    """The cameras a method seems to have used.

    Args:
        told: what to say where this one fits.
        change: the cameras it would have used where ours were asked for.
    """

    told: str
    change: Callable[[Cameras], Cameras]


@dataclass(frozen=True)
class DepthReading:
    """What a method seems to have returned as depth.

    Args:
        told: what to say where this one fits; `{number}` is the number searched for.
        change: z-depth of its depth maps [V, H, W] at these cameras, given that number.
        numbers: those to try; one where there is nothing to search for. Those of a search are multiplied by the
            distance of the cameras to the power of `power`.
        power: see `numbers`.
    """

    told: str
    change: Callable[[Tensor, Cameras, float], Tensor]
    numbers: tuple[float, ...] = (1.0,)
    power: int = 0

    def tried(self, scene: Scene) -> list[float]:
        """The numbers to try on `scene`."""
        assert scene.cameras is not None
        distance = float(scene.cameras.positions.norm(dim=1).mean())
        return [number * distance**self.power for number in self.numbers]

    def apply(self, scene: Scene, number: float) -> Scene:
        """`scene` with its depth read this way; what comes out as no depth is NaN."""
        assert scene.depth is not None
        assert scene.cameras is not None
        depth = self.change(scene.depth, scene.cameras, number)
        usable = torch.isfinite(depth) & (depth > 0)
        return replace(scene, depth=torch.where(usable, depth, torch.nan).float())


def _mirrored(axis: int) -> Callable[[Cameras], Cameras]:
    mirror = torch.eye(4, dtype=torch.float64)
    mirror[axis, axis] = -1
    return lambda cameras: Cameras(mirror @ cameras.cam_to_world @ mirror, cameras.intrinsics)


def _with_focal(focal_of: Callable[[float], float]) -> Callable[[Cameras], Cameras]:
    def change(cameras: Cameras) -> Cameras:
        matrix = cameras.intrinsics.clone()
        for axis in (0, 1):
            fov = 2 * torch.atan(0.5 / matrix[:, axis, axis])
            matrix[:, axis, axis] = torch.tensor([focal_of(float(angle)) for angle in fov], dtype=matrix.dtype)
        return Cameras(cameras.cam_to_world, matrix)

    return change


AS_ASKED = CameraReading("", lambda cameras: cameras)

CAMERAS = (
    AS_ASKED,
    CameraReading(
        "yaw is mirrored (or the pictures are): positive yaw must move the camera towards +x. "
        "See viewsweep.scenes.converters.ANGLES.",
        _mirrored(0),
    ),
    CameraReading(
        "pitch is mirrored (or the pictures stand upside down): positive pitch must move the camera upwards, and "
        "row 0 is the top.",
        _mirrored(1),
    ),
    CameraReading(
        "poses are read with OpenGL axes (y up, z backward): convert with viewsweep.scenes.converters.to_opengl.",
        lambda cameras: Cameras(cameras.cam_to_world @ FLIP_Y_AND_Z, cameras.intrinsics),
    ),
    CameraReading(
        "poses are read the wrong way round: cam_to_world takes points of the camera to the world; its inverse is "
        "Cameras.world_to_cam.",
        lambda cameras: Cameras(cameras.world_to_cam, cameras.intrinsics),
    ),
    CameraReading(
        "the field of view is taken for a diagonal one: hand the intrinsics over as a matrix, or see "
        "viewsweep.scenes.converters.focal_of_eg3d_fov.",
        _with_focal(focal_of_eg3d_fov),
    ),
    CameraReading(
        "the field of view is taken for half of it: hand half the angle over.",
        _with_focal(lambda fov: focal_of_fov(min(2 * fov, 0.99 * math.pi))),
    ),
)
"""The simplest first."""

AS_GIVEN = DepthReading("", lambda depth, cameras, number: depth)

DEPTHS = (
    AS_GIVEN,
    DepthReading(
        "depth looks like distance along the ray: convert with viewsweep.scenes.converters.ray_to_z.",
        lambda depth, cameras, number: ray_to_z(depth, cameras),
    ),
    DepthReading(
        "depth looks like disparity (one over depth), {number:.3g} over it being z-depth: convert it.",
        lambda depth, cameras, number: number / depth,
        tuple(1.15**step for step in range(-16, 17)),
    ),
    DepthReading(
        "depth looks inverted, z-depth being {number:.3g} minus it: it must grow away from the camera.",
        lambda depth, cameras, number: number - depth,
        tuple(0.5 + 0.1 * step for step in range(26)),
        power=1,
    ),
    DepthReading(
        "depth looks like z-depth in another unit, {number:.3g} times too small: it must be in the unit of the camera "
        "positions.",
        lambda depth, cameras, number: number * depth,
        tuple(1.15**step for step in range(-16, 17) if step),
    ),
)
"""The simplest first; those with a number to search for are tried only where nothing before fits."""
