"""Rays through the pixels of pictures, and where along them something may be seen.

Directions are scaled as those of `Cameras.rays`: origin + z * direction lies at z-depth z. Distances along a ray are
z times the direction's length; at the corner of a 45 degree picture the two differ by 15.9 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import Patch, Views

__all__ = ["Rays", "rays_of", "spans"]


@dataclass(frozen=True, eq=False)
class Rays:
    """R rays for each picture of a batch.

    Args:
        origins: camera centres, [N, 3], or one for each ray, [N, R, 3].
        directions: in the world, scaled so that origin + z * direction lies at z-depth z, [N, R, 3].
    """

    origins: Tensor
    directions: Tensor

    @property
    def starts(self) -> Tensor:
        """Origins that broadcast against the directions, [N, 1 or R, 3]."""
        return self.origins if self.origins.ndim == 3 else self.origins[:, None]

    def in_rows(self, count: int) -> Rays:
        """The rays of all pictures as those of `count`, [count, N * R / count, 3]: for many views of each scene."""
        origins = self.starts.expand_as(self.directions)
        return Rays(origins.reshape(count, -1, 3), self.directions.reshape(count, -1, 3))


def rays_of(views: Views, height: int, width: int, patch: Patch | None = None) -> Rays:
    """One ray a pixel, through its centre, row by row.

    Args:
        views: cameras, [N].
        height: rows of pixels.
        width: pixels in a row.
        patch: the square of the picture each item shows, spread over the same number of pixels; None = all of it.
    """
    pose, matrix = views.cam_to_world, views.intrinsics
    across = (torch.arange(width, device=pose.device, dtype=pose.dtype) + 0.5) / width
    down = (torch.arange(height, device=pose.device, dtype=pose.dtype) + 0.5) / height
    u, v = across.expand(len(views), width), down.expand(len(views), height)
    if patch is not None:
        u = patch.offset[:, :1] + patch.scale[:, None] * u
        v = patch.offset[:, 1:] + patch.scale[:, None] * v
    y = ((v - matrix[:, 1, 2, None]) / matrix[:, 1, 1, None])[:, :, None]
    x = (u[:, None] - matrix[:, 0, 2, None, None] - matrix[:, 0, 1, None, None] * y) / matrix[:, 0, 0, None, None]
    right, below, forward = pose[:, None, None, :3, :3].unbind(-1)
    directions = x[..., None] * right + y[..., None] * below + forward
    return Rays(pose[:, :3, 3], directions.flatten(1, 2))


def spans(starts: Tensor, units: Tensor, near: float, far: float, bound: float | None) -> tuple[Tensor, Tensor]:
    """Where each ray is inside the sphere of radius `bound` about the origin, between `near` and `far`.

    A camera inside the sphere sees from `near` on.

    Args:
        starts: origins, broadcastable to [N, R, 3].
        units: unit directions, [N, R, 3].
        near: least distance along the ray.
        far: largest distance along the ray.
        bound: radius; None: no sphere.

    Returns:
        Distances along the ray at which it begins and ends, [N, R] each; end <= begin where it meets nothing.
    """
    if bound is None:
        return torch.full_like(units[..., 0], near), torch.full_like(units[..., 0], far)
    middle = -(starts * units).sum(-1)  # distance at which the ray is nearest to the origin
    closest = starts + middle[..., None] * units
    half = (bound**2 - closest.square().sum(-1)).clamp(min=0).sqrt()
    return (middle - half).clamp(min=near), (middle + half).clamp(max=far)
