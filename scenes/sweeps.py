"""The camera paths of the benchmark: full circles, ivid's 3x9 grid, Gaussian poses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .cameras import Cameras
from .errors import UserError

__all__ = ["FOV", "GRID_3X9_PREFIXES", "RADIUS", "gaussian_poses", "grid_3x9", "sweep360"]

RADIUS = 1.6
"""Distance of the default cameras to the origin; tabletop objects fit in a sphere of radius 0.5."""

FOV = math.radians(40.0)
"""Field of view of the default cameras, radians, horizontal and vertical."""

GRID_3X9_PREFIXES = (1, 9, 15, 21, 27)
"""Lengths at which a prefix of `grid_3x9` is a full grid: yaw up to 0, .15, .3, .45, .6 rad."""


def sweep360(views: int, pitch: float = 0.0, *, radius: float = RADIUS, fov: float = FOV) -> Cameras:
    """A full circle at constant `pitch` (radians), starting in front, without a duplicate end.

    View k stands at yaw ``2 pi k / views``, so neighbours are ``360 / views`` degrees apart and
    the gap from the last view to the first is one step as well.
    """
    if views < 1:
        raise UserError(f"A sweep needs at least one view, not {views}.")
    yaw = torch.arange(views, dtype=torch.float64) * (2 * math.pi / views)
    return Cameras.orbit(yaw, torch.full_like(yaw, pitch), radius=radius, fov=fov)


def grid_3x9(*, radius: float = RADIUS, fov: float = FOV) -> Cameras:
    """ivid's 27 views in its order: yaw outer (0, +-.15 ... +-.6 rad), pitch inner (0, +-.15 rad).

    Source: arXiv 2303.17905 and its public code. Prefixes of length 1, 9, 15, 21, 27 are the
    view ranges of the paper's table.
    """
    yaws = [0.0, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45, 0.6, -0.6]
    pitches = [0.0, 0.15, -0.15]
    yaw = [y for y in yaws for _ in pitches]
    return Cameras.orbit(yaw, pitches * len(yaws), radius=radius, fov=fov)


def gaussian_poses(
    seeds: Sequence[int],
    *,
    yaw_std: float = 0.3,
    pitch_std: float = 0.15,
    pitch_mean: float = 0.0,
    pitch_limit: float = 1.4,
    radius: float = RADIUS,
    fov: float = FOV,
) -> Cameras:
    """One camera a seed, yaw ~ N(0, yaw_std), pitch ~ N(pitch_mean, pitch_std), radians.

    The standard deviations default to the published protocol of ivid. Each pose depends on its
    own seed alone. Pitch is clipped to +-`pitch_limit` to keep clear of the poles.
    """
    angles = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        angles.append(torch.randn(2, generator=generator, dtype=torch.float64))
    normal = torch.stack(angles) if angles else torch.zeros(0, 2, dtype=torch.float64)
    pitch = (pitch_mean + pitch_std * normal[:, 1]).clamp(-pitch_limit, pitch_limit)
    return Cameras.orbit(yaw_std * normal[:, 0], pitch, radius=radius, fov=fov)
