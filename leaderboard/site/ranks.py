"""Rank ranges among many methods of which only values and intervals are known.

The claim is that of `metrics.comparison.compare_intervals`: half widths are added, all pairs are
corrected together (Holm, 95 %), and a method counts as better than another about where their
intervals do not touch. That function keeps a record of each pair, which for the 125,000 pairs of 500
methods takes minutes; here pairs are matrices. A test holds the two to the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from ...metrics.comparison import LEVEL
from ...metrics.ranking import RankRange
from ...metrics.statistics import CONFIDENCE, JACKKNIFE_GROUPS

__all__ = ["interval_ranks"]

FREEDOM = JACKKNIFE_GROUPS - 1

Array = npt.NDArray[np.float64]


def interval_ranks(results: Mapping[str, tuple[float, float, float]], higher_is_better: bool) -> dict[str, RankRange]:
    """The range of ranks of each method, as far as intervals tell; empty for fewer than two methods.

    Args:
        results: value, low and high end of the 95 % interval of each method, low <= value <= high.
        higher_is_better: direction of the metric.
    """
    names = sorted(results)
    if len(names) < 2:
        return {}
    table = np.array([results[name] for name in names], dtype=np.float64)
    values = table[:, 0] if higher_is_better else -table[:, 0]
    reach = np.maximum(table[:, 0] - table[:, 1], table[:, 2] - table[:, 0])
    first, second = np.triu_indices(len(names), 1)
    gaps = values[first] - values[second]
    surely = _holm(_p_values(gaps, reach[first] + reach[second])) <= LEVEL
    surely &= gaps != 0
    winners = np.where(gaps > 0, first, second)[surely]
    losers = np.where(gaps > 0, second, first)[surely]
    wins = np.bincount(winners, minlength=len(names))
    losses = np.bincount(losers, minlength=len(names))
    return {name: RankRange(1 + int(losses[k]), len(names) - int(wins[k])) for k, name in enumerate(names)}


def _p_values(gaps: Array, reach: Array) -> Array:
    """Two-sided p-values of no difference, [pairs]; intervals without width leave no doubt."""
    error = reach / float(stdtrit(FREEDOM, 0.5 + CONFIDENCE / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(FREEDOM, -np.abs(gaps) / error)
    return np.where(error == 0, np.where(gaps == 0, 1.0, 0.0), p)


def _holm(p: Array) -> Array:
    """Adjusted p-values in the order given, [pairs]."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, (len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(stepped)
    return adjusted
