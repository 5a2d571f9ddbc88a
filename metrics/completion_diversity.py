"""`CompletionDiversity`: do the samples vary where the context leaves things open, and only there?

Definition. Over the K samples of a scene, at each pixel of each view, with colours in [0, 1]:

    spread = sqrt( mean over the three channels of the variance over samples ),   variance with K - 1

The spread of a part is the mean over its pixels, all views together (see `visibility` for what is seen):

    diversity_seen       over what the context shows: there is one answer, so 0 is right
    diversity_unseen     over all else: there are several answers
    diversity_contrast   diversity_unseen - diversity_seen
    diversity            over all pixels

`samples` is K, and `seen_share` the share of the true views' pixels that the context shows; they say what the other
numbers of completions rest on.

Direction and range. diversity_seen: lower is better. diversity_contrast: higher is better; a method that always gives
the same answer scores 0, however good that is, and so does noise that varies everywhere alike. diversity and
diversity_unseen have no better end: how much there is to choose from depends on the data. A spread is 0 to 0.71 (two
samples, one black, one white).

When it misleads. Variety is not plausibility: noise on the unseen part alone has the highest contrast of all. No
noise can win `energy_unseen` (see `energy_score`); read it beside that, `mode_coverage` and the best-of-K columns. A
background that fills most of the unseen part and is easily guessed lowers diversity_unseen for everyone; the oracle
that draws all that is possible, where there is one, shows what to expect. Sub-pixel differences of geometry show as
spread on the edges of what is seen.

With one sample there is no spread: nothing but `samples` and `seen_share` is measured.

Source: pixel-wise variance over sampled scenes shown along the camera's path, Tewari et al., "Diffusion with forward
models", NeurIPS 2023; the split by visibility and the contrast are this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .completion_accuracy import mean_over
from .completion_metric import CompletionMetric, Modes
from .result import Definition
from .visibility import OPEN_QUESTIONS, seen_and_unseen, seen_by_context

__all__ = ["CompletionDiversity", "spread"]

ONE_SAMPLE = len(OPEN_QUESTIONS) + 1
MOST = 0.5**0.5


class CompletionDiversity(CompletionMetric):
    """How much K completions of one context differ, on what the context shows and on the rest."""

    name = "completion_diversity"
    title = "Variety of completions"
    version = 1
    unit = ""
    higher_is_better = True
    needs = frozenset({"rgb", "truth", "samples"})

    _ids = (
        Definition(
            "diversity_contrast",
            "Diversity, unseen less seen",
            version,
            "",
            True,
            "By how much more the samples vary where the context shows nothing than where it shows all; colours in "
            "[0, 1], -0.71 to 0.71. 0 for a method without variety, and for noise.",
        ),
        Definition(
            "diversity_seen",
            "Diversity seen",
            version,
            "",
            False,
            "Standard deviation over samples of the colours of pixels that the context shows, colours in [0, 1]; 0 to "
            "0.71, and 0 is right.",
        ),
        Definition(
            "diversity_unseen",
            "Diversity unseen",
            version,
            "",
            None,
            "Standard deviation over samples of the colours of pixels that the context does not show, colours in "
            "[0, 1]; 0 to 0.71. How much is right depends on the data.",
        ),
        Definition(
            "diversity",
            "Diversity",
            version,
            "",
            None,
            "Standard deviation over samples of the colours of all pixels, colours in [0, 1]; 0 to 0.71.",
        ),
        Definition("samples", "Samples a scene", version, "", None, "How many samples were drawn for one context."),
        Definition(
            "seen_share",
            "Seen",
            version,
            "",
            None,
            "Share of the true views' pixels that show what the context shows; 0 to 1.",
        ),
    )
    _bounds = ((-MOST, MOST), (0.0, MOST), (0.0, MOST), (0.0, MOST), (1.0, float("inf")), (0.0, 1.0))

    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        seen = seen_by_context(truth)
        share = 1 if seen is None else float(seen.double().mean())
        count = float(len(samples))
        if len(samples) < 2:
            return [ONE_SAMPLE] * 4 + [count, share]
        varied = spread([sample.rgb for sample in samples])
        inside, outside = (
            part if isinstance(part, int) else mean_over(varied, part) for part in seen_and_unseen(truth)
        )
        contrast = inside if isinstance(inside, int) else outside if isinstance(outside, int) else outside - inside
        return [contrast, inside, outside, float(varied.numpy().mean()), count, share]

    def _open_questions(self) -> tuple[str, ...]:
        return (*OPEN_QUESTIONS, "a single sample has nothing to differ from")


def spread(pictures: Sequence[Tensor]) -> Tensor:
    """Standard deviation over K >= 2 sets of pictures, uint8 [V, H, W, 3] each, colours in [0, 1]: float64 [V, H, W].

    The same bits whatever the order of the sets.
    """
    # sums of whole numbers are exact
    total = torch.zeros(pictures[0].shape, dtype=torch.int64)
    squares = torch.zeros_like(total)
    for picture in pictures:
        whole = picture.to("cpu", torch.int64)
        total += whole
        squares += whole * whole
    count = len(pictures)
    variance = (count * squares - total * total).double() / (count * (count - 1)) / 255**2
    return variance.mean(-1).sqrt()
