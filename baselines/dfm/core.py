"""Diffusion over signals that nobody ever observed, by a forward model inside each denoising step.

A signal S (a radiance field, a motion field, a latent) is seen only through a known, differentiable forward model:
O = forward(S, parameters), a picture from a camera, a moved picture, a drawn latent. What diffuses is O; the network
looks at a noisy O and at the context and answers with a whole S, whose own observation is the estimate of the clean O
(Tewari et al., "Diffusion with forward models", NeurIPS 2023, figure 2):

    S     = denoise(context, noisy observation, time, its parameters)
    O_hat = forward(S, parameters)                        the estimate of the clean observation
    loss  = |O - O_hat|^2 + weight |O' - forward(S, parameters')|^2        O': another observation of the same scene

S itself is never compared with anything. A problem of your own is a subclass of `InverseProblem`: see docs/dfm.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Batch", "InverseProblem", "Observation", "Tensors", "losses"]

Tensors = dict[str, Tensor]
"""Named tensors, each with the batch first."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen of N scenes, and how.

    Args:
        parameters: of the forward model, e.g. cameras.
        picture: in [-1, 1], [N, C, H, W].
    """

    parameters: Tensors
    picture: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """N training examples.

    Args:
        context: what the method is given.
        target: the observation that diffuses.
        novel: another observation of the same scenes, never noised and never shown; None = there is none.
    """

    context: Tensors
    target: Observation
    novel: Observation | None = None


class InverseProblem(nn.Module, ABC):
    """A network and a forward model.

    Attributes:
        settings: constructor arguments, JSON-able: `type(self)(**settings)` is the same architecture.
        observed: channels, height and width of an observation.
        deterministic: a twin without diffusion: it is shown no observation, and answers the mean of what it was taught.
    """

    settings: dict[str, Any]
    observed: tuple[int, int, int]
    deterministic: bool = False

    @abstractmethod
    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        """A whole signal.

        Args:
            context: what the method is given.
            noisy: the noisy observation, [N, C, H, W].
            time: of the forward process, 0 = clean, in [0, 1], [N].
            parameters: of that observation.
        """

    @abstractmethod
    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        """The forward model: what a signal looks like, [N, C, H, W] in [-1, 1]; differentiable."""

    def without(self, context: Tensors) -> Tensors:
        """A context that says nothing, for classifier-free guidance: zeros."""
        return {name: torch.zeros_like(value) for name, value in context.items()}

    def part(self, observation: Observation, random: torch.Generator) -> Observation:
        """What of an observation the loss looks at: all of it, unless observing is dear (patches of a rendering)."""
        return observation

    def error(self, estimate: Tensor, picture: Tensor) -> Tensor:
        """How far an observation [N, C, H, W] is from the true one: the mean squared error."""
        return (estimate - picture).square().mean()

    def prior(self, signal: Tensors, batch: Batch) -> dict[str, Tensor]:
        """Further terms of the loss by name, weighted; none by default."""
        return {}

    def refined(self, signal: Tensors, context: Tensors, steps: int) -> Tensors:
        """A sample brought nearer to what is given by `steps` gradient steps; as it is, unless a problem knows how."""
        return signal

    def settled(self, signal: Tensors) -> Tensors:
        """The signal a sample ends with: as it is, unless it says with weights what all may be (then the likeliest)."""
        return signal

    def signal(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        """`denoise`, for the deterministic twin with nothing to see: pure zeros at the last time."""
        if self.deterministic:
            noisy, time = torch.zeros_like(noisy), torch.ones_like(time)
        return self.denoise(context, noisy, time, parameters)


def losses(
    problem: InverseProblem,
    batch: Batch,
    noised: Callable[[Tensor, Tensor, Tensor], Tensor],
    random: torch.Generator,
    *,
    novel_weight: float = 1.0,
    drop: float = 0.0,
) -> dict[str, Tensor]:
    """The terms of the loss by name; their sum is minimised.

    Args:
        noised: clean observations, noise and times in [0, 1] to noisy observations.
        random: on the CPU; times, noise and what is dropped come from it.
        novel_weight: weight of the observation that was neither shown nor noised; 0 = the ablation without it.
        drop: probability that a context is replaced by `InverseProblem.without`.
    """
    clean = batch.target.picture
    count, device = len(clean), clean.device
    # one time in each of `count` equal stretches: a batch covers the whole range
    time = ((torch.arange(count) + torch.rand(count, generator=random)) / count)[
        torch.randperm(count, generator=random)
    ]
    noise = torch.randn(clean.shape, generator=random)
    dropped = torch.rand(count, generator=random) < drop
    time, noise, dropped = time.to(device), noise.to(device), dropped.to(device)
    context = batch.context
    if bool(dropped.any()):
        context = _where(dropped, problem.without(context), context)
    signal = problem.signal(context, noised(clean, noise, time), time, batch.target.parameters)
    shown = problem.part(batch.target, random)
    found = {"target": problem.error(problem.observe(signal, shown.parameters).float(), shown.picture)}
    if batch.novel is not None and novel_weight:
        unseen = problem.part(batch.novel, random)
        error = problem.error(problem.observe(signal, unseen.parameters).float(), unseen.picture)
        found["novel"] = error * novel_weight
    return found | problem.prior(signal, batch)


def _where(chosen: Tensor, yes: Tensors, no: Tensors) -> Tensors:
    return {
        name: torch.where(chosen.reshape(-1, *[1] * (value.ndim - 1)), yes[name], value) for name, value in no.items()
    }
