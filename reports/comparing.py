"""Methods two by two: who is better on which metric, by how much, and whether that may be luck.

Differences are those of `metrics.comparison`: paired scene by scene where a metric has values of scenes, by
intervals else; all pairs of a metric are corrected together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics.comparison import Pair
from ..scenes.errors import UnknownName, UserError
from .curve_points import is_curve_point
from .numbers import decimals_for, format_number
from .ranks import compared, competitors
from .rundir import Method, RunFiles
from .tables import Column, column, ordered_metrics

__all__ = ["Difference", "Standing", "Uncompared", "differences", "sides", "standings"]


@dataclass(frozen=True)
class Difference:
    """Two methods by one metric."""

    column: Column
    pair: Pair

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
        return "< 0.001" if self.pair.p_holm < 0.001 else format_number(self.pair.p_holm, 3)


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
            found += [Difference(own, pair) for pair in result.pairs]
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
