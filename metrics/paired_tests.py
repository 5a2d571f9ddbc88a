"""Is one method better than another, or was it luck? Tests of differences on the same scenes.

Two methods draw the same scenes, so they are compared scene by scene: what makes a scene hard is
hard for both and cancels. With d_s the difference of the two values of scene s:

    sign flips   if neither were better, each d_s could as well have been -d_s. p is the share of the
                 2^n ways to flip signs that bring |sum d| at least this high: all of them up to 13
                 scenes, else 10,000 seeded ones and p = (1 + count) / (1 + 10,000). Two-sided.
    holm         all pairs of K methods are K (K - 1) / 2 chances to be wrong; Holm's correction
                 keeps the chance of even one false claim below the level.
    effect size  how much better, beside how surely: Cliff's delta (over all pairs of scenes) and the
                 probability of improvement (over the scenes themselves; equal values count half).

Metrics of sets (FID, KID) have no values of scenes. Where both methods left out the same groups of
scenes, the jackknife of the difference gives its error (`jackknife_difference`). Where only two
intervals are known, their half widths are added (`interval_difference`): the error of a difference
never exceeds the sum of the errors, however the two are correlated, so this claims too little
rather than too much: about "the intervals do not touch".

When it misleads. Five scenes or fewer can never give p below 0.05 (2 / 2^5 = 0.0625). Tests say
nothing about retraining: the same method trained again may differ more than two methods here.

Sources: Fisher, "The design of experiments", 1935 (sign flips); Phipson and Smyth, "Permutation
p-values should never be zero", 2010; Holm, 1979; Cliff, "Dominance statistics", 1993; Agarwal et
al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from .statistics import CONFIDENCE, JACKKNIFE_GROUPS, SEED, jackknife_error

__all__ = [
    "EXACT_UP_TO",
    "FLIPS",
    "Difference",
    "cliffs_delta",
    "holm",
    "interval_difference",
    "jackknife_difference",
    "probability_of_improvement",
    "sign_flip_test",
]

EXACT_UP_TO = 13
FLIPS = 10_000
TIE = 1e-9  # relative to sum |d|; sums this close differ by rounding only
BLOCK = 4_000_000  # signs held at once


@dataclass(frozen=True)
class Difference:
    """First less second, its 95 % interval (None from a single scene), and the two-sided p-value of none."""

    value: float
    low: float | None
    high: float | None
    p: float


def sign_flip_test(differences: Sequence[float], *, flips: int = FLIPS, seed: int = SEED) -> float:
    """The two-sided p-value that the mean of paired differences is zero.

    Args:
        differences: one a scene, first method less second; swapping the methods or the order of the
            scenes changes no bit.
        flips: random flips where there are too many scenes to try all.
        seed: of the random flips.

    Example:
        >>> sign_flip_test([0.4, 0.1, 0.3, 0.2])
        0.125
    """
    if len(differences) == 0:
        raise ValueError("a test needs at least one scene.")
    if not all(math.isfinite(difference) for difference in differences):
        raise ValueError("differences must be finite.")
    sizes = np.sort(np.abs(np.asarray(differences, dtype=np.float64)))
    total = math.fsum(sizes.tolist())
    least = abs(math.fsum(differences)) - TIE * total
    if len(sizes) <= EXACT_UP_TO:
        return float(np.mean(np.abs(_all_signs(len(sizes)) @ sizes) >= least))
    count = sum(
        int(np.count_nonzero(np.abs(signs @ sizes) >= least)) for signs in _random_signs(len(sizes), flips, seed)
    )
    return (1 + count) / (1 + flips)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: below the level exactly where Holm's procedure rejects.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("p-values lie in [0, 1].")
    adjusted = [1.0] * len(p_values)
    worst = 0.0
    for place, which in enumerate(sorted(range(len(p_values)), key=lambda which: p_values[which])):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[which]))
        adjusted[which] = worst
    return adjusted


def cliffs_delta(first: Sequence[float], second: Sequence[float]) -> float:
    """P(first > second) - P(first < second) over all pairs of values, in [-1, 1].

    Example:
        >>> cliffs_delta([2.0, 3.0], [1.0, 2.0])
        0.75
    """
    if len(first) == 0 or len(second) == 0:
        raise ValueError("an effect size needs values on both sides.")
    ordered = np.sort(np.asarray(second, dtype=np.float64))
    below = np.searchsorted(ordered, first, side="left").sum()
    above = (len(ordered) - np.searchsorted(ordered, first, side="right")).sum()
    return float(below - above) / (len(first) * len(ordered))


def probability_of_improvement(differences: Sequence[float]) -> float:
    """Share of scenes with a positive difference, zero counting half, in [0, 1].

    Example:
        >>> probability_of_improvement([0.5, 0.0, -1.0, 2.0])
        0.625
    """
    if len(differences) == 0:
        raise ValueError("an effect size needs at least one scene.")
    return sum(1.0 if difference > 0 else 0.5 * (difference == 0) for difference in differences) / len(differences)


def jackknife_difference(
    first: float,
    second: float,
    first_deleted: Sequence[float],
    second_deleted: Sequence[float],
    sizes: Sequence[int],
    *,
    confidence: float = CONFIDENCE,
) -> Difference | None:
    """The difference of a set metric between two methods that left out the same groups of scenes.

    Args:
        first, second: the metric of all scenes.
        first_deleted, second_deleted: the metric without group g, [G] each.
        sizes: scenes in group g, [G].
        confidence: probability of coverage.

    Returns:
        With a t-test of G - 1 degrees of freedom, or None for fewer than two groups.
    """
    if not len(first_deleted) == len(second_deleted) == len(sizes):
        raise ValueError(
            f"{len(first_deleted)} and {len(second_deleted)} leave-out values for {len(sizes)} groups: "
            "only methods that left out the same groups of scenes can be paired."
        )
    deleted = [one - other for one, other in zip(first_deleted, second_deleted, strict=True)]
    error = jackknife_error(first - second, deleted, sizes)
    return None if error is None else _t_test(first - second, error, len(sizes) - 1, confidence)


def interval_difference(
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    *,
    freedom: int = JACKKNIFE_GROUPS - 1,
    confidence: float = CONFIDENCE,
) -> Difference:
    """The difference of two metrics of which only intervals are known; conservative.

    Args:
        first, second: value, low and high end. An interval that is cut at the edge of the metric's
            range counts by its longer side.
        freedom: degrees of freedom behind the intervals.
        confidence: probability of coverage of the two intervals, and of the result.
    """
    reach = 0.0
    for value, low, high in (first, second):
        if not low <= value <= high:
            raise ValueError(f"the interval [{low}, {high}] does not enclose the value {value}.")
        reach += max(value - low, high - value)
    return _t_test(first[0] - second[0], reach / float(stdtrit(freedom, 0.5 + confidence / 2)), freedom, confidence)


def _t_test(value: float, error: float, freedom: int, confidence: float) -> Difference:
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    if error == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    return Difference(value, value - reach, value + reach, 2 * float(stdtr(freedom, -abs(value) / error)))


@lru_cache(maxsize=4)
def _all_signs(count: int) -> npt.NDArray[np.float64]:
    """Every way to choose signs but for that of the last, which by symmetry may stay, [2^(count - 1), count]."""
    ways = np.arange(2 ** (count - 1))[:, None] >> np.arange(count)
    return np.asarray(1 - 2 * (ways & 1), dtype=np.float64)


def _random_signs(count: int, flips: int, seed: int) -> list[npt.NDArray[np.float64]]:
    if count * flips <= BLOCK:
        return [_cached_signs(count, flips, seed)]
    state, rows = np.random.RandomState(seed), max(1, BLOCK // count)
    return [_signs(state, min(rows, flips - start), count) for start in range(0, flips, rows)]


@lru_cache(maxsize=2)
def _cached_signs(count: int, flips: int, seed: int) -> npt.NDArray[np.float64]:
    return _signs(np.random.RandomState(seed), flips, count)  # the legacy stream, which never changes


def _signs(state: np.random.RandomState, rows: int, count: int) -> npt.NDArray[np.float64]:
    return np.asarray(1 - 2 * state.randint(0, 2, (rows, count), dtype=np.int8), dtype=np.float64)
