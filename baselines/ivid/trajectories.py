"""Camera paths for showing a scene: `swing`, `turntable`, `random`.

`swing` and `random` are the authors' (arXiv 2303.17905 and its public code).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from ...scenes.cameras import Cameras
from ...scenes.errors import UnknownName, UserError
from ...scenes.sweeps import FOV, RADIUS, gaussian_poses, sweep360

__all__ = ["FRAMES", "TRAJECTORIES", "random_views", "swing", "trajectory"]

YAW, PITCH = 0.6, 0.15
FRAMES = 60


def swing(frames: int = FRAMES, *, pitch: float = 0.0, radius: float = RADIUS, fov: float = FOV) -> Cameras:
    """One round of yaw 0.6 cos t, pitch + 0.15 sin t (radians), t from 0 in equal steps to just before 2 pi."""
    t = torch.arange(_counted(frames), dtype=torch.float64) * (2 * math.pi / frames)
    return Cameras.orbit(YAW * t.cos(), pitch + PITCH * t.sin(), radius=radius, fov=fov)


def turntable(frames: int = FRAMES, *, pitch: float = 0.0, radius: float = RADIUS, fov: float = FOV) -> Cameras:
    """A full circle from the front, without a duplicate end."""
    return sweep360(_counted(frames), pitch, radius=radius, fov=fov)


def random_views(seeds: Sequence[int], *, pitch: float = 0.0, radius: float = RADIUS, fov: float = FOV) -> Cameras:
    """One camera a seed: yaw ~ N(0, 0.3), `pitch` + N(0, 0.15), radians, clipped to +-0.6 and `pitch` +-0.15."""
    drawn = gaussian_poses(seeds)
    yaw, height = drawn.yaw.clamp(-YAW, YAW), drawn.pitch.clamp(-PITCH, PITCH)
    return Cameras.orbit(yaw, pitch + height, radius=radius, fov=fov)


TRAJECTORIES: dict[str, Callable[..., Cameras]] = {"swing": swing, "turntable": turntable}
"""Paths for videos, by name."""


def trajectory(
    name: str, frames: int = FRAMES, *, pitch: float = 0.0, radius: float = RADIUS, fov: float = FOV
) -> Cameras:
    """The path of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in TRAJECTORIES:
        raise UnknownName("trajectory", name, TRAJECTORIES)
    return TRAJECTORIES[name](frames, pitch=pitch, radius=radius, fov=fov)


def _counted(frames: int) -> int:
    if frames < 1:
        raise UserError(f"A trajectory needs at least one frame, not {frames}.")
    return frames
