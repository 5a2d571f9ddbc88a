"""Samples of a signal: the reverse process in observation space, guided, and autoregressive.

Each step asks for a signal, observes it, and steps towards that observation; the last signal is the sample
(DDIM, arXiv 2010.02502, equation 12 with eta 0). Guidance (arXiv 2207.12598) acts on observations; the signal that
is handed back is the conditional one, as with the authors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...scenes.errors import UserError
from ...scenes.generator import scene_generator
from .core import InverseProblem, Tensors
from .process import STEPS, scheduler

__all__ = ["Sampled", "Sampling", "sample", "sample_along"]

LEAST_LIMIT = 1.0
"""Dynamic thresholding never squeezes what is within [-1, 1]."""


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn.

    Args:
        steps: denoising steps.
        guidance: 1 = the conditional estimate alone, above = away from the unconditional one.
        temperature: factor of the initial noise.
        refine: gradient steps towards what is given once a signal is sampled, see `InverseProblem.refined`.
        threshold: share of an estimate's values that lie within its limits (dynamic thresholding, arXiv 2205.11487);
            1 = no thresholding.

    Raises:
        UserError: numbers out of range.
    """

    steps: int = 20
    guidance: float = 1.0
    temperature: float = 1.0
    threshold: float = 0.95
    refine: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= STEPS:
            raise UserError(f"{self.steps} denoising steps; there must be at least 1 and at most {STEPS}.")
        if self.refine < 0:
            raise UserError(f"{self.refine} steps of refinement; there cannot be fewer than none.")
        if self.guidance < 0 or self.temperature < 0:
            raise UserError(f"guidance {self.guidance:g} and temperature {self.temperature:g} must not be negative.")
        if not 0 < self.threshold <= 1:
            raise UserError(f"threshold is {self.threshold:g}; it is a share in (0, 1].")


@dataclass(frozen=True, eq=False)
class Sampled:
    """N samples.

    Args:
        signal: what the forward model makes observations of.
        observation: the last, clean one, [N, C, H, W]; guided, where there is guidance.
    """

    signal: Tensors
    observation: Tensor


@torch.no_grad()
def sample(
    problem: InverseProblem, context: Tensors, parameters: Tensors, seeds: Sequence[int], how: Sampling
) -> Sampled:
    """Draw a signal for each item of the batch.

    Args:
        context: what is given, one item for each seed.
        parameters: of the observation that diffuses.
        seeds: the only source of randomness of each item.
    """
    device = next(problem.parameters()).device
    shape = problem.observed
    if problem.deterministic:
        blank, last = torch.zeros(len(seeds), *shape, device=device), torch.ones(len(seeds), device=device)
        signal = problem.settled(problem.denoise(context, blank, last, parameters))
        signal = problem.refined(signal, context, how.refine)
        return Sampled(signal, problem.observe(signal, parameters))
    noise = [torch.randn(shape, generator=scene_generator(seed, "dfm.noise")) for seed in seeds]
    x = torch.stack(noise).to(device) * how.temperature
    steps = scheduler(how.steps)
    nothing = problem.without(context) if how.guidance != 1.0 else None
    signal, estimate = {}, x
    for step in steps.timesteps:
        time = torch.full((len(seeds),), float(step) / STEPS, device=device)
        signal = problem.denoise(context, x, time, parameters)
        estimate = problem.observe(signal, parameters).float()
        if nothing is not None:
            free = problem.observe(problem.denoise(nothing, x, time, parameters), parameters).float()
            estimate = free + how.guidance * (estimate - free)
        estimate = _within(estimate, how.threshold)
        x = steps.step(estimate, step, x, eta=0.0).prev_sample
    signal = problem.settled(signal)
    if how.refine:
        signal = problem.refined(signal, context, how.refine)
        estimate = problem.observe(signal, parameters).float()
    return Sampled(signal, estimate)


def sample_along(
    problem: InverseProblem,
    context: Tensors,
    targets: Sequence[Tensors],
    seeds: Sequence[int],
    how: Sampling,
    append: Callable[[Tensors, Tensors, Tensor], Tensors],
) -> Sampled:
    """Draw one observation after the other, each put into the context of the next; the last signal knows them all.

    Args:
        targets: parameters of the observations, in this order.
        append: a context with one more observation: (context, parameters, observation) -> context.
    """
    if not targets:
        raise UserError("An autoregressive sample needs at least one target.")
    found = None
    for number, parameters in enumerate(targets):
        own = [(seed * 1_000_003 + number) % 2**62 if number else seed for seed in seeds]
        found = sample(problem, context, parameters, own, how)
        context = append(context, parameters, found.observation.clamp(-1, 1))
    assert found is not None
    return found


def _within(estimate: Tensor, share: float) -> Tensor:
    """Dynamic thresholding: values beyond the quantile are cut there, and all divided by it where it is above 1."""
    if share >= 1:
        return estimate
    limit = estimate.abs().flatten(1).quantile(share, dim=1).clamp(min=LEAST_LIMIT)
    limit = limit.reshape(-1, *[1] * (estimate.ndim - 1))
    return estimate.clamp(-limit, limit) / limit
