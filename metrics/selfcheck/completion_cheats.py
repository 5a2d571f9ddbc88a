"""Graded faults of completions: some of the K samples of a scene are not drawn from what is possible.

A `Puzzle` is a context whose possible answers are known, with their probabilities. The honest completer draws each
of them as often as it is probable. A cheat answers in the place of some of its samples; levels are nested: the
samples that are replaced at one level are replaced, by the same thing, at all above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...scenes import Scene
from ...scenes.generator import scene_generator
from ..visibility import seen_by_context

__all__ = ["COMPLETION_CHEATS", "SAMPLES", "CompletionCheat", "Puzzle", "completed"]

SAMPLES = 10
"""K."""

GRAIN = 2.0
"""Standard deviation of the noise on every answer, levels of 255: nobody is perfect, and no cheat is better at it."""

FLOW_GRAIN = 0.05
"""The same of flows, pixels."""

LATENT_GRAIN = 0.02
"""The same of latents, whose coordinates have a standard deviation of 1."""


@dataclass(frozen=True, eq=False)
class Puzzle:
    """A context and everything it may be a part of.

    Args:
        truth: what it is a part of, with the context.
        modes: each possible scene with its probability; a multiple of 1 / SAMPLES each.
        example: another thing of its kind, as a training set may hold it.
        seed: of all that is drawn.
    """

    truth: Scene
    modes: tuple[tuple[float, Scene], ...]
    example: Scene
    seed: int

    @property
    def honest(self) -> list[Scene]:
        """K samples: each mode as often as it is probable, in a drawn order."""
        held = [mode for mode, (weight, _) in enumerate(self.modes) for _ in range(round(weight * SAMPLES))]
        order = torch.randperm(SAMPLES, generator=scene_generator(self.seed, "selfcheck.completions.order")).tolist()
        return [self.drawn(held[place], k) for k, place in enumerate(order)]

    def drawn(self, mode: int, sample: int, stream: str = "honest") -> Scene:
        """One mode, as a good completer draws it."""
        generator = scene_generator(self.seed * SAMPLES + sample, f"selfcheck.completions.{stream}")
        return grained(self.modes[mode][1], generator)

    @property
    def mean(self) -> Scene:
        """The mean of all that is possible, weighted by probability: what the squared error asks for."""
        first = self.modes[0][1]

        def blended(part: Callable[[Scene], Tensor | None]) -> Tensor | None:
            if part(first) is None:
                return None
            total = torch.zeros(1)
            for weight, mode in self.modes:
                held = part(mode)
                assert held is not None
                total = total + weight * held.float().nan_to_num()  # hidden in one answer: no motion
            return total

        rgb = blended(lambda scene: scene.rgb)
        assert rgb is not None
        return replace(
            first,
            rgb=rgb.round().to(torch.uint8),
            flow=blended(lambda scene: scene.flow),
            latent=blended(lambda scene: scene.latent),
        )


Answers = Callable[[Puzzle, float], list[Scene]]
"""A puzzle and the level, to the K samples."""


@dataclass(frozen=True)
class CompletionCheat:
    """A fault of completions, from a few samples to all.

    Args:
        name: its key in `COMPLETION_CHEATS`.
        title: for tables.
        unit: of the level.
        levels: rising.
        control: whether the completions are as good as before, so that metrics must not react.
        description: one sentence.
        apply: how it is done.
    """

    name: str
    title: str
    unit: str
    levels: tuple[float, ...]
    control: bool
    description: str
    apply: Answers = field(repr=False, compare=False)


def completed(puzzle: Puzzle, cheat: str, level: float) -> list[Scene]:
    """The K samples under a cheat; level 0 is the honest completer."""
    return COMPLETION_CHEATS[cheat].apply(puzzle, level) if level else puzzle.honest


def _replaced(name: str, answer: Callable[[Puzzle, int], Scene]) -> Answers:
    """`answer` in the place of that share of the samples."""

    def apply(puzzle: Puzzle, share: float) -> list[Scene]:
        samples = puzzle.honest
        order = torch.randperm(SAMPLES, generator=scene_generator(puzzle.seed, f"selfcheck.completions.{name}"))
        for k in order.tolist()[: round(share * SAMPLES)]:
            samples[k] = answer(puzzle, k)
        return samples

    return apply


def _always(answer: Callable[[Puzzle], Scene]) -> Callable[[Puzzle, int], Scene]:
    """One answer, the same bits for every sample."""

    def same(puzzle: Puzzle, sample: int) -> Scene:
        return grained(answer(puzzle), scene_generator(puzzle.seed, "selfcheck.completions.always"))

    return same


def _copy(puzzle: Puzzle) -> Scene:
    truth = puzzle.truth
    assert truth.context is not None
    return replace(
        truth,
        rgb=truth.context.rgb[:1].expand_as(truth.rgb).contiguous(),
        flow=None if truth.flow is None else torch.zeros_like(truth.flow),
        latent=None if truth.latent is None else torch.zeros_like(truth.latent),
    )


def _noise(puzzle: Puzzle, sample: int) -> Scene:
    truth, generator = puzzle.truth, scene_generator(puzzle.seed * SAMPLES + sample, "selfcheck.completions.noise")
    rgb = torch.randint(0, 256, truth.rgb.shape, generator=generator).to(torch.uint8)
    flow = latent = None
    if truth.flow is not None:
        flow = torch.randn(truth.flow.shape, generator=generator) * truth.size[0] / 16
    if truth.latent is not None:
        latent = torch.randn(truth.latent.shape, generator=generator)
    return replace(truth, rgb=rgb, flow=flow, latent=latent)


def _static(puzzle: Puzzle, sample: int) -> Scene:
    mean, noise = puzzle.mean, _noise(puzzle, sample)
    seen = seen_by_context(puzzle.truth)
    assert seen is not None
    return replace(mean, rgb=torch.where(seen[..., None], mean.rgb, noise.rgb))


def _resampled(puzzle: Puzzle, draw: float) -> list[Scene]:
    weights = torch.tensor([weight for weight, _ in puzzle.modes], dtype=torch.float64)
    generator = scene_generator(puzzle.seed, f"selfcheck.completions.draw {draw:g}")
    held = torch.multinomial(weights, SAMPLES, replacement=True, generator=generator).tolist()
    return [puzzle.drawn(mode, k, f"draw {draw:g}") for k, mode in enumerate(held)]


def _reordered(puzzle: Puzzle, order: float) -> list[Scene]:
    samples = puzzle.honest
    drawn = torch.randperm(SAMPLES, generator=scene_generator(puzzle.seed, f"selfcheck.completions.order {order:g}"))
    return [samples[k] for k in drawn.tolist()]


def grained(scene: Scene, generator: torch.Generator) -> Scene:
    """The scene with a little noise on all it says."""
    noise = GRAIN * torch.randn(scene.rgb.shape, generator=generator)
    rgb = (scene.rgb.float() + noise).round().clamp(0, 255).to(torch.uint8)
    flow, latent = scene.flow, scene.latent
    if flow is not None:
        flow = flow + FLOW_GRAIN * torch.randn(flow.shape, generator=generator)
    if latent is not None:
        latent = latent + LATENT_GRAIN * torch.randn(latent.shape, generator=generator)
    return replace(scene, rgb=rgb, flow=flow, latent=latent)


SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)

_ALL = (
    CompletionCheat(
        "mean_answer",
        "mean of all answers",
        "share of samples",
        SHARES,
        False,
        "Some samples are the mean of all that is possible, as a network trained on squared error predicts it.",
        _replaced("mean_answer", _always(lambda puzzle: puzzle.mean)),
    ),
    CompletionCheat(
        "copied_context",
        "copied context",
        "share of samples",
        SHARES,
        False,
        "Some samples show the context's picture in every view, and move nothing.",
        _replaced("copied_context", _always(_copy)),
    ),
    CompletionCheat(
        "nearest",
        "nearest training example",
        "share of samples",
        SHARES,
        False,
        "Some samples show another thing of the same kind, as a training set may hold it: plausible, and not this one.",
        _replaced("nearest", _always(lambda puzzle: puzzle.example)),
    ),
    CompletionCheat(
        "random",
        "random samples",
        "share of samples",
        SHARES,
        False,
        "Some samples are noise.",
        _replaced("random", _noise),
    ),
    CompletionCheat(
        "static",
        "noise on the unseen",
        "share of samples",
        SHARES,
        False,
        "Some samples are right where the context shows what is there, and noise everywhere else.",
        _replaced("static", _static),
    ),
    CompletionCheat(
        "one_answer",
        "one answer",
        "share of samples",
        SHARES,
        False,
        "Some samples are copies of the truth itself: each a perfect answer, and always the same.",
        _replaced("one_answer", _always(lambda puzzle: puzzle.truth)),
    ),
    CompletionCheat(
        "shuffled",
        "order of samples",
        "number of the order",
        (1.0, 2.0, 3.0),
        True,
        "The same samples in another order.",
        _reordered,
    ),
    CompletionCheat(
        "redrawn",
        "another draw of samples",
        "number of the draw",
        (1.0, 2.0, 3.0),
        True,
        "Samples drawn independently from all that is possible.",
        _resampled,
    ),
)

COMPLETION_CHEATS: dict[str, CompletionCheat] = {entry.name: entry for entry in _ALL}
