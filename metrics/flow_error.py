"""`FlowError`: do K predicted motions of one picture hold the one that happened, and move nothing else?

The motion task predicts a backward flow: the view at x shows what the context showed at x + flow(x), in pixels.

Definition. The end-point error at a pixel is the length of the difference between predicted and true flow. It is
averaged over the pixels that have a true flow (those that the context shows nowhere have none):

    epe          over all of them
    epe_moving   over those whose true flow is longer than half a pixel (at 64 pixels of height; it scales)

each as `best_` (the smallest of K samples, one sample chosen for the whole flow), `sample_` (mean over samples)
and `_gain` (their difference, scene by scene).

    static_moved   share of the static background that a sample moves by more than that half pixel, mean over samples

Static is what keeps its place in every motion that was possible, where these are known (`modes`), else in the true one.
A plausible motion that did not happen is thus not blamed for what it moves.

Where a sample says that nothing in the context shows what it shows (NaN), it has predicted no motion: the error is the
length of the true flow. On static background it counts as moved. So leaving pixels out never pays.

Direction and range. All but the gain: lower is better. epe and epe_moving are 0 and up, in pixels of the picture;
static_moved is a share, at worst 1.

When they mislead. epe is mostly about background that stays: predicting no motion at all is good at it, and only
epe_moving shows what it is worth. Like all distances to one truth among several, sample_epe favours the mean of
all motions, which happens never; best_epe grows better with K. Read them beside `mode_coverage`.

A sample without a flow has nothing to be measured; what it draws is judged as a picture by the other metrics.

Sources: the end-point error is that of Baker et al., "A database and evaluation methodology for optical flow", IJCV
92, 2011; its best of K follows Walker et al., "An uncertain future", ECCV 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .completion_metric import Measure, Modes, SampleScores
from .result import Definition
from .warping import REFERENCE_HEIGHT

__all__ = ["FlowError", "end_point_errors", "moving_pixels", "still_threshold"]

MOVED_PIXELS = 2.0  # at the reference height
REASONS = ("there is no true flow", "a sample has no flow; a method of the motion task returns it from `generate`")
OPEN_QUESTIONS = (
    "no pixel has a true flow",
    "nothing moves by half a pixel",
    "there is no background that stays in every possible motion",
)


class FlowError(SampleScores):
    """End-point error of the best, and of one, of K samples, and what they move that stays."""

    name = "flow_error"
    title = "Motion"
    version = 1
    unit = "px"
    higher_is_better = False
    needs = frozenset({"flow", "truth", "samples"})

    _measures = (
        Measure(
            "epe",
            "End-point error",
            "px",
            False,
            "Mean distance between predicted and true flow over all pixels that have one, in pixels of the picture.",
            (0.0, math.inf),
        ),
        Measure(
            "epe_moving",
            "End-point error, moving",
            "px",
            False,
            "Mean distance between predicted and true flow over the pixels that truly move, in pixels of the picture.",
            (0.0, math.inf),
        ),
    )
    _further = (
        Definition(
            "static_moved",
            "Background moved",
            version,
            "",
            False,
            "Share of the background that stays in every possible motion and that a sample moves; 0 to 1.",
        ),
    )
    _further_bounds = ((0.0, 1.0),)

    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        if truth.flow is None:
            return 0
        true = truth.flow.to("cpu", torch.float64)
        regions = (torch.isfinite(true).all(-1), moving_pixels(true))
        found: list[list[float]] = [[] for _ in regions]
        for sample in samples:
            if sample.flow is None:
                return 1
            error = end_point_errors(sample.flow, true)
            for own, region in zip(found, regions, strict=True):
                own.append(float(error[region].numpy().mean()) if bool(region.any()) else math.nan)
        return [
            own if bool(region.any()) else 1 + place
            for place, (own, region) in enumerate(zip(found, regions, strict=True))
        ]

    def _further_values(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[float | int]:
        assert truth.flow is not None
        possible = [mode.flow for _, mode in modes if mode.flow is not None] or [truth.flow]
        static = torch.isfinite(truth.flow).all(-1)
        for flow in possible:
            static &= torch.isfinite(flow).all(-1) & ~moving_pixels(flow)
        if not bool(static.any()):
            return [3]
        moved = []
        for sample in samples:
            assert sample.flow is not None
            stays = sample.flow.norm(dim=-1) <= still_threshold(truth.size[0])  # NaN compares false
            moved.append(float((~stays[static]).double().mean()))
        return [math.fsum(moved) / len(moved)]

    def _own_reasons(self) -> tuple[str, ...]:
        return REASONS

    def _open_questions(self) -> tuple[str, ...]:
        return OPEN_QUESTIONS


def end_point_errors(flow: Tensor, true: Tensor) -> Tensor:
    """Length of the difference between two flows [V, H, W, 2] in pixels, float64 [V, H, W]; NaN where `true` is.

    Where `flow` is NaN it counts as no motion.
    """
    apart = flow.to("cpu", torch.float64).nan_to_num(nan=0.0) - true.to("cpu", torch.float64)
    length: Tensor = torch.linalg.vector_norm(apart, dim=-1)
    return length


def moving_pixels(flow: Tensor) -> Tensor:
    """Where a flow [V, H, W, 2] is known and moves by more than `still_threshold`, bool [V, H, W]."""
    length: Tensor = torch.linalg.vector_norm(flow.to("cpu", torch.float64), dim=-1)
    return length > still_threshold(flow.shape[1])


def still_threshold(height: int) -> float:
    """Pixels of motion that are none: half a pixel at 64 pixels of height."""
    return MOVED_PIXELS * height / REFERENCE_HEIGHT
