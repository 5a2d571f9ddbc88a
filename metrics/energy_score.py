"""`EnergyScore`: are the samples drawn from what is possible? One number that neither blur nor noise can win.

Definition. Of the K samples x of a scene and the truth y, with d the root mean square difference of colours in [0, 1]
over the pixels of a part, all views together:

    energy = mean over k of d(x_k, y)  -  1/2 mean over pairs k != l of d(x_k, x_l)

The first term asks for samples near the truth, the second pays them for differing. Its expectation is least for draws
from the true distribution of answers, and for nothing else: it is a strictly proper score. Pairs of a sample with
itself are left out, so that its expectation does not depend on K.

    energy_unseen   over what the context does not show (see `visibility`)
    energy_seen     over what it shows, where one answer is right
    energy          over all pixels

Direction and range. Lower is better, 0 to 1. Where two answers D apart are equally likely, draws from them score D/4,
their mean D/2, always the same one of them D/2. With one sample there are no pairs, and it is d(x, y).

When it misleads. Answers are compared pixel by pixel: one that is right but a few pixels off counts as wrong as
another thing. So the differences between good methods are small, and the score says less about how things look than
FID or a feature distance do. It is compared across methods on the same scenes, never across data sets.

Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007, section 4.3;
without self-pairs ("fair"): Ferro, "Fair scores for ensemble forecasts", QJRMS 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .completion_metric import CompletionMetric, Modes
from .result import Definition
from .statistics import mean
from .visibility import OPEN_QUESTIONS, seen_and_unseen

__all__ = ["EnergyScore", "energy"]


class EnergyScore(CompletionMetric):
    """How well K completions of one context stand for all that is possible."""

    name = "energy_score"
    title = "Energy score of completions"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "truth", "samples"})

    _ids = (
        Definition(
            "energy_unseen",
            "Energy score, unseen",
            version,
            "",
            False,
            "Distance of the samples from the truth less half their distance from each other, root mean square of "
            "colours in [0, 1] over what the context does not show; 0 to 1. Least for draws from all that is possible.",
        ),
        Definition(
            "energy_seen",
            "Energy score, seen",
            version,
            "",
            False,
            "The same over what the context shows; 0 to 1, and 0 is right.",
        ),
        Definition(
            "energy",
            "Energy score",
            version,
            "",
            False,
            "Distance of the samples from the truth less half their distance from each other, root mean square of "
            "colours in [0, 1] over all pixels; 0 to 1.",
        ),
    )
    _bounds = ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))

    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        pictures = [sample.rgb for sample in samples]
        everywhere = torch.ones(truth.rgb.shape[:3], dtype=torch.bool)
        inside, outside = (
            part if isinstance(part, int) else energy(pictures, truth.rgb, part) for part in seen_and_unseen(truth)
        )
        return [outside, inside, energy(pictures, truth.rgb, everywhere)]

    def _open_questions(self) -> tuple[str, ...]:
        return OPEN_QUESTIONS


def energy(samples: Sequence[Tensor], truth: Tensor, where: Tensor) -> float:
    """The energy score of K sets of pictures, uint8 [V, H, W, 3] each, over `where`, bool [V, H, W] and not empty.

    The same bits whatever the order of the sets.
    """
    held = torch.stack([picture.to("cpu")[where].flatten() for picture in (truth, *samples)]).double()
    # all distances from one matrix of products; sums of whole numbers below 2^53 are exact
    products = held @ held.T
    squares = products.diagonal()
    apart = ((squares[:, None] + squares - 2 * products) / held.shape[1]).sqrt() / 255
    near = mean(apart[0, 1:].tolist())
    if len(samples) < 2:
        return near
    pairs = [float(apart[one, other]) for one, other in combinations(range(1, len(held)), 2)]
    return max(0.0, near - mean(pairs) / 2)
