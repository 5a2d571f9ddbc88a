"""Intervals whose unit is the scene, never the view or the pixel.

Views of one object resemble one another: with 24 views a scene and an intraclass correlation of
0.6 an interval over views is about four times too narrow. So

- a metric that is a mean over scenes gets the t-interval of its scene values (`mean_interval`),
  closed form and right for eight scenes as for thousands;
- a metric of a set (FID, KID, IS) gets the delete-group jackknife over scenes
  (`jackknife_interval`). A bootstrap would be wrong for FID: drawing scenes twice shrinks the
  covariance, and the interval can exclude the estimate itself.

Sums are exact (`math.fsum`), so results do not depend on the order of the scenes.

Sources: Miller, "Adding error bars to evals", arXiv 2411.00640 (clustered standard errors); Busing,
Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and Computing 9, 1999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

__all__ = [
    "CONFIDENCE",
    "JACKKNIFE_GROUPS",
    "SEED",
    "jackknife_error",
    "jackknife_groups",
    "jackknife_interval",
    "mean",
    "mean_interval",
]

CONFIDENCE = 0.95
JACKKNIFE_GROUPS = 20
SEED = 2020


def mean(values: Sequence[float]) -> float:
    """The mean from an exact sum: the same bits in any order."""
    if not values:
        raise ValueError("the mean of no values is not defined.")
    return math.fsum(values) / len(values)


def mean_interval(
    values: Sequence[float], *, bounds: tuple[float, float] = (-math.inf, math.inf), confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The t-interval of a mean over scenes.

    Args:
        values: one number a scene.
        bounds: range of the metric; the interval is cut there.
        confidence: probability that the interval covers the true mean.

    Returns:
        Low and high end, or None for fewer than two scenes.

    Example:
        >>> low, high = mean_interval([1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)
        (-0.484, 4.484)
    """
    if len(values) < 2:
        return None
    centre = mean(values)
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return _around(centre, math.sqrt(variance / len(values)), len(values) - 1, bounds, confidence)


def jackknife_groups(units: int, groups: int = JACKKNIFE_GROUPS) -> npt.NDArray[np.int64]:
    """Which group each of `units` scenes is deleted with, [units]; min(units, groups) groups.

    Dealt out in a shuffled order, the same every time: in their own order scenes may come class by
    class or in turn through the classes, and groups of one class each would pass the difference
    between classes for chance.
    """
    order = np.random.RandomState(SEED).permutation(units)  # the legacy stream, which never changes
    group = np.empty(units, dtype=np.int64)
    group[order] = np.arange(units) % max(1, min(units, groups))
    return group


def jackknife_interval(
    estimate: float,
    deleted: Sequence[float],
    sizes: Sequence[int],
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    confidence: float = CONFIDENCE,
) -> tuple[float, float] | None:
    """The interval of any statistic from its values with one group of scenes left out each time.

    Args:
        estimate: the statistic of all scenes.
        deleted: the statistic without group g, [G].
        sizes: scenes in group g, [G]; they may differ.
        bounds: range of the statistic.
        confidence: probability of coverage.

    Returns:
        Low and high end around `estimate`, or None for fewer than two groups.
    """
    error = jackknife_error(estimate, deleted, sizes)
    return None if error is None else _around(estimate, error, len(deleted) - 1, bounds, confidence)


def jackknife_error(estimate: float, deleted: Sequence[float], sizes: Sequence[int]) -> float | None:
    """The standard error behind `jackknife_interval`, or None for fewer than two groups."""
    groups = len(deleted)
    if groups != len(sizes):
        raise ValueError(f"{groups} leave-out values but {len(sizes)} group sizes.")
    if groups < 2:
        return None
    total = sum(sizes)
    corrected = groups * estimate - math.fsum(
        (1 - size / total) * value for size, value in zip(sizes, deleted, strict=True)
    )
    squares = []
    for size, value in zip(sizes, deleted, strict=True):
        fold = total / size
        pseudo = fold * estimate - (fold - 1) * value
        squares.append((pseudo - corrected) ** 2 / (fold - 1))
    return math.sqrt(math.fsum(squares) / groups)


def _around(
    centre: float, error: float, freedom: int, bounds: tuple[float, float], confidence: float
) -> tuple[float, float]:
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    # a value on the edge of its range stays inside its own interval
    return min(centre, max(bounds[0], centre - reach)), max(centre, min(bounds[1], centre + reach))
