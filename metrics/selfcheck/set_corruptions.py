"""Graded faults of whole sets: every picture may be a good one, and the set is still not what was asked for.

A set is a list of places, one a scene. Place i of an honest set shows an object of class i mod 10 that no
other place shows, from a view that depends on i alone. A corruption says for each level what the places show
instead. Levels are nested: what is replaced at one is replaced, by the same thing, at all above it. Nothing is
rendered here; `sets` draws the pictures that are asked for, each once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from ...scenes.generator import scene_generator
from ...scenes.tabletop import CLASSES, REFERENCE_SEEDS, TEST_SEEDS, reference_views

__all__ = ["SET_CORRUPTIONS", "HonestSet", "Picture", "Place", "SetCorruption"]

VIEWS = 24
"""Cameras round the circle that pictures are taken by."""

OTHER_DRAWS = 3
STRIDE = 100_000  # between the seeds of one draw and the next


@dataclass(frozen=True, order=True)
class Picture:
    """An object of the tabletop world from one side.

    Args:
        label: class index.
        seed: of the object.
        view: which of `VIEWS` cameras, from 0.
    """

    label: int
    seed: int
    view: int


@dataclass(frozen=True)
class Place:
    """What a generator returned for one scene.

    Args:
        asked: the class it was asked for.
        view: the camera it was asked for.
        shows: the pictures it shows, blended where there are several; none = a picture of nothing, random
            colours on 8 x 8 tiles.
    """

    asked: int
    view: int
    shows: tuple[Picture, ...]


@dataclass(frozen=True)
class HonestSet:
    """A set without a fault, and what it is compared with.

    Args:
        per_class: scenes of each class, and reference pictures of each.
    """

    per_class: int

    @property
    def places(self) -> list[Place]:
        """The set itself."""
        return self.drawn(0)

    def drawn(self, draw: int) -> list[Place]:
        """An honest set of other objects for each `draw`; 0 is the set itself."""
        return self._of(TEST_SEEDS[draw * STRIDE :])

    @property
    def reference(self) -> list[Picture]:
        """As many pictures of further objects, from the same views, to compare with."""
        return [place.shows[0] for place in self._of(REFERENCE_SEEDS)]

    def _of(self, seeds: range) -> list[Place]:
        count = self.per_class * len(CLASSES)
        views = reference_views(count, VIEWS)
        labels = [i % len(CLASSES) for i in range(count)]
        return [
            Place(label, view, (Picture(label, seed, view),))
            for label, seed, view in zip(labels, seeds[:count], views, strict=True)
        ]


Effect = Callable[[HonestSet, float], list[Place]]
"""An honest set and the level, to what the faulty generator returned for the same scenes."""


@dataclass(frozen=True)
class SetCorruption:
    """A fault of a set of pictures, from barely noticeable to gross.

    Args:
        name: its key in `SET_CORRUPTIONS`.
        title: for tables.
        unit: of the level.
        levels: rising.
        control: whether the set is as good as before, so that metrics must not react.
        description: one sentence.
        apply: how it is done.
    """

    name: str
    title: str
    unit: str
    levels: tuple[float, ...]
    control: bool
    description: str
    apply: Effect = field(repr=False, compare=False)


def _chosen(name: str, places: int, share: float) -> list[int]:
    """That share of the places, at least one, the same first ones at every level; in order of choice."""
    order = torch.randperm(places, generator=scene_generator(0, f"selfcheck.sets.{name}")).tolist()
    return order[: max(1, round(share * places))]


def _collapse(honest: HonestSet, share: float) -> list[Place]:
    places = honest.places
    only = places[0].shows[0]
    for i in _chosen("collapse", len(places), share):
        # from the sides its class is seen from: near copies, of which few are the same picture
        view = places[i // len(CLASSES) * len(CLASSES)].view
        places[i] = replace(places[i], shows=(replace(only, view=view),))
    return places


def _classes_lost(honest: HonestSet, lost: float) -> list[Place]:
    places, spare = honest.places, honest.drawn(OTHER_DRAWS)
    half = len(CLASSES) // 2
    for i, place in enumerate(places):
        if place.asked < lost:  # its place is taken by the class half the list further on, whose objects are fresh
            places[i] = replace(place, shows=spare[i + half].shows)
    return places


def _within_class(honest: HonestSet, share: float) -> list[Place]:
    places = honest.places
    lost = min(max(1, round(share * honest.per_class)), honest.per_class - 1)
    for i, place in enumerate(places):
        if i // len(CLASSES) >= honest.per_class - lost:
            first = places[i % len(CLASSES)].shows[0]
            places[i] = replace(place, shows=(replace(first, view=place.view),))
    return places


def _wrong_class(honest: HonestSet, share: float) -> list[Place]:
    places = honest.places
    for turn, i in enumerate(_chosen("wrong_class", len(places), share)):
        asked = (places[i].asked + 1 + turn % (len(CLASSES) - 1)) % len(CLASSES)
        places[i] = replace(places[i], asked=asked)
    return places


def _memorised(honest: HonestSet, share: float) -> list[Place]:
    places, reference = honest.places, honest.reference
    for i in _chosen("memorised", len(places), share):
        places[i] = replace(places[i], shows=(reference[i],))
    return places


def _outliers(honest: HonestSet, share: float) -> list[Place]:
    places = honest.places
    for i in _chosen("outliers", len(places), share):
        places[i] = replace(places[i], shows=())
    return places


def _blends(honest: HonestSet, share: float) -> list[Place]:
    places, spare = honest.places, honest.drawn(OTHER_DRAWS)
    for i in _chosen("blends", len(places), share):
        places[i] = replace(places[i], shows=places[i].shows + spare[(i + 1) % len(places)].shows)
    return places


def _reorder(honest: HonestSet, order: float) -> list[Place]:
    places = honest.places
    drawn = torch.randperm(len(places), generator=scene_generator(int(order), "selfcheck.sets.order"))
    return [places[i] for i in drawn.tolist()]


def _redraw(honest: HonestSet, draw: float) -> list[Place]:
    return honest.drawn(int(draw))


def _fewer(honest: HonestSet, share: float) -> list[Place]:
    missing = set(_chosen("fewer", len(honest.places), share))
    return [place for i, place in enumerate(honest.places) if i not in missing]


_ALL = (
    SetCorruption(
        "collapse",
        "collapse to one object",
        "share of pictures",
        (0.05, 0.1, 0.2, 0.4, 0.8),
        False,
        "Some scenes show one and the same object, whatever was asked for.",
        _collapse,
    ),
    SetCorruption(
        "classes_lost",
        "lost classes",
        "of 10 classes",
        (1.0, 2.0, 3.0, 4.0, 5.0),
        False,
        "Some classes never come; objects of others stand in their place.",
        _classes_lost,
    ),
    SetCorruption(
        "within_class",
        "collapse within classes",
        "share of each class",
        (0.2, 0.4, 0.6, 0.8, 0.92),
        False,
        "Some pictures of each class show the class's first object again.",
        _within_class,
    ),
    SetCorruption(
        "wrong_class",
        "wrong class",
        "share of pictures",
        (0.02, 0.05, 0.1, 0.2, 0.4),
        False,
        "Some pictures were asked to be of another class; the pictures as a set are the same.",
        _wrong_class,
    ),
    SetCorruption(
        "memorised",
        "memorised pictures",
        "share of pictures",
        (0.05, 0.1, 0.2, 0.4, 0.8),
        False,
        "Some pictures are copies of reference pictures.",
        _memorised,
    ),
    SetCorruption(
        "outliers",
        "pictures of nothing",
        "share of pictures",
        (0.02, 0.05, 0.1, 0.2, 0.4),
        False,
        "Some pictures are random colours on 8 x 8 tiles.",
        _outliers,
    ),
    SetCorruption(
        "blends",
        "double exposures",
        "share of pictures",
        (0.05, 0.1, 0.2, 0.4, 0.8),
        False,
        "Some pictures are the mean of two objects of different classes.",
        _blends,
    ),
    SetCorruption(
        "reorder",
        "order of scenes",
        "number of the order",
        (1.0, 2.0, 3.0),
        True,
        "The same pictures in another order.",
        _reorder,
    ),
    SetCorruption(
        "redraw",
        "another draw",
        "number of the draw",
        tuple(float(draw + 1) for draw in range(OTHER_DRAWS)),
        True,
        "As many honest pictures of other objects.",
        _redraw,
    ),
    SetCorruption(
        "fewer",
        "fewer scenes",
        "share of scenes",
        (0.1, 0.2, 0.3, 0.4),
        True,
        "Some scenes are missing; the others are as before.",
        _fewer,
    ),
)

SET_CORRUPTIONS: dict[str, SetCorruption] = {entry.name: entry for entry in _ALL}
