"""Which views are compared with one another: neighbours along the sweep."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..scenes.cameras import Cameras

__all__ = ["adjacent_pairs"]

STEP_TOLERANCE = 1e-3  # relative; poses from float32 files differ by about 1e-6


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
    if max(steps) - min(steps) <= STEP_TOLERANCE * max(steps):
        pairs = [(k, k + 1) for k in range(views - 1)]
        if views > 2 and math.isclose(float(angle[-1, 0]), steps[0], rel_tol=STEP_TOLERANCE, abs_tol=1e-9):
            moved = torch.linalg.vector_norm(cameras.positions.roll(-1, 0) - cameras.positions, dim=1)
            if float(moved[-1]) <= (1 + STEP_TOLERANCE) * float(moved[:-1].max()) + 1e-9:
                pairs.append((views - 1, 0))
        return pairs
    return _spanning_tree(angle)


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
