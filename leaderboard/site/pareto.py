"""Quality against consistency against cost: three small charts, better always up and to the right.

A competing method is on the front where no other one of its division is at least as good on all three
and better on one. Costs are wall times of different machines and days: they differ only where one is more than
twice the other. No weights, no sum: that choice is the reader's. References are drawn hollow and
are never on the front, nor are methods that lost scenes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from markupsafe import Markup

from ...reports.numbers import format_number
from ...reports.svg import element, group, linear, nice_ticks, padded, path, spread, text_width
from ...reports.weighing import CONSISTENCY, QUALITY, preferred
from .addresses import method_page
from .tables import Row, Table

__all__ = ["Axis", "axes_of", "front", "panels"]

SAME_COST = math.log10(2)
"""How far apart two costs may be and still count as one, on the logarithmic axis."""

WIDTH, HEIGHT = 420.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 12.0, 46.0
LABEL = 11.0
MOST_LABELS = 12


@dataclass(frozen=True)
class Axis:
    """One thing to be good at: `value` of a row, larger is better where `higher` says so; cost is logarithmic.

    Two rows that are at most `room` apart, in the units of the axis, count as equally good.
    """

    key: str
    title: str
    higher: bool
    value: Callable[[Row], float | None]
    logarithmic: bool = False
    room: float = 0.0

    def of(self, row: Row) -> float | None:
        """Where a row stands, in the units of the axis."""
        value = self.value(row)
        if value is None or not self.logarithmic:
            return value
        return math.log10(value) if value > 0 else None

    def ticks(self, low: float, high: float) -> list[tuple[float, str]]:
        if not self.logarithmic:
            return nice_ticks(low, high)
        powers = range(math.ceil(low), math.floor(high) + 1)
        steps = [
            (p + math.log10(m), f"{m * 10.0**p:g}") for p in range(math.floor(low), math.ceil(high)) for m in (1, 2, 5)
        ]
        return [(p, f"{10.0**p:g}") for p in powers] if len(powers) > 3 else [s for s in steps if low <= s[0] <= high]


def axes_of(table: Table) -> list[Axis]:
    """Quality, consistency and cost, as far as the protocol measures them."""
    found = []
    for key, choices in (("Quality", QUALITY), ("Consistency", CONSISTENCY)):
        for name in preferred(choices, [column.definition.id for column in table.columns]):
            place = table.place(name)
            column = table.columns[place]
            higher = column.definition.higher_is_better
            if higher is not None:
                title = f"{column.definition.title}{f' ({column.unit})' if column.unit else ''}"
                found.append(Axis(key, title, higher, partial(_value_at, place)))
                break
    found.append(Axis("Cost", "seconds a view", False, lambda row: row.entry.cost.seconds_per_view, True, SAME_COST))
    return found


def front(rows: Sequence[Row], axes: Sequence[Axis]) -> set[str]:
    """Names of the rows that no other row dominates; a row without all numbers is on no front."""
    points = {row.name: point for row in rows if (point := _point(row, axes)) is not None}
    rooms = [axis.room for axis in axes]

    def beats(other: Sequence[float], own: Sequence[float]) -> bool:
        gains = [theirs - mine for theirs, mine in zip(other, own, strict=True)]
        return all(gain >= -room for gain, room in zip(gains, rooms, strict=True)) and any(
            gain > room for gain, room in zip(gains, rooms, strict=True)
        )

    return {name for name, own in points.items() if not any(beats(other, own) for other in points.values())}


def panels(table: Table, root: str) -> list[tuple[str, Markup]]:
    """A title and a chart for each pair of axes on which at least one competing method has numbers.

    Args:
        root: the way from the page to the front page, such as ``../``.
    """
    axes = axes_of(table)
    rows = [row for row in table.rows if row.state.status == "active"]
    competing = [row for row in rows if row.role == "method"]
    whole = [row for row in competing if not row.unranked]
    best = {
        name
        for division in ("closed", "open")
        for name in front([row for row in whole if row.entry.division == division], axes)
    }
    return [
        (f"{across.key} and {up.key.lower()}", _chart(rows, across, up, best, root))
        for across, up in combinations(axes, 2)
        if any(_point(row, (across, up)) is not None for row in competing)
    ]


def _value_at(place: int, row: Row) -> float | None:
    return row.cells[place].value


def _point(row: Row, axes: Sequence[Axis]) -> tuple[float, ...] | None:
    """Where a row stands on each axis, larger being better."""
    values = [axis.of(row) for axis in axes]
    signed = [value if axis.higher else -value for axis, value in zip(axes, values, strict=True) if value is not None]
    return tuple(signed) if len(signed) == len(axes) else None


def _chart(rows: Sequence[Row], across: Axis, up: Axis, best: set[str], root: str) -> Markup:
    placed = [(row, x, y) for row in rows if (x := across.of(row)) is not None and (y := up.of(row)) is not None]
    x_low, x_high = padded([x for _, x, _ in placed])
    y_low, y_high = padded([y for _, _, y in placed])
    ends = (LEFT, WIDTH - RIGHT) if across.higher else (WIDTH - RIGHT, LEFT)
    to_x = linear(x_low, x_high, *ends)
    to_y = linear(y_low, y_high, *((HEIGHT - BOTTOM, TOP) if up.higher else (TOP, HEIGHT - BOTTOM)))
    parts = [_grid(across, up, to_x, to_y, (x_low, x_high), (y_low, y_high))]
    order = sorted(placed, key=lambda entry: (entry[0].role == "method", entry[0].name in best))
    labelled = _labelled([(row, to_x(x), to_y(y)) for row, x, y in order], best)
    for row, x, y in order:
        kind = (
            "ceiling"
            if row.role == "ceiling"
            else "cheat"
            if row.role == "cheat"
            else "front"
            if row.name in best
            else "other"
        )
        said = f"{row.name}: {across.title} {_told(across, row)}, {up.title} {_told(up, row)}"
        dot = element("circle", element("title", said), cx=to_x(x), cy=to_y(y), r=5 if kind == "front" else 4)
        parts.append(element("a", dot, href=root + method_page(row.name), class_=f"point {kind}", aria_label=said))
    parts += labelled
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="group",
        aria_label=f"{across.title} against {up.title}; better is right and up",
        class_="chart pareto",
    )


def _told(axis: Axis, row: Row) -> str:
    value = axis.value(row)
    assert value is not None
    return format_number(value, 3) if abs(value) < 1 else f"{value:.4g}"


def _grid(
    across: Axis,
    up: Axis,
    to_x: Callable[[float], float],
    to_y: Callable[[float], float],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> Markup:
    parts = []
    for value, text in up.ticks(*y_range):
        parts.append(element("path", d=path([(LEFT, to_y(value)), (WIDTH - RIGHT, to_y(value))]), class_="grid"))
        parts.append(element("text", text, x=LEFT - 7, y=to_y(value) + 4, text_anchor="end", class_="tick"))
    for value, text in across.ticks(*x_range):
        parts.append(element("path", d=path([(to_x(value), TOP), (to_x(value), HEIGHT - BOTTOM)]), class_="grid"))
        parts.append(element("text", text, x=to_x(value), y=HEIGHT - BOTTOM + 16, text_anchor="middle", class_="tick"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        element(
            "text",
            f"{across.title}, better \N{RIGHTWARDS ARROW}",
            x=middle,
            y=HEIGHT - 8,
            text_anchor="middle",
            class_="axis",
        )
    )
    parts.append(element("text", f"\N{UPWARDS ARROW} better, {up.title}", x=LEFT, y=TOP - 2, class_="axis"))
    return group(parts)


def _labelled(points: Sequence[tuple[Row, float, float]], best: set[str]) -> list[Markup]:
    """Names beside the points: of the front first, then of the ceiling, then of others while there is room."""
    order = sorted(
        points, key=lambda p: (p[0].name not in best, p[0].role != "ceiling", p[0].role != "method", p[0].name)
    )
    chosen = order[:MOST_LABELS]
    heights = spread([y for _, _, y in chosen], LABEL + 2, TOP + 6, HEIGHT - BOTTOM - 2)
    parts = []
    for (row, x, y), height in zip(chosen, heights, strict=True):
        name = f"{row.name} (open)" if row.entry.division == "open" else row.name
        fits = x + 10 + text_width(name, LABEL) < WIDTH
        kind = "front" if row.name in best else row.role
        side = {"x": x + 9, "text_anchor": "start"} if fits else {"x": x - 9, "text_anchor": "end"}
        if abs(height - y) > 6:
            end = x + 7 if fits else x - 7
            parts.append(element("path", d=path([(x, y), (end, height)]), class_="leader"))
        parts.append(element("text", name, y=height + 4, class_=f"name {kind}", **side))
    return parts
