"""From an estimator's disparity, known up to its unit, to the depth channel the networks see.

1. ``d = raw / (unit * radius)``: what the unit says stands at the pivot gets the pivot's disparity;
2. where the nearest pixel of a picture comes closer than the near plane, the picture is pushed back
   as a whole: ``d <- d / (near * max d)``;
3. ``d <- max(d, 1e-3)``: an estimator's zero means far, not infinitely far;
4. ``u = (d - 1/near) / (1/far - 1/near)`` clipped to [0, 1]; the channel is ``2 u - 1``.

Steps 2 to 4 are those of ivid's public code, whose unit for MiDaS is 6250 at a radius of 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["MIDAS_UNIT", "depth_channel"]

MIDAS_UNIT = 6250.0
"""What the authors divide the output of MiDaS' ``dpt_beit_large_512`` by."""

FARTHEST = 1e-3


def depth_channel(raw: Tensor, *, unit: float, radius: float, near: float, far: float) -> Tensor:
    """Relative disparities to codes in [-1, 1], -1 near, +1 far.

    Args:
        raw: what an estimator said, larger = nearer, [N, H, W].
        unit: the raw value taken to stand at the pivot.
        radius: distance from the camera to the pivot; `near` and `far` are in its unit.
    """
    disparity = raw.float() / (unit * radius)
    nearest = disparity.amax((-2, -1), keepdim=True)
    disparity = torch.where(nearest * near > 1, disparity / (near * nearest.clamp(min=FARTHEST)), disparity)
    u = (disparity.clamp(min=FARTHEST) - 1 / near) / (1 / far - 1 / near)
    return 2 * u.clamp(0, 1) - 1
