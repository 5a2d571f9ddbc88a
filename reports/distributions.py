"""One dot a scene: what the mean of a metric hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from .numbers import format_number
from .rundir import RunFiles
from .svg import element, linear, method_styles, nice_ticks, padded, path, text_width
from .tables import Column

__all__ = ["Ending", "Extreme", "extremes", "scene_values", "strip_plot"]

WIDTH = 420.0
ROW = 26.0
TOP, BOTTOM = 6.0, 22.0
LABEL_SIZE = 11.0
MANY_SCENES = 64  # more dots than this are drawn smaller


@dataclass(frozen=True)
class Ending:
    """A scene at one end of a metric.

    Args:
        index: as in the names of the scene files; of completions that of a sample.
        value, scene: its value and its name, as texts.
        number: its value in full.
        place: which scene it is; that of the file but for completions.
        label: the name of its class; empty where it has none.
    """

    index: int
    value: str
    scene: str
    number: float
    place: int
    label: str


@dataclass(frozen=True)
class Extreme:
    """A method's best and worst scene by one metric."""

    method: str
    column: Column
    best: Ending
    worst: Ending


def scene_values(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Whole-scene values of one metric: method, index, label, value."""
    whole = rows[(rows["metric"] == metric) & (rows["view"] < 0)]
    return whole.dropna(subset=["value"])[["method", "index", "label", "value"]]


def strip_plot(run: RunFiles, column: Column, values: pd.DataFrame) -> Markup:
    """A row of dots a method on one scale; the bar is the median."""
    styles = method_styles(run.methods)
    names = [method.name for method in run.methods if (values["method"] == method.name).any()]
    left = min(140.0, max(text_width(name, LABEL_SIZE) for name in names) + 14.0)
    low, high = padded([float(value) for value in values["value"]])
    x = linear(low, high, left, WIDTH - 10)
    height = TOP + ROW * len(names) + BOTTOM
    foot = height - BOTTOM
    parts = []
    for value, text in nice_ticks(low, high, 5):
        parts.append(element("path", d=path([(x(value), TOP), (x(value), foot)]), class_="grid"))
        parts.append(element("text", text, x=x(value), y=foot + 14, class_="tick", text_anchor="middle"))
    for place, name in enumerate(names):
        own = values[values["method"] == name].sort_values("index")
        level = TOP + ROW * (place + 0.5)
        dots = "".join(
            f"M{x(value):.1f} {level + _jitter(int(index)) * ROW * 0.55:.1f}h0"
            for index, value in zip(own["index"], own["value"], strict=True)
        )
        middle = x(float(np.median(own["value"])))
        bar = path([(middle, level - ROW * 0.36), (middle, level + ROW * 0.36)])
        parts.append(
            element("text", name, x=left - 10, y=level + 3.8, class_=f"label {styles[name]}", text_anchor="end")
        )
        size = "dots" if len(own) <= MANY_SCENES else "dots small"
        parts.append(element("path", d=dots, class_=f"{size} {styles[name]}"))
        parts.append(element("path", d=bar, class_=f"median {styles[name]}"))
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=f"{column.definition.title}, one dot a scene",
        class_="chart",
    )


def extremes(run: RunFiles, column: Column, values: pd.DataFrame) -> list[Extreme]:
    """The best and worst scene of each method; empty where the metric has no direction."""
    if column.definition.higher_is_better is None:
        return []
    found = []
    for method in run.methods:
        own = values[values["method"] == method.name].sort_values(["value", "index"])
        if len(own) < 2:
            continue
        ends = [_describe(run, column, own.iloc[place]) for place in (0, -1)]
        worst, best = ends if column.definition.higher_is_better else ends[::-1]
        found.append(Extreme(method.name, column, best, worst))
    return found


def _describe(run: RunFiles, column: Column, row: pd.Series) -> Ending:
    name = run.label_name(int(row["label"])) or ""
    index, number = int(row["index"]), float(row["value"])
    place = index // run.samples
    scene = f"scene {place}" + (f" ({name})" if name else "")
    return Ending(index, format_number(number, column.decimals), scene, number, place, name)


def _jitter(index: int) -> float:
    """A height in [-0.5, 0.5) that spreads neighbours and never changes (golden-ratio sequence)."""
    return (index * 0.6180339887498949 + 0.5) % 1.0 - 0.5
