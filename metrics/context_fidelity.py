"""`ContextFidelity`: does a completion still show what it was given?

Definition. The view that a sample shows from the context's own camera, against the context, over its given pixels:

    context_psnr         PSNR of the mean squared error over all given pixels (of all views of the context), colours in
                         [0, 1]; mean over the K samples, in decibels
    context_psnr_worst   that of the worst of the K samples

In terms of a forward model: the signal is put through the model at the context's parameters and compared with what was
observed, || O - forward(S) ||.

Direction and range. Higher is better, 0 to 100 dB; 100 is the cap, which only exact copies reach. Worst value: 0.

It is measured where the protocol asks for a view from the context's camera (within 1e-4 in rotation, intrinsics
and place). Without one nothing is known about it: not_run, with the reason. Motion is another matter: there the
camera stays and the scene moves, so the context is not what the view should show.

When it misleads. Pasting the context where it was asked for costs nothing and scores 100 dB; whether the views
beside it agree is what `psnr_seen` and the warp metrics tell. A method that renders a volume pays for its sampling here
as any renderer does: 25 dB are hard to tell from the original at 64 pixels, and the difference to the
oracle's 100 says little. A plain background raises it.

Source: forward consistency as used for Tewari et al., "Diffusion with forward models", NeurIPS 2023, where the rendered
context is the observation itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..scenes.scene import Scene
from .completion_metric import CompletionMetric, Modes
from .paired import BEST_PSNR, SMALLEST_MSE, unit_range
from .result import Definition
from .visibility import given_pixels, views_at

__all__ = ["ContextFidelity"]

NO_CONTEXT, MOTION, NO_CAMERAS, NO_VIEW, OTHER_SIZE, NOTHING_GIVEN = range(6)
REASONS = (
    "there is no context",
    "in the motion task the view shows another moment than the context",
    "the cameras are unknown",
    "no view from the context's camera was asked for",
    "the context has another picture size than the views",
    "no pixel of the context is given",
)


class ContextFidelity(CompletionMetric):
    """PSNR of the samples' views from the context's camera to the context, over its given pixels."""

    name = "context_fidelity"
    title = "Fidelity to the context"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "cameras", "truth", "samples"})

    _ids = (
        Definition(
            "context_psnr",
            "PSNR to the context",
            version,
            unit,
            True,
            "Peak signal-to-noise ratio of the view from the context's camera to the context, over the given pixels, "
            "mean over samples; 0 to 100 dB.",
        ),
        Definition(
            "context_psnr_worst",
            "PSNR to the context, worst of K",
            version,
            unit,
            True,
            "The same of the sample that keeps least of the context; 0 to 100 dB.",
        ),
    )
    _bounds = ((0.0, BEST_PSNR),) * 2
    _of_best = frozenset({"context_psnr_worst"})

    def _complete(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int] | int:
        context = truth.context
        if context is None:
            return NO_CONTEXT
        if truth.flow is not None:
            return MOTION
        if truth.cameras is None or context.cameras is None:
            return NO_CAMERAS
        places = views_at(truth.cameras, context.cameras)
        pairs = [(view, place) for view, place in enumerate(places) if place is not None]
        if not pairs:
            return NO_VIEW
        if truth.size != context.size:
            return OTHER_SIZE
        views, shown = [view for view, _ in pairs], [place for _, place in pairs]
        given = given_pixels(context)[views]
        if not bool(given.any()):
            return NOTHING_GIVEN
        wanted = unit_range(context.rgb[views])
        scores = []
        for sample in samples:
            error = ((unit_range(sample.rgb[shown]) - wanted) ** 2).mean(1)
            scores.append(-10 * math.log10(max(float(error[given].numpy().mean()), SMALLEST_MSE)))
        return [math.fsum(scores) / len(scores), min(scores)]

    def _own_reasons(self) -> tuple[str, ...]:
        return REASONS
