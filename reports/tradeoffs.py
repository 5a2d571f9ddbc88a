"""Quality, consistency and cost in one picture each pair, with the methods that no other one beats at both.

The Pareto front is of the competing methods alone; ceiling and cheats stand by as marks. It is drawn through
the values as measured: whether two neighbours on it differ is for the intervals to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from .curves import level_grid
from .labels import Box, place_labels
from .provenance import costs
from .rundir import Method, RunFiles
from .svg import Scale, element, group, linear, method_styles, nice_ticks, padded, path
from .tables import column
from .weighing import CONSISTENCY, QUALITY, preferred

__all__ = ["Axis", "Tradeoff", "front", "tradeoffs"]

WIDTH, HEIGHT = 420.0, 300.0
LEFT, TOP, BOTTOM, RIGHT = 48.0, 14.0, 42.0, 16.0
LABEL_SIZE = 11.0
RADII = (4.0, 11.0)


@dataclass(frozen=True)
class Axis:
    """One thing to weigh; `values` by method: value, low, high."""

    id: str
    title: str
    unit: str
    higher_is_better: bool
    values: Mapping[str, tuple[float, float | None, float | None]]
    logarithmic: bool = False

    @property
    def label(self) -> str:
        unit = f", {self.unit}" if self.unit not in ("", "1") else ""
        return f"{self.title}{unit} ({'more' if self.higher_is_better else 'less'} is better)"


@dataclass(frozen=True)
class Tradeoff:
    """A pair of axes: its name, title and picture, and the competing methods on its front."""

    name: str
    title: str
    chart: Markup
    front: tuple[str, ...]


def tradeoffs(run: RunFiles) -> tuple[list[Tradeoff], tuple[str, ...]]:
    """The pictures that can be drawn, and the methods that none beats on all axes together."""
    axes = {
        "quality": _metric_axis(run, QUALITY),
        "consistency": _metric_axis(run, CONSISTENCY),
        "cost": _cost_axis(run),
    }
    pairs = (("consistency", "quality"), ("cost", "quality"), ("cost", "consistency"))
    found = []
    for across, up in pairs:
        x, y = axes[across], axes[up]
        if x is None or y is None or len(x.values.keys() & y.values.keys()) < 2:
            continue
        best = front(run, [x, y])
        size = axes["cost"] if "cost" not in (across, up) else None
        found.append(
            Tradeoff(f"{up}-{across}", f"{up.capitalize()} against {across}", _chart(run, x, y, best, size), best)
        )
    known = [axis for axis in axes.values() if axis is not None]
    return found, front(run, known) if len(known) == 3 and found else ()


def front(run: RunFiles, axes: Sequence[Axis]) -> tuple[str, ...]:
    """Competing methods that no other one beats: at least as good on all `axes` and better on one."""

    def gains(name: str) -> list[float]:
        return [axis.values[name][0] * (1 if axis.higher_is_better else -1) for axis in axes]

    names = [m.name for m in run.methods if m.role == "method" and all(m.name in axis.values for axis in axes)]
    return tuple(
        name
        for name in names
        if not any(
            all(theirs >= own for theirs, own in zip(gains(other), gains(name), strict=True))
            and gains(other) != gains(name)
            for other in names
        )
    )


def _metric_axis(run: RunFiles, candidates: Sequence[str]) -> Axis | None:
    """The first of the candidates that two methods have values of."""
    for name in preferred(candidates, run.definitions):
        definition = run.definitions[name]
        if definition.higher_is_better is None:
            continue
        values = {
            method.name: (outcome.value, outcome.low, outcome.high)
            for method in run.methods
            if (outcome := method.outcome(name)).value is not None
        }
        if len(values) > 1:
            own = column(run, name)
            return Axis(name, definition.title, own.unit, definition.higher_is_better, values)
    return None


def _cost_axis(run: RunFiles) -> Axis | None:
    values = {
        cost.method.name: (cost.seconds, None, None)
        for cost in costs(run)
        if cost.seconds is not None and cost.seconds > 0
    }
    each = "sample" if run.samples > 1 else "scene"
    return Axis("seconds", f"Seconds a {each}", "s", False, values, logarithmic=True) if len(values) > 1 else None


def _chart(run: RunFiles, x: Axis, y: Axis, best: Sequence[str], size: Axis | None) -> Markup:
    styles = method_styles(run.methods)
    shown = [method for method in run.methods if method.name in x.values and method.name in y.values]
    names = [method.name for method in shown]
    horizontal, ticks = _scale(x, names, LEFT, WIDTH - RIGHT)
    low, high = padded([bound for name in names for bound in y.values[name] if bound is not None], 0.08)
    if y.higher_is_better:
        vertical = linear(low, high, HEIGHT - BOTTOM, TOP)
    else:
        vertical = linear(low, high, TOP, HEIGHT - BOTTOM)
    parts = level_grid(vertical, low, high, LEFT, WIDTH - RIGHT)
    foot = HEIGHT - BOTTOM
    for value, text in ticks:
        parts.append(element("path", d=path([(horizontal(value), TOP), (horizontal(value), foot)]), class_="grid"))
        parts.append(element("text", text, x=horizontal(value), y=foot + 15, class_="tick", text_anchor="middle"))
    parts.append(
        element("text", x.label, x=(LEFT + WIDTH - RIGHT) / 2, y=foot + 34, class_="tick faint", text_anchor="middle")
    )
    parts.append(element("text", y.label, x=4, y=TOP - 3, class_="tick faint"))
    places = {name: (horizontal(x.values[name][0]), vertical(y.values[name][0])) for name in names}
    stairs = _stairs([places[name] for name in best if name in places])
    if stairs:
        parts.append(element("path", d=path(stairs), class_="front-line"))
    for method in sorted(shown, key=lambda method: method.role == "method"):
        parts += _mark(method, places[method.name], x, y, horizontal, vertical, styles, _radius(method.name, size))
    taken = [_along(*leg, 3.0) for leg in pairwise(stairs)]
    for name in names:
        taken += _taken(places[name], name, x, y, horizontal, vertical, _radius(name, size))
    parts += _labels(places, taken, styles)
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{y.title} against {x.title}, one mark a method",
        class_="chart",
    )


def _scale(axis: Axis, names: Sequence[str], start: float, end: float) -> tuple[Scale, list[tuple[float, str]]]:
    """Better is right; cost has a logarithmic scale."""
    numbers = [bound for name in names for bound in axis.values[name] if bound is not None]
    forward: Callable[[float], float] = math.log10 if axis.logarithmic else float
    low, high = padded([forward(number) for number in numbers], 0.1)
    if not axis.higher_is_better:
        start, end = end, start
    inner = linear(low, high, start, end)
    if not axis.logarithmic:
        return inner, nice_ticks(low, high, 4)
    powers = range(math.floor(low), math.ceil(high) + 1)
    choices = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    within = [number for number in choices if low <= math.log10(number) <= high]
    if len(within) > 5:
        within = [10.0**power for power in powers if low <= power <= high]
    return (lambda number: inner(math.log10(number))), [(number, f"{number:g}") for number in within]


def _stairs(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a front; what lies left and below of it is beaten. None where it has one method."""
    ordered = sorted(places)
    corners = ordered[:1]
    for before, after in pairwise(ordered):
        corners += [(before[0], after[1]), after]
    return corners if len(ordered) > 1 else []


def _mark(
    method: Method,
    place: tuple[float, float],
    x: Axis,
    y: Axis,
    horizontal: Scale,
    vertical: Scale,
    styles: dict[str, str],
    radius: float,
) -> list[Markup]:
    style = styles[method.name]
    parts = []
    _, low, high = x.values[method.name]
    if low is not None and high is not None:
        line = path([(horizontal(low), place[1]), (horizontal(high), place[1])])
        parts.append(element("path", d=line, class_=f"whisker {style}"))
    _, low, high = y.values[method.name]
    if low is not None and high is not None:
        line = path([(place[0], vertical(low)), (place[0], vertical(high))])
        parts.append(element("path", d=line, class_=f"whisker {style}"))
    parts.append(element("circle", cx=place[0], cy=place[1], r=radius, class_=f"mark {style}"))
    return [group([element("title", method.name), *parts])]


def _radius(name: str, size: Axis | None) -> float:
    """Marks grow with the cost, by its logarithm."""
    if size is None or name not in size.values:
        return 5.0
    costs_known = [math.log10(value) for value, _, _ in size.values.values()]
    low, high = min(costs_known), max(costs_known)
    share = (math.log10(size.values[name][0]) - low) / (high - low) if high > low else 0.0
    return RADII[0] + share * (RADII[1] - RADII[0])


def _labels(places: dict[str, tuple[float, float]], taken: Sequence[Box], styles: dict[str, str]) -> list[Markup]:
    """Names near their marks, none over an interval, a mark or another name."""
    parts = []
    frame = Box(2.0, TOP, WIDTH - 2.0, HEIGHT - BOTTOM)
    for name, label in place_labels(places, taken, LABEL_SIZE, frame, gap=14.0).items():
        if label.far:
            near = label.x + (2.0 if label.at_end else -2.0)
            line = path([places[name], (near, label.baseline - 0.34 * LABEL_SIZE)])
            parts.append(element("path", d=line, class_=f"leader {styles[name]}"))
        anchor = "end" if label.at_end else "start"
        text = element("text", name, x=label.x, y=label.baseline, class_=f"label {styles[name]}", text_anchor=anchor)
        parts.append(text)
    return parts


def _taken(
    place: tuple[float, float], name: str, x: Axis, y: Axis, horizontal: Scale, vertical: Scale, radius: float
) -> list[Box]:
    """The room of a mark and of its intervals."""
    across, up = place
    found = [Box(across - radius, up - radius, across + radius, up + radius)]
    _, low, high = x.values[name]
    if low is not None and high is not None:
        found.append(_along((horizontal(low), up), (horizontal(high), up), 1.5))
    _, low, high = y.values[name]
    if low is not None and high is not None:
        found.append(_along((across, vertical(low)), (across, vertical(high)), 1.5))
    return found


def _along(one: tuple[float, float], other: tuple[float, float], half: float) -> Box:
    """The room of a level or upright line, `half` to each side of it."""
    (left, right), (top, bottom) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return Box(left - half, top - half, right + half, bottom + half)
