"""What `rasterise` draws, with a ray through every sample and loops over faces, in float64.

A face is a triangle in the camera's space; where a sample's ray meets its plane is found by solving
three linear equations, so nothing here shares a formula with the fast one. For tests, not for use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

__all__ = ["Reference", "rasterise_reference"]

EDGE = 1e-3


@dataclass(frozen=True)
class Reference:
    """What each sample of one picture sees.

    Args:
        face: number of the nearest face, [h, w]; -1 = none.
        weights: of its corners at the point that is hit, [h, w, 3].
        depth: z-depth, [h, w]; NaN = none.
        decided: where no face's edge passes within a thousandth of a sample, and no other face is as
            near as a ten-thousandth, bool, [h, w]: elsewhere rounding decides.
    """

    face: np.ndarray
    weights: np.ndarray
    depth: np.ndarray
    decided: np.ndarray


def rasterise_reference(corners: Tensor, keep: Tensor, height: int, width: int) -> Reference:
    """Arguments as those of `rasterise` for one picture: corners [F, 3, 3], keep [F]."""
    face = np.full((height, width), -1)
    weights, depth = np.zeros((height, width, 3)), np.full((height, width), math.nan)
    decided = np.ones((height, width), dtype=bool)
    triangles = corners.double().numpy()
    # x = X / Z and y = Y / Z of a camera with its focal length 1 sample
    solid = [np.array([[x * z, y * z, z] for x, y, z in triangle]).T for triangle in triangles]
    for row in range(height):
        for column in range(width):
            ray = np.array([column + 0.5, row + 0.5, 1.0])
            for number in np.flatnonzero(keep.numpy()):
                found = _meet(solid[number], triangles[number], ray)
                if found is None:
                    continue
                share, z, margin = found
                if abs(margin) < EDGE:
                    decided[row, column] = False
                if margin < 0:
                    continue
                if face[row, column] >= 0 and abs(z / depth[row, column] - 1) < 1e-4:
                    decided[row, column] = False
                if not z >= depth[row, column]:
                    face[row, column], weights[row, column], depth[row, column] = number, share, z
    return Reference(face, weights, depth, decided)


def _meet(solid: np.ndarray, triangle: np.ndarray, ray: np.ndarray) -> tuple[np.ndarray, float, float] | None:
    """Weights and depth where a ray meets a front face, and how far inside (samples); None = its back."""
    (ax, ay, _), (bx, by, _), (cx, cy, _) = triangle
    if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) <= 1e-8:
        return None
    share = np.linalg.solve(solid, ray)  # ray = sum of share_k corner_k
    if share.sum() <= 0:
        return None
    z = 1 / share.sum()
    distances = []
    for k in range(3):
        p, q = triangle[(k + 1) % 3, :2], triangle[(k + 2) % 3, :2]
        along = (q - p) / np.hypot(*(q - p))
        distances.append(along[0] * (ray[1] - p[1]) - along[1] * (ray[0] - p[0]))
    return share * z, z, min(distances)
