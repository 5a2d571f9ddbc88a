"""`BestOf` and `BestOfLPIPS`: how good is the best of K samples of one scene?

A task with several right answers (completing what a single picture shows) cannot be judged by one
draw against one truth. So the method draws K samples of each scene, each is compared with the truth,
and the best counts, separately for each measure.

Definition. A sample's score is the mean of `psnr`, `ssim` or `lpips` over the scene's views. For a
scene's K scores, sorted from the worst to the best as x_1 ... x_K:

    best_psnr     x_K: the best of all K
    best_psnr@k   sum_i C(i - 1, k - 1) / C(K, k) x_i,   for k = 1, 2, 4, 8, 16 up to K

The second is the mean of the best over all subsets of k samples: an estimate without bias of what the
best of k draws is worth, from any K >= k, and with much less noise than drawing k once. k = 1 is the
plain mean. Scenes count alike; the interval is over scenes.

Direction. As the measures themselves: psnr and ssim higher, lpips lower.

When it misleads. The best of K grows with K and with the *variety* of the samples as much as with
their quality: a method of two guesses, one right, beats a careful one that varies little. Compare at
one k, beside k = 1: the difference is what choosing among samples is worth. The choice knows the truth,
which no user does.

A scene must come with as many samples as all others, or best-of-K fails; the @k that every scene allows
do not.

Source: the estimate is that of Chen et al., "Evaluating large language models trained on code", 2021
(pass@k), for numbers instead of passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from ..scenes.scene import Scene
from . import statistics
from .base import HEAD
from .lpips_distance import PairedLPIPS
from .paired import PairedQuality
from .result import Definition, MetricResult, Row
from .truth_metric import TruthMetric

__all__ = ["COUNTS", "BestOf", "BestOfLPIPS", "expected_best"]

COUNTS = (1, 2, 4, 8, 16)
"""The k of the curve."""


class _BestOf(TruthMetric):
    """Records are samples: the scene, -1 as its view, the sample as partner."""

    def update(self, scene: Scene, index: int, truth: Scene | None = None, sample: int = 0) -> None:
        """Add one sample of the scene number `index`.

        Args:
            scene: the sample.
            index: the scene's position in the protocol, the same for all its samples.
            truth: the true views.
            sample: which sample this is; the same one given twice counts once.

        Raises:
            ValueError: a negative sample, or `truth` has other views, another size or other cameras.
        """
        if sample < 0:
            raise ValueError("a sample's number cannot be negative.")
        measured = self._against(scene, index, truth)
        if measured is None:
            return
        means = [statistics.mean(column) for column in measured[1].T.tolist()]
        self._record(index, [-1], [sample], [math.nan], torch.tensor([means], dtype=torch.float64))

    @classmethod
    def definitions(cls) -> dict[str, Definition]:
        """What each id of this metric means: the best of all, then the curves."""
        curves = [
            replace(
                entry,
                id=f"{entry.id}@{count}",
                title=f"{entry.title[:-1]}{count}",
                description=f"{entry.description.split(':')[0]}, expected for {count} of a scene's samples.",
            )
            for entry in cls._ids
            for count in COUNTS
        ]
        return {entry.id: entry for entry in (*cls._ids, *curves)}

    def _results(self) -> dict[str, MetricResult]:
        samples = self._samples()
        skipped, reason = self._reasons(0)
        uneven = self._uneven(samples)
        fewest = min((len(values[0]) for values in samples.values()), default=0)
        found = {}
        for name, (column, count) in self._columns().items():
            if samples and count is not None and count > fewest:
                reached = f"a scene came with {fewest} samples, fewer than {count}."
                found[name] = MetricResult.not_run(reached, len(samples))
            elif count is None and uneven and not skipped:
                found[name] = MetricResult.failed(uneven, len(samples))
            else:
                values = [self._best(own, column, count) for own in samples.values()]
                found[name] = self._result(values, self._bounds[column], skipped, reason)
        return {name: found[name] for name in self._definitions()}

    def _rows(self) -> list[Row]:
        return [
            Row(scene, name, -1, math.nan, self._best(own, column, count))
            for name, (column, count) in self._columns().items()
            for scene, own in self._samples().items()
            if (count or 1) <= len(own[column])
        ]

    def _samples(self) -> dict[int, list[list[float]]]:
        """For each scene and each id the scores of its samples."""
        found: dict[int, list[list[float]]] = {}
        for row in self._table():
            own = found.setdefault(int(row[0]), [[] for _ in self._ids])
            for column, value in enumerate(row[HEAD : HEAD + len(self._ids)].tolist()):
                own[column].append(value)
        return found

    def _columns(self) -> dict[str, tuple[int, int | None]]:
        """Each id's measure and k, None for all samples."""
        keys: list[tuple[int, int | None]] = [(column, None) for column in range(len(self._ids))]
        curves = [(column, count) for column in range(len(self._ids)) for count in COUNTS]
        return dict(zip(self._definitions(), [*keys, *curves], strict=True))

    def _best(self, own: list[list[float]], column: int, count: int | None) -> float:
        higher = bool(self._ids[column].higher_is_better)
        return expected_best(own[column], count or len(own[column]), higher_is_better=higher)

    @staticmethod
    def _uneven(samples: dict[int, list[list[float]]]) -> str:
        counts = {scene: len(own[0]) for scene, own in samples.items()}
        if len(set(counts.values())) < 2:
            return ""
        fewest, most = (choose(counts, key=lambda scene: (counts[scene], scene)) for choose in (min, max))
        return (
            f"scene {fewest} came with {counts[fewest]} samples, scene {most} with {counts[most]}; "
            "the best of more is better."
        )


class BestOf(_BestOf, PairedQuality):
    """PSNR and SSIM of the best of K samples, and what the best of k draws is expected to be.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> truth = tabletop.sample(7).render(sweep360(2), 32)
        >>> metric = BestOf()
        >>> metric.update(tabletop.sample(8).render(sweep360(2), 32), 0, truth, sample=0)
        >>> metric.update(truth, 0, truth, sample=1)
        >>> float(metric.compute())
        100.0
    """

    name = "best_of"
    title = "Best of K samples"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = PairedQuality.needs | {"samples"}

    _ids = (
        Definition("best_psnr", "PSNR, best of K", version, "dB", True, "PSNR of the best of K samples: 0 to 100 dB."),
        Definition("best_ssim", "SSIM, best of K", version, "", True, "SSIM of the best of K samples: -1 to 1."),
    )


class BestOfLPIPS(_BestOf, PairedLPIPS):
    """LPIPS of the best of K samples, and what the best of k draws is expected to be.

    Args:
        backbone, network, path, device: as `PairedLPIPS` takes them.
    """

    name = "best_of_lpips"
    title = "Best of K samples, perceptual"
    version = 1
    unit = ""
    higher_is_better = False
    needs = PairedLPIPS.needs | {"samples"}

    _ids = (
        Definition(
            "best_lpips",
            "LPIPS, best of K",
            version,
            unit,
            False,
            "LPIPS (0.1, AlexNet) of the best of K samples: 0 for the true pictures, rarely above 1.",
        ),
    )


def expected_best(values: Sequence[float], count: int, *, higher_is_better: bool = True) -> float:
    """Mean of the best over all subsets of `count` values: no bias as an estimate of the best of `count` draws.

    Args:
        values: scores of independent samples, [K].
        count: k, from 1 to K.
        higher_is_better: which end is the best.

    Raises:
        ValueError: fewer than `count` values, or a count below 1.

    Example:
        >>> expected_best([1.0, 2.0, 3.0], 2)  # the pairs' best: 2, 3, 3
        2.6666666666666665
    """
    if not 1 <= count <= len(values):
        raise ValueError(f"the best of {count} cannot be estimated from {len(values)} samples.")
    ordered = sorted(values, reverse=not higher_is_better)
    subsets = math.comb(len(values), count)
    return math.fsum(math.comb(rank, count - 1) / subsets * value for rank, value in enumerate(ordered))
