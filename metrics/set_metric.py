"""`SetMetric`: metrics of the set of all generated pictures, as FID is.

Pictures are kept in states that merge, and sorted by scene and content before anything is computed,
so that neither batches nor the order of updates change a bit. The unit of all intervals is the scene.
"""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import statistics
from .base import Array, ViewsweepMetric
from .features import Features
from .result import Definition, MetricResult, Row

__all__ = ["Pictures", "SetMetric"]

FIRST = 16
"""Values of a picture's features that order it among others."""

OWN_SCENE = -1
"""Scene index of a picture that belongs to no sweep: each such picture is a unit of its own."""

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pictures:
    """One side of a comparison, in an order that depends on nothing but scenes and content.

    Args:
        rows: float64 features, [N, D].
        unit: the unit (scene) of each, numbered from 0 in ascending order, int64, [N].
        scene: the scene's index in the protocol, or -1, int64, [N].
        azimuth_deg: where the camera stood; NaN = unknown, [N].
    """

    rows: Array
    unit: Whole
    scene: Whole
    azimuth_deg: Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def units(self) -> int:
        """How many scenes."""
        return int(self.unit[-1]) + 1 if len(self) else 0

    def where(self, chosen: npt.NDArray[np.bool_] | Whole) -> Pictures:
        """Some of the pictures, their units numbered anew."""
        unit = np.unique(self.unit[chosen], return_inverse=True)[1]
        return Pictures(self.rows[chosen], unit, self.scene[chosen], self.azimuth_deg[chosen])

    def one_per_scene(self, *, frontal: bool = False) -> Pictures:
        """One picture a scene: the same view of scene k for every method, whatever it drew.

        The views of a scene are sorted by azimuth. Their place in the circle follows from the scene's
        index alone, by steps of the golden ratio, which spread over the circle however many scenes
        there are. `frontal` takes the view nearest to azimuth 0 instead, where azimuths are known.
        """
        order = np.lexsort((self.azimuth_deg, self.unit))  # stable, and NaN last: ties stay in order of content
        starts = np.searchsorted(self.unit[order], np.arange(self.units + 1))
        chosen = []
        for first, end in pairwise(starts):
            own = order[first:end]
            azimuth = self.azimuth_deg[own]
            place = int((max(int(self.scene[own[0]]), 0) * GOLDEN) % 1.0 * len(own))
            if frontal and np.isfinite(azimuth).all():
                place = int(np.argmin(np.round(np.abs(azimuth), 3)))
            chosen.append(own[place])
        return self.where(np.array(chosen, dtype=np.int64))

    def groups(self) -> tuple[Whole, Whole]:
        """Jackknife group of each unit [units], and of each picture [N]."""
        groups = statistics.jackknife_groups(self.units)
        return groups, groups[self.unit]


class SetMetric(ViewsweepMetric):
    """A metric of the set of all generated pictures, against reference pictures or on its own.

    A subclass declares `_ids`, the bounds of each in `_bounds`, and which part of `Features` it
    `_keeps`; `_measure` turns pictures into one result an id.

    Args:
        network: name of the feature network, part of the metric's ids.
    """

    _ids: ClassVar[tuple[Definition, ...]]
    _bounds: ClassVar[tuple[tuple[float, float], ...]]
    _keeps: ClassVar[str]  # the part of `Features` it works on
    _of_network: ClassVar[bool] = True  # whether another network would give other numbers
    takes_features = True

    fake: list[Tensor]
    fake_scene: list[Tensor]
    fake_azimuth: list[Tensor]
    real: list[Tensor]
    real_scene: list[Tensor]
    real_azimuth: list[Tensor]

    def __init__(self, network: str = "tabletop") -> None:
        super().__init__()
        self.network = network
        self._deleted: dict[int, list[float]] = {}
        # matrices lie flat in the states: processes without pictures do not know their width
        self._add_rows(*self._empty_states())

    @classmethod
    def definitions(cls, network: str = "tabletop") -> dict[str, Definition]:
        """What each id of this metric means, with features of `network`."""
        names = [f"{entry.id}[{network}]" if cls._of_network else entry.id for entry in cls._ids]
        return {name: replace(entry, id=name) for name, entry in zip(names, cls._ids, strict=True)}

    def update(self, features: Features, *, real: bool = False, index: int | Tensor | None = None) -> None:
        """Add pictures.

        Args:
            features: of N pictures.
            real: whether they are the reference.
            index: the scene all of them show, or one scene a picture, int64 [N]; without it each
                picture counts as a scene of its own, which is right for unrelated pictures only.

        Raises:
            ValueError: a width other than that of the pictures before, or indices that do not fit.
        """
        if real and "reference" not in self.needs:
            return
        rows: Tensor = getattr(features, self._keeps)
        if rows.numel() == 0 and len(features):
            raise ValueError(f"{self._keeps} has no columns; a network without classes has no {self.title}.")
        rows = rows.reshape(len(features), -1)
        scene = torch.as_tensor(OWN_SCENE if index is None else index, dtype=torch.int64).cpu()
        if scene.ndim > 1 or (scene.ndim == 1 and len(scene) != len(rows)):
            raise ValueError(f"index has shape {list(scene.shape)} for {len(rows)} pictures.")
        if index is not None and bool((scene < 0).any()):
            raise ValueError("a scene's index cannot be negative.")
        before = self._width()
        if before and before != rows.shape[1]:
            raise ValueError(f"{self._keeps} has {rows.shape[1]} columns; that of earlier pictures had {before}.")
        if len(rows):
            self._keep("real" if real else "fake", rows, scene.expand(len(rows)), features.azimuth_deg)

    def _width(self) -> int:
        """Columns of the pictures so far; 0 where there are none."""
        for kind in ("fake", "real"):
            held, scene = getattr(self, kind), getattr(self, f"{kind}_scene")
            if len(held):
                return int(held[0].numel() // len(scene[0]))
        return 0

    def _keep(self, kind: str, rows: Tensor, scene: Tensor, azimuth_deg: Tensor) -> None:
        getattr(self, kind).append(rows.reshape(-1).clone())
        getattr(self, f"{kind}_scene").append(scene.clone())
        getattr(self, f"{kind}_azimuth").append(azimuth_deg.clone())

    def _empty_states(self) -> dict[str, Tensor]:
        flat, index = torch.zeros(0, dtype=torch.float32), torch.zeros(0, dtype=torch.int64)
        each = {"": flat, "_scene": index, "_azimuth": flat}
        return {f"{kind}{part}": empty for kind in ("fake", "real") for part, empty in each.items()}

    def _pictures(self, kind: str) -> Pictures:
        scene = self._gathered(f"{kind}_scene").cpu().numpy()
        if len(scene) == 0:
            none = np.zeros(0, dtype=np.int64)
            return Pictures(np.zeros((0, 0)), none, none, np.zeros(0))
        rows = self._gathered(kind).cpu().numpy().reshape(len(scene), -1)
        azimuth = self._gathered(f"{kind}_azimuth").cpu().numpy().astype(np.float64)
        # within a scene by content, for no one promises an order of updates; by its first values before its bits, so
        # that on a processor that rounds otherwise seeded draws take the same pictures
        first = rows[:, :FIRST].tolist()
        digest = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        last = np.nan_to_num(azimuth, nan=math.inf)
        order = sorted(range(len(scene)), key=lambda row: (scene[row], first[row], digest[row], last[row]))
        scene = scene[order]
        fresh = np.concatenate([[True], (scene[1:] != scene[:-1]) | (scene[1:] == OWN_SCENE)])
        return Pictures(rows[order].astype(np.float64), np.cumsum(fresh) - 1, scene, azimuth[order])

    def _results(self) -> dict[str, MetricResult]:
        fake, real = self._pictures("fake"), self._pictures("real")
        missing = self._missing(len(fake), len(real))
        found = [missing] * len(self._ids) if missing else self._measure(fake, real)
        return dict(zip(self.definitions(self.network), found, strict=True))

    def _missing(self, fake: int, real: int) -> MetricResult | None:
        if fake == 0:
            return MetricResult.not_run("no generated pictures were given.")
        if "reference" in self.needs and real == 0:
            return MetricResult.not_run("no reference pictures were given.", fake)
        return None

    def left_out(self) -> dict[str, list[float]]:
        """Each id's value without each jackknife group of scenes in turn, where it has an interval.

        The same scenes are in the same group for every method (see `statistics.jackknife_groups`),
        so that two methods can be compared group by group (`paired_tests.jackknife_difference`).
        """
        with self._all_processes():
            self._deleted = {}
            self._results()
            names = list(self.definitions(self.network))
            return {names[which]: values for which, values in sorted(self._deleted.items())}

    def _rows(self) -> list[Row]:
        return []

    @abstractmethod
    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        """The results in the order of `_ids`; there are pictures wherever the metric needs them."""

    def _ok(self, value: float, deleted: Sequence[float], groups: Whole, n: int, which: int = 0) -> MetricResult:
        """A result with the jackknife interval; `groups` [units] says which unit was left out when.

        `which` of `_bounds` the interval is cut at; with nothing `deleted` there is none.
        """
        sizes = np.bincount(groups).tolist() if len(deleted) else []
        self._deleted[which] = list(deleted)
        interval = statistics.jackknife_interval(value, deleted, sizes, bounds=self._bounds[which])
        return MetricResult.ok(value, interval, n)
