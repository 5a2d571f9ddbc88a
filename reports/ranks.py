"""The ranks of competing methods in one column, as far as they can be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..metrics.comparison import Comparison, compare, compare_intervals
from ..metrics.ranking import RankRange
from ..scenes.errors import UserError
from .rundir import Definition, Method, Outcome, RunFiles

__all__ = ["column_ranks", "compared", "competitors", "unranked", "winner"]


def competitors(run: RunFiles) -> list[Method]:
    """The methods that are ranked: neither ceiling nor cheats, nor those that lost scenes.

    A method without its hardest scenes would be compared on easier ones.
    """
    return [method for method in run.methods if method.role == "method" and not _lost(method)]


def unranked(run: RunFiles) -> list[str]:
    """Competing methods that are not ranked because they lost scenes."""
    return [method.name for method in run.methods if method.role == "method" and _lost(method)]


def column_ranks(run: RunFiles, definition: Definition) -> Mapping[str, RankRange]:
    """The rank of each competing method; empty where fewer than two can be compared.

    Values of scenes are paired; metrics of sets are compared by their intervals.
    """
    found = compared(run, definition, competitors(run))
    return {} if isinstance(found, str) else found.ranks


def winner(run: RunFiles, definition: Definition, ranks: Mapping[str, RankRange]) -> str | None:
    """The competing method that is surely better than all others; None where the difference may be luck.

    A method that is not ranked, and has a better value all the same, leaves nobody as the winner.
    """
    first = [name for name, rank in ranks.items() if (rank.best, rank.worst) == (1, 1)]
    higher = definition.higher_is_better
    if not first or higher is None or len(ranks) < 2:
        return None
    values = {
        method.name: outcome.value
        for method in run.methods
        if method.role == "method" and (outcome := method.outcome(definition.id)).value is not None
    }
    best = (max if higher else min)(values.values())
    return first[0] if values[first[0]] == best else None


def compared(run: RunFiles, definition: Definition, methods: Sequence[Method]) -> Comparison | str:
    """`methods` by one metric, or why they cannot be compared."""
    name, higher = definition.id, definition.higher_is_better
    if higher is None:
        return "neither direction is better."
    measured: dict[str, Outcome] = {
        method.name: out for method in methods if (out := method.outcome(name)).value is not None
    }
    if len(measured) < 2:
        return "fewer than two methods have a value."
    rows = run.scene_rows
    if ((rows["metric"] == name) & (rows["view"] < 0)).any():
        try:
            return compare(rows, name, list(measured), higher)
        except UserError as error:  # not the same scenes: nothing can be said, and the values stand as they are
            return str(error)
    intervals = {
        method: (out.value, out.low, out.high)
        for method, out in measured.items()
        if out.value is not None and out.low is not None and out.high is not None
    }
    if len(intervals) < len(measured):
        return "there are neither values of scenes nor intervals."
    if len({out.n for out in measured.values()}) > 1:
        return "the methods were measured on different numbers of pictures."
    return compare_intervals(name, intervals, higher)


def _lost(method: Method) -> bool:
    return bool(method.failed) or method.evaluated != method.requested
