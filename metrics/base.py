"""What all metrics share: torchmetrics states that merge, and results, rows and definitions.

A metric keeps what it measured as rows of numbers tagged with the scene's index, in states that
torchmetrics concatenates across processes. Everything else is computed from these rows after they
were put into one order, so that the numbers are the same bits whatever the order of updates, the
number of workers, or how often the run was interrupted.

    ViewsweepMetric     compute, results, rows, definitions
      SceneMetric       update(scene, index), with features=... where it takes them; a mean over scenes
        PairMetric      of neighbouring views, in `pair_metric`
      SetMetric         of the set of all pictures, in `set_metric`
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from ..scenes.errors import UserError
from ..scenes.scene import Scene
from . import statistics
from .bootstrap import interval_of_mean, scene_means
from .result import Definition, MetricResult, Row

__all__ = ["HEAD", "SceneMetric", "ViewsweepMetric", "azimuth_deg"]

Array = npt.NDArray[np.float64]
HEAD = 5
"""Columns of a record before its values: scene, gap, view, partner, azimuth in degrees."""

EVERY_GAP = -1


class ViewsweepMetric(Metric):
    """Base of all metrics: a `torchmetrics.Metric` that also reports intervals and reasons."""

    is_differentiable = False
    full_state_update = False  # so that states can be merged

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]]
    takes_features: ClassVar[bool] = False
    """Whether it is made with a feature network's name, and updated with that network's features."""
    samples_per_scene: int = 1
    """K, where scenes n * K to n * K + K - 1 are samples of one and the same: they are not independent, so
    together they count as one where an interval is taken."""

    def compute(self) -> Tensor:
        """The headline number, float64.

        Raises:
            UserError: it could not be computed; `results()` says so without raising.
        """
        name, result = next(iter(self._results().items()))
        if result.value is None:
            raise UserError(f"{name}: {result.reason}")
        return torch.tensor(result.value, dtype=torch.float64)

    def results(self) -> dict[str, MetricResult]:
        """Every number this metric yields, by metric id, the headline first.

        In distributed runs all processes must call it, and get the same; so with `rows`.
        """
        with self._all_processes():
            return self._results()

    def rows(self) -> list[Row]:
        """The values of single scenes and views, sorted by metric, scene and view."""
        with self._all_processes():
            return self._rows()

    @abstractmethod
    def _results(self) -> dict[str, MetricResult]: ...

    @abstractmethod
    def _rows(self) -> list[Row]: ...

    @abstractmethod
    def _empty_states(self) -> dict[str, Tensor]:
        """What each state looks like without any row; ranks that saw no scene gather these."""

    @contextmanager
    def _all_processes(self) -> Iterator[None]:
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn,
            should_sync=self._to_sync and not self._is_synced,
            should_unsync=self._should_unsync and not self._is_synced,
        ):
            yield

    def _add_rows(self, *names: str) -> None:
        for name in names:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def _gathered(self, name: str) -> Tensor:
        """All rows of a state, whether a list of updates or, once merged, a tensor."""
        held: Tensor | list[Tensor] = getattr(self, name)
        return dim_zero_cat([self._empty_states()[name], *([held] if isinstance(held, Tensor) else held)])

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # torchmetrics gathers a float32 vector from ranks without rows, which fits neither type nor shape
        for name in self._empty_states():
            setattr(self, name, [self._gathered(name)])
        super()._sync_dist(*args, **kwargs)


class SceneMetric(ViewsweepMetric):
    """A metric measured scene by scene.

    A subclass declares `_ids` and turns a scene into records, one for each thing measured: `view`
    and `partner` say what (partner is the other view of a pair, else -1), then come the values in
    the order of `_ids`, then those of `_extra`. A scene's value is the mean of its records, a
    view's that of the records with this view; records with view -1 belong to the whole scene.

    A metric with several `_gaps` measures the same thing at several distances between views. The
    first is the headline, under the bare ids; the others add `id@gap`, and have no values of views.
    """

    _ids: ClassVar[tuple[Definition, ...]]
    _bounds: ClassVar[tuple[tuple[float, float], ...]]
    _extra: ClassVar[int] = 0
    _gaps: ClassVar[tuple[str, ...]] = ("",)

    records: list[Tensor]
    unmeasured: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self._add_rows("records", "unmeasured")

    @classmethod
    def definitions(cls) -> dict[str, Definition]:
        """What each id of this metric means."""
        entries = [_at_gap(entry, gap) for gap in ("", *cls._gaps[1:]) for entry in cls._ids]
        return {entry.id: entry for entry in entries}

    @classmethod
    def _width(cls) -> int:
        return HEAD + len(cls._ids) + cls._extra

    def _empty_states(self) -> dict[str, Tensor]:
        return {
            "records": torch.zeros(0, self._width(), dtype=torch.float64),
            "unmeasured": torch.zeros(0, 3, dtype=torch.float64),
        }

    def _record(
        self,
        index: int,
        views: Sequence[int],
        partners: Sequence[int],
        yaw_deg: Sequence[float],
        values: Tensor,
        gap: int = 0,
    ) -> None:
        """Keep `values` [K, ids + extra] of scene `index`, measured at `views` against `partners`.

        `gap` says at which of `_gaps`.
        """
        if not bool(torch.isfinite(values).all()):
            raise AssertionError(f"{type(self).__name__} measured a number that is not finite in scene {index}.")
        count = len(views)
        head = torch.tensor([[index] * count, [gap] * count, views, partners, yaw_deg], dtype=torch.float64).T
        self.records.append(torch.cat([head, values.to("cpu", torch.float64)], 1))

    def _skip(self, index: int, why: str, gap: int = EVERY_GAP) -> None:
        self.unmeasured.append(torch.tensor([[index, gap, WHY.index(why)]], dtype=torch.float64))

    def _lacks(self, scene: Scene) -> str | None:
        """The first thing of `needs` the scene does not have."""
        held = {"depth": scene.depth, "cameras": scene.cameras, "label": scene.label}
        return next((part for part in ("depth", "cameras", "label") if part in self.needs and held[part] is None), None)

    def _table(self) -> Array:
        """Records [K, HEAD + values] in one order, each (scene, gap, view, partner) once."""
        table: Array = self._gathered("records").cpu().numpy().astype(np.float64)
        table = np.take(table, np.lexsort(table.T[::-1]), axis=0)
        if len(table) < 2:
            return table
        again = (table[1:, : HEAD - 1] == table[:-1, : HEAD - 1]).all(1)
        differs = again & ~(table[1:, HEAD:] == table[:-1, HEAD:]).all(1)
        if differs.any():
            scene = int(table[1:][differs][0, 0])
            raise ValueError(
                f"Scene {scene} was given to {type(self).__name__} twice, with different content. "
                "Every scene needs an index of its own."
            )
        first: Array = table[np.concatenate([[True], ~again])]
        return first

    def _reasons(self, gap: int) -> tuple[int, str]:
        """How many scenes were not measured at `gap`, and why."""
        held = self._gathered("unmeasured").tolist()
        rows = sorted({(int(scene), int(why)) for scene, at, why in held if at in (EVERY_GAP, gap)})
        phrases = []
        for code, why in enumerate(WHY):
            scenes = [scene for scene, reason in rows if reason == code]
            if scenes:
                which = f"scene {scenes[0]}" if len(scenes) == 1 else f"{len(scenes)} scenes (first: {scenes[0]})"
                phrases.append(f"{which}: {REASONS[why]}")
        return len({scene for scene, _ in rows}), "; ".join(phrases)

    def _definitions(self) -> dict[str, Definition]:
        return self.definitions()

    def _results(self) -> dict[str, MetricResult]:
        table = self._table()
        names = iter(self._definitions())
        results = {}
        for gap in range(len(self._gaps)):
            skipped, reason = self._reasons(gap)
            scenes = _by_scene(table[table[:, 1] == gap])
            for column in range(len(self._ids)):
                values = [statistics.mean(own[:, HEAD + column].tolist()) for own in scenes]
                if not skipped:
                    values = scene_means(values, [int(own[0, 0]) // self.samples_per_scene for own in scenes])
                results[next(names)] = self._result(values, self._bounds[column], skipped, reason)
        return results

    def _result(self, values: Sequence[float], bounds: tuple[float, float], skipped: int, reason: str) -> MetricResult:
        if not values:
            return MetricResult.not_run(reason or "no scene was given.", skipped)
        if skipped:
            count = f"{skipped} of {skipped + len(values)} scenes could not be measured"
            return MetricResult.failed(f"{count}; {reason}", skipped + len(values))
        return MetricResult.ok(statistics.mean(values), interval_of_mean(values, bounds=bounds), len(values))

    def _rows(self) -> list[Row]:
        table = self._table()
        names = iter(self._definitions())
        rows = []
        for gap in range(len(self._gaps)):
            scenes = _by_scene(table[table[:, 1] == gap])
            for column in range(HEAD, HEAD + len(self._ids)):
                name = next(names)
                for own in scenes:
                    scene = int(own[0, 0])
                    rows.append(Row(scene, name, -1, math.nan, statistics.mean(own[:, column].tolist())))
                    for view in np.unique(own[own[:, 2] >= 0, 2]) if gap == 0 else ():
                        seen = own[own[:, 2] == view]
                        value = statistics.mean(seen[:, column].tolist())
                        rows.append(Row(scene, name, int(view), float(seen[0, 4]), value))
        return rows


WHY = ("depth", "cameras", "label", "views", "truth", "gap", "loop")
REASONS = {
    "depth": "there is no depth; a method that has it returns it from `generate`",
    "cameras": "the cameras are unknown",
    "label": "no class was asked for",
    "views": "a single view has no pair to compare",
    "truth": "the true views are not known",
    "gap": "no two views are that far apart",
    "loop": "the views do not close a circle",
}


def _at_gap(entry: Definition, gap: str) -> Definition:
    if not gap:
        return entry
    where = "where the circle closes" if gap == "loop" else f"at {gap}°"
    return replace(entry, id=f"{entry.id}@{gap}", title=f"{entry.title} {where}")


def _by_scene(table: Array) -> list[Array]:
    """The records of each scene, in the order of scenes."""
    starts = np.flatnonzero(np.diff(table[:, 0])) + 1
    return np.split(table, starts) if len(table) else []


def azimuth_deg(yaw: Tensor) -> list[float]:
    """Azimuths in radians as degrees in [-180, 180)."""
    degrees = torch.rad2deg(yaw.to(torch.float64))
    return ((degrees + 180.0) % 360.0 - 180.0).tolist()
