"""Signed distances of the solids that tabletop objects are made of.

All functions take coordinates as separate tensors [N] and sizes as tensors that broadcast against
them (one object: [1]; a ray a different object each: [N]). A distance is negative inside, exact
or a lower bound in magnitude, so that sphere tracing never steps through a surface.
Formulas are the classical ones of constructive solid geometry with distance functions.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "box",
    "capsule",
    "cone_y",
    "cylinder_x",
    "cylinder_y",
    "cylinder_z",
    "ellipsoid",
    "gable",
    "intersect",
    "octahedron",
    "smooth_union",
    "sphere",
    "subtract",
    "torus_z",
    "union",
]


def sphere(x: Tensor, y: Tensor, z: Tensor, radius: Tensor | float) -> Tensor:
    return (x * x + y * y + z * z).sqrt() - radius


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """First-order distance to an axis-aligned ellipsoid; exact on the surface."""
    scaled = ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2).sqrt()
    gradient = ((x / (a * a)) ** 2 + (y / (b * b)) ** 2 + (z / (c * c)) ** 2).sqrt()
    return scaled * (scaled - 1.0) / (gradient + 1e-9)


def box(
    x: Tensor, y: Tensor, z: Tensor, a: Tensor | float, b: Tensor | float, c: Tensor | float, rounding: float = 0.0
) -> Tensor:
    """Box with half sizes a, b, c, its edges rounded by `rounding`."""
    dx, dy, dz = x.abs() - a + rounding, y.abs() - b + rounding, z.abs() - c + rounding
    outside = (dx.clamp(min=0) ** 2 + dy.clamp(min=0) ** 2 + dz.clamp(min=0) ** 2).sqrt()
    inside = torch.maximum(torch.maximum(dx, dy), dz).clamp(max=0)
    return outside + inside - rounding


def _cylinder(radial: Tensor, along: Tensor, radius: Tensor | float, half: Tensor | float, rounding: float) -> Tensor:
    dr, da = radial - radius + rounding, along.abs() - half + rounding
    outside = (dr.clamp(min=0) ** 2 + da.clamp(min=0) ** 2).sqrt()
    return outside + torch.maximum(dr, da).clamp(max=0) - rounding


def cylinder_y(
    x: Tensor, y: Tensor, z: Tensor, radius: Tensor | float, half: Tensor | float, rounding: float = 0.0
) -> Tensor:
    return _cylinder((x * x + z * z).sqrt(), y, radius, half, rounding)


def cylinder_x(
    x: Tensor, y: Tensor, z: Tensor, radius: Tensor | float, half: Tensor | float, rounding: float = 0.0
) -> Tensor:
    return _cylinder((y * y + z * z).sqrt(), x, radius, half, rounding)


def cylinder_z(
    x: Tensor, y: Tensor, z: Tensor, radius: Tensor | float, half: Tensor | float, rounding: float = 0.0
) -> Tensor:
    return _cylinder((x * x + y * y).sqrt(), z, radius, half, rounding)


def cone_y(x: Tensor, y: Tensor, z: Tensor, low: Tensor | float, high: Tensor | float, half: Tensor | float) -> Tensor:
    """Frustum about the y axis with radius `low` at -half and `high` at +half; a lower bound."""
    radial = (x * x + z * z).sqrt()
    slope = (high - low) / (2 * half) if isinstance(half, Tensor) else (high - low) / (2.0 * half)
    slope = torch.as_tensor(slope)
    middle = (low + high) / 2
    side = (radial - middle - slope * y) / (1 + slope * slope).sqrt()
    return torch.maximum(side, y.abs() - half)


def capsule(
    x: Tensor,
    y: Tensor,
    z: Tensor,
    start: tuple[Tensor | float, Tensor | float, Tensor | float],
    end: tuple[Tensor | float, Tensor | float, Tensor | float],
    radius: Tensor | float,
) -> Tensor:
    """All points within `radius` of the segment from `start` to `end`."""
    px, py, pz = x - start[0], y - start[1], z - start[2]
    ax, ay, az = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = ax * ax + ay * ay + az * az
    along = ((px * ax + py * ay + pz * az) / length).clamp(0.0, 1.0)
    return sphere(px - along * ax, py - along * ay, pz - along * az, radius)


def torus_z(x: Tensor, y: Tensor, z: Tensor, major: Tensor | float, minor: Tensor | float) -> Tensor:
    """Torus whose hole looks along z."""
    ring = (x * x + y * y).sqrt() - major
    return (ring * ring + z * z).sqrt() - minor


def octahedron(x: Tensor, y: Tensor, z: Tensor, size: Tensor | float) -> Tensor:
    return (x.abs() + y.abs() + z.abs() - size) * 0.57735


def gable(x: Tensor, y: Tensor, z: Tensor, half_width: Tensor, height: Tensor, half_length: Tensor) -> Tensor:
    """Roof: a triangle of base 2 `half_width` (along x, at y = 0) and `height`, extruded along z."""
    norm = (half_width * half_width + height * height).sqrt()
    side = ((x.abs() - half_width) * height + y * half_width) / norm
    return torch.maximum(torch.maximum(side, -y), z.abs() - half_length)


def union(*distances: Tensor) -> Tensor:
    result = distances[0]
    for distance in distances[1:]:
        result = torch.minimum(result, distance)
    return result


def intersect(first: Tensor, second: Tensor) -> Tensor:
    return torch.maximum(first, second)


def subtract(solid: Tensor, hole: Tensor) -> Tensor:
    return torch.maximum(solid, -hole)


def smooth_union(first: Tensor, second: Tensor, width: float) -> Tensor:
    """Union with a fillet of about `width` (quadratic polynomial blend)."""
    blend = (width - (first - second).abs()).clamp(min=0) / width
    return torch.minimum(first, second) - blend * blend * (width / 4)
