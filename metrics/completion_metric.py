"""What metrics of completion share: K samples of one scene are judged together, against one truth.

The task has several right answers, of which the truth is one. So each true scene is asked for K times, and a metric
of completion takes all samples of a scene at once. Scenes count alike, whatever K, and intervals are over true
scenes: samples of one context are not independent of each other.

A scene may leave a question open (nothing is unseen, say). Then it does not count for that id, and the number of
scenes behind the id says so; only where no scene answers it, the id is not_run, with the reason.

    CompletionMetric   update(samples, index, truth, modes)
      SampleScores     each sample has a score: the best of K, the mean, and what choosing gains
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..scenes.scene import Scene
from . import statistics
from .base import HEAD, Array
from .bootstrap import interval_of_mean
from .result import Definition, MetricResult, Row
from .truth_metric import OwnReasons, check_truth

__all__ = ["CompletionMetric", "Measure", "Modes", "SampleScores", "best_mean_gain"]

Modes = Sequence[tuple[float, Scene]]
"""Every answer that was possible: its probability, and the scene it would have given."""

MEASURED = 0.0


class CompletionMetric(OwnReasons):
    """A metric of all samples of a scene.

    A subclass declares `_ids` and measures them in `_complete`. A record holds the values of `_ids`, then for each
    whether it was measured (0) or which of `_open_questions` (1, 2 ...) is the reason why not, then K.
    """

    _of_best: ClassVar[frozenset[str]] = frozenset()
    """Ids that grow with K, so that all scenes must come with as many samples."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "_ids"):
            cls._extra = len(cls._ids) + 1

    def update(self, samples: Sequence[Scene], index: int, truth: Scene | None = None, modes: Modes = ()) -> None:
        """Measure the `samples` of the protocol's true scene number `index`.

        Args:
            samples: K scenes, all drawn for the same context.
            index: position of the true scene, the same for all of its samples.
            truth: what really was there; its `context` is what the samples were drawn from.
            modes: all that was possible, where it is known: probability and scene.

        Raises:
            ValueError: no samples, or the truth has other views, another size or other cameras than a sample or mode.
        """
        if not samples:
            raise ValueError(f"scene {index} came without samples.")
        if truth is None:
            self._skip(index, "truth")
            return
        for scene in (*samples, *(mode for _, mode in modes)):
            check_truth(scene, truth, index)
        found = self._complete(samples, truth, modes)
        if isinstance(found, int):
            self._skip_own(index, found)
            return
        values = [0.0 if isinstance(value, int) else value for value in found]
        reasons = [float(value) if isinstance(value, int) else MEASURED for value in found]
        row = torch.tensor([[*values, *reasons, float(len(samples))]], dtype=torch.float64)
        self._record(index, [-1], [-1], [math.nan], row)

    @abstractmethod
    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        """A float for each of `_ids`, or the number, from 1, of the open question why there is none.

        An int alone is the number of the own reason why the whole scene cannot be measured.
        """

    def _open_questions(self) -> tuple[str, ...]:
        """Why an id may have no value in a scene that was measured; without full stop."""
        return ()

    def _own_reasons(self) -> tuple[str, ...]:
        return ()

    def _results(self) -> dict[str, MetricResult]:
        table = self._table()
        skipped, reason = self._reasons(0)
        uneven = _uneven(table)
        found = {}
        for column, name in enumerate(self._definitions()):
            codes = table[:, HEAD + len(self._ids) + column]
            values = self._values(table, column)[codes == MEASURED].tolist()
            if len(table) and not values:
                why = "; ".join(self._open_questions()[int(code) - 1] for code in sorted(set(codes.tolist())))
                found[name] = MetricResult.not_run(f"{why}.", len(table))
            elif uneven and not skipped and self._ids[column].id in self._of_best:
                found[name] = MetricResult.failed(uneven, len(table))
            elif skipped or not values:
                found[name] = self._result(values, self._bounds[column], skipped, reason)
            else:
                interval = interval_of_mean(values, bounds=self._bounds[column])
                found[name] = MetricResult.ok(statistics.mean(values), interval, len(values))
        return found

    def _rows(self) -> list[Row]:
        table = self._table()
        rows = []
        for column, name in enumerate(self._definitions()):
            codes = table[:, HEAD + len(self._ids) + column]
            for scene, code, value in zip(table[:, 0], codes, self._values(table, column), strict=True):
                if code == MEASURED:
                    rows.append(Row(int(scene), name, -1, math.nan, float(value)))
        return rows

    def _values(self, table: Array, column: int) -> Array:
        """The values of an id in the scenes of `table`, [N]."""
        values: Array = table[:, HEAD + column]
        return values


@dataclass(frozen=True)
class Measure:
    """Something each sample has a score of.

    Args:
        id: ending of the ids it makes: `best_<id>`, `sample_<id>` and `<id>_gain`.
        title: for column heads.
        unit: of the score.
        higher: whether higher is better.
        description: what a score is; range and extremes.
        bounds: of a score.
    """

    id: str
    title: str
    unit: str
    higher: bool
    description: str
    bounds: tuple[float, float]

    @property
    def all_bounds(self) -> tuple[tuple[float, float], ...]:
        """Of best, mean and gain."""
        return self.bounds, self.bounds, (0.0, self.bounds[1] - self.bounds[0])

    def definitions(self, version: int) -> tuple[Definition, Definition, Definition]:
        """Best of K, mean over samples, and the difference of the two."""
        stem, bracket, network = self.id.partition("[")
        name = f"{{}}{stem}{{}}{bracket}{network}"
        return (
            Definition(
                name.format("best_", ""),
                f"{self.title}, best of K",
                version,
                self.unit,
                self.higher,
                f"{self.description} Of a scene's K samples the one that scores best over all its views counts.",
            ),
            Definition(
                name.format("sample_", ""),
                f"{self.title}, one sample",
                version,
                self.unit,
                self.higher,
                f"{self.description} Mean over a scene's samples: what one draw is worth.",
            ),
            Definition(
                name.format("", "_gain"),
                f"{self.title}, gain of K",
                version,
                self.unit,
                None,
                f"By how much the best of K samples is better than one sample. {self.description}",
            ),
        )


class SampleScores(CompletionMetric):
    """A metric that scores each sample by some `_measures`, three ids each, and may have `_further` ids behind them."""

    _measures: ClassVar[tuple[Measure, ...]]
    _further: ClassVar[tuple[Definition, ...]] = ()
    _further_bounds: ClassVar[tuple[tuple[float, float], ...]] = ()

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "_measures"):
            triples = [measure.definitions(cls.version) for measure in cls._measures]
            cls._ids = (*(entry for triple in triples for entry in triple), *cls._further)
            bounds = [each for measure in cls._measures for each in measure.all_bounds]
            cls._bounds = (*bounds, *cls._further_bounds)
            cls._of_best = frozenset(entry.id for best, _, gain in triples for entry in (best, gain))
        super().__init_subclass__()

    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        scores = self._scores(samples, truth, modes)
        if isinstance(scores, int):
            return scores
        values: list[float | int] = []
        for measure, own in zip(self._measures, scores, strict=True):
            values += [own] * 3 if isinstance(own, int) else best_mean_gain(own, higher=measure.higher)
        return [*values, *self._further_values(samples, truth, modes)]

    def _further_values(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int]:
        """The values of the `_further` ids, as `_complete` returns them."""
        return ()

    @abstractmethod
    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        """For each of `_measures` the K scores, or the number of the open question why there are none."""


def best_mean_gain(scores: Sequence[float], *, higher: bool) -> tuple[float, float, float]:
    """The best of some scores, their mean, and by how much the best is better, at least 0."""
    best, mean = (max if higher else min)(scores), statistics.mean(scores)
    return best, mean, max(best - mean if higher else mean - best, 0.0)


def _uneven(table: Array) -> str:
    """Why scenes with these records cannot be compared by their best sample; empty where they can."""
    counts = {int(scene): int(count) for scene, count in table[:, [0, -1]]}
    if len(set(counts.values())) < 2:
        return ""
    fewest = min(counts, key=lambda scene: (counts[scene], scene))
    most = max(counts, key=lambda scene: (counts[scene], -scene))
    return (
        f"scene {fewest} came with {counts[fewest]} samples, scene {most} with {counts[most]}; "
        "the best of more is better."
    )
