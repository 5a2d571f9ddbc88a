"""A z-buffer for many small triangles, batched, in plain torch, on any device.

Small triangles test all samples of their bounding box, grouped by its size; wide ones only the
samples of each row that can lie between their edges. The nearest hit of each sample wins through
one integer minimum over ``(depth, face)``, so the result does not depend on the order of faces or
on threads. `rasterise_reference` draws the same with loops.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Hits", "rasterise"]

NONE = torch.iinfo(torch.int64).max
SLACK = 1e-5  # square samples; shared edges must not leave cracks
ROUNDING = 1e-6  # several times the relative rounding of an edge function in float32
DENSE = 4  # side of the largest bounding box that is tested whole, samples
CANDIDATES = {"cpu": 1 << 17, "cuda": 1 << 24}  # samples tested at once: the cache of a core, the memory of a GPU


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


@dataclass(frozen=True)
class _Triangles:
    """M faces to draw: corners [M, 3, 2], 1/z [M, 3], doubled area [M], number among all B F faces [M]."""

    xy: Tensor
    inverse: Tensor
    area: Tensor
    number: Tensor


@dataclass(frozen=True)
class _Frame:
    """Rows `first` to `first + height - 1` of B pictures with F faces each."""

    first: int
    height: int
    width: int
    faces: int


def rasterise(corners: Tensor, keep: Tensor, height: int, width: int, *, first_row: int = 0) -> Hits:
    """Find the nearest front-facing triangle at the centre of each sample.

    Args:
        corners: x, y in samples (centres at +0.5) and z-depth of the corners of F faces,
            float32, [B, F, 3 corners, 3]. Front faces run counter-clockwise with y down, i.e.
            (x1-x0)(y2-y0) - (y1-y0)(x2-x0) > 0.
        keep: which faces to draw, bool, [B, F]; faces with a corner at z <= 0 must be left out.
        height, width: samples of each picture.
        first_row: of the rows wanted; a picture drawn in bands of rows is the same to the bit.
    """
    batch, faces = keep.shape
    frame = _Frame(first_row, height, width, faces)
    buffer = torch.full((batch * height * width,), NONE, dtype=torch.int64, device=corners.device)
    number = torch.nonzero(keep.reshape(-1))[:, 0]
    triangle = corners.reshape(-1, 3, 3)[number]
    xy, z = triangle[..., :2], triangle[..., 2]
    # first and last sample whose centre may lie inside, per axis
    start, end = xy.new_tensor([0, first_row]), xy.new_tensor([width - 1, first_row + height - 1])
    a, b, c = xy.unbind(1)
    area = _edge(a, b, c)
    low = torch.maximum((torch.minimum(torch.minimum(a, b), c) - 0.5).ceil(), start)
    high = torch.minimum((torch.maximum(torch.maximum(a, b), c) - 0.5).floor(), end)
    some = high >= low
    front = torch.nonzero((area > 1e-8) & some[:, 0] & some[:, 1])[:, 0]
    low, high = low[front].long(), high[front].long()
    found = _Triangles(xy[front], 1 / z[front], area[front], number[front])
    side = (high - low + 1).amax(1)
    limit = CANDIDATES.get(corners.device.type, CANDIDATES["cpu"])
    for size in range(1, DENSE + 1):
        for part in torch.nonzero(side == size)[:, 0].split(limit // size**2):
            _draw_boxes(buffer, _pick(found, part), low[part], size, frame)
    wide = torch.nonzero(side > DENSE)[:, 0]
    if len(wide):
        _draw_rows(buffer, _pick(found, wide), low[wide], high[wide], frame, limit)
    return _hits(buffer, corners, batch, frame)


def _pick(triangles: _Triangles, index: Tensor) -> _Triangles:
    return _Triangles(triangles.xy[index], triangles.inverse[index], triangles.area[index], triangles.number[index])


def _draw_boxes(buffer: Tensor, triangles: _Triangles, low: Tensor, size: int, frame: _Frame) -> None:
    """All samples of boxes of `size` x `size` samples with first samples `low` [M, 2]."""
    offset = torch.arange(size, device=low.device)
    x, y = low[:, 0, None, None] + offset, low[:, 1, None, None] + offset[:, None]  # [M, 1, s], [M, s, 1]
    edges = [_edge_at(triangles.xy, k, x + 0.5, y + 0.5) for k in range(3)]
    inside = (edges[0] >= -SLACK) & (edges[1] >= -SLACK) & (edges[2] >= -SLACK)
    inside &= (x < frame.width) & (y < frame.first + frame.height)
    row, i, j = inside.nonzero(as_tuple=True)
    chosen = [edge[inside] for edge in edges]
    _keep_nearest(buffer, triangles, row, chosen, low[row, 0] + j, low[row, 1] + i, frame)


def _draw_rows(buffer: Tensor, triangles: _Triangles, low: Tensor, high: Tensor, frame: _Frame, limit: int) -> None:
    """The samples of each row of the boxes `low` to `high` [M, 2] that may lie between the edges."""
    face, nth = _spread(high[:, 1] - low[:, 1] + 1)
    y = low[face, 1] + nth
    first, last = _span(triangles.xy[face].double(), y.double() + 0.5, frame.width)
    first = torch.maximum(first, low[face, 0].double()).long()
    last = torch.minimum(last, high[face, 0].double()).long()
    count = (last - first + 1).clamp(min=0)
    lots = (count.cumsum(0) // limit).unique_consecutive(return_counts=True)[1].tolist()
    for some_face, some_y, some_first, some_count in zip(
        *(values.split(lots) for values in (face, y, first, count)), strict=True
    ):
        row, nth = _spread(some_count)
        owner, x, line = some_face[row], some_first[row] + nth, some_y[row]
        corner = triangles.xy[owner]
        edges = [_edge_at(corner, k, x + 0.5, line + 0.5) for k in range(3)]
        inside = ((edges[0] >= -SLACK) & (edges[1] >= -SLACK) & (edges[2] >= -SLACK)).nonzero()[:, 0]
        _keep_nearest(
            buffer, triangles, owner[inside], [edge[inside] for edge in edges], x[inside], line[inside], frame
        )


def _spread(count: Tensor) -> tuple[Tensor, Tensor]:
    """0 ... count-1 for every entry of `count`, one after the other: the entry, and the number within it."""
    entry = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    return entry, torch.arange(len(entry), device=count.device) - (count.cumsum(0) - count)[entry]


def _span(xy: Tensor, py: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """First and last sample of rows `py` [R] that may pass the edges of `xy` [R, 3, 2]; float64, bounds rounded."""
    first, last = torch.full_like(py, -1.0), torch.full_like(py, float(width))
    for k in range(3):
        a, b = xy[:, (k + 1) % 3], xy[:, (k + 2) % 3]
        run, rise = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
        value = run * (py - a[:, 1])
        room = SLACK + ROUNDING * (value.abs() + rise.abs() * (a[:, 0].abs() + width))
        bound = a[:, 0] + (value + room) / rise  # where the edge is crossed
        first = torch.where(rise < 0, torch.maximum(first, (bound - 0.5).ceil()), first)
        last = torch.where(rise > 0, torch.minimum(last, (bound - 0.5).floor()), last)
    return first, last


def _keep_nearest(
    buffer: Tensor, triangles: _Triangles, row: Tensor, edges: list[Tensor], x: Tensor, y: Tensor, frame: _Frame
) -> None:
    """Enter hits of triangles `row` at samples x, y, with their edge functions, each [n]."""
    inverse = triangles.inverse[row]
    # 1/z is linear on the screen
    value = (edges[0] * inverse[:, 0] + edges[1] * inverse[:, 1] + edges[2] * inverse[:, 2]) / triangles.area[row]
    number = triangles.number[row]
    index = number // frame.faces * (frame.height * frame.width) + (y - frame.first) * frame.width + x
    # positive floats order like their bits
    key = ((1 / value).view(torch.int32).long() << 32) | (number % frame.faces)
    key = torch.where(value > 0, key, NONE)
    buffer.scatter_reduce_(0, index, key, "amin")


def _hits(buffer: Tensor, corners: Tensor, batch: int, frame: _Frame) -> Hits:
    found = torch.nonzero(buffer != NONE)[:, 0]
    face = torch.full_like(buffer, -1)
    face[found] = buffer[found] & 0xFFFFFFFF
    depth = torch.full((len(buffer),), float("nan"), device=buffer.device)
    weights = torch.zeros(len(buffer), 3, device=buffer.device)
    samples = frame.height * frame.width
    pixel = found % samples
    triangle = corners.reshape(-1, 3, 3)[found // samples * frame.faces + face[found]]
    xy, inverse = triangle[..., :2], 1 / triangle[..., 2]
    px, py = (pixel % frame.width) + 0.5, (pixel // frame.width + frame.first) + 0.5
    e = torch.stack([_edge_at(xy, k, px, py) for k in range(3)], 1).clamp(min=0)
    share = e * inverse
    total = share.sum(1, keepdim=True).clamp(min=1e-20)
    weights[found] = share / total
    depth[found] = e.sum(1).clamp(min=1e-20) / total[:, 0]
    shape = (batch, frame.height, frame.width)
    return Hits(face.reshape(shape), weights.reshape(*shape, 3), depth.reshape(shape))


def _edge(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    return (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])


def _edge_at(xy: Tensor, k: int, px: Tensor, py: Tensor) -> Tensor:
    """Edge function opposite corner k of triangles [M, 3, 2] at samples [M, ...]."""
    shape = (-1,) + (1,) * (px.ndim - 1)
    a, b = xy[:, (k + 1) % 3], xy[:, (k + 2) % 3]
    ax, ay, bx, by = (value.reshape(shape) for value in (a[:, 0], a[:, 1], b[:, 0], b[:, 1]))
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)
