"""The view-range table: quality over the first 1, 9, 15, 21 and 27 views of the 3x9 order.

Ids such as ``kid_views_15[tabletop]`` are the points. The same numbers stand in a table a metric, methods
by ranges as papers print them, and in a chart against the range of yaw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from ..scenes.sweeps import grid_3x9
from .curve_points import views_by_metric
from .gap_curves import GapCurve, gap_chart
from .numbers import NOTHING, decimals_for, format_number
from .rundir import Method, Outcome, RunFiles
from .tables import Cell, Column, column, ordered_metrics

__all__ = ["RangeTable", "range_tables", "yaw_range_deg"]


@dataclass(frozen=True)
class RangeTable:
    """One metric over growing ranges of views.

    Args:
        column: the metric, as charts and tables name it.
        ranges: number of views and range of yaw in degrees, rising.
        points: the metric id of each range.
        rows: each method with a cell a range.
        chart: the same as curves; None where no method has a number.
        missing: why cells hold no number, a sentence each.
    """

    column: Column
    ranges: tuple[tuple[int, float], ...]
    points: tuple[str, ...]
    rows: tuple[tuple[Method, tuple[Cell, ...]], ...]
    chart: Markup | None
    missing: tuple[str, ...]


def yaw_range_deg(views: int) -> float:
    """Degrees from the leftmost to the rightmost of the first `views` of the 3x9 order."""
    yaw = grid_3x9().yaw[:views]
    return round(math.degrees(float(yaw.max() - yaw.min())), 1)


def range_tables(run: RunFiles) -> list[RangeTable]:
    """A table a metric that was measured over ranges of views; none where no run has them."""
    points = views_by_metric(run.definitions)
    named = {base: run.definitions[min(own.values())] for base, own in points.items()}
    return [_table(run, base, points[base]) for base in ordered_metrics(named)]


def _table(run: RunFiles, base: str, points: dict[int, str]) -> RangeTable:
    ranges = tuple((views, yaw_range_deg(views)) for views in sorted(points))
    first = run.definitions[points[ranges[0][0]]]
    definition = replace(first, id=base, title=first.title.partition(",")[0])
    outcomes = {method.name: [method.outcome(points[views]) for views, _ in ranges] for method in run.methods}
    known = [out for own in outcomes.values() for out in own if out.value is not None]
    decimals = decimals_for((out.value, out.half_width) for out in known if out.value is not None)
    own = replace(column(run, points[ranges[0][0]]), definition=definition, decimals=decimals, headline=True)
    rows = tuple((method, tuple(_cell(out, decimals) for out in outcomes[method.name])) for method in run.methods)
    curves = []
    for method in run.methods:
        at = {
            angle: out for (_, angle), out in zip(ranges, outcomes[method.name], strict=True) if out.value is not None
        }
        if at:
            curves.append(GapCurve(method.name, at, None))
    chart = gap_chart(run, own, curves, against="the range of yaw") if curves else None
    names = tuple(points[views] for views, _ in ranges)
    return RangeTable(own, ranges, names, rows, chart, _reasons(run, ranges, outcomes))


def _cell(outcome: Outcome, decimals: int) -> Cell:
    if outcome.value is None:
        return Cell(NOTHING, reason=f"{outcome.status.replace('_', ' ')}: {outcome.reason}")
    interval = ""
    if outcome.low is not None and outcome.high is not None:
        interval = f"[{format_number(outcome.low, decimals)}, {format_number(outcome.high, decimals)}]"
    text = format_number(outcome.value, decimals)
    return Cell(text, interval, outcome.n, value=outcome.value, low=outcome.low, high=outcome.high)


def _reasons(run: RunFiles, ranges: Sequence[tuple[int, float]], outcomes: dict[str, list[Outcome]]) -> tuple[str, ...]:
    """Each reason once for each method, with the numbers of views it concerns."""
    found: dict[tuple[str, str], list[str]] = {}
    for method in run.methods:
        for (views, _), out in zip(ranges, outcomes[method.name], strict=True):
            if out.value is None:
                reason = out.reason or "no reason was recorded."
                found.setdefault((method.name, reason), []).append(str(views))
    return tuple(
        f"{method}, {', '.join(views)} view{'' if views == ['1'] else 's'}: {reason}"
        for (method, reason), views in found.items()
    )
