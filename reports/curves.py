"""Metrics against azimuth: where round the object a method is good, and where it falls apart.

Each line is the mean over scenes of the per-view values in an azimuth bin; every scene has one vote
in a bin, however many of its views fall there. The band is the 95 % percentile bootstrap over whole
scenes (views of one scene are not independent), with a fixed seed, so that the same run gives the
same file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from .rundir import RunFiles
from .svg import Scale, element, group, linear, method_styles, nice_ticks, padded, path, spread, text_width
from .tables import Column

__all__ = ["Curve", "azimuth_curves", "chart"]

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
    curves = []
    for method, own in seen.groupby("method", sort=True):
        table = own.pivot_table(index="index", columns="azimuth", values="value", aggfunc="mean")
        values = table.to_numpy(dtype=np.float64)
        low, high = _interval(values) if len(values) > 1 else (None, None)
        azimuth = table.columns.to_numpy(dtype=np.float64)
        curves.append(Curve(str(method), azimuth, np.nanmean(values, axis=0), low, high, len(values)))
    return curves


def chart(run: RunFiles, column: Column, curves: list[Curve]) -> Markup:
    """One SVG with all methods' curves of a metric, labelled at their right ends."""
    styles = method_styles(run.methods)
    layers = {"cheat": 0, "ceiling": 1, "method": 2}  # competing methods are drawn last, on top
    order = {method.name: layers[method.role] for method in run.methods}
    curves = sorted((curve for curve in curves if curve.method in order), key=lambda curve: order[curve.method])
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
        *_axes(x, y, low, high, WIDTH - right),
        group(bands, clip_path=f"url(#{clip})"),
        group(lines, clip_path=f"url(#{clip})"),
        *_labels(curves, ends, styles, WIDTH - right),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{column.definition.title} against azimuth",
        class_="chart",
    )


def _axes(x: Scale, y: Scale, low: float, high: float, end: float) -> list[Markup]:
    parts = []
    for value, text in nice_ticks(low, high, 4):
        parts.append(element("path", d=path([(LEFT, y(value)), (end, y(value))]), class_="grid"))
        parts.append(element("text", text, x=LEFT - 6, y=y(value) + 3.6, class_="tick", text_anchor="end"))
    foot = HEIGHT - BOTTOM
    for azimuth, name in ((-180, "back"), (-90, ""), (0, "front"), (90, ""), (180, "back")):
        style = "grid front" if azimuth == 0 else "grid"
        parts.append(element("path", d=path([(x(azimuth), TOP - 4), (x(azimuth), foot + 4)]), class_=style))
        text = f"{azimuth}°".replace("-", "\N{MINUS SIGN}")
        parts.append(element("text", text, x=x(azimuth), y=foot + 16, class_="tick", text_anchor="middle"))
        if name:
            parts.append(element("text", name, x=x(azimuth), y=foot + 29, class_="tick faint", text_anchor="middle"))
    return parts


def _labels(curves: list[Curve], ends: list[tuple[float, float]], styles: dict[str, str], edge: float) -> list[Markup]:
    heights = spread([end[1] for end in ends], LABEL_SIZE + 2, TOP + 4, HEIGHT - BOTTOM)
    parts = []
    for curve, (at, level), height in zip(curves, ends, heights, strict=True):
        leader = path([(at + 1, level), (edge + 9, height)])
        parts.append(element("path", d=leader, class_=f"leader {styles[curve.method]}"))
        parts.append(element("text", curve.method, x=edge + 12, y=height + 3.8, class_=f"label {styles[curve.method]}"))
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
