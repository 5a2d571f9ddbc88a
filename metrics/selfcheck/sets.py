"""The self-check's sets: many objects, one picture each, drawn once and put together anew at every level.

Metrics of sets ask whether all kinds of pictures occur, which whole sweeps of ten objects cannot tell. Their
values with one group of scenes left out each time, as in the jackknife, take the place that subjects have
elsewhere; the honest set is level 0 of each corruption.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...scenes import Scene, sweep360
from ...scenes.generator import scene_generator
from ...scenes.tabletop import render_views, sample
from .. import statistics
from ..base import azimuth_deg
from ..features import Features, extract
from ..feeding import definitions_of, feed, make
from ..set_metric import SetMetric
from ..tabletop_network import load_tabletop_network
from ..view_range import ViewRange
from .matrix import MATRIX
from .measure import PITCH
from .plan import Plan
from .set_corruptions import SET_CORRUPTIONS, VIEWS, Picture, Place
from .table import Table

__all__ = ["Rendered", "judged_on_sets", "left_out_values", "measure_sets", "picture_tasks", "render_pictures"]

TILES = 8


@dataclass(frozen=True, eq=False)
class Rendered:
    """Pictures, and what they show: uint8 sRGB, [N, H, W, 3]."""

    pictures: tuple[Picture, ...]
    rgb: Tensor


def judged_on_sets(plan: Plan, catalogue: dict[str, type[Any]]) -> dict[str, type[Any]]:
    """Those metrics of `plan` for which the matrix has cells of sets."""
    network = load_tabletop_network().name
    declared = {name for name, cells in MATRIX.items() if not cells.keys().isdisjoint(SET_CORRUPTIONS)}
    return {
        name: kind
        for name, kind in catalogue.items()
        if (not plan.metrics or name in plan.metrics) and not declared.isdisjoint(definitions_of(kind, network))
    }


def picture_tasks(plan: Plan) -> list[tuple[Picture, ...]]:
    """Every picture any set of `plan` is put together from, once, class by class."""
    wanted = set(plan.honest_set.reference)
    for places in _sets(plan).values():
        wanted |= {picture for place in places for picture in place.shows}
    ordered = sorted(wanted)
    labels = sorted({picture.label for picture in ordered})
    return [tuple(picture for picture in ordered if picture.label == label) for label in labels]


def render_pictures(pictures: Sequence[Picture], size: int) -> Rendered:
    """The pictures, `size` pixels high and wide."""
    objects = {(picture.seed, picture.label): sample(picture.seed, picture.label) for picture in pictures}
    cameras = sweep360(VIEWS, PITCH)[[picture.view for picture in pictures]]
    rgb = torch.empty(len(pictures), size, size, 3, dtype=torch.uint8)
    shown = [objects[picture.seed, picture.label] for picture in pictures]
    for positions, part, _ in render_views(shown, cameras, size):
        rgb[positions] = part
    return Rendered(tuple(pictures), rgb)


def measure_sets(table: Table, plan: Plan, rendered: Sequence[Rendered], catalogue: dict[str, type[Any]]) -> None:
    """Put the values of all sets of `plan` into `table`."""
    kinds = judged_on_sets(plan, catalogue)
    gallery = _Gallery({p: rgb for part in rendered for p, rgb in zip(part.pictures, part.rgb, strict=True)})
    honest = plan.honest_set
    reference = gallery.features([Place(p.label, p.view, (p,)) for p in honest.reference])
    for (corruption, level), places in _sets(plan).items():
        features = gallery.features(places)
        for kind in kinds.values():
            for key, values in left_out_values(kind, features, places, reference).items():
                cells = {("without", k): value for k, value in enumerate(values)}
                for name in (corruption,) if corruption else plan.sets:
                    table.values[key][name][level] = cells
    for kind in kinds.values():
        meant = definitions_of(kind, load_tabletop_network().name)
        table.bounds |= dict(zip(meant, kind._bounds, strict=True))
        for key in meant:
            if table.values.get(key):
                table.reasons.pop(key, None)


def _sets(plan: Plan) -> dict[tuple[str, int], list[Place]]:
    """What each corruption makes of the honest set at each chosen level, counted from 1; ("", 0) is the honest set."""
    honest = plan.honest_set
    found = {("", 0): honest.places}
    for name in plan.sets:
        corruption = SET_CORRUPTIONS[name]
        for level in plan.chosen_of(corruption):
            found[name, level + 1] = corruption.apply(honest, corruption.levels[level])
    return found


class _Gallery:
    """Features of what places show, each computed once.

    Args:
        pictures: uint8 sRGB, [H, W, 3] each, all of one size.
    """

    def __init__(self, pictures: dict[Picture, Tensor]) -> None:
        self._pictures = pictures
        self._known: dict[tuple[object, ...], Features] = {}
        self._azimuth = azimuth_deg(sweep360(VIEWS, PITCH).yaw)

    def features(self, places: Sequence[Place]) -> Features:
        """One row a place, in order."""
        keys = [self._key(place) for place in places]
        new = {key: place for key, place in zip(keys, places, strict=True) if key not in self._known}
        if new:
            found = extract(
                load_tabletop_network(),
                torch.stack([self._seen(place) for place in new.values()]),
                azimuth_deg=torch.tensor([self._azimuth[place.view] for place in new.values()]),
                pitch_deg=torch.full((len(new),), math.degrees(PITCH)),
            )
            self._known |= {key: found[row : row + 1] for row, key in enumerate(new)}
        return Features.cat([self._known[key] for key in keys])

    def _key(self, place: Place) -> tuple[object, ...]:
        return (place.shows, place.view, place.asked) if not place.shows else (place.shows, place.view)

    def _seen(self, place: Place) -> Tensor:
        if place.shows:
            return torch.stack([self._pictures[one].float() for one in place.shows]).mean(0).round().to(torch.uint8)
        height, width, _ = next(iter(self._pictures.values())).shape
        generator = scene_generator(place.view * 100 + place.asked, "selfcheck.sets.tiles")
        # coarser than pixels: noise of single pixels is grey to the network, and grey is the middle of everything
        tiles = torch.randint(0, 256, (1, 3, TILES, TILES), generator=generator).to(torch.uint8)
        return interpolate(tiles, (height, width), mode="nearest")[0].permute(1, 2, 0)


def left_out_values(
    kind: type[Any], features: Features, places: Sequence[Place], reference: Features
) -> dict[str, list[float]]:
    """Each id's value without each jackknife group of scenes in turn.

    Args:
        kind: a metric of sets, or one that asks a scene for nothing but its label.
        features: one row a place.
        places: the set.
        reference: of the reference pictures.
    """
    if issubclass(kind, ViewRange):
        features, reference = _frontal(features), _frontal(reference)
    metric: Any = make(kind, load_tabletop_network().name, reference)
    if issubclass(kind, SetMetric):
        metric.update(features, index=torch.arange(len(places)))
        found: dict[str, list[float]] = metric.left_out()
        return {key: values for key, values in found.items() if values}
    blank = torch.zeros(1, 1, 1, 3, dtype=torch.uint8)
    for index, place in enumerate(places):
        feed(metric, Scene(blank, label=place.asked), index, features[index : index + 1], None)
    groups = statistics.jackknife_groups(len(places)).tolist()
    by_id: dict[str, list[float]] = {}
    for row in metric.rows():
        if row.view < 0:
            by_id.setdefault(row.metric, []).append(row.value)
    return {
        key: [_mean_without(values, groups, group) for group in sorted(set(groups))] for key, values in by_id.items()
    }


def _frontal(features: Features) -> Features:
    """Pictures declared to be front views, the one range of `ViewRange` that asks a scene for one picture only."""
    front = torch.zeros_like(features.azimuth_deg)
    return replace(features, azimuth_deg=front, pitch_deg=torch.zeros_like(features.pitch_deg))


def _mean_without(values: Sequence[float], groups: Sequence[int], group: int) -> float:
    return statistics.mean([value for value, own in zip(values, groups, strict=True) if own != group])
