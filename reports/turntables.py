"""What the turntables show: which scenes, which views, and the pictures of every method side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..scenes.errors import ViewsweepError
from ..scenes.scene import Scene
from .layers import depth_colours, heat_colours, normal_colours, warp_differences
from .numbers import format_number
from .rundir import Failure, RunFiles
from .sprites import Depths, Pictures, Sheet, depth_range, nearest, picture_sheet, shrink
from .tables import Column

__all__ = ["Exhibit", "Pane", "exhibits", "pick_scenes", "trace_data"]

PICTURE_BYTES = 7_800_000
"""Budget for all turntables of a report before base64, which adds a third: 10.4 MB of text. All else takes about 4 MB
with ten methods on 24 scenes, and the page is to stay below 15."""

PANE_BYTES = 130_000
"""What one method may take for one scene, however few there are."""

SHARES = {"depth": 0.12, "normals": 0.18, "warp": 0.15}
"""Of a pane's bytes, at most; the colours have the rest."""

MOST_VIEWS = 72


@dataclass(frozen=True)
class Pane:
    """What one method shows of one scene.

    `kind` is "turntable" (views with known cameras), "gallery" (pictures without cameras) or
    "missing" (`reason` says why). `layers` holds those of `layers.LAYERS` that there are. `yaws` and
    `pitches` are degrees, one a tile.
    """

    method: str
    kind: str
    reason: str = ""
    rgb: Sheet | None = None
    layers: Mapping[str, Sheet] = field(default_factory=dict)
    yaws: tuple[float, ...] = ()
    pitches: tuple[float, ...] = ()
    views: int = 0

    @property
    def sheets(self) -> list[Sheet]:
        """All pictures of the pane."""
        return [sheet for sheet in (self.rgb, *self.layers.values()) if sheet is not None]


@dataclass(frozen=True)
class Exhibit:
    """One scene, drawn by all methods; `near` and `far` bound the depth colours of all of them.

    `index` is that of its file, `number` its name for people.
    """

    index: int
    number: str
    label: str | None
    seed: int | None
    panes: tuple[Pane, ...]
    near: str | None
    far: str | None

    @property
    def title(self) -> str:
        return f"Scene {self.number}" + (f", {self.label}" if self.label else "")


@dataclass(frozen=True)
class _Views:
    """The arrays behind a pane, already small."""

    rgb: Pictures
    depth: Depths | None
    coloured: Mapping[str, Pictures]
    yaws: tuple[float, ...]
    pitches: tuple[float, ...]
    total: int


def pick_scenes(run: RunFiles, count: int) -> list[int]:
    """At most `count` scenes, spread over the classes, never chosen by their scores.

    Each class gives its lowest index that most methods have drawn; further scenes follow class by class.
    Of a completion the first sample stands for a scene.
    """
    drawn: dict[int, int] = {}
    for method in run.methods:
        for index in run.scene_indices(method.name):
            if index % run.samples == 0:
                drawn[index] = drawn.get(index, 0) + 1
    labels = _labels(run.rows)
    queues: dict[int, list[int]] = {}
    for index in sorted(drawn, key=lambda index: (-drawn[index], index)):
        queues.setdefault(labels.get(index, -1), []).append(index)
    classes = sorted(queues)
    if len(classes) > count > 0:  # more classes than places: take them at even distances
        classes = [classes[place * len(classes) // count] for place in range(count)]
    picked: list[int] = []
    while len(picked) < count and any(queues[label] for label in classes):
        for label in classes:
            if queues[label] and len(picked) < count:
                picked.append(queues[label].pop(0))
    return sorted(picked)


def exhibits(run: RunFiles, indices: list[int]) -> tuple[list[Exhibit], list[tuple[str, Failure]]]:
    """The pictures of `indices`, and the scene files that could not be read as (method, failure)."""
    limit = min(PANE_BYTES, PICTURE_BYTES // max(1, len(indices) * len(run.methods)))
    shown, unreadable = [], []
    labels = _labels(run.rows)
    for index in indices:
        found: dict[str, _Views | str] = {}
        label, seed = labels.get(index), None
        for method in run.methods:
            try:
                scene = run.scene(method.name, index)
            except ViewsweepError as error:
                # a moved run gives the same report
                reason = str(error).replace(f"{run.homes.get(method.name, run.folder)}/", "")
                unreadable.append((method.name, Failure(index, reason)))
                found[method.name] = reason
                continue
            if scene is None:
                lost = [failure.reason for failure in method.failed if failure.index == index]
                found[method.name] = lost[0] if lost else "This method has no file for this scene."
                continue
            label = scene.label if label is None else label
            seed = scene.seed if seed is None else seed
            found[method.name] = _views(scene)
        shared = depth_range(v.depth for v in found.values() if isinstance(v, _Views) and v.depth is not None)
        panes = tuple(_pane(name, views, shared, limit) for name, views in found.items())
        near, far = (None, None) if shared is None else (format_number(bound, 2) for bound in shared)
        shown.append(Exhibit(index, str(index // run.samples), run.label_name(label), seed, panes, near, far))
    return shown, unreadable


def trace_data(run: RunFiles, indices: list[int], columns: list[Column]) -> dict[str, Any]:
    """Per-view values of the scenes shown, for the small trace under each turntable.

    Returns:
        ``metrics``: id, title, unit and decimals of every metric with per-view values;
        ``traces``: metric -> scene index -> method -> [[yaw in degrees, value], ...] by rising yaw.
    """
    rows = run.rows
    rows = rows[(rows["view"] >= 0) & rows["index"].isin(indices)].dropna(subset=["yaw_deg", "value"])
    metrics, traces = [], {}
    for column in columns:
        name = column.definition.id
        own = rows[rows["metric"] == name].sort_values("yaw_deg", kind="stable")
        if own.empty:
            continue
        decimals = column.decimals
        metrics.append({"id": name, "title": column.definition.title, "unit": column.unit, "decimals": decimals})
        by_scene: dict[str, dict[str, list[list[float]]]] = {}
        for (index, method), part in own.groupby(["index", "method"], sort=True):
            pairs = zip(part["yaw_deg"], part["value"], strict=True)
            points = [[round(float(yaw), 1), float(f"{float(value):.5g}")] for yaw, value in pairs]
            by_scene.setdefault(str(index), {})[str(method)] = points
        traces[name] = by_scene
    return {"metrics": metrics, "traces": traces}


def _labels(rows: pd.DataFrame) -> Mapping[int, int]:
    known = rows[rows["label"] >= 0].drop_duplicates("index")
    return {int(index): int(label) for index, label in zip(known["index"], known["label"], strict=True)}


def _views(scene: Scene) -> _Views:
    """The views to show: all of them, or `MOST_VIEWS` at even distances in the order of the file."""
    count = min(scene.views, MOST_VIEWS)
    kept = [place * scene.views // count for place in range(count)]
    rgb = shrink(scene.rgb[kept].numpy())
    height, width = rgb.shape[1:3]
    depth = None if scene.depth is None else nearest(scene.depth[kept].numpy(), height, width)
    if scene.cameras is None:
        return _Views(rgb, depth, {}, (), (), scene.views)
    coloured = {}
    if scene.depth is not None:
        heat = heat_colours(warp_differences(scene), scene.depth.numpy())  # of all views: neighbours are compared
        coloured = {
            "normals": nearest(normal_colours(scene)[kept], height, width),
            "warp": nearest(heat[kept], height, width),
        }
    yaws, pitches = (np.degrees(angle[kept].numpy()) for angle in (scene.cameras.yaw, scene.cameras.pitch))
    return _Views(rgb, depth, coloured, _degrees(yaws), _degrees(pitches), scene.views)


def _degrees(angles: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, ...]:
    # the left end of the axis belongs to it, the right end is the same place
    wrapped = (np.round(angles, 2) + 180.0) % 360.0 - 180.0
    return tuple(float(angle) for angle in np.round(wrapped, 2) + 0.0)


def _pane(method: str, views: _Views | str, shared: tuple[float, float] | None, limit: int) -> Pane:
    if isinstance(views, str):
        return Pane(method, "missing", reason=views)
    kind = "turntable" if views.yaws else "gallery"
    strip = kind == "gallery"
    coloured = dict(views.coloured)
    if views.depth is not None and shared is not None:
        coloured = {"depth": depth_colours(views.depth, shared)} | coloured
    layers = {name: picture_sheet(tiles, round(limit * SHARES[name]), strip=strip) for name, tiles in coloured.items()}
    # noise cannot be made small: its layers may take more than their shares, and colours get theirs all the same
    left = max(limit - sum(sheet.bytes for sheet in layers.values()), round(limit * (1 - sum(SHARES.values()))))
    rgb = picture_sheet(views.rgb, left, strip=strip)
    return Pane(method, kind, "", rgb, layers, views.yaws, views.pitches, views.total)
