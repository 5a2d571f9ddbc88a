"""`CompletionAccuracy`: how close are K completions of one context to what really was there?

Definition. A sample's scores, against the true views from the same cameras, colours in [0, 1]:

    psnr                    mean over views of the PSNR of a view, as `paired` defines it
    ssim                    mean over views of the SSIM of a view, as `paired` defines it
    psnr_seen, ssim_seen    over the pixels, of all views together, that show what the context shows
    psnr_unseen, ssim_unseen   over all others (see `visibility` for where the line is drawn)

psnr of a part is taken of the mean squared error over all its pixels, not view by view: a view with ten unseen
pixels would count like one with thousands. Hence psnr of the whole, a mean of decibels, need not lie between the two.
ssim of a part is the mean of the whole picture's map of similarities over the part's pixels; the window reaches five
pixels across the line.

Each score makes three ids. For K samples with scores x_1 ... x_K of a scene, in decibels for psnr:

    sample_psnr   mean of x_k: what one draw is worth
    best_psnr     max of x_k: how near the nearest of K draws comes
    psnr_gain     best_psnr - sample_psnr, scene by scene, so that its interval is that of the margin

The best sample is chosen once for all views of a scene (and for each score by that score). Were it chosen
view by view, a set of views that contradict each other would be put together into an answer that no sample gave, and
a method whose samples are inconsistent would gain most.

Direction and range. Higher is better, for psnr (0 to 100 dB) and ssim (-1 to 1). The gain has no better end by
itself: 0 means that all samples are alike. Worst values: psnr 0, ssim -1.

When they mislead. One sample's scores punish every honest choice on unseen parts but one; the mean of all that is
possible comes out well there, though it is no answer at all (in the self-check it wins sample_ssim). best_psnr
grows with K and with variety, right or not: compare at one K (`samples`), beside `sample_psnr`, `mode_coverage` and
FID. The choice knows the truth, which no user does. Scenes must come with equally many samples, or what depends on
the best has failed. The scores of seen parts are limited by what a pixel of the context covers: the oracle's are
not, so read its line as a bound rather than a goal.

Sources: best of K in completion: Walker et al., "An uncertain future", ECCV 2016, and Lee et al., "Stochastic
adversarial video prediction", 2018 (best of 100 by PSNR and SSIM); the split by visibility is this project's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .completion_metric import Measure, Modes, SampleScores
from .paired import BEST_PSNR, C1, C2, SIGMA, SMALLEST_MSE, WINDOW, unit_range
from .visibility import OPEN_QUESTIONS, Region, seen_and_unseen

__all__ = ["PARTS", "CompletionAccuracy", "SimilarityTo", "mean_over"]

PARTS = (("", "", ""), ("_seen", " seen", " on the pixels the context shows"), ("_unseen", " unseen", " on all others"))
"""The whole picture and its two parts: ending of the id, of the title, and of the sentence."""

TOO_SMALL = len(OPEN_QUESTIONS) + 1


class CompletionAccuracy(SampleScores):
    """PSNR and SSIM of the best and of one of K samples, over what the context shows and what it does not.

    Example:
        >>> from dataclasses import replace
        >>> from viewsweep.scenes import Scene, sweep360, tabletop
        >>> truth = tabletop.sample(7).render(sweep360(4), 32)
        >>> truth = replace(truth, context=Scene(truth.rgb[:1], truth.cameras[0]))
        >>> metric = CompletionAccuracy()
        >>> metric.update([tabletop.sample(8).render(sweep360(4), 32), truth], 0, truth)
        >>> float(metric.compute())
        100.0
    """

    name = "completion_accuracy"
    title = "Completions against the truth"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "truth", "samples"})

    _measures = (
        *(
            Measure(
                f"psnr{ending}",
                f"PSNR{title}",
                "dB",
                True,
                f"Peak signal-to-noise ratio to the true views{where}; 0 to 100 dB.",
                (0.0, BEST_PSNR),
            )
            for ending, title, where in PARTS
        ),
        *(
            Measure(
                f"ssim{ending}",
                f"SSIM{title}",
                "",
                True,
                f"Structural similarity to the true views{where}; -1 to 1.",
                (-1.0, 1.0),
            )
            for ending, title, where in PARTS
        ),
    )

    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        parts = seen_and_unseen(truth)
        true = unit_range(truth.rgb)
        similarity = SimilarityTo(true) if min(truth.size) >= WINDOW else None
        rows = []
        for sample in samples:
            picture = unit_range(sample.rgb)
            errors = (picture - true) ** 2
            # numpy's means: one thread, one order
            whole = [_decibels(float(view.numpy().mean())) for view in errors]
            row: list[float | int] = [math.fsum(whole) / len(whole)]
            error = errors.mean(1)
            row += [part if isinstance(part, int) else _decibels(mean_over(error, part)) for part in parts]
            alike = None if similarity is None else similarity(picture)
            row.append(TOO_SMALL if alike is None else float(alike.numpy().mean()))
            row += [
                TOO_SMALL if alike is None else part if isinstance(part, int) else mean_over(alike, part)
                for part in parts
            ]
            rows.append(row)
        return by_measure(rows)

    def _open_questions(self) -> tuple[str, ...]:
        return (*OPEN_QUESTIONS, f"the pictures are smaller than SSIM's window of {WINDOW}x{WINDOW} pixels")


class SimilarityTo:
    """The map of structural similarities to some true views, whose mean is `paired.ssim`.

    Args:
        true: the true views, float64 [V, 3, H, W] in [0, 1], at least as large as the window.
    """

    def __init__(self, true: Tensor) -> None:
        self._true = true
        self._mean = _blurred(true)
        self._variance = (_blurred(true * true) - self._mean**2).clamp(min=0)

    def __call__(self, pictures: Tensor) -> Tensor:
        """How similar `pictures` are at each place, mean over channels: float64 [V, H, W]."""
        mean = _blurred(pictures)
        variance = (_blurred(pictures * pictures) - mean**2).clamp_(min=0)
        product = mean * self._mean
        covariance = _blurred(pictures * self._true) - product
        above = product.mul_(2).add_(C1).mul_(covariance.mul_(2).add_(C2))
        below = (mean.square_() + self._mean**2).add_(C1).mul_(variance.add_(self._variance).add_(C2))
        return above.div_(below).mean(1)


def mean_over(values: Tensor, part: Region) -> float:
    """The mean of a map [V, H, W] over a part of its pixels."""
    assert isinstance(part, Tensor)
    return float(values[part].numpy().mean())


def by_measure(rows: Sequence[Sequence[float | int]]) -> list[Sequence[float] | int]:
    """Scores a sample [K][measures] as scores a measure [measures][K]; what is open is so for all samples."""
    columns = zip(*rows, strict=True)
    return [column[0] if isinstance(column[0], int) else [float(value) for value in column] for column in columns]


def _decibels(error: float) -> float:
    return -10 * math.log10(max(error, SMALLEST_MSE))


def _blurred(pictures: Tensor) -> Tensor:
    """Gaussian means round every pixel [V, C, H, W], pictures being mirrored at their borders."""
    height, width = pictures.shape[2:]
    # as matrices, which are several times faster than convolutions in double precision
    return _window(height) @ pictures @ _window(width).T


@lru_cache(maxsize=8)
def _window(count: int) -> Tensor:
    """Weights [count, count] of the pixels of a row in the mean round each of them."""
    reach = WINDOW // 2
    steps = torch.arange(-reach, reach + 1)
    weight = torch.exp(-(steps.double() ** 2) / (2 * SIGMA**2))
    place = (torch.arange(count)[:, None] + steps).abs()
    place = torch.where(place > count - 1, 2 * (count - 1) - place, place)
    matrix = torch.zeros(count, count, dtype=torch.float64)
    return matrix.scatter_add_(1, place, (weight / weight.sum()).expand(count, -1).contiguous())
