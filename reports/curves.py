"""Metrics against azimuth: where round the object a method is good, and where it falls apart.

Each line is the mean over scenes of the per-view values in an azimuth bin; every scene has one vote
in a bin, however many of its views fall there. The band is the 95 % percentile bootstrap over whole
scenes (views of one scene are not independent), with a fixed seed, so that the same run gives the
same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from .curve_points import bins_by_metric
from .rundir import Definition, RunFiles
from .svg import Scale, element, group, linear, method_styles, nice_ticks, padded, path, spread, text_width
from .tables import Column, column

__all__ = ["Curve", "azimuth_curves", "bin_curves", "chart", "drawing_order", "end_labels", "level_grid"]

RESAMPLES = 1000
MOST_BINS = 72
COARSE_STEP = 15.0

WIDTH, HEIGHT = 420.0, 232.0
LEFT, TOP, BOTTOM = 42.0, 12.0, 34.0
LABEL_SIZE = 11.0

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One method's line: `azimuth` in degrees, rising; `low` and `high` are None with one scene only."""

    method: str
    azimuth: Values
    mean: Values
    low: Values | None
    high: Values | None
    scenes: int


def azimuth_curves(rows: pd.DataFrame, metric: str) -> list[Curve]:
    """The curves of one metric, one a method that has per-view values of it.

    Args:
        rows: the columns of ``per_scene.parquet``; rows without azimuth or value are left out.
    """
    seen = rows[(rows["metric"] == metric) & (rows["view"] >= 0)].dropna(subset=["yaw_deg", "value"])
    if seen.empty:
        return []
    seen = seen.assign(azimuth=_binned(seen["yaw_deg"].to_numpy(dtype=np.float64)))
    curves: list[Curve] = []
    for method, own in seen.groupby("method", sort=True):
        table = own.pivot_table(index="index", columns="azimuth", values="value", aggfunc="mean")
        values = table.to_numpy(dtype=np.float64)
        low, high = _interval(values) if len(values) > 1 else (None, None)
        azimuth = table.columns.to_numpy(dtype=np.float64)
        curves.append(Curve(str(method), azimuth, np.nanmean(values, axis=0), low, high, len(values)))
    return curves


def bin_curves(run: RunFiles) -> list[tuple[Column, list[Curve]]]:
    """Metrics of sets in bins of azimuth (`kid_bin_-45`): their column, and a curve a method from the results."""
    found = []
    for base, bins in bins_by_metric(run.definitions).items():
        points = sorted(bins.items())
        first = run.definitions[points[0][1]]
        known = run.definitions.get(base)
        title = f"{known.title if known else base} by azimuth"
        stem, _, network = base.partition("[")
        name = f"{stem}_bins" + (f"[{network}" if network else "")
        definition = Definition(name, title, first.unit, first.version, first.higher_is_better, first.description)
        curves = []
        for method in run.methods:
            own = [(azimuth, out) for azimuth, point in points if (out := method.outcome(point)).value is not None]
            if not own:
                continue
            azimuth, mean = np.array([[azimuth, out.value] for azimuth, out in own], dtype=np.float64).T
            bounds = [(out.low, out.high) for _, out in own if out.low is not None and out.high is not None]
            low, high = np.array(bounds, dtype=np.float64).T if len(bounds) == len(own) else (None, None)
            curves.append(Curve(method.name, azimuth, mean, low, high, max(out.n for _, out in own)))
        if curves:
            found.append((replace(column(run, points[0][1]), definition=definition, headline=True), curves))
    return found


class OfMethod(Protocol):
    """Anything that belongs to a method."""

    @property
    def method(self) -> str: ...


Own = TypeVar("Own", bound=OfMethod)


def drawing_order(run: RunFiles, curves: Sequence[Own]) -> list[Own]:
    """The curves of methods of the run: cheats below, the ceiling, competing methods on top."""
    layers = {"cheat": 0, "ceiling": 1, "method": 2}
    order = {method.name: layers[method.role] for method in run.methods}
    return sorted((curve for curve in curves if curve.method in order), key=lambda curve: order[curve.method])


def chart(run: RunFiles, column: Column, curves: list[Curve]) -> Markup:
    """One SVG with all methods' curves of a metric, labelled at their right ends."""
    styles = method_styles(run.methods)
    curves = drawing_order(run, curves)
    right = min(130.0, max(text_width(curve.method, LABEL_SIZE) for curve in curves) + 18.0)
    shown = [bound for curve in curves for bound in (curve.mean, curve.low, curve.high) if bound is not None]
    low, high = padded([float(value) for bound in shown for value in bound])
    x = linear(-180.0, 180.0, LEFT, WIDTH - right)
    y = linear(low, high, HEIGHT - BOTTOM, TOP)
    clip = f"clip-{column.definition.id.replace('[', '-').replace(']', '')}"
    frame = element("rect", x=LEFT, y=TOP - 4, width=WIDTH - right - LEFT, height=HEIGHT - BOTTOM - TOP + 8)
    bands, lines, ends = [], [], []
    for curve in curves:
        azimuth, mean = _wrapped(curve.azimuth, curve.mean)
        if curve.low is not None and curve.high is not None:
            lower, upper = _wrapped(curve.azimuth, curve.low)[1], _wrapped(curve.azimuth, curve.high)[1]
            edge = [*zip(azimuth, upper, strict=True), *zip(azimuth[::-1], lower[::-1], strict=True)]
            outline = path([(x(a), y(v)) for a, v in edge], close=True)
            bands.append(element("path", d=outline, class_=f"band {styles[curve.method]}"))
        line = path([(x(a), y(v)) for a, v in zip(azimuth, mean, strict=True)])
        lines.append(element("path", d=line, class_=f"line {styles[curve.method]}"))
        ends.append((min(x(azimuth[-1]), WIDTH - right), y(float(np.interp(180.0, azimuth, mean)))))
    return element(
        "svg",
        element("defs", element("clipPath", frame, id=clip)),
        *level_grid(y, low, high, LEFT, WIDTH - right),
        *_azimuth_axis(x),
        group(bands, clip_path=f"url(#{clip})"),
        group(lines, clip_path=f"url(#{clip})"),
        *end_labels([curve.method for curve in curves], ends, styles, WIDTH - right, TOP, HEIGHT - BOTTOM),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{column.definition.title} against azimuth",
        class_="chart",
    )


def level_grid(y: Scale, low: float, high: float, start: float, end: float) -> list[Markup]:
    """Lines at round values from `start` to `end`, with their numbers at the left."""
    parts = []
    for value, text in nice_ticks(low, high, 4):
        parts.append(element("path", d=path([(start, y(value)), (end, y(value))]), class_="grid"))
        parts.append(element("text", text, x=start - 6, y=y(value) + 3.6, class_="tick", text_anchor="end"))
    return parts


def end_labels(
    names: Sequence[str],
    ends: Sequence[tuple[float, float]],
    styles: dict[str, str],
    edge: float,
    top: float,
    foot: float,
) -> list[Markup]:
    """The names of methods at the right of `edge`, each led to where its line ends, none over another."""
    heights = spread([end[1] for end in ends], LABEL_SIZE + 2, top + 4, foot)
    parts = []
    for name, (at, level), height in zip(names, ends, heights, strict=True):
        parts.append(element("path", d=path([(at + 1, level), (edge + 9, height)]), class_=f"leader {styles[name]}"))
        parts.append(element("text", name, x=edge + 12, y=height + 3.8, class_=f"label {styles[name]}"))
    return parts


def _azimuth_axis(x: Scale) -> list[Markup]:
    parts = []
    foot = HEIGHT - BOTTOM
    for azimuth, name in ((-180, "back"), (-90, ""), (0, "front"), (90, ""), (180, "back")):
        style = "grid front" if azimuth == 0 else "grid"
        parts.append(element("path", d=path([(x(azimuth), TOP - 4), (x(azimuth), foot + 4)]), class_=style))
        text = f"{azimuth}°".replace("-", "\N{MINUS SIGN}")
        parts.append(element("text", text, x=x(azimuth), y=foot + 16, class_="tick", text_anchor="middle"))
        if name:
            parts.append(element("text", name, x=x(azimuth), y=foot + 29, class_="tick faint", text_anchor="middle"))
    return parts


def _binned(azimuth: Values) -> Values:
    """Azimuths as they are where views repeat over scenes, else the centres of 15 degree bins."""
    wrapped = np.round((azimuth + 180.0) % 360.0 - 180.0, 1)
    wrapped[wrapped == 180.0] = -180.0  # rounding may close the half-open interval
    if len(np.unique(wrapped)) <= MOST_BINS:
        return wrapped
    return np.floor(wrapped / COARSE_STEP) * COARSE_STEP + COARSE_STEP / 2


def _interval(values: Values) -> tuple[Values, Values]:
    """95 % percentile bootstrap over the rows (scenes) of [scenes, bins] with gaps as NaN."""
    scenes = len(values)
    drawn = np.random.default_rng(0).integers(0, scenes, (RESAMPLES, scenes))
    weights = np.stack([np.bincount(draw, minlength=scenes) for draw in drawn]).astype(np.float64)
    present = np.isfinite(values)
    counts = weights @ present
    means = np.divide(
        weights @ np.where(present, values, 0.0), counts, where=counts > 0, out=np.full(counts.shape, np.nan)
    )
    bounds = np.nanpercentile(means, [2.5, 97.5], axis=0)
    return bounds[0], bounds[1]


def _wrapped(azimuth: Values, values: Values) -> tuple[Values, Values]:
    """A full circle continued past both ends, so that its line spans the axis; a part stays as it is."""
    if len(azimuth) < 3:
        return azimuth, values
    step = float(np.median(np.diff(azimuth)))
    if azimuth[0] + 360.0 - azimuth[-1] > 1.6 * step:
        return azimuth, values
    around = np.concatenate([[azimuth[-1] - 360.0], azimuth, [azimuth[0] + 360.0]])
    return around, np.concatenate([[values[-1]], values, [values[0]]])
