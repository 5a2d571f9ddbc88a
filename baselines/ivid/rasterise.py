"""A z-buffer for many small triangles, batched, in plain torch.

Triangles are grouped by the size of their bounding box; a group tests all samples of its boxes at
once. The nearest hit of each sample wins through one integer minimum over ``(depth, face)``, so the
result does not depend on the order of faces or on threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["Hits", "rasterise"]

NONE = torch.iinfo(torch.int64).max
SLACK = 1e-5  # square samples; shared edges must not leave cracks
CANDIDATES = 4_000_000  # samples tested at once, bounds the memory


@dataclass(frozen=True)
class Hits:
    """What each sample of B pictures sees.

    Args:
        face: index of the nearest face, int64, [B, h, w]; -1 = none.
        weights: perspective-correct barycentric weights of its corners, [B, h, w, 3].
        depth: z-depth, [B, h, w]; NaN = none.
    """

    face: Tensor
    weights: Tensor
    depth: Tensor


def rasterise(corners: Tensor, keep: Tensor, height: int, width: int) -> Hits:
    """Find the nearest front-facing triangle at the centre of each sample.

    Args:
        corners: x, y in samples (centres at +0.5) and z-depth of the corners of F faces,
            float32, [B, F, 3 corners, 3]. Front faces run counter-clockwise with y down, i.e.
            (x1-x0)(y2-y0) - (y1-y0)(x2-x0) > 0.
        keep: which faces to draw, bool, [B, F]; faces with a corner at z <= 0 must be left out.
        height, width: samples of each picture.
    """
    batch, faces = keep.shape
    buffer = torch.full((batch * height * width,), NONE, dtype=torch.int64)
    chosen = torch.nonzero(keep.reshape(-1))[:, 0]
    triangle = corners.reshape(-1, 3, 3)[chosen]
    xy, z = triangle[..., :2], triangle[..., 2]
    area = _edge(xy[:, 0], xy[:, 1], xy[:, 2])
    # first and last sample whose centre may lie inside, per axis
    low = (xy.amin(1) - 0.5).ceil().clamp(min=0)
    high = torch.minimum((xy.amax(1) - 0.5).floor(), xy.new_tensor([width - 1, height - 1]))
    extent = (high - low + 1).amin(1)
    front = torch.nonzero((area > 1e-8) & (extent >= 1))[:, 0]
    xy, z, area, low = xy[front], z[front], area[front], low[front]
    chosen, side = chosen[front], (high[front] - low + 1).amax(1)
    inverse = 1 / z
    for first, last in _groups(side):
        group = torch.nonzero((side > first) & (side <= last))[:, 0]
        for part in group.split(max(1, CANDIDATES // (last * last))):
            _draw(
                buffer, xy[part], inverse[part], area[part], low[part].long(), chosen[part], last, faces, height, width
            )
    return _hits(buffer, corners, batch, faces, height, width)


def _groups(side: Tensor) -> list[tuple[int, int]]:
    """Bounding-box sizes handled together: 1, 2, 3, 4, 6, 8, 12, 16, ... samples."""
    largest = int(side.max()) if len(side) else 0
    bounds, step = [0], 1
    while bounds[-1] < largest:
        bounds.append(bounds[-1] + step)
        if len(bounds) > 4 and len(bounds) % 2 == 1:
            step *= 2
    return list(pairwise(bounds))


def _draw(
    buffer: Tensor,
    xy: Tensor,
    inverse: Tensor,
    area: Tensor,
    low: Tensor,
    chosen: Tensor,
    size: int,
    faces: int,
    height: int,
    width: int,
) -> None:
    offset = torch.arange(size)
    x = (low[:, 0, None, None] + offset[None, None, :]).expand(-1, size, -1)
    y = (low[:, 1, None, None] + offset[None, :, None]).expand(-1, -1, size)
    px, py = x + 0.5, y + 0.5
    e = [_edge_at(xy[:, (k + 1) % 3], xy[:, (k + 2) % 3], px, py) for k in range(3)]
    inside = (e[0] >= -SLACK) & (e[1] >= -SLACK) & (e[2] >= -SLACK) & (x < width) & (y < height)
    # 1/z is linear on the screen
    weighted = [e[k] * inverse[:, k, None, None] for k in range(3)]
    value = (weighted[0] + weighted[1] + weighted[2]) / area[:, None, None]
    inside &= value > 0
    depth = (1 / value[inside]).contiguous()
    owner = chosen[:, None, None].expand_as(x)[inside]
    picture, face = owner // faces, owner % faces
    index = picture * (height * width) + y[inside] * width + x[inside]
    # positive floats order like their bits
    key = (depth.view(torch.int32).long() << 32) | face
    buffer.scatter_reduce_(0, index, key, "amin")


def _hits(buffer: Tensor, corners: Tensor, batch: int, faces: int, height: int, width: int) -> Hits:
    found = torch.nonzero(buffer != NONE)[:, 0]
    face = torch.full_like(buffer, -1)
    face[found] = buffer[found] & 0xFFFFFFFF
    depth = torch.full((len(buffer),), float("nan"))
    weights = torch.zeros(len(buffer), 3)
    if len(found):
        pixel = found % (height * width)
        triangle = corners.reshape(-1, 3, 3)[found // (height * width) * faces + face[found]]
        xy, inverse = triangle[..., :2], 1 / triangle[..., 2]
        px, py = (pixel % width) + 0.5, (pixel // width) + 0.5
        e = torch.stack([_edge_at(xy[:, (k + 1) % 3], xy[:, (k + 2) % 3], px, py) for k in range(3)], 1)
        share = e.clamp(min=0) * inverse
        total = share.sum(1, keepdim=True).clamp(min=1e-20)
        weights[found] = share / total
        depth[found] = e.clamp(min=0).sum(1).clamp(min=1e-20) / total[:, 0]
    shape = (batch, height, width)
    return Hits(face.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def _edge(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    return (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])


def _edge_at(a: Tensor, b: Tensor, px: Tensor, py: Tensor) -> Tensor:
    shape = (-1,) + (1,) * (px.ndim - 1)
    ax, ay, bx, by = (value.reshape(shape) for value in (a[:, 0], a[:, 1], b[:, 0], b[:, 1]))
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)
