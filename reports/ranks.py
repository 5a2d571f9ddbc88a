"""The ranks of competing methods in one column, as far as they can be told apart."""

from __future__ import annotations

from collections.abc import Mapping

from ..metrics.comparison import Comparison, compare, compare_intervals
from ..metrics.ranking import RankRange
from ..scenes.errors import UserError
from .rundir import Definition, Method, RunFiles

__all__ = ["column_ranks", "competitors", "unranked"]


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
    found = _comparison(run, definition)
    return {} if found is None else found.ranks


def _comparison(run: RunFiles, definition: Definition) -> Comparison | None:
    name, higher = definition.id, definition.higher_is_better
    measured = {method.name: out for method in competitors(run) if (out := method.outcome(name)).value is not None}
    if higher is None or len(measured) < 2:
        return None
    rows = run.scene_rows
    if ((rows["metric"] == name) & (rows["view"] < 0)).any():
        try:
            return compare(rows, name, list(measured), higher)
        except UserError:  # not the same scenes: nothing can be said, and the values stand as they are
            return None
    intervals = {
        method: (out.value, out.low, out.high)
        for method, out in measured.items()
        if out.value is not None and out.low is not None and out.high is not None
    }
    if len(intervals) < len(measured) or len({out.n for out in measured.values()}) > 1:
        return None
    return compare_intervals(name, intervals, higher)


def _lost(method: Method) -> bool:
    return bool(method.failed) or method.evaluated != method.requested
