"""`DepthSelfAgreement`: are the depth maps of a sweep of one scale, and do they give back each other's depth? (D2)

Definition. Surface pixels of view i are carried into view j by i's depth (see `warping`), to z-depth
z; d_j is what j shows there. No colour plays a part. The *log ratio* of the directed pair is

    r_ij = median of ln(d_j / z) over solid pixels with |d_j - z| < 20 % of z

and that of the pair e_ij = (r_ij - r_ji) / 2, half the difference of both directions, in which
errors that are no matter of scale cancel. If each view's depth is off by a factor
exp(s_i), then e_ij = s_j - s_i to first order. The s_i are found from all pairs by least squares
(mean zero among connected views), and

    scale_jitter = sqrt(sum of s_i^2 / (views - connected parts))

the standard deviation of scale from view to view, at most 0.5: 0.02 says that depths are off by 2 %
from one view to the next. A view's value is its part in it, in proportion to s_i^2, such that the
mean is the jitter.

    depth_round_trip = mean of min(|d' - d| / d, 1/8) over tested pixels

where d' comes of carrying a pixel into j and what j shows back into i (see `round_trip`, which says
what is tested); a pixel that j sees through, or that contradicts j, counts 1/8. At most half of the
surface is excused; what is excused beyond counts 1/8.

Both are best at 0. Worst value. A pair with less than 5 % of the surface within the 20 %, in either
direction, says nothing about scale: it counts as a jitter of 0.5 in the mean over pairs. A pair
without a surface has a round trip of 1/8.

When it misleads. The tolerance of 20 % cuts off: a jitter beyond about 0.08 reads too low for the
pairs that are left, and is raised by those that are not. Measured against injected factors it is
right within 3 % between neighbours and at 30 degrees, within 15 % at 60, and an order of magnitude
at 90, where scale turns into shifts along the surface. Turning the same solid, a frozen ball for
one, agrees with itself.

Source: the log median ratio of scale alignment in monocular depth (Zhou et al., CVPR 2017); the
round trip of Yao et al., "MVSNet", ECCV 2018.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .pair_metric import PairMetric
from .result import Definition
from .round_trip import MAXIMUM_EXCUSED
from .shared_warps import shared

__all__ = ["DepthSelfAgreement", "depth_agreement", "view_scales"]

Array = npt.NDArray[np.float64]

TOLERANCE = 0.2
MINIMUM_COVISIBLE = 0.05
WORST_JITTER = 0.5
WORST_ROUND_TRIP = 0.125  # a power of two: means of it are exact


class DepthSelfAgreement(PairMetric):
    """Scale jitter of depth from view to view, and the depth lost on the way to a neighbour and back.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = DepthSelfAgreement()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> bool(metric.compute() < 0.005)
        True
    """

    name = "depth_self_agreement"
    title = "Depth self-agreement"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"depth", "cameras"})

    _ids = (
        Definition(
            "scale_jitter",
            "Depth scale jitter",
            version,
            unit,
            False,
            "Standard deviation of the scale of depth from view to view, relative: 0.02 is 2 %. 0 to 0.5; views "
            "whose depths have nothing in common count 0.5.",
        ),
        Definition(
            "depth_round_trip",
            "Depth round trip",
            version,
            "",
            False,
            "Mean relative difference of depth after a way to the neighbouring view and back; 0 to 0.125, where "
            "contradictions count 0.125 and legitimate occlusions are left out.",
        ),
    )
    _bounds = ((0.0, WORST_JITTER), (0.0, WORST_ROUND_TRIP))

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        return depth_agreement(scene, pairs)

    def _at_gap(self, cameras: Cameras, pairs: list[tuple[int, int]], values: Tensor) -> Tensor:
        ratios = values[:, 0].numpy().reshape(-1, 2)
        linked = np.isfinite(ratios).all(1)
        parts = _parts(len(cameras), [pair for pair, fine in zip(pairs, linked, strict=True) if fine], ratios[linked])
        jitter = np.full(ratios.shape, WORST_JITTER)
        jitter[linked] = parts
        return torch.stack([torch.from_numpy(jitter.reshape(-1)), values[:, 1]], 1)


def depth_agreement(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """Log ratio and mean round trip of each pair in both directions, float64, [2 P, 2].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target. The log ratio is NaN where
            too little of the surface is seen by both.
    """
    warps = shared(scene)
    rows = []
    for crossing in warps.crossings(pairs):
        carried, home = crossing.warp, crossing.home
        seen = carried.agrees(TOLERANCE)
        surface = warps.surfaces.listed[crossing.targets].sum(1)
        ratio = torch.log(carried.found.depth / carried.depth).numpy()
        off = home.off.nan_to_num(nan=WORST_ROUND_TRIP).clamp_(max=WORST_ROUND_TRIP).numpy()
        for k, total in enumerate(surface.tolist()):
            common = ratio[k][seen[k].numpy()]
            enough = len(common) > 0 and len(common) >= MINIMUM_COVISIBLE * total
            lost = off[k][home.tested[k].numpy()]
            missing = max(0.0, (1 - MAXIMUM_EXCUSED) * total - len(lost))
            counted = len(lost) + missing
            trip = (float(lost.sum()) + WORST_ROUND_TRIP * missing) / counted if counted else WORST_ROUND_TRIP
            # a mean of equal numbers may round above them
            rows.append([float(np.median(common)) if enough else math.nan, min(trip, WORST_ROUND_TRIP)])
    return torch.tensor(rows, dtype=torch.float64)


def view_scales(views: int, pairs: list[tuple[int, int]], ratios: Array) -> tuple[Array, int]:
    """Logarithm of each view's scale of depth, mean zero among connected views, [V], and how many are free.

    Args:
        views: how many there are.
        pairs: views (a, b).
        ratios: log ratios with a and with b as target, finite, [P, 2].
    """
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    step = (ratios[:, 0] - ratios[:, 1]) / 2
    matrix = np.zeros((len(pairs), views))
    matrix[np.arange(len(pairs)), first] = -1
    matrix[np.arange(len(pairs)), second] = 1
    found, _, rank, _ = np.linalg.lstsq(matrix, step, rcond=None)  # the shortest solution has mean zero
    scale: Array = np.asarray(found, dtype=np.float64)
    return scale, int(rank)


def _parts(views: int, pairs: list[tuple[int, int]], ratios: Array) -> Array:
    """What each pair's targets contribute to the jitter, [P, 2], such that the mean is the jitter."""
    if not pairs:
        return np.zeros((0, 2))
    scale, free = view_scales(views, pairs, ratios)
    jitter = math.sqrt(math.fsum(scale**2) / max(free, 1))
    if jitter == 0:
        return np.zeros((len(pairs), 2))
    both = np.array(pairs)
    often = np.bincount(both.reshape(-1), minlength=views)
    parts: Array = scale[both] ** 2 * both.size / (often[both] * max(free, 1) * jitter)
    return parts * min(1.0, WORST_JITTER / jitter)
