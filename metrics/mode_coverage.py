"""`ModeCoverage`: where all that was possible is known, do K samples hit it as often as it happens?

Definition. The modes of a scene are its possible answers with their probabilities. Distances between answers are

    with flows     the mean length of the difference of two flows over the pixels where all modes have a flow and
                   some of them differ
    without        the root mean square difference of two sets of pictures, colours in [0, 1], over the pixels (of
                   all views) where some modes differ

so that what all modes share does not water them down. Modes nearer to each other than a thousandth of the largest
distance are one, with their probabilities added. Each mode has a radius: half the distance to the nearest other
mode or to the mean of all modes (weighted by probability), whichever is nearer. A sample hits the mode that is nearest,
if it lies within its radius. Hence no sample hits two, and the blurred mean of everything hits none, unless it is an
answer itself: a mode that the mean comes nearer to than a tenth of the distance to the next (as "stays" between "left"
and "right", or one with nearly all the probability) has its radius from the other modes alone.

    modes_hit         share of the modes hit by at least one of the K samples
    modes_expected    what K draws from the true distribution hit on average: mean over modes of 1 - (1 - p)^K
    samples_on_mode   share of samples that hit any mode
    mode_distance     total variation between hits and truth: half the sum of |share of samples that hit a mode - p|
                      over modes, plus half the share that hit none

Direction and range. All are 0 to 1. modes_hit and samples_on_mode: higher is better; mode_distance: lower is better.
Worst values: 0, 0, 1.

When they mislead. With few samples nobody hits rare modes: hold modes_hit against modes_expected, which it should reach
and not much pass: a method that gives every mode once, whatever its probability, is at 1. mode_distance of an
honest sampler is not 0 with finite K; it is about 0.2 for ten draws from four modes. A mode of high probability
has a small radius, for it is close to the mean. Near misses by twice the radius and nonsense count alike: read the
end-point error beside them. Flows of plain surfaces cannot be read off pictures: a method that draws the right picture
by the wrong flow misses.

Sources: counting modes is usual for mixtures whose modes are known (Srivastava et al., "VEEGAN", NeurIPS 2017, with a
radius of three standard deviations); radii from the distances between modes are this project's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .completion_metric import CompletionMetric, Modes
from .result import Definition

__all__ = ["KnownModes", "ModeCoverage"]

SAME = 1e-3
"""Modes nearer than this share of the largest distance are one."""

AS_GOOD_AS = 0.1
"""A mode nearer to the mean of all than this share of its distance to the next one is an answer the mean gives."""

NOT_KNOWN, ONE_MODE, NO_FLOW = range(3)
REASONS = (
    "what was possible is not known; a data set that knows it gives the modes",
    "there is one mode only, or the modes do not differ",
    "a sample has no flow; a method of the motion task returns it from `generate`",
)


class ModeCoverage(CompletionMetric):
    """Which of the known modes K samples hit, and how often."""

    name = "mode_coverage"
    title = "Modes"
    version = 1
    unit = ""
    higher_is_better = True
    needs = frozenset({"truth", "samples", "modes"})

    _ids = (
        Definition(
            "modes_hit",
            "Modes hit",
            version,
            "",
            True,
            "Share of the possible answers that at least one of the K samples gives; 0 to 1. The mean of all hits "
            "none.",
        ),
        Definition(
            "modes_expected",
            "Modes hit by K true draws",
            version,
            "",
            None,
            "Share of the possible answers that K draws from the true distribution give on average; 0 to 1.",
        ),
        Definition(
            "samples_on_mode",
            "Samples on a mode",
            version,
            "",
            True,
            "Share of samples that give one of the possible answers; 0 to 1.",
        ),
        Definition(
            "mode_distance",
            "Distance of frequencies",
            version,
            "",
            False,
            "Total variation between how often samples give each possible answer and its probability; 0 to 1, and "
            "above 0 by chance for any finite number of samples.",
        ),
    )
    _bounds = ((0.0, 1.0),) * 4
    _of_best = frozenset({"modes_hit", "modes_expected"})

    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        if not modes:
            return NOT_KNOWN
        if all(mode.flow is not None for _, mode in modes) and any(sample.flow is None for sample in samples):
            return NO_FLOW
        known = KnownModes.of(modes)
        if known is None:
            return ONE_MODE
        hits = [known.hit(sample) for sample in samples]
        count = len(samples)
        shares = [hits.count(mode) / count for mode in range(len(known.weights))]
        missed = hits.count(None) / count
        apart = math.fsum(abs(share - weight) for share, weight in zip(shares, known.weights, strict=True))
        return [
            sum(share > 0 for share in shares) / len(shares),
            math.fsum(1 - (1 - weight) ** count for weight in known.weights) / len(shares),
            1 - missed,
            min((apart + missed) / 2, 1.0),
        ]

    def _own_reasons(self) -> tuple[str, ...]:
        return REASONS


@dataclass(frozen=True, eq=False)
class KnownModes:
    """Distinct answers, and how near is near enough.

    Args:
        weights: probability of each.
        radii: within which a sample hits.
        answers: flow or colours of each where modes differ, float64 [N, C].
        of_scene: the same of any scene.
        distance: between two of them.
    """

    weights: list[float]
    radii: list[float]
    answers: list[Tensor]
    of_scene: Callable[[Scene], Tensor]
    distance: Callable[[Tensor, Tensor], float]

    @classmethod
    def of(cls, modes: Modes) -> KnownModes | None:
        """The modes as a table; None where fewer than two of them differ.

        Raises:
            ValueError: probabilities that are not positive or do not sum to 1.
        """
        weights = [float(weight) for weight, _ in modes]
        if min(weights) <= 0 or not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-6):
            raise ValueError(f"the modes' probabilities are {weights}; they must be positive and sum to 1.")
        flows = all(mode.flow is not None for _, mode in modes)
        read, distance = (_flow, _flow_distance) if flows else (_colours, _colour_distance)
        whole = torch.stack([read(mode) for _, mode in modes])  # [modes, pixels, C]
        differs = torch.isfinite(whole).all(-1).all(0) & (whole != whole[:1]).any(-1).any(0)
        if not bool(differs.any()):
            return None

        def of_scene(scene: Scene) -> Tensor:
            return read(scene)[differs].nan_to_num(nan=0.0)  # where a sample has no flow, it has predicted no motion

        answers = [answer[differs] for answer in whole]
        largest = max(distance(a, b) for a in answers for b in answers)
        kept: list[int] = []
        total: list[float] = []
        for place, answer in enumerate(answers):
            twin = next((k for k, old in enumerate(kept) if distance(answer, answers[old]) <= SAME * largest), None)
            if twin is None:
                kept.append(place)
                total.append(weights[place])
            else:
                total[twin] += weights[place]
        if len(kept) < 2:
            return None
        chosen = [answers[place] for place in kept]
        mean = torch.stack([weight * answer for weight, answer in zip(total, chosen, strict=True)]).sum(0)
        radii = []
        for k, own in enumerate(chosen):
            next_mode = min(distance(own, other) for other in (*chosen[:k], *chosen[k + 1 :]))
            blurred = distance(own, mean)
            radii.append(min(next_mode, blurred if blurred >= AS_GOOD_AS * next_mode else math.inf) / 2)
        return cls(total, radii, chosen, of_scene, distance)

    def hit(self, sample: Scene) -> int | None:
        """Which mode a sample hits; None where it hits none."""
        own = self.of_scene(sample)
        apart = [self.distance(own, answer) for answer in self.answers]
        nearest = min(range(len(apart)), key=apart.__getitem__)
        return nearest if apart[nearest] < self.radii[nearest] else None


def _flow(scene: Scene) -> Tensor:
    assert scene.flow is not None
    return scene.flow.to("cpu", torch.float64).flatten(0, 2)


def _flow_distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm(dim=-1).numpy().mean())


def _colours(scene: Scene) -> Tensor:
    return scene.rgb.to("cpu", torch.float64).flatten(0, 2) / 255


def _colour_distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(float(((a - b) ** 2).numpy().mean()))
