"""`LatentError`: how far are the latents of K inversions from the one that drew the picture?

Definition. For latents w of the generator that is inverted, |.| the Euclidean length:

    error = |w_sample - w_true| / scale,   scale = mean of |w_i - w_j| over all pairs of true scenes i < j

The scale is that of chance: the mean distance between two true latents of the protocol, so an answer drawn without
looking has an error of 1 on average. It follows from the true latents alone and is the same for every method that is
measured on the same scenes; it is taken as known, so that intervals are those of the distances. Predicting the mean of
all latents, also without looking, scores about 0.71 (1 / sqrt 2). Three ids, as in `completion_accuracy`:

    sample_latent_error   mean over the K samples
    best_latent_error     of the sample that is nearest
    latent_error_gain     their difference

Direction and range. Lower is better, from 0; no upper end. Fewer than two different true latents give no scale, and
the metric is not_run.

When it misleads. Distances in a latent space are not distances between pictures: directions that change nothing count
like others, and two latents far apart can draw the same thing. What the mask hides is honestly unknown, so an error
above 0 is no fault; the mean of all possible latents has the lowest sample_latent_error of all. Compare beside
`psnr_seen` and `diversity_contrast`. Latents that are not of one length with the truth are a mistake, and raise.

Source: latent distance is usual in the evaluation of GAN inversion (Xia et al., "GAN inversion: a survey", TPAMI 2022);
the scale by chance is this project's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .base import HEAD, Array
from .completion_metric import Measure, Modes, SampleScores
from .result import MetricResult, Row

__all__ = ["LatentError"]

REASONS = (
    "there is no true latent",
    "a sample has no latent; a method of the inversion task returns it from `generate`",
)
NO_SCALE = "there are fewer than two different true latents, whose distance is the scale of the errors."


class LatentError(SampleScores):
    """Distance of the best, and of one, of K latents to the true one; 1 is chance."""

    name = "latent_error"
    title = "Latents"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"latent", "truth", "samples"})

    _measures = (
        Measure(
            "latent_error",
            "Latent error",
            "",
            False,
            "Distance to the true latent, in units of the mean distance between true latents: 0 for the true one, 1 is "
            "chance.",
            (0.0, math.inf),
        ),
    )

    latents: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self._add_rows("latents")

    def _empty_states(self) -> dict[str, Tensor]:
        # one row a coordinate (scene, place, value): processes without scenes do not know the length
        return {**super()._empty_states(), "latents": torch.zeros(0, 3, dtype=torch.float64)}

    def update(self, samples: Sequence[Scene], index: int, truth: Scene | None = None, modes: Modes = ()) -> None:
        """Measure the `samples` of the protocol's true scene number `index`; see `CompletionMetric.update`.

        Raises:
            ValueError: as there, or a sample's latent is of another length than the true one.
        """
        super().update(samples, index, truth, modes)
        if truth is not None and truth.latent is not None:
            value = truth.latent.to("cpu", torch.float64)
            place = torch.arange(len(value), dtype=torch.float64)
            self.latents.append(torch.stack([torch.full_like(value, index), place, value], 1))

    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        if truth.latent is None:
            return 0
        true = truth.latent.to("cpu", torch.float64)
        distances = []
        for sample in samples:
            if sample.latent is None:
                return 1
            if sample.latent.shape != true.shape:
                raise ValueError(f"a latent of length {len(sample.latent)} cannot be compared with {len(true)}.")
            distances.append(_distance(sample.latent.to("cpu", torch.float64), true))
        return [distances]

    def _own_reasons(self) -> tuple[str, ...]:
        return REASONS

    def _results(self) -> dict[str, MetricResult]:
        if self._scale() is None and len(self._table()):
            skipped, _ = self._reasons(0)
            return dict.fromkeys(self._definitions(), MetricResult.not_run(NO_SCALE, len(self._table()) + skipped))
        return super()._results()

    def _rows(self) -> list[Row]:
        return [] if self._scale() is None else super()._rows()

    def _values(self, table: Array, column: int) -> Array:
        values: Array = table[:, HEAD + column] / (self._scale() or math.nan)
        return values

    def _scale(self) -> float | None:
        """Mean distance between the true latents; None where there are no two that differ."""
        rows = self._gathered("latents").unique(dim=0)  # by scene, then by coordinate, each once
        scenes = int(rows[:, 0].unique().numel())
        if scenes < 2:
            return None
        latents = rows[:, 2].reshape(scenes, -1)
        total = math.fsum(torch.pdist(latents).tolist())
        return 2 * total / (scenes * (scenes - 1)) if total > 0 else None


def _distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(math.fsum(((a - b) ** 2).tolist()))
