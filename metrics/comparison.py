"""Methods against one another by one metric: differences, doubts, and the ranks that are left.

Two ways in, one `Comparison` out:

    compare            from values of scenes (`per_scene.parquet`): paired differences, sign-flip
                       tests, effect sizes
    compare_intervals  from values with intervals, for metrics of sets (FID, KID): conservative

Both correct all pairs together (Holm), and rank what is compared (`ranking`). Correction is within
one metric: who reads thirty columns will find one significant difference too many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..scenes.errors import UserError
from .bootstrap import interval_of_mean
from .paired_tests import (
    Difference,
    cliffs_delta,
    holm,
    interval_difference,
    probability_of_improvement,
    sign_flip_test,
)
from .ranking import RankRange, rank_ranges
from .statistics import mean

__all__ = ["LEVEL", "Comparison", "Pair", "compare", "compare_intervals"]

LEVEL = 0.05
REPAIR = "Run `viewsweep evaluate` again; finished scenes are kept."

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two methods by one metric.

    Args:
        first, second: names.
        difference: value of `first` less that of `second`, in the metric's unit.
        low, high: 95 % interval of the difference, not corrected for the other pairs; None from one scene.
        p: two-sided p-value of no difference.
        p_holm: the same, corrected for all pairs of the comparison.
        improvement: share of scenes on which `first` is better (not: higher), equal ones counting
            half; None without values of scenes.
        cliffs_delta: P(`first` better) - P(`second` better) over all pairs of scenes; None likewise.
        better: the one that is surely better (`p_holm` at most 0.05), or None.
    """

    first: str
    second: str
    difference: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    improvement: float | None
    cliffs_delta: float | None
    better: str | None


@dataclass(frozen=True)
class Comparison:
    """Every pair of methods by one metric, and the ranks that follow; `methods` by value, best first."""

    metric: str
    higher_is_better: bool
    values: Mapping[str, float]
    pairs: tuple[Pair, ...]
    ranks: Mapping[str, RankRange]

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.values)

    def pair(self, first: str, second: str) -> Pair:
        """The pair of two methods, in the order it is kept in."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair
        raise ValueError(f"{first} and {second} were not compared.")

    def to_frame(self) -> pd.DataFrame:
        """The pairs as a table, one line a pair."""
        names = list(Pair.__dataclass_fields__)
        return pd.DataFrame([asdict(pair) for pair in self.pairs], columns=pd.Index(names))


def compare(table: pd.DataFrame, metric: str, methods: Sequence[str], higher_is_better: bool) -> Comparison:
    """Compare methods by their values of the same scenes.

    Args:
        table: the columns of ``per_scene.parquet``; lines with view -1 hold values of whole scenes.
        metric: metric id; ids of pairs of views at a distance (``id@30``) work as well.
        methods: names to compare; their order changes no number.
        higher_is_better: direction of the metric.

    Raises:
        UserError: a method has no values of the metric, lacks a scene another one has, or drew it
            with another seed or class, so that numbers cannot be paired; or the table is broken.
        ValueError: a method listed twice.
    """
    names = _distinct(methods)
    values = _paired_values(table, metric, names)
    sign = 1.0 if higher_is_better else -1.0
    differences, effects = {}, {}
    for first, second in combinations(names, 2):
        gaps = (values[first] - values[second]).tolist()
        low, high = interval_of_mean(gaps) or (None, None)
        differences[first, second] = Difference(mean(gaps), low, high, sign_flip_test(gaps))
        effects[first, second] = (
            probability_of_improvement([sign * gap for gap in gaps]),
            sign * cliffs_delta(values[first].tolist(), values[second].tolist()),
        )
    means = {name: mean(values[name].tolist()) for name in names}
    return _comparison(metric, higher_is_better, means, differences, effects)


def compare_intervals(
    metric: str, results: Mapping[str, tuple[float, float, float]], higher_is_better: bool
) -> Comparison:
    """Compare methods by values with intervals alone; for metrics of sets.

    Conservative: a method counts as better only where about the intervals do not touch, and never
    by the pairing of scenes. Both sides must have been measured on the same number of pictures, for
    FID grows as pictures grow fewer.

    Args:
        metric: metric id.
        results: value, low and high end of each method.
        higher_is_better: direction of the metric.
    """
    differences = {
        (first, second): interval_difference(results[first], results[second])
        for first, second in combinations(sorted(results), 2)
    }
    return _comparison(
        metric, higher_is_better, {name: results[name][0] for name in sorted(results)}, differences, None
    )


def _comparison(
    metric: str,
    higher_is_better: bool,
    values: Mapping[str, float],
    differences: Mapping[tuple[str, str], Difference],
    effects: Mapping[tuple[str, str], tuple[float, float]] | None,
) -> Comparison:
    pairs = []
    adjusted = holm([difference.p for difference in differences.values()])
    for ((first, second), difference), p_holm in zip(differences.items(), adjusted, strict=True):
        improvement, delta = effects[first, second] if effects else (None, None)
        better = None
        if p_holm <= LEVEL and difference.value:
            better = first if (difference.value > 0) == higher_is_better else second
        pairs.append(
            Pair(
                first,
                second,
                difference.value,
                difference.low,
                difference.high,
                difference.p,
                p_holm,
                improvement,
                delta,
                better,
            )
        )
    won = {
        (pair.better, pair.second if pair.better == pair.first else pair.first)
        for pair in pairs
        if pair.better is not None
    }
    ordered = sorted(values, key=lambda name: (-values[name] if higher_is_better else values[name], name))
    ranks = rank_ranges(ordered, won)
    return Comparison(metric, higher_is_better, {name: values[name] for name in ordered}, tuple(pairs), ranks)


def _distinct(methods: Sequence[str]) -> list[str]:
    if len(set(methods)) != len(methods):
        raise ValueError("a method is listed twice.")
    return sorted(methods)


def _paired_values(table: pd.DataFrame, metric: str, methods: list[str]) -> dict[str, Array]:
    """The values of each method, scene by scene in one order."""
    whole = table[(table["metric"] == metric) & (table["view"] == -1)]
    own = {name: whole[whole["method"] == name].sort_values("index") for name in methods}
    for name, rows in own.items():
        if rows.empty:
            raise UserError(
                f"{name} has no values of scenes for {metric}, so it cannot be compared scene by scene.",
                hint="Leave it out, or compare by intervals where the metric is one of sets.",
            )
        if rows["index"].duplicated().any():
            again = int(rows["index"][rows["index"].duplicated()].iloc[0])
            raise UserError(f"{metric}: {name} has scene {again} twice.", hint=REPAIR)
        if not np.isfinite(rows["value"].to_numpy(dtype=np.float64)).all():
            raise UserError(f"{metric}: {name} has a value that is not finite.", hint=REPAIR)
    scenes = {name: set(rows["index"].tolist()) for name, rows in own.items()}
    union = set().union(*scenes.values()) if scenes else set()
    for name in methods:
        missing = sorted(union - scenes[name])
        if missing:
            holder = next(other for other in methods if missing[0] in scenes[other])
            which = f"scene {missing[0]}" if len(missing) == 1 else f"{len(missing)} scenes (first: {missing[0]})"
            raise UserError(
                f"{metric}: {name} lacks {which} that {holder} has, so the two cannot be paired.",
                hint="Compare methods that drew the same scenes; `viewsweep evaluate` tells which failed.",
            )
    _check_same_scenes(metric, own)
    return {name: rows["value"].to_numpy(dtype=np.float64) for name, rows in own.items()}


def _check_same_scenes(metric: str, own: Mapping[str, pd.DataFrame]) -> None:
    """Refuse scenes that share an index but were asked for with other seeds or classes."""
    for what in ("seed", "label"):
        known: dict[int, tuple[str, int]] = {}
        for name, rows in own.items():
            for index, value in zip(rows["index"].tolist(), rows[what].tolist(), strict=True):
                if value < 0:  # not known
                    continue
                other, before = known.setdefault(index, (name, value))
                if before != value:
                    raise UserError(
                        f"{metric}: scene {index} has {what} {value} in {name} but {before} in {other}, "
                        "so the two cannot be paired.",
                        hint="Compare methods that were run with the same protocol.",
                    )
