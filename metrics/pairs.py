"""Which views are compared with one another: neighbours along the sweep, and views further apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..scenes.cameras import Cameras

__all__ = ["GAPS", "adjacent_pairs", "gap_pairs"]

GAPS = ("adjacent", "15", "30", "60", "90", "loop")
"""Distances between compared views: neighbours, angles between optical axes in degrees, and the
seam where a full circle closes."""

STEP_TOLERANCE = 1e-3  # relative; poses from float32 files differ by about 1e-6
GAP_TOLERANCE = 0.2  # relative to the gap


def adjacent_pairs(cameras: Cameras) -> list[tuple[int, int]]:
    """Neighbouring views, each pair once, as (lower view, higher view) or, for the loop, (last, first).

    Where all steps of the path turn by the same angle it is a sweep: its neighbours are
    consecutive views, and the last with the first where that gap is one step too, in angle and in
    distance, so that a full circle is closed. Other sets (grids, photographs) are connected by their smallest angles
    instead, as the minimum spanning tree of the angles between optical axes; among equal angles
    the views closest in order come first.

    Example:
        >>> from viewsweep.scenes import sweep360
        >>> adjacent_pairs(sweep360(4))
        [(0, 1), (1, 2), (2, 3), (3, 0)]
    """
    views = len(cameras)
    if views < 2:
        return []
    angle = _angles(cameras)
    steps = [float(angle[k, k + 1]) for k in range(views - 1)]
    if _even(steps):
        pairs = [(k, k + 1) for k in range(views - 1)]
        if views > 2 and math.isclose(float(angle[-1, 0]), steps[0], rel_tol=STEP_TOLERANCE, abs_tol=1e-9):
            moved = torch.linalg.vector_norm(cameras.positions.roll(-1, 0) - cameras.positions, dim=1)
            if float(moved[-1]) <= (1 + STEP_TOLERANCE) * float(moved[:-1].max()) + 1e-9:
                pairs.append((views - 1, 0))
        return pairs
    return _spanning_tree(angle)


def gap_pairs(cameras: Cameras) -> dict[str, list[tuple[int, int]]]:
    """The pairs to compare at each of `GAPS`; an empty list where the views have none.

    For an angle each view is paired with the view whose optical axis is nearest to that angle from
    its own, within a fifth of it; among equals the one that follows soonest, going round. Each pair
    counts once. `loop` is the pair that closes a circle: the last and the first view of a closed
    sweep, or of a path that ends where it began.

    Example:
        >>> from viewsweep.scenes import sweep360
        >>> pairs = gap_pairs(sweep360(12))
        >>> pairs["15"], pairs["60"][:3], pairs["loop"]
        ([], [(0, 2), (1, 3), (2, 4)], [(11, 0)])
    """
    adjacent = adjacent_pairs(cameras)
    views = len(cameras)
    found: dict[str, list[tuple[int, int]]] = {"adjacent": adjacent}
    angle = torch.rad2deg(_angles(cameras)) if views > 1 else torch.zeros(views, views)
    for gap in GAPS[1:-1]:
        found[gap] = _apart(angle, float(gap))
    loop = [pair for pair in adjacent if views > 2 and pair == (views - 1, 0)]
    if not loop and views > 2 and _same_place(cameras, views - 1, 0) and _even(torch.diagonal(angle, 1).tolist()):
        loop = [(views - 1, 0)]
    return {**found, "loop": loop}


def _apart(angle: Tensor, gap: float) -> list[tuple[int, int]]:
    views = len(angle)
    pairs: list[tuple[int, int]] = []
    seen = set()
    for view in range(views):
        off = (angle[view] - gap).abs()
        near = [other for other in range(views) if other != view and float(off[other]) <= GAP_TOLERANCE * gap]
        if not near:
            continue
        # rounded, so that equal angles tie and the order decides
        other = min(near, key=lambda other: (round(float(off[other]), 4), (other - view) % views))
        if frozenset((view, other)) not in seen:
            seen.add(frozenset((view, other)))
            pairs.append((view, other))
    return pairs


def _same_place(cameras: Cameras, a: int, b: int) -> bool:
    return bool(torch.allclose(cameras.cam_to_world[a], cameras.cam_to_world[b], atol=1e-5))


def _even(steps: list[float]) -> bool:
    return max(steps) - min(steps) <= STEP_TOLERANCE * max(steps)


def _angles(cameras: Cameras) -> Tensor:
    """Angles between optical axes, radians, [V, V]."""
    axis = cameras.cam_to_world[:, :3, 2]
    # half the chord, not the arc cosine, which loses half the digits near zero
    return 2 * torch.asin((torch.cdist(axis, axis, compute_mode="donot_use_mm_for_euclid_dist") / 2).clamp(max=1.0))


def _spanning_tree(angle: Tensor) -> list[tuple[int, int]]:
    """Prim's algorithm; costs are (angle, distance in order, view) so that there is one answer."""
    views = len(angle)
    table = [[round(value, 6) for value in row] for row in angle.tolist()]
    cost = {view: (table[0][view], view, 0, view) for view in range(1, views)}  # cheapest way into the tree
    pairs = []
    while cost:
        _, _, inside, fresh = min(cost.values())
        pairs.append((min(inside, fresh), max(inside, fresh)))
        del cost[fresh]
        for view in cost:
            cost[view] = min(cost[view], (table[fresh][view], abs(fresh - view), fresh, view))
    return sorted(pairs)
