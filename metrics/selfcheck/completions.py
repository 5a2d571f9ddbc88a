"""The self-check's completions: contexts of which everything that is possible is known.

views    An object seen from the front. Its hidden surface (what the front view does not show) has one of four
         tints, and a latent vector of which half is common to all four.
motion   A clip of the tabletop world: an object that may turn or slide either way, and the flow of each.

Each is measured with the honest completer and under every cheat; subjects are puzzles, as objects are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...scenes import Scene, sweep360
from ...scenes.generator import scene_generator
from ...scenes.tabletop import SUBJECTS, TEST_SEEDS, TRAIN_SEEDS, clips, render_batch, subject
from ..completion_metric import CompletionMetric
from ..flow_error import FlowError
from ..latent_error import LatentError
from ..mode_coverage import ModeCoverage
from ..visibility import seen_by_context
from .completion_cheats import COMPLETION_CHEATS, Puzzle, completed
from .measure import NOT_HERE, PITCH, Measured
from .plan import Plan

__all__ = ["CompletionTask", "completion_tasks", "measure_completions", "motion_puzzle", "views_puzzle"]

SIZE, VIEWS = 32, 4

WEIGHTS = (0.3, 0.3, 0.2, 0.2)
TINTS = ((220, 60, 50), (50, 170, 80), (60, 90, 220), (230, 200, 60))
"""Colours of the hidden side in each mode, sRGB."""

SHARE_OF_TINT = 0.5

LATENT = 16
OTHERS = 7
"""True latents of other scenes, against which latent errors are scaled."""

EXAMPLE = 1000
"""Between the seed of an object and that of the example of its kind."""


@dataclass(frozen=True)
class CompletionTask:
    """One puzzle.

    Args:
        kind: "views" or "motion".
        number: which one.
    """

    kind: str
    number: int


def completion_tasks(plan: Plan, catalogue: dict[str, type[Any]]) -> list[CompletionTask]:
    """All puzzles of `plan`; none where no metric of completion is measured."""
    if not plan.completions or not _measured(plan, catalogue):
        return []
    return [CompletionTask(kind, number) for kind in PUZZLES for number in range(plan.puzzles)]


def measure_completions(plan: Plan, task: CompletionTask, catalogue: dict[str, type[Any]]) -> list[Measured]:
    """One puzzle with the honest completer, level 0 of each cheat, and at all levels of every cheat."""
    puzzle = PUZZLES[task.kind](task.number)
    honest = _values(plan, puzzle, puzzle.honest, catalogue)
    found = []
    for name in plan.completions:
        cheat = COMPLETION_CHEATS[name]
        found.append(Measured(task.kind, task.number, name, 0, honest))
        for level in plan.chosen_of(cheat):
            values = _values(plan, puzzle, completed(puzzle, name, cheat.levels[level]), catalogue)
            found.append(Measured(task.kind, task.number, name, level + 1, values))
    return found


def views_puzzle(number: int) -> Puzzle:
    """An object from the front, whose hidden side is unknown."""
    kind, seed = SUBJECTS[number % len(SUBJECTS)], number // len(SUBJECTS)
    cameras = sweep360(VIEWS, PITCH)
    things = [subject(kind, seed)] * VIEWS + [subject(kind, seed + EXAMPLE)] * VIEWS
    rgb, depth, alpha, normals = render_batch(things, cameras[[*range(VIEWS), *range(VIEWS)]], SIZE)
    context = Scene(rgb[:1], cameras[0], seed=number)
    scene = Scene(rgb[:VIEWS], cameras, depth[:VIEWS], alpha[:VIEWS], normals[:VIEWS], context=context)
    seen = seen_by_context(scene)
    assert seen is not None
    hidden = ~seen & scene.foreground
    modes = []
    for mode, (weight, tint) in enumerate(zip(WEIGHTS, TINTS, strict=True)):
        painted = scene.rgb.float() * (1 - SHARE_OF_TINT) + SHARE_OF_TINT * torch.tensor(tint)
        shown = torch.where(hidden[..., None], painted.round().to(torch.uint8), scene.rgb)
        modes.append((weight, replace(scene, rgb=shown, latent=_latent(number, mode))))
    true = int(torch.randint(len(modes), (), generator=scene_generator(number, "selfcheck.completions.truth")))
    example = Scene(rgb[VIEWS:], cameras, context=context, latent=_latent(number + EXAMPLE, 0))
    return Puzzle(modes[true][1], tuple(modes), example, number)


def motion_puzzle(number: int) -> Puzzle:
    """A picture of an object about to move."""
    clip = clips.sample(TEST_SEEDS[number])
    modes = tuple((mode.weight, mode.scene) for mode in clip.modes(SIZE))
    truth = modes[clip.motion][1]
    # how another object of its class moved
    example = clips.sample(TRAIN_SEEDS[number], clip.thing.label).truth(SIZE)
    return Puzzle(truth, modes, replace(truth, rgb=example.rgb, flow=example.flow), number)


PUZZLES: dict[str, Callable[[int], Puzzle]] = {"views": views_puzzle, "motion": motion_puzzle}


def _values(plan: Plan, puzzle: Puzzle, samples: Sequence[Scene], catalogue: dict[str, type[Any]]) -> dict[str, float]:
    """Every metric of completion on one puzzle."""
    values: dict[str, float] = {}
    for kind in _measured(plan, catalogue):
        if (puzzle.truth.flow is not None) != issubclass(kind, FlowError) and not issubclass(kind, ModeCoverage):
            continue
        metric: CompletionMetric = kind()
        metric.update(samples, 0, puzzle.truth, puzzle.modes)
        if isinstance(metric, LatentError):
            for other in range(OTHERS):
                blank = Scene(torch.zeros(1, 1, 1, 3, dtype=torch.uint8), latent=_latent(puzzle.seed + other + 1, 0))
                metric.update([blank] * len(samples), other + 1, blank)
        values |= {row.metric: row.value for row in metric.rows() if row.index == 0}
    return values


def _measured(plan: Plan, catalogue: dict[str, type[Any]]) -> list[type[CompletionMetric]]:
    return [
        kind
        for name, kind in catalogue.items()
        if issubclass(kind, CompletionMetric)
        and (not plan.metrics or name in plan.metrics)
        and not kind.needs & NOT_HERE
    ]


def _latent(number: int, mode: int) -> Tensor:
    """Half of it says what the context shows, half what it does not."""
    given = torch.randn(LATENT // 2, generator=scene_generator(number, "selfcheck.completions.latent"))
    free = torch.randn(LATENT // 2, generator=scene_generator(number, f"selfcheck.completions.latent {mode}"))
    return torch.cat([given, free])
