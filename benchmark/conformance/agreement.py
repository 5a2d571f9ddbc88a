"""How badly the views of a scene contradict one another, from 0 (one solid) to 1 (nothing fits).

Every surface pixel of a view, clear of depth edges, is carried into a neighbouring view by its z-depth and
both cameras (see `metrics.warping`). Where the neighbour

    shows a surface    it costs half of the error of depth over 2 %, at most a half, and half of the
                       error of colour over a fifth of its range, at most a half
    sees through it    it costs 1
    is undecided       it is left out, as is a pixel that falls outside the picture

A pair of which less than a tenth of the pixels count costs 1. Colour is part of it because the depth of a
surface of revolution alone fits any turn; depth because plain surfaces have no other feature. What is hidden in
the neighbour costs something even in a perfect scene, so the number is to be compared, not to be read alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...metrics.warp_error import clear_of_edges
from ...metrics.warping import Surfaces, both_ways, warp
from ...scenes.scene import Scene

__all__ = ["disagreement", "near_pairs"]

DEPTH_SCALE = 0.02  # relative
COLOUR_SCALE = 0.2  # of the range
LEAST_SHARE = 0.1


def near_pairs(views: int) -> list[tuple[int, int]]:
    """Each view with the next one and the one after, in the order of the path."""
    return [(view, view + step) for step in (1, 2) for view in range(views - step)]


def disagreement(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """The cost of each pair in both directions, float64 in [0, 1], [2 P].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target.
    """
    surfaces = Surfaces(scene)
    clear = clear_of_edges(surfaces)
    colour = (scene.rgb.to("cpu", torch.float64) / 255).permute(3, 0, 1, 2).contiguous()
    own = [surfaces.of_pixels(channel) for channel in colour]
    costs = []
    for targets, sources in both_ways(pairs, surfaces):
        found = warp(surfaces, targets, sources)
        counted = clear[targets] & (found.found.solid | found.found.empty)
        depth = ((found.found.depth - found.depth).abs() / found.depth / DEPTH_SCALE).clamp(max=1)
        difference = torch.zeros_like(depth)
        for channel, shown in zip(colour, own, strict=True):
            difference += (surfaces.sample(channel, found.found.footprints) - shown[targets]).abs() / 3
        cost = (depth + (difference / COLOUR_SCALE).clamp(max=1)) / 2
        cost = torch.where(found.found.solid, cost, 1.0)
        count, whole = counted.sum(1), clear[targets].sum(1)
        mean = torch.where(counted, cost, 0.0).sum(1) / count.clamp(min=1)
        enough = (count > 0) & (count >= LEAST_SHARE * whole)
        costs.append(torch.where(enough, mean, 1.0))
    return torch.cat(costs)
