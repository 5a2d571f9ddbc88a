"""`PrecisionRecall`: are the pictures real ones, and does every kind of real picture occur?

Definition, with B_k(x) the open ball around x that reaches to its k-th nearest neighbour in x's own
set, N generated pictures y and N reference pictures x (k = 5):

    precision = share of y that lie in any B_k(x)      (Kynkäänniemi et al., NeurIPS 2019)
    recall    = share of x that lie in any B_k(y)
    density   = mean over y of (number of B_k(x) that hold y) / k      (Naeem et al., ICML 2020)
    coverage  = share of x whose B_k(x) holds any y

All from 0; precision, recall and coverage up to 1, and higher is better. Density is 1 for real pictures on
average; it may exceed 1, and then is no better, for blurred pictures crowd where real ones are densest.
Precision and density speak of fidelity, recall and coverage of variety. Density and coverage are the
robust ones: one stray reference picture has a huge ball, which lends precision to anything near it, and
one stray generated picture does so to recall.

Only one view of each scene takes part, or the nearest neighbours would be the sibling views of the
same object and all balls would shrink to nothing. Which view depends on the scene's index alone. The
larger set is cut to the size of the smaller by a fixed draw, for the numbers depend on N.

The interval is the delete-group jackknife over generated scenes, the reference being fixed.

When it misleads. Below some hundred scenes the balls are wide and all methods look good. Values of
another N, k or network cannot be compared. It sees neither geometry nor agreement of views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .base import Array
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric, Whole

__all__ = ["NEIGHBOURS", "ManifoldScores", "PrecisionRecall", "manifold_scores"]

NEIGHBOURS = 5
SEED = 2020
BLOCK = 512  # rows of a distance matrix at once

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ManifoldScores:
    """Four numbers about two sets of points, see the module."""

    precision: float
    recall: float
    density: float
    coverage: float


class PrecisionRecall(SetMetric):
    """Precision, recall, density and coverage of generated pictures, one view a scene.

    Args:
        network: name of the feature network, part of the metric's ids.
    """

    name = "precision_recall"
    title = "Precision"
    version = 1
    unit = "share"
    higher_is_better = True
    needs = frozenset({"rgb", "reference"})

    _keeps = "embedding"
    _ids = (
        Definition(
            "precision",
            title,
            version,
            unit,
            True,
            "Share of generated pictures that lie among the reference pictures (within the 5-neighbour ball of any), "
            "one view a scene; 0 to 1. n counts scenes; compare values of equal n only.",
        ),
        Definition(
            "recall",
            "Recall",
            version,
            unit,
            True,
            "Share of reference pictures that lie among the generated ones (within the 5-neighbour ball of any), one "
            "view a scene; 0 to 1, low where kinds of pictures are missing. n counts scenes.",
        ),
        Definition(
            "density",
            "Density",
            version,
            "",
            None,
            "In how many 5-neighbour balls of reference pictures a generated picture lies, divided by 5, one view a "
            "scene; 0 and up, 1 expected of real pictures; more is a crowd where they are densest. n counts scenes.",
        ),
        Definition(
            "coverage",
            "Coverage",
            version,
            unit,
            True,
            "Share of reference pictures that have a generated one within their 5-neighbour ball, one view a scene; "
            "0 to 1, low where kinds of pictures are missing. n counts scenes.",
        ),
    )
    _bounds = ((0.0, 1.0), (0.0, 1.0), (0.0, float("inf")), (0.0, 1.0))

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        fake, real = fake.one_per_scene(), real.one_per_scene()
        count = min(len(fake), len(real))
        for name, side in (("generated", fake), ("reference", real)):
            if len(side) <= NEIGHBOURS:
                reason = f"balls of {NEIGHBOURS} neighbours need at least {NEIGHBOURS + 1} {name} scenes; "
                return [MetricResult.not_run(f"{reason}there are {len(side)}.", len(fake))] * 4
        fake, real = _drawn(fake, count), _drawn(real, count)
        groups, own = fake.groups()
        value, *deleted = _scores(real.rows, fake.rows, NEIGHBOURS, own)
        columns = [[getattr(scores, entry.id) for scores in (value, *deleted)] for entry in self._ids]
        return [self._ok(column[0], column[1:], groups, count, which) for which, column in enumerate(columns)]


def manifold_scores(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = NEIGHBOURS) -> ManifoldScores:
    """Precision, recall, density and coverage of the points `fake` [N, D] against `real` [M, D].

    The papers take N = M. Memory stays within a block of 512 rows of distances, whatever N.

    Args:
        real, fake: features; at least k + 1 rows each.
        k: how far a ball reaches, in neighbours.

    Raises:
        ValueError: shapes that do not fit, fewer than k + 1 rows, numbers that are not finite.

    Example:
        >>> line = [[0.0], [1.0], [2.0], [3.0]]
        >>> manifold_scores(line, [[0.5], [1.5], [100.0], [101.0]], k=1)
        ManifoldScores(precision=0.5, recall=0.75, density=1.0, coverage=0.75)
    """
    x, y = np.asarray(real, dtype=np.float64), np.asarray(fake, dtype=np.float64)
    if k < 1 or x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) <= k:
        raise ValueError(
            f"features must be matrices [N, D] of one width and more than k = {k} rows; "
            f"got {list(x.shape)}, {list(y.shape)}."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features must be finite.")
    return _scores(x, y, k, np.zeros(len(y), dtype=np.int64))[0]


def _drawn(pictures: Pictures, count: int) -> Pictures:
    """`count` of the pictures, by a draw that depends on their number alone."""
    shuffled = np.random.RandomState(SEED).permutation(len(pictures))  # the legacy stream, which never changes
    return pictures.where(np.sort(shuffled[:count]))


def _scores(real: Array, fake: Array, k: int, group: Whole) -> list[ManifoldScores]:
    """The scores of all points, then those with each group of `fake` left out, where enough are left."""
    groups = int(group.max()) + 1
    kept = np.vstack([np.ones(len(fake), dtype=bool), group[None] != np.arange(groups)[:, None]])  # [1 + G, N]
    if groups == 1 or kept.sum(1).min() <= k:
        kept = kept[:1]
    centre = real.mean(0)  # distances from products of rows lose the digits of a common offset
    real, fake = real - centre, fake - centre
    real_reach = _reach(real, k, np.ones((1, len(real)), dtype=bool))[0]
    fake_reach = _reach(fake, k, kept)  # [1 + G, N]
    inside = np.zeros(len(fake), dtype=np.int64)
    recalled, covered = np.zeros(len(kept), dtype=np.int64), np.zeros(len(kept), dtype=np.int64)
    for rows, square in _squares(real, fake):
        near = square < real_reach[rows, None]
        inside += near.sum(0)
        for which, among in enumerate(kept):
            covered[which] += (near & among).any(1).sum()
            recalled[which] += ((square < fake_reach[which]) & among).any(1).sum()
    return [
        ManifoldScores(
            precision=float((inside[among] > 0).mean()),
            recall=float(recalled[which] / len(real)),
            density=float(1.0 / k * inside[among].mean()),
            coverage=float(covered[which] / len(real)),
        )
        for which, among in enumerate(kept)
    ]


def _reach(points: Array, k: int, kept: Flags) -> Array:
    """Squared distance of each point to its k-th nearest neighbour among those `kept` [K, N], [K, N]."""
    reach = np.empty(kept.shape)
    for rows, square in _squares(points, points):
        here = np.arange(rows.start, rows.stop)
        square[here - rows.start, here] = np.inf  # no point is its own neighbour
        for which, among in enumerate(kept):
            reach[which, rows] = np.partition(square[:, among], k - 1, axis=1)[:, k - 1]
    return reach


def _squares(points: Array, others: Array) -> Iterator[tuple[slice, Array]]:
    """Squared distances of the points to all others, a block of rows at a time."""
    norms = np.square(others).sum(1)
    for start in range(0, len(points), BLOCK):
        rows = slice(start, min(start + BLOCK, len(points)))
        part = points[rows]
        square = np.square(part).sum(1)[:, None] + norms - 2 * part @ others.T
        yield rows, square.clip(min=0.0, out=square)  # rounding may leave less than nothing
