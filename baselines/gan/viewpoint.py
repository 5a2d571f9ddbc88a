"""From where a trained generator wants to be looked at, and the one camera that conditions it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from .base import Views
from .data import CameraPrior

__all__ = ["Viewpoint"]


@dataclass(frozen=True)
class Viewpoint:
    """The cameras of the training data in brief.

    Args:
        radius: mean distance to the origin.
        fov: mean field of view across the picture's height, radians.
        pitch: mean pitch, radians.
        yaw_limit: how far off the front the cameras stand, radians; pi = all around.
        conditioning: EG3D's label of the frontal mean camera, 25 numbers: what generators with pose
            conditioning are given, whatever camera they are looked at with.
    """

    radius: float
    fov: float
    pitch: float
    yaw_limit: float
    conditioning: tuple[float, ...]

    @classmethod
    def of_data(cls, views: Views) -> Viewpoint:
        """Of pictures with known cameras; the frontal mean camera is the one of them that stands nearest to it."""
        position = views.cam_to_world[:, :3, 3].double()
        radius = float(position.norm(dim=1).mean())
        pitch = float(torch.atan2(position[:, 1], position[:, ::2].norm(dim=1)).mean())
        fov = 2 * math.atan(0.5 / float(views.intrinsics[:, 1, 1].double().mean()))
        furthest = float(torch.atan2(position[:, 0], position[:, 2]).abs().max())
        front = radius * torch.tensor([0.0, math.sin(pitch), math.cos(pitch)], dtype=torch.float64)
        nearest = int((position - front).norm(dim=1).argmin())
        return cls(radius, fov, pitch, _limit(furthest), tuple(views[nearest : nearest + 1].labels[0].tolist()))

    @classmethod
    def of_prior(cls, prior: CameraPrior) -> Viewpoint:
        """Of a prior."""
        label = Views.of(prior.front).labels[0]
        furthest = prior.yaw * (1 if prior.shape == "uniform" else 2)
        return cls(prior.radius, prior.fov, prior.pitch_mean, _limit(furthest), tuple(label.tolist()))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Viewpoint:
        """The inverse of `asdict`; raises KeyError, TypeError or ValueError for anything else."""
        label = tuple(float(number) for number in content["conditioning"])
        if len(label) != 25:
            raise ValueError(f"conditioning has {len(label)} numbers, not 25")
        radius, fov, pitch, limit = (float(content[name]) for name in ("radius", "fov", "pitch", "yaw_limit"))
        return cls(radius, fov, pitch, limit, label)

    def pose(self, count: int, device: torch.device | str) -> Tensor:
        """The conditioning label for a batch, [count, 25]."""
        return torch.tensor(self.conditioning, device=device).expand(count, 25)

    def around(self, yaw: Tensor) -> Cameras:
        """Cameras at the mean pitch and distance."""
        return Cameras.orbit(yaw, torch.full_like(yaw, self.pitch), radius=self.radius, fov=self.fov)


def _limit(yaw: float) -> float:
    return math.pi if yaw > 0.95 * math.pi else yaw
