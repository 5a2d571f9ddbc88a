"""`GeometricShare`: do the depth maps of neighbouring views describe one and the same solid? (C3)

Definition. Every surface pixel p of view i is carried into its neighbour j by i's depth. The point
that j's own depth shows there is carried back into i, to pixel p' at z-depth d'. The pixel
*passes* where it comes home:

    |p' - p| < 1 px * H / 256   and   |d' - d| / d < 1 %

(the geometric check of multi-view stereo; Yao et al., "MVSNet", ECCV 2018). The share is

    passed / max(tested, surface / 2)

Tested are all surface pixels of i except those that no depth map could be blamed for: out of j's
frame, on a silhouette of j, or hidden in j by something that i bears out (see `round_trip`). At
most half of the surface may be excused. A view without any surface scores 0.

Each pair of neighbours counts in both directions, the loop is closed where the sweep is a circle;
a scene's value is the mean over its directed pairs, a view's over those with it as target. At
64x64 the threshold is a quarter of a pixel and the tabletop oracle reaches 0.98 at 15 degrees.

When it misleads. Colours play no part. A solid of revolution turned about its axis is the same
solid, so depth that ignores the camera passes there; `warp_psnr` sees that.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..scenes.scene import Scene
from . import statistics
from .base import HEAD
from .pair_metric import PairMetric
from .result import Definition
from .round_trip import MAXIMUM_EXCUSED
from .shared_warps import shared
from .warping import REFERENCE_HEIGHT

__all__ = ["CURVE_PIXELS", "CURVE_TOLERANCES", "GeometricShare", "geometric_shares"]

CURVE_PIXELS = (0.25, 0.5, 1.0, 2.0, 4.0)
CURVE_TOLERANCES = (0.005, 0.01, 0.02)


class GeometricShare(PairMetric):
    """Share of surface pixels whose depth survives the round trip to the neighbouring view.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = GeometricShare()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> bool(metric.compute() > 0.95)
        True
    """

    name = "geometric_share"
    title = "Geometric agreement"
    version = 1
    unit = "share"
    higher_is_better = True
    needs = frozenset({"depth", "cameras"})

    _ids = (
        Definition(
            "geometric_share",
            title,
            version,
            unit,
            True,
            "Share of surface pixels whose depth agrees with the neighbouring view after a round trip "
            "(within 1 px at 256 px and 1 % of depth); legitimate occlusions are left out. 0 to 1.",
        ),
    )
    _bounds = ((0.0, 1.0),)
    _extra = len(CURVE_PIXELS) * len(CURVE_TOLERANCES)

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        return geometric_shares(scene, pairs)

    def curve(self) -> dict[tuple[float, float], float]:
        """The share at other thresholds: (pixels at 256 px, relative depth) -> mean over scenes.

        Which pixels are tested is decided at the headline's thresholds; empty before any scene.
        """
        with self._all_processes():
            table = self._table()
        table = table[table[:, 1] == 0]
        keys = [(pixels, tolerance) for pixels in CURVE_PIXELS for tolerance in CURVE_TOLERANCES]
        scenes = sorted(set(table[:, 0].tolist()))
        return {
            key: statistics.mean(
                [statistics.mean(table[table[:, 0] == scene, HEAD + 1 + k].tolist()) for scene in scenes]
            )
            for k, key in enumerate(keys)
            if scenes
        }


def geometric_shares(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """The share of each pair in both directions, then its curve, float64, [2 P, 1 + 15].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target.
    """
    warps = shared(scene)
    scale = warps.surfaces.height / REFERENCE_HEIGHT
    rows = []
    for crossing in warps.crossings(pairs):
        home = crossing.home
        least = (1 - MAXIMUM_EXCUSED) * warps.surfaces.listed[crossing.targets].sum(1).double()
        total = torch.maximum(home.tested.sum(1).double(), least).clamp(min=1)
        columns = [home.passed.sum(1)]
        tested, distance, off = home.tested.numpy(), home.distance.numpy(), home.off.numpy()
        close = [tested & (distance < pixels * scale) for pixels in CURVE_PIXELS]
        level = [off < tolerance for tolerance in CURVE_TOLERANCES]
        for near in close:
            columns.extend(torch.tensor([np.count_nonzero(row) for row in near & even]) for even in level)
        rows.append(torch.stack(columns, 1) / total[:, None])
    return torch.cat(rows)
