"""Exact backward warps between views through depth, with everything known about visibility.

`warp` takes each surface pixel of a target view, lifted to the world by its z-depth, projects the
point into a source view and asks what that view itself shows there. All geometry is float64 and
elementwise, so a pair's numbers do not depend on which pairs are computed with it.

Depth lookup. A depth map is a set of samples of surfaces, and between samples of different
surfaces there is nothing to interpolate. So the source is looked up in its 2x2 footprints:

    solid   all four pixels show one surface: finite, and no more apart than on a plane tilted by
            `MAXIMUM_TILT` against the image. Disparity is interpolated, exact for planes.
    empty   none of the four shows a surface: the source sees through this point.
    mixed   anything else: silhouettes, folds, structures thinner than two pixels. What lies
            there is not decidable at this resolution, and nobody is blamed for it.

Pixel centres lie at ((i + 0.5) / W, (j + 0.5) / H). A point is in the frame where it falls between
pixel centres; the outermost half pixel has no footprint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene

__all__ = ["REFERENCE_HEIGHT", "Lookup", "Surfaces", "Warp", "both_ways", "lift", "project", "warp"]

REFERENCE_HEIGHT = 256
"""Pixel thresholds are stated at this image height and scale with it."""

MAXIMUM_TILT = math.radians(75.0)
"""Neighbouring pixels belong to one surface up to this tilt of it against the image plane."""

CHUNK = 1 << 18
"""Surface pixels warped at once; bounds the memory to about 100 MB."""


@dataclass(frozen=True, eq=False)
class Lookup:
    """What views show at given points, each [P, N].

    Args:
        inside: the point falls between pixel centres.
        solid, empty: kind of its footprint; mixed where inside but neither.
        depth: interpolated z-depth, float64; NaN unless solid.
        weights: bilinear weights of the footprint's pixels, float64, [P, N, 4].
        corner: flat index of the footprint's first pixel in [V, H, W].
    """

    inside: Tensor
    solid: Tensor
    empty: Tensor
    depth: Tensor
    weights: Tensor
    corner: Tensor


class Surfaces:
    """The depth maps of a scene: their surface pixels, and what they show at any point.

    Surface pixels are listed view by view in n columns, n being the most any view has; `listed`
    is false in the columns left over, whose numbers are NaN.

    Args:
        scene: with depth and cameras; at least 2x2 pixels are needed to find anything solid.

    Attributes:
        pixel: flat index of each surface pixel in its image, [V, n].
        listed: bool, [V, n].
        uv: normalised image coordinates, [V, n, 2].
        depth: z-depth, float64, [V, n].
        points: in the world, float64, [V, n, 3].
    """

    def __init__(self, scene: Scene) -> None:
        if scene.depth is None or scene.cameras is None:
            raise ValueError("Warping needs a scene with depth and cameras.")
        self.cameras = scene.cameras
        self.height, self.width = scene.size
        depth = scene.depth.to("cpu", torch.float64)
        surface = torch.isfinite(depth).flatten(1)
        count = surface.sum(1)
        most = max(1, int(count.max()))
        self.pixel = torch.sort(surface, dim=1, descending=True, stable=True).indices[:, :most]
        self.listed = torch.arange(most) < count[:, None]
        column, row = (self.pixel % self.width).double(), (self.pixel // self.width).double()
        self.uv = torch.stack([(column + 0.5) / self.width, (row + 0.5) / self.height], -1)
        self.depth = self.of_pixels(depth)
        self.points = lift(self.cameras, torch.arange(scene.views), self.uv, self.depth)
        disparity = 1 / depth
        self.disparity = disparity.flatten()
        corners = torch.stack(
            [disparity[:, :-1, :-1], disparity[:, :-1, 1:], disparity[:, 1:, :-1], disparity[:, 1:, 1:]]
        )
        count = torch.isfinite(corners).sum(0)
        nearest, farthest = corners.amax(0), corners.amin(0)
        focal = (self.cameras.intrinsics[:, [0, 1], [0, 1]] * torch.tensor([self.width, self.height])).amin(1)
        # a plane tilted by t changes z by z tan(t) / focal a pixel, most along the diagonal
        limit = (math.sqrt(2) * math.tan(MAXIMUM_TILT) / focal)[:, None, None]
        # the last row and column begin no footprint; the maps keep the image's shape for flat indexing
        self.solid = pad((count == 4) & ((nearest - farthest) <= limit * nearest), (0, 1, 0, 1))
        self.empty = pad(count == 0, (0, 1, 0, 1))

    def of_pixels(self, image: Tensor) -> Tensor:
        """Values [V, n] of a map [V, H, W] at the surface pixels."""
        return image.flatten(1).gather(1, self.pixel)

    def interior(self, radius: int) -> Tensor:
        """Surface pixels with nothing but solid footprints within `radius` pixels, bool, [V, n].

        Closer to an edge a pixel's colour is a blend with what lies behind.
        """
        broken = pad((~self.solid)[:, :-1, :-1].double(), (radius,) * 4, value=1.0)
        return self.of_pixels(max_pool2d(broken[:, None], 2 * radius, 1)[:, 0] == 0) & self.listed

    def coherent(self) -> Tensor:
        """Surface pixels in some solid footprint: with a neighbourhood, not alone, bool, [V, n]."""
        touching = pad(self.solid[:, :-1, :-1].double(), (1,) * 4)
        return self.of_pixels(max_pool2d(touching[:, None], 2, 1)[:, 0] > 0) & self.listed

    def lookup(self, views: Tensor, uv: Tensor) -> Lookup:
        """What `views` [P] show at normalised image points [P, N, 2]."""
        x, y = uv[..., 0] * self.width - 0.5, uv[..., 1] * self.height - 0.5
        inside = (x >= 0) & (x <= self.width - 1) & (y >= 0) & (y <= self.height - 1)
        x, y = x.where(inside, x.new_zeros(())), y.where(inside, y.new_zeros(()))
        left, top = x.floor().clamp(0, max(self.width - 2, 0)), y.floor().clamp(0, max(self.height - 2, 0))
        right, down = x - left, y - top
        weights = torch.stack([(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down], -1)
        corner = (views[:, None] * self.height + top.long()) * self.width + left.long()
        solid = self.solid.flatten()[corner] & inside
        empty = self.empty.flatten()[corner] & inside
        disparity = self._blend(self.disparity, corner, weights)
        nothing = disparity.new_full((), math.nan)
        return Lookup(inside, solid, empty, (1 / disparity).where(solid, nothing), weights, corner)

    def sample(self, image: Tensor, found: Lookup) -> Tensor:
        """Bilinear samples [P, N] of a float64 map [V, H, W]; defined where `found` is inside."""
        return self._blend(image.flatten(), found.corner, found.weights)

    def _blend(self, flat: Tensor, corner: Tensor, weights: Tensor) -> Tensor:
        last = len(flat) - 1  # reached only by images one pixel wide or high, which are never solid
        result = torch.zeros_like(weights[..., 0])
        for k, step in enumerate((0, 1, self.width, self.width + 1)):
            result = result + weights[..., k] * flat[(corner + step).clamp(max=last)]
        return result


@dataclass(frozen=True, eq=False)
class Warp:
    """Where the surface pixels of P target views lie in as many source views, each [P, n].

    Args:
        uv: the surface point in the source's image, normalised, [P, n, 2].
        depth: its z-depth as seen from the source.
        found: what the source itself shows there; nothing behind the camera is inside.
    """

    uv: Tensor
    depth: Tensor
    found: Lookup

    def agrees(self, tolerance: float) -> Tensor:
        """Where the source shows a surface at the same depth, up to a relative `tolerance`."""
        return self.found.solid & ((self.found.depth - self.depth).abs() < tolerance * self.depth)


def warp(surfaces: Surfaces, targets: Tensor, sources: Tensor) -> Warp:
    """Follow every surface pixel of `targets` [P] into `sources` [P]."""
    uv, depth = project(surfaces.cameras, sources, surfaces.points[targets])
    uv = uv.where((depth > 0)[..., None], uv.new_full((), math.nan))  # NaN is never inside
    return Warp(uv, depth, surfaces.lookup(sources, uv))


def project(cameras: Cameras, views: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """World points [P, N, 3] in the images of `views` [P]: uv [P, N, 2] and z-depth [P, N]."""
    motion, matrix = cameras.world_to_cam[views], cameras.intrinsics[views]
    x, y, z = (_affine(motion[:, row], points) for row in range(3))
    u = (matrix[:, 0, 0, None] * x + matrix[:, 0, 1, None] * y) / z + matrix[:, 0, 2, None]
    v = matrix[:, 1, 1, None] * y / z + matrix[:, 1, 2, None]
    return torch.stack([u, v], -1), z


def lift(cameras: Cameras, views: Tensor, uv: Tensor, depth: Tensor) -> Tensor:
    """World points [P, N, 3] at `depth` [P, N] behind image points [P, N, 2] of `views` [P]."""
    pose, matrix = cameras.cam_to_world[views], cameras.intrinsics[views]
    y = (uv[..., 1] - matrix[:, 1, 2, None]) / matrix[:, 1, 1, None]
    x = (uv[..., 0] - matrix[:, 0, 2, None] - matrix[:, 0, 1, None] * y) / matrix[:, 0, 0, None]
    local = torch.stack([x * depth, y * depth, depth], -1)
    return torch.stack([_affine(pose[:, row], local) for row in range(3)], -1)


def both_ways(pairs: list[tuple[int, int]], surfaces: Surfaces) -> Iterator[tuple[Tensor, Tensor]]:
    """Targets and sources of `pairs`, each pair in both directions, as many at once as memory allows."""
    both = torch.tensor([pair for a, b in pairs for pair in ((a, b), (b, a))], dtype=torch.int64).reshape(-1, 2)
    for part in torch.split(both, max(1, CHUNK // surfaces.depth.shape[1])):
        yield part[:, 0], part[:, 1]


def _affine(row: Tensor, points: Tensor) -> Tensor:
    # written out: a matrix product may round differently with the number of points
    x, y, z = points.unbind(-1)
    return row[:, 0, None] * x + row[:, 1, None] * y + row[:, 2, None] * z + row[:, 3, None]
