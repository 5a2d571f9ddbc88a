"""Leaving out surfaces that other views see through.

A view whose depth is off puts pieces of surface into what other views show to be free space; drawn
from elsewhere they float. A pixel's point is looked up in the depth map of every other view:

    bears out   the view shows a surface there, within `TOLERANCE` of the depth
    refutes     the view sees past it: what it shows, background too, lies farther away
    says nothing  the point is outside of the view, or behind what it shows

and is left out where more views refute it than bear it out, the point's own view counted among those.
Both are judged generously, by the 3 x 3 pixels about the point, so that silhouettes may differ by one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras

__all__ = ["agreed"]

TOLERANCE = 0.03


def agreed(depth: Tensor, points: Tensor, cameras: Cameras) -> Tensor:
    """Pixels that the other views do not see through, bool, [N, H, W].

    Args:
        depth: z-depth maps, [N, H, W]; NaN = background.
        points: their points in the world, float64, [N, H, W, 3].
        cameras: N cameras.
    """
    count, height, width = depth.shape
    surface = torch.isfinite(depth)
    nearest = -nn.functional.max_pool2d(torch.where(surface, -depth, -torch.inf)[:, None], 3, 1, 1)
    farthest = nn.functional.max_pool2d(torch.where(surface, depth, -torch.inf)[:, None], 3, 1, 1)
    place = points.reshape(-1, 3).nan_to_num(nan=0.0)
    inverse, matrix = cameras.world_to_cam.to(depth.device), cameras.intrinsics.to(depth.device)
    balance = torch.ones(count, height * width, dtype=torch.int32, device=depth.device)
    for view in range(count):
        local = place @ inverse[view, :3, :3].T + inverse[view, :3, 3]
        image = local @ matrix[view].T
        z = local[:, 2].float()
        x, y = image[:, 0] / image[:, 2] * width, image[:, 1] / image[:, 2] * height
        inside = (z > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        index = (y.clamp(0, height - 1).long() * width + x.clamp(0, width - 1).long()).nan_to_num()
        near, far = nearest[view].reshape(-1)[index], farthest[view].reshape(-1)[index]
        past = near > z * (1 + TOLERANCE)
        there = ~past & (far >= z * (1 - TOLERANCE))
        verdict = (inside & there).int() - (inside & past).int()
        verdict = verdict.reshape(count, -1)
        verdict[view] = 0
        balance += verdict
    return surface & (balance >= 0).reshape(depth.shape)
