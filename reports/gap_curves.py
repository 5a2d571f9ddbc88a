"""Metrics against the angle between the compared views: near views agree easily, distant ones tell.

Points are results (`id@30`), so a value and its interval stand here as in any table. The seam where a
full circle closes has no angle of its own and stands apart, at the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .curve_points import gaps_by_metric
from .curves import LABEL_SIZE, drawing_order, end_labels, level_grid
from .rundir import Outcome, RunFiles
from .svg import Scale, element, group, linear, method_styles, padded, path, text_width
from .tables import Column, column, ordered_metrics

__all__ = ["GapCurve", "gap_chart", "gap_curves"]

WIDTH, HEIGHT = 420.0, 232.0
LEFT, TOP, BOTTOM = 42.0, 12.0, 34.0
SEAM = 58.0  # width of the strip for the seam
INSET = 12.0
LOOP = "loop"


@dataclass(frozen=True)
class GapCurve:
    """One method: its results by angle in degrees, rising, and at the seam; only those with a value."""

    method: str
    points: Mapping[float, Outcome]
    loop: Outcome | None


def gap_curves(run: RunFiles) -> list[tuple[Column, list[GapCurve], list[str]]]:
    """Every metric over angles: its column, a curve a method, and sentences on points that are missing.

    A gap that no method has a value for (views that are never so far apart) is not missing.
    """
    found = []
    points = gaps_by_metric(run.definitions)
    for name in (name for name in ordered_metrics(run.definitions) if name in points):
        own = column(run, name)
        outcomes = {
            method.name: {gap: method.outcome(point) for gap, point in points[name].items()} for method in run.methods
        }
        known = {gap for results in outcomes.values() for gap, out in results.items() if out.value is not None}
        if not known:
            continue
        curves, missing = [], []
        for method, results in outcomes.items():
            there = {gap: out for gap, out in results.items() if out.value is not None}
            angles = {float(gap): there[gap] for gap in sorted(there.keys() - {LOOP}, key=float)}
            if there:
                curves.append(GapCurve(method, angles, there.get(LOOP)))
            reasons = dict.fromkeys(
                results[gap].reason or "no reason was recorded." for gap in sorted(known - set(there))
            )
            missing += [f"{method}: {reason}" for reason in reasons]
        found.append((own, curves, missing))
    return sorted(found, key=lambda entry: not entry[0].headline)


def gap_chart(
    run: RunFiles, own: Column, curves: Sequence[GapCurve], against: str = "the angle between views"
) -> Markup:
    """One SVG with all methods' curves of a metric `against` an angle, labelled at their right ends."""
    styles = method_styles(run.methods)
    curves = drawing_order(run, curves)
    right = min(130.0, max(text_width(curve.method, LABEL_SIZE) for curve in curves) + 18.0)
    everything = [out for curve in curves for out in (*curve.points.values(), curve.loop) if out is not None]
    low, high = padded([bound for out in everything for bound in (out.value, out.low, out.high) if bound is not None])
    y = linear(low, high, HEIGHT - BOTTOM, TOP)
    angles = sorted({angle for curve in curves for angle in curve.points})
    looped = any(curve.loop for curve in curves)
    edge = WIDTH - right
    end = edge - (SEAM if looped and angles else 0.0)
    x = linear(
        min(angles, default=0.0),
        max(max(angles, default=1.0), min(angles, default=0.0) + 1.0),
        LEFT + INSET,
        end - INSET,
    )
    bands, lines, marks, ends = [], [], [], []
    for place, curve in enumerate(curves):
        style = styles[curve.method]
        last = edge, HEIGHT / 2
        for stretch in _stretches(angles, curve):
            outline = _outline(stretch, x, y)
            if outline:
                bands.append(element("path", d=outline, class_=f"band {style}"))
            line = [(x(angle), y(out.value)) for angle, out in stretch if out.value is not None]
            lines.append(element("path", d=path(line), class_=f"line {style}"))
            dots = "".join(f"M{at:.1f} {level:.1f}h0" for at, level in line)
            marks.append(element("path", d=dots, class_=f"dots point {style}"))
            last = line[-1]
        if curve.loop is not None and curve.loop.value is not None:
            at = _seam_place(place, len(curves), end if angles else LEFT, edge)
            if curve.loop.low is not None and curve.loop.high is not None:
                whisker = path([(at, y(curve.loop.low)), (at, y(curve.loop.high))])
                bands.append(element("path", d=whisker, class_=f"whisker {style}"))
            marks.append(element("path", d=f"M{at:.1f} {y(curve.loop.value):.1f}h0", class_=f"dots seam {style}"))
            last = at, y(curve.loop.value)
        ends.append(last)
    return element(
        "svg",
        *level_grid(y, low, high, LEFT, edge),
        *_foot(x, angles, end, edge, looped),
        group(bands),
        group(lines),
        group(marks),
        *end_labels([curve.method for curve in curves], ends, styles, edge, TOP, HEIGHT - BOTTOM),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{own.definition.title} against {against}",
        class_="chart",
    )


def _stretches(angles: Sequence[float], curve: GapCurve) -> list[list[tuple[float, Outcome]]]:
    """The points of a curve, parted where it misses an angle that others have."""
    parts: list[list[tuple[float, Outcome]]] = [[]]
    for angle in angles:
        if angle in curve.points:
            parts[-1].append((angle, curve.points[angle]))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _outline(stretch: Sequence[tuple[float, Outcome]], x: Scale, y: Scale) -> str | None:
    """The band of a stretch, if all its points have intervals; a single point has a bar."""
    upper = [(x(angle), y(out.high)) for angle, out in stretch if out.high is not None]
    lower = [(x(angle), y(out.low)) for angle, out in stretch if out.low is not None]
    if not len(upper) == len(lower) == len(stretch):
        return None
    if len(stretch) == 1:
        ((at, top), (_, bottom)) = (upper[0], lower[0])
        return path([(at - 1.5, top), (at + 1.5, top), (at + 1.5, bottom), (at - 1.5, bottom)], close=True)
    return path([*upper, *lower[::-1]], close=True)


def _seam_place(place: int, count: int, start: float, end: float) -> float:
    """Methods stand side by side in the strip, so that their marks do not cover one another."""
    room = end - start - 2 * INSET
    return start + INSET + (room * place / (count - 1) if count > 1 else room / 2)


def _foot(x: Scale, angles: Sequence[float], end: float, edge: float, looped: bool) -> list[Markup]:
    foot = HEIGHT - BOTTOM
    parts = []
    for angle in angles:
        parts.append(element("path", d=path([(x(angle), TOP - 4), (x(angle), foot + 4)]), class_="grid"))
        parts.append(element("text", f"{angle:g}°", x=x(angle), y=foot + 16, class_="tick", text_anchor="middle"))
    if looped:
        middle = (end + edge) / 2 if angles else (LEFT + edge) / 2
        parts.append(element("text", "closing", x=middle, y=foot + 16, class_="tick", text_anchor="middle"))
        parts.append(element("text", "the circle", x=middle, y=foot + 29, class_="tick faint", text_anchor="middle"))
        if angles:
            parts.append(element("path", d=path([(end, TOP - 4), (end, foot + 4)]), class_="grid front"))
    return parts
