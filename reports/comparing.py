"""Methods two by two: who is better on which metric, by how much, and whether that may be luck.

Differences are those of `metrics.comparison`: paired scene by scene where a metric has values of scenes, by
intervals else; all pairs of a metric are corrected together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..metrics.comparison import LEVEL, Pair
from ..metrics.paired_tests import EXACT_UP_TO, FLIPS
from ..scenes.errors import UnknownName, UserError
from .curve_points import is_curve_point
from .numbers import decimals_for, format_number
from .ranks import compared, competitors
from .rundir import Method, RunFiles
from .tables import Column, column, ordered_metrics

__all__ = ["Contest", "Difference", "Standing", "Uncompared", "contest", "differences", "sides", "standings"]


@dataclass(frozen=True)
class Difference:
    """Two methods by one metric.

    Args:
        column: the metric.
        pair: what `metrics.comparison` found.
        corrected_with: pairs of methods whose p-values were corrected together.
        better_on, equal_on, scenes: on how many scenes the first is better, or just as good as the second, and
            how many there are; None where intervals were compared, not scenes.
    """

    column: Column
    pair: Pair
    corrected_with: int
    better_on: int | None = None
    equal_on: int | None = None
    scenes: int | None = None

    @property
    def verdict(self) -> str:
        """Who is better, or that nobody is for sure."""
        return f"{self.pair.better} is better" if self.pair.better else "may be luck"

    @property
    def size(self) -> str:
        """The first less the second, with its 95 % interval, as text."""
        pair = self.pair
        half = None if pair.low is None or pair.high is None else (pair.high - pair.low) / 2
        decimals = max(self.column.decimals, decimals_for([(pair.difference, half)]))
        text = ("+" if pair.difference > 0 else "") + format_number(pair.difference, decimals)
        if pair.low is None or pair.high is None:
            return text
        return f"{text} [{format_number(pair.low, decimals)}, {format_number(pair.high, decimals)}]"

    @property
    def chance(self) -> str:
        """The corrected p-value as text."""
        return _chance(self.pair.p_holm)

    @property
    def share(self) -> str:
        """On how many scenes the first is better, and how many are equal, as text; empty without scenes."""
        if self.scenes is None:
            return ""
        if self.equal_on == self.scenes:
            return f"equal on all {self.scenes}"
        equal = f", {self.equal_on} equal" if self.equal_on else ""
        return f"{self.better_on} of {self.scenes}{equal}"

    @property
    def least_chance(self) -> float:
        """The smallest corrected p that so many scenes can give, whatever the difference; 0 without scenes."""
        return 0.0 if self.scenes is None else min(1.0, self.corrected_with * _least_p(self.scenes))

    @property
    def clear_but_open(self) -> bool:
        """Whether the interval leaves out 0 while the corrected p calls it luck."""
        low, high = self.pair.low, self.pair.high
        return self.pair.better is None and low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True)
class Uncompared:
    """A metric by which the methods cannot be compared."""

    column: Column
    reason: str


@dataclass(frozen=True)
class Standing:
    """On which of the metrics compared `first` is surely better than `second`, by their titles."""

    first: str
    second: str
    better_on: tuple[str, ...]
    compared_on: int


@dataclass(frozen=True)
class Contest:
    """Methods two by two, by some metrics: `rivals`, what was found, and what could not be compared."""

    rivals: tuple[Method, ...]
    differences: tuple[Difference, ...]
    without: tuple[Uncompared, ...]

    @property
    def standings(self) -> list[Standing]:
        return standings(self.differences)

    @property
    def remarks(self) -> list[str]:
        """What a reader may stumble over: too few scenes for any verdict, an interval that says otherwise than p."""
        found = []
        blind = {(own.scenes, own.corrected_with) for own in self.differences if own.least_chance > LEVEL}
        for scenes, pairs in sorted((scenes, pairs) for scenes, pairs in blind if scenes is not None):
            one = "1 scene" if scenes == 1 else f"{scenes} scenes"
            corrected = f", {_chance(min(1.0, pairs * _least_p(scenes)))} once {pairs} pairs are corrected together"
            found.append(
                f"With {one} the paired test cannot give a p below {_chance(_least_p(scenes))}"
                f"{corrected if pairs > 1 else ''}: whatever the difference, it may be luck. From "
                f"{next(n for n in range(1, 64) if pairs * _least_p(n) <= LEVEL)} scenes on it can decide."
            )
        if any(own.clear_but_open and own.least_chance <= LEVEL for own in self.differences):
            found.append(
                "Where an interval leaves out 0 and the verdict is luck all the same: p is corrected for all pairs "
                "of the metric, the interval is not."
            )
        elif any(own.clear_but_open for own in self.differences):
            found.append("An interval that leaves out 0 does not change that: from so few scenes it is too narrow.")
        return found


def contest(
    run: RunFiles, names: Sequence[str] = (), metrics: Sequence[str] = (), *, headlines: bool = True
) -> Contest:
    """The methods of `sides` by the metrics of `differences`.

    Raises:
        UnknownName: a method or metric that is not in the run.
        UserError: fewer than two methods.
    """
    rivals = sides(run, names)
    found, without = differences(run, rivals, metrics, headlines=headlines)
    return Contest(tuple(rivals), tuple(found), tuple(without))


def sides(run: RunFiles, names: Sequence[str] = ()) -> list[Method]:
    """The methods to compare: those named, else those that compete, else, with fewer than two of them, all.

    Raises:
        UserError: a name that is not in the run, or fewer than two methods.
    """
    by_name = {method.name: method for method in run.methods}
    for name in names:
        if name not in by_name:
            raise UnknownName("method", name, tuple(by_name))
    chosen = [by_name[name] for name in dict.fromkeys(names)]
    if not names:
        chosen = competitors(run)
        chosen = chosen if len(chosen) > 1 else list(run.methods)
    if len(chosen) < 2:
        raise UserError(
            f"There is one method, {chosen[0].name}." if chosen else "There is no method.",
            hint="Comparing takes two: name another run of the same protocol, or run another method in this one.",
        )
    return chosen


def differences(
    run: RunFiles, methods: Sequence[Method], metrics: Sequence[str] = (), *, headlines: bool = True
) -> tuple[list[Difference], list[Uncompared]]:
    """Every pair of `methods` by every metric that has a better end.

    Args:
        metrics: ids to compare by, points of curves among them; none = all columns of the table.
        headlines: of those only the ones that everybody should see.

    Raises:
        UnknownName: an id that is not in the run.
    """
    for name in metrics:
        if name not in run.definitions:
            raise UnknownName("metric", name, tuple(run.definitions))
    columns = [column(run, name) for name in metrics or ordered_metrics(run.definitions)]
    if not metrics:
        columns = [own for own in columns if not is_curve_point(own.definition.id) and (own.headline or not headlines)]
    found, without = [], []
    for own in columns:
        result = compared(run, own.definition, methods)
        if not isinstance(result, str):
            counts = _counts(run, own, methods)
            found += [Difference(own, pair, len(result.pairs), *counts(pair)) for pair in result.pairs]
        elif own.definition.higher_is_better is not None or metrics:
            without.append(Uncompared(own, result))
    return found, without


def standings(found: Sequence[Difference]) -> list[Standing]:
    """Both directions of every pair that was compared."""
    table: dict[tuple[str, str], list[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for difference in found:
        pair = difference.pair
        for first, second in ((pair.first, pair.second), (pair.second, pair.first)):
            won = table.setdefault((first, second), [])
            counts[first, second] = counts.get((first, second), 0) + 1
            if pair.better == first:
                won.append(difference.column.definition.title)
    return [Standing(*key, tuple(won), counts[key]) for key, won in table.items()]


Counts = tuple[int, int, int] | tuple[()]


def _counts(run: RunFiles, own: Column, methods: Sequence[Method]) -> Callable[[Pair], Counts]:
    """Of a pair: scenes on which the first is better, scenes on which both are equal, and all of them."""
    rows = run.scene_rows
    whole = rows[(rows["metric"] == own.definition.id) & (rows["view"] < 0)]
    whole = whole[whole["method"].isin([method.name for method in methods])]
    table = whole.pivot_table(index="index", columns="method", values="value")
    sign = 1.0 if own.definition.higher_is_better else -1.0

    def counts(pair: Pair) -> Counts:
        if pair.improvement is None:
            return ()
        gaps = sign * (table[pair.first] - table[pair.second])
        return int((gaps > 0).sum()), int((gaps == 0).sum()), len(gaps)

    return counts


def _least_p(scenes: int) -> float:
    """The smallest p of `metrics.paired_tests.sign_flip_test`: only the two flips of all signs are as extreme."""
    return 2.0 ** (1 - scenes) if scenes <= EXACT_UP_TO else 1 / (1 + FLIPS)


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else format_number(p, 3)
