"""`SharpnessRatio`: do the pictures hold as much fine detail as real ones?

Definition, with s the mean squared Laplacian of a grey picture (`features.sharpness`):

    ratio = mean of s over the generated pictures / mean of s over the reference pictures
    error = |ln ratio|

The ratio is best near 1: below it pictures are smooth, above it they are noisy or have hard edges that
the reference has not. So it has no direction, and `sharpness_error` is the number to rank by: 0 is best,
and halving the detail counts as much as doubling it. Its worst value is ln 10^6, where nothing is left.

The means are arithmetic. A geometric mean would weigh dull pictures as much as rich ones, but one flat
picture, with s = 0, would make it 0.

Why it is on every board: consistency metrics reward blur, and this is the number that pays for it. The
interval is the delete-group jackknife over generated scenes, the reference being fixed.

When it misleads. Detail is not structure: noise on blurred pictures brings the ratio to 1. Pictures of
one size only can be compared. And it is a mean: sharp fronts may hide dull backs.

Source: the Laplacian as a measure of focus, Pertuz, Puig and Garcia, Pattern Recognition 46, 2013.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import statistics
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric

__all__ = ["WORST", "SharpnessRatio"]

WORST = math.log(1e6)
"""The error of pictures without any detail."""


class SharpnessRatio(SetMetric):
    """Fine detail of generated pictures, as a multiple of the reference's.

    Args:
        network: name of the network that made the features; sharpness does not depend on it.
    """

    name = "sharpness_ratio"
    title = "Sharpness ratio"
    version = 1
    unit = ""
    higher_is_better = None
    needs = frozenset({"rgb", "reference"})

    _keeps = "sharpness"
    _of_network = False
    _ids = (
        Definition(
            name,
            title,
            version,
            unit,
            None,
            "Mean squared Laplacian of the generated pictures over that of the reference pictures: 1 is best, less is "
            "blurred, more is noisy. n counts pictures.",
        ),
        Definition(
            "sharpness_error",
            "Sharpness error",
            version,
            unit,
            False,
            "Distance of the sharpness ratio from 1, as |ln ratio|: 0 is best, 0.69 is half or twice the detail, at "
            "most 13.8. n counts pictures.",
        ),
    )
    _bounds = ((0.0, float("inf")), (0.0, WORST))

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        for name, side in (("generated", fake), ("reference", real)):
            unknown = int((~np.isfinite(side.rows)).sum())
            if unknown:
                reason = f"the sharpness of {unknown} of {len(side)} {name} pictures was not measured."
                return [MetricResult.not_run(reason, len(fake))] * 2
        detail, truth = fake.rows[:, 0], statistics.mean(real.rows[:, 0].tolist())
        if truth <= 0:
            return [MetricResult.not_run("the reference pictures hold no detail to compare with.", len(fake))] * 2
        groups, own = fake.groups()
        deleted = []
        if fake.units > 1:
            kept = [detail[own != group] for group in range(int(groups.max()) + 1)]
            deleted = [statistics.mean(part.tolist()) / truth for part in kept]
        ratio = self._ok(statistics.mean(detail.tolist()) / truth, deleted, groups, len(fake))
        self._deleted[1] = [_far(value) for value in deleted]
        return [ratio, _error(ratio)]


def _error(ratio: MetricResult) -> MetricResult:
    """|ln ratio| with the interval that the ratio's own becomes."""
    assert ratio.value is not None
    value = _far(ratio.value)
    if ratio.ci_low is None or ratio.ci_high is None:
        return MetricResult.ok(value, None, ratio.n)
    ends = sorted([_far(ratio.ci_low), _far(ratio.ci_high)])
    if ratio.ci_low <= 1.0 <= ratio.ci_high:
        ends[0] = 0.0
    return MetricResult.ok(value, (ends[0], ends[1]), ratio.n)


def _far(ratio: float) -> float:
    return min(WORST, abs(math.log(ratio))) if ratio > 0 else WORST
