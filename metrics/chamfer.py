"""`Chamfer`: do the surfaces that two views show lie in the same place?

Definition. The depth maps of two views, lifted to the world, are point sets A and B.

    chamfer = 100 (median over x in A of min_{y in B} |x - y| + median over y in B of min_{x in A} |x - y|) / D

D is the size of the volume the cameras look into: the diameter of the ball around the point they look at that
fits into their field of view, 2 R sin(fov / 2) with R their median distance. It depends on the cameras
alone, so no method can change its unit. Medians, so that what only one view sees does not count until it is
more than half. Each pair is measured at several angles; both its views get the value.

Direction and range. Percent of the volume's size, lower is better, 0 to 200. The truth does not score 0: a
pixel's nearest neighbour is about half a pixel's footprint away. The floor halves when the resolution doubles.

Worst value. A view with fewer than 16 pixels of surface scores 200; farther sets are cut there.

When it misleads. It knows distances between sets, not which point belongs to which: depth that slides along
its own surface (turning a ball about its axis), a card that faces every camera at the same place, or an
object frozen in front of the camera that is nearly round, all pass. Above 60 degrees half the surface is no
longer shared and true objects score high. So read differences from the oracle at the same gap and
resolution, beside `geometric_share`. Numbers printed in papers are in units of their sampling step.

Source: Or-El et al., "StyleSDF: High-resolution 3D-consistent image and geometry generation", CVPR 2022, there
between the frontal and one side view, divided by the step along the ray.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ..scenes.alignment import canonical_world
from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .pair_metric import PairMetric
from .result import Definition
from .warping import Surfaces

__all__ = ["Chamfer", "modified_chamfer", "volume_size"]

Array = npt.NDArray[np.float64]
MAXIMUM_QUERIES = 2048
"""Points of a view whose neighbour is looked for, evenly spread over its list; all are candidates."""

MINIMUM_POINTS = 16
WORST = 200.0


class Chamfer(PairMetric):
    """Median distance between the surfaces of two views, in percent of the volume.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = Chamfer()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> bool(metric.compute() < 2)
        True
    """

    name = "chamfer"
    title = "Surface distance"
    version = 1
    unit = "%"
    higher_is_better = False
    needs = frozenset({"depth", "cameras"})

    _ids = (
        Definition(
            "chamfer",
            "Modified Chamfer",
            version,
            unit,
            False,
            "Median distance between the surfaces that two neighbouring views show, both ways, in percent of the "
            "volume the cameras look into; 0 to 200. Even true depth scores about one pixel's footprint.",
        ),
    )
    _bounds = ((0.0, WORST),)

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        surfaces = Surfaces(scene)
        size = volume_size(surfaces.cameras)
        clouds = [surfaces.points[view, surfaces.listed[view]].numpy() for view in range(scene.views)]
        trees = [cKDTree(cloud) if len(cloud) else None for cloud in clouds]
        rows = []
        for a, b in pairs:
            distance = math.inf
            if min(len(clouds[a]), len(clouds[b])) >= MINIMUM_POINTS:
                distance = _median(clouds[a], trees[b]) + _median(clouds[b], trees[a])
            rows += [[min(WORST, 100 * distance / size)]] * 2
        return torch.tensor(rows, dtype=torch.float64)


def modified_chamfer(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Median distance from points a [N, 3] to their nearest of b [M, 3], plus the other way round.

    Raises:
        ValueError: no points, or not three numbers each.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != 3 or y.shape[1] != 3 or not len(x) or not len(y):
        raise ValueError(
            f"point sets are [N, 3] with at least one point; these are {list(x.shape)} and {list(y.shape)}."
        )
    return _median(x, cKDTree(y)) + _median(y, cKDTree(x))


def volume_size(cameras: Cameras) -> float:
    """Diameter of the ball around the point the cameras look at that their field of view holds.

    Where their optical axes meet nowhere (one camera, parallel ones) their spread stands in for the distance.
    """
    similarity = canonical_world(cameras)
    distance = float(similarity.apply(cameras).positions.norm(dim=1).median()) / similarity.scale
    focal = float(cameras.intrinsics[:, [0, 1], [0, 1]].amax(1).median())  # the narrower field of view
    return 2 * distance * math.sin(math.atan(0.5 / focal))


def _median(points: Array, tree: cKDTree) -> float:
    chosen = np.linspace(0, len(points) - 1, min(len(points), MAXIMUM_QUERIES)).round().astype(np.int64)
    distances, _ = tree.query(points[chosen], workers=1)
    return float(np.median(distances))
