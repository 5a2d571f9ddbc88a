"""`NonFlatness`: is the frontal view a solid, or a picture on a card? (D3)

Both numbers look at the surface of the one view closest to the front, because turned views spread
in depth even when the object is flat. Its surface are the pixels that share a solid 2x2 footprint with
their neighbours (see `warping`): a pixel that hangs in the air alone is noise, not relief.

Flat means: on a plane, whichever way it faces. So first the best affine plane a + b u + c v is taken out
of inverse depth (that of any plane is affine in the image). What remains is the relief.

**plane_residual**: root mean square of the residual over mean inverse depth. 0 for every card; grows
linearly with relief.

**nfs**, the non-flatness score of 3DGP (Skorokhodov et al., "3D generation on ImageNet", ICLR 2023),
of the relief: the histogram in B = 64 bins, as probabilities p, gives

    nfs = exp(-sum_b p_b ln p_b),   from 1 (all in one bin) to 64 (evenly spread)

3DGP takes z-depth itself, between the near and far plane of its cameras; then a card that is merely
tilted counts as a solid (64 if it is tilted over the full range), and a sweep from above sees every
upright card tilted. Bins over the object's own depths [p1, p99] would be worse: the rounding noise of a
card fills them all. Here the relief is a length, residual / (mean inverse depth)^2, how far the surface
lies before its plane to first order; the bins span as much relief as the object is wide (the larger of
its horizontal and vertical extents, p1 to p99 of the lifted points), with the median relief in the
middle of a bin. So the score does not change with the unit of length, the distance or the tilt; a card
scores 1 and a sphere about 21. Relief beyond the range counts in the outermost bins, as in 3DGP. Numbers
printed in papers are not comparable.

Where fewer than 16 pixels or less than a quarter of those with depth form a surface there is no solid to
speak of, and both score their worst values, 1 and 0.

When they mislead. Both reward bumps that are not there as long as they are smooth: read them beside
`geometric_share`. Above the value of true objects nfs says little, so compare with the oracle.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .base import SceneMetric
from .result import Definition
from .warping import Surfaces

__all__ = ["NonFlatness", "extent", "frontal_view", "non_flatness", "relief", "relief_range"]

BINS = 64
MINIMUM_PIXELS = 16
MINIMUM_SHARE = 0.25
FLAT_NFS, FLAT_RESIDUAL = 1.0, 0.0

Array = npt.NDArray[np.float64]


class NonFlatness(SceneMetric):
    """Spread of depth and distance from a plane in the frontal view.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = NonFlatness()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> bool(metric.compute() > 5)
        True
    """

    name = "non_flatness"
    title = "Non-flatness"
    version = 1
    unit = "bins"
    higher_is_better = True
    needs = frozenset({"depth", "cameras"})

    _ids = (
        Definition(
            "nfs",
            "Non-flatness score",
            version,
            unit,
            True,
            "Effective number of 64 bins that the frontal view's relief over its best plane fills, the bins spanning "
            "as much as the object is wide; 1 for any card and for noise, about 21 for a sphere.",
        ),
        Definition(
            "plane_residual",
            "Plane residual",
            version,
            "",
            True,
            "Relative distance of the frontal view's inverse depth from its best plane; 0 for any card, tilted or not.",
        ),
    )
    _bounds = ((1.0, float(BINS)), (0.0, math.inf))

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`."""
        lacking = self._lacks(scene)
        if lacking or scene.cameras is None or scene.depth is None:
            self._skip(index, lacking or "cameras")
            return
        view = frontal_view(scene.cameras)
        surfaces = Surfaces(scene.select([view]))
        surface = surfaces.coherent()[0]
        depth, uv = surfaces.depth[0, surface].numpy(), surfaces.uv[0, surface].numpy()
        score, residual = FLAT_NFS, FLAT_RESIDUAL
        if len(depth) >= max(MINIMUM_PIXELS, MINIMUM_SHARE * int(surfaces.listed.sum())):
            height = relief(depth, uv)
            score = non_flatness(height, *relief_range(height, extent(depth, uv, scene.cameras, view)))
            residual = float(np.sqrt(np.mean(height**2)) * np.mean(1 / depth))
        self._record(index, [-1], [-1], [math.nan], torch.tensor([[score, residual]], dtype=torch.float64))


def frontal_view(cameras: Cameras) -> int:
    """The view whose azimuth is closest to 0; of equals the most level one, then the first."""
    angles = zip(cameras.yaw.tolist(), cameras.pitch.tolist(), strict=True)
    return min(enumerate(angles), key=lambda item: (round(abs(item[1][0]), 6), round(abs(item[1][1]), 6), item[0]))[0]


def relief(depth: Array, uv: Array) -> Array:
    """How far surface pixels lie before their best plane, in the unit of depth, to first order, [N].

    Args:
        depth: z-depth, [N].
        uv: normalised image points, [N, 2].
    """
    disparity = 1 / depth
    plane = np.column_stack([np.ones(len(depth)), uv - uv.mean(0)])  # centred: better conditioned
    solution = np.linalg.lstsq(plane, disparity, rcond=None)[0]
    height: Array = (disparity - plane @ solution) / disparity.mean() ** 2
    return height


def extent(depth: Array, uv: Array, cameras: Cameras, view: int) -> float:
    """Width or height of the surface, whichever is larger, from percentile 1 to 99 of its points."""
    matrix = cameras.intrinsics[view].numpy()
    y = (uv[:, 1] - matrix[1, 2]) / matrix[1, 1]
    x = (uv[:, 0] - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
    low, high = np.percentile(np.stack([x * depth, y * depth]), [1, 99], axis=1)
    return max(float((high - low).max()), 1e-6 * float(depth.mean()))


def relief_range(height: Array, width: float) -> tuple[float, float]:
    """Ends of the histogram: `width` wide, the median in the middle of a bin."""
    low = float(np.median(height)) - width / 2 - width / (2 * BINS)
    return low, low + width


def non_flatness(values: Array, low: float, high: float, bins: int = BINS) -> float:
    """exp of the entropy of the histogram of values [N], N > 0, over [low, high]; in [1, bins]."""
    place = np.floor((values - low) / (high - low) * bins)
    count = np.bincount(np.clip(place, 0, bins - 1).astype(np.int64), minlength=bins)
    share = count[count > 0] / len(values)
    return min(float(bins), math.exp(-math.fsum(share * np.log(share))))
