"""Just enough SVG to draw a chart that follows the page's fonts, colours and dark mode.

Colours come from CSS classes, never from attributes: the page's content policy forbids inline styles,
and a class can change with the reader's colour scheme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

from .numbers import decimals_without_interval, format_number
from .rundir import Method

__all__ = [
    "Scale",
    "element",
    "group",
    "linear",
    "method_styles",
    "nice_ticks",
    "padded",
    "path",
    "spread",
    "text_width",
]

PALETTE_SIZE = 8
DASHES = 5

Scale = Callable[[float], float]


def element(tag: str, *children: str | Markup, **attributes: object) -> Markup:
    """One element; children and attributes are escaped, ``class_`` becomes class, ``_`` becomes ``-``."""
    pairs = [
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _attribute(value))
        for name, value in attributes.items()
        if value is not None
    ]
    return Markup("<{0}{1}>{2}</{0}>").format(
        Markup(tag), Markup("").join(pairs), Markup("").join(map(escape, children))
    )


def group(children: Iterable[Markup], **attributes: object) -> Markup:
    """A ``<g>`` around `children`."""
    return element("g", *children, **attributes)


def path(points: Iterable[tuple[float, float]], *, close: bool = False) -> str:
    """Path data through `points`, to a tenth of a unit."""
    data = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{data}{'Z' if close else ''}"


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """The map from data in [low, high] to the page in [start, end]."""
    factor = (end - start) / (high - low)
    return lambda value: start + (value - low) * factor


def nice_ticks(low: float, high: float, count: int = 5) -> list[tuple[float, str]]:
    """About `count` round numbers within [low, high], with their texts."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if _quarter(step) else 0)
    return [(place * step, format_number(place * step, decimals)) for place in range(first, last + 1)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """A range around finite values that is never empty."""
    low, high = min(values), max(values)
    margin = (high - low) * share or max(abs(high) * 0.05, 10.0 ** -decimals_without_interval([high or 1.0]))
    return low - margin, high + margin


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved apart to at least `gap` within [low, high], as little as a single pass allows.

    When there is no room for `gap`, they share the room evenly.
    """
    order = sorted(range(len(positions)), key=lambda place: (positions[place], place))
    if not order:
        return []
    if len(order) > 1:
        gap = min(gap, (high - low) / (len(order) - 1))
    placed = list(positions)
    floor = low
    for place in order:
        placed[place] = floor = max(placed[place], floor)
        floor += gap
    ceiling = high
    for place in reversed(order):
        placed[place] = ceiling = min(placed[place], ceiling)
        ceiling -= gap
    return placed


def text_width(text: str, size: float) -> float:
    """A generous guess of a text's width; fonts differ from reader to reader."""
    return len(text) * size * 0.6


def method_styles(methods: Sequence[Method]) -> dict[str, str]:
    """CSS classes that give each method its colour: ink for the ceiling, greys with dashes for cheats."""
    styles: dict[str, str] = {}
    counts = {"ceiling": 0, "method": 0, "cheat": 0}
    for method in methods:
        place = counts[method.role]
        counts[method.role] += 1
        styles[method.name] = {
            "ceiling": "is-ceiling",
            "method": f"is-method hue-{place % PALETTE_SIZE}",
            "cheat": f"is-cheat dash-{place % DASHES}",
        }[method.role]
    return styles


def _attribute(value: object) -> object:
    return f"{value:.1f}" if isinstance(value, float) else value


def _quarter(step: float) -> bool:
    return not math.isclose(step / 10.0 ** math.floor(math.log10(step) + 1e-9) % 1, 0.0, abs_tol=1e-6)
