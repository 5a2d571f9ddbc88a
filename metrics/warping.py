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
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene

__all__ = ["REFERENCE_HEIGHT", "Footprints", "Lookup", "Surfaces", "Warp", "both_ways", "lift", "project", "warp"]

REFERENCE_HEIGHT = 256
"""Pixel thresholds are stated at this image height and scale with it."""

MAXIMUM_TILT = math.radians(75.0)
"""Neighbouring pixels belong to one surface up to this tilt of it against the image plane."""

CHUNK = 1 << 16
"""Surface pixels warped at once; few enough that what is made of them stays in a processor's cache."""


@dataclass(frozen=True, eq=False)
class Footprints:
    """Places between 2x2 pixels, all of one shape.

    Args:
        corner: flat index of the footprint's first pixel in [V, H, W].
        right, down: how far from that pixel's centre the place lies, in pixels, float64.
    """

    corner: Tensor
    right: Tensor
    down: Tensor

    def at(self, chosen: Tensor) -> Footprints:
        """Those at flat indices [K] only."""
        return Footprints(*(part.flatten().index_select(0, chosen) for part in (self.corner, self.right, self.down)))

    @cached_property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bilinear weights of the four pixels, row by row."""
        left, up = 1 - self.right, 1 - self.down
        return left * up, self.right * up, left * self.down, self.right * self.down


@dataclass(frozen=True, eq=False)
class Lookup:
    """What views show at given points, each [P, N].

    Args:
        inside: the point falls between pixel centres.
        solid, empty: kind of its footprint; mixed where inside but neither.
        depth: interpolated z-depth, float64; NaN unless solid.
        footprints: where the point lies between pixels; means something where inside.
    """

    inside: Tensor
    solid: Tensor
    empty: Tensor
    depth: Tensor
    footprints: Footprints


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
        self.pixel, self.listed = _list(torch.isfinite(depth).flatten(1))
        column, row = (self.pixel % self.width).double(), (self.pixel // self.width).double()
        # kept by coordinate, so that each is contiguous
        self.uv = torch.stack([(column + 0.5) / self.width, (row + 0.5) / self.height]).movedim(0, -1)
        self.depth = self.of_pixels(depth)
        self.points = lift(self.cameras, torch.arange(scene.views), self.uv, self.depth)
        disparity = 1 / depth
        self.disparity = disparity.flatten()
        upper, lower = disparity[:, :-1], disparity[:, 1:]
        nearest, farthest = torch.maximum(upper, lower), torch.minimum(upper, lower)  # NaN wherever one is
        nearest = torch.maximum(nearest[..., :-1], nearest[..., 1:])
        farthest = torch.minimum(farthest[..., :-1], farthest[..., 1:])
        focal = (self.cameras.intrinsics[:, [0, 1], [0, 1]] * torch.tensor([self.width, self.height])).amin(1)
        # a plane tilted by t changes z by z tan(t) / focal a pixel, most along the diagonal
        limit = (math.sqrt(2) * math.tan(MAXIMUM_TILT) / focal)[:, None, None]
        surface = torch.isfinite(disparity)
        some = surface[:, :-1] | surface[:, 1:]
        # the last row and column begin no footprint; the maps keep the image's shape for flat indexing
        self.solid = pad((nearest - farthest) <= limit * nearest, (0, 1, 0, 1))
        self.empty = pad(~(some[..., :-1] | some[..., 1:]), (0, 1, 0, 1))

    @property
    def views(self) -> int:
        return len(self.listed)

    def of_pixels(self, image: Tensor) -> Tensor:
        """Values [V, n] of a map [V, H, W] at the surface pixels."""
        return image.flatten(1).gather(1, self.pixel)

    def interior(self, radius: int) -> Tensor:
        """Surface pixels with nothing but solid footprints within `radius` pixels, bool, [V, n].

        Closer to an edge a pixel's colour is a blend with what lies behind.
        """
        broken = pad(~self.solid[:, :-1, :-1], (radius,) * 4, value=True)
        return self.of_pixels(~_any_in_square(broken, 2 * radius)) & self.listed

    def coherent(self) -> Tensor:
        """Surface pixels in some solid footprint: with a neighbourhood, not alone, bool, [V, n]."""
        touching = pad(self.solid[:, :-1, :-1], (1,) * 4)
        return self.of_pixels(_any_in_square(touching, 2)) & self.listed

    def lookup(self, views: Tensor, uv: Tensor) -> Lookup:
        """What `views` [P] show at normalised image points [P, N, 2]."""
        x, y = uv[..., 0] * self.width - 0.5, uv[..., 1] * self.height - 0.5
        inside = (x >= 0) & (x <= self.width - 1) & (y >= 0) & (y <= self.height - 1)
        left, right = _cell(x, self.width)
        top, down = _cell(y, self.height)
        # half the memory and twice as fast, where the numbers fit
        kind = torch.int32 if len(self.disparity) < 1 << 31 else torch.int64
        start = (views * (self.height * self.width)).to(kind)[:, None]
        corner = top.to(kind).mul_(self.width).add_(left.to(kind)).add_(start)
        flat = corner.flatten()
        solid = self.solid.flatten().index_select(0, flat).view_as(inside) & inside
        empty = self.empty.flatten().index_select(0, flat).view_as(inside) & inside
        # a copy of its own, for its weights are not to be kept
        disparity = self.sample(self.disparity, Footprints(corner, right, down))
        depth = (1 / disparity).masked_fill_(~solid, math.nan)
        return Lookup(inside, solid, empty, depth, Footprints(corner, right, down))

    def sample(self, image: Tensor, places: Footprints) -> Tensor:
        """Bilinear samples of a float64 map [V, H, W], in the shape of `places`."""
        flat = image.flatten()
        last = len(flat) - 1  # passed only by images one pixel wide or high, which are never solid
        thin = min(self.width, self.height) < 2
        parts = []
        for step, weight in zip((0, 1, self.width, self.width + 1), places.weights, strict=True):
            place = (places.corner + step).flatten()
            value = flat.index_select(0, place.clamp_(max=last) if thin else place)
            parts.append(value.view_as(weight).mul_(weight))
        return parts[0].add_(parts[1]).add_(parts[2]).add_(parts[3])


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
    uv, depth = project(surfaces.cameras, sources, surfaces.points.movedim(-1, 0)[:, targets].movedim(0, -1))
    behind = depth <= 0
    if bool(behind.any()):
        uv = uv.masked_fill(behind[..., None], math.nan)  # NaN is never inside
    return Warp(uv, depth, surfaces.lookup(sources, uv))


def project(cameras: Cameras, views: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """World points [P, N, 3] in the images of `views` [P]: uv [P, N, 2] and z-depth [P, N]."""
    motion, matrix = cameras.world_to_cam[views], cameras.intrinsics[views]
    held = points.unbind(-1)
    x, y, z = (_affine(motion[:, row], held) for row in range(3))
    u = (matrix[:, 0, 0, None] * x).add_(matrix[:, 0, 1, None] * y).div_(z).add_(matrix[:, 0, 2, None])
    v = (matrix[:, 1, 1, None] * y).div_(z).add_(matrix[:, 1, 2, None])
    return torch.stack([u, v]).movedim(0, -1), z


def lift(cameras: Cameras, views: Tensor, uv: Tensor, depth: Tensor) -> Tensor:
    """World points [P, N, 3] at `depth` [P, N] behind image points [P, N, 2] of `views` [P]."""
    pose, matrix = cameras.cam_to_world[views], cameras.intrinsics[views]
    y = (uv[..., 1] - matrix[:, 1, 2, None]) / matrix[:, 1, 1, None]
    x = (uv[..., 0] - matrix[:, 0, 2, None] - matrix[:, 0, 1, None] * y) / matrix[:, 0, 0, None]
    local = (x * depth, y * depth, depth)
    return torch.stack([_affine(pose[:, row], local) for row in range(3)]).movedim(0, -1)


def both_ways(pairs: list[tuple[int, int]], surfaces: Surfaces) -> Iterator[tuple[Tensor, Tensor]]:
    """Targets and sources of `pairs`, each pair in both directions, `CHUNK` pixels or so at once."""
    both = torch.tensor([pair for a, b in pairs for pair in ((a, b), (b, a))], dtype=torch.int64).reshape(-1, 2)
    for part in torch.split(both, max(1, CHUNK // surfaces.depth.shape[1])):
        yield part[:, 0], part[:, 1]


def _affine(row: Tensor, points: tuple[Tensor, ...]) -> Tensor:
    # written out: a matrix product may round differently with the number of points
    x, y, z = points
    return (row[:, 0, None] * x).add_(row[:, 1, None] * y).add_(row[:, 2, None] * z).add_(row[:, 3, None])


def _cell(place: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """First pixel of the two around each place in a row of `count`, and how far from it; anything outside."""
    place = place.clamp(0, count - 1).nan_to_num_(nan=0.0)
    first = place.floor().clamp_(0, max(count - 2, 0))
    return first, place.sub_(first)


def _list(surface: Tensor) -> tuple[Tensor, Tensor]:
    """Indices [V, n] of true pixels, n being the most of any view; the columns left over point at false ones."""
    count = surface.sum(1)
    most = max(1, int(count.max()))
    pixel = (~surface).to(torch.uint8).argmax(1)[:, None].repeat(1, most)
    listed = torch.arange(most) < count[:, None]
    pixel[listed] = torch.nonzero(surface)[:, 1]
    return pixel, listed


def _any_in_square(mask: Tensor, side: int) -> Tensor:
    """Whether any of `side` x `side` pixels from each on is true, [V, H - side + 1, W - side + 1]."""
    rows, columns = mask.shape[1] - side + 1, mask.shape[2] - side + 1
    along = mask[:, :rows].clone()
    for step in range(1, side):
        along |= mask[:, step : step + rows]
    found = along[..., :columns].clone()
    for step in range(1, side):
        found |= along[..., step : step + columns]
    return found
