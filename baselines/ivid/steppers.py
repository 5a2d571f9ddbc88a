"""From a noisy picture and a clean estimate to the next less noisy picture: DDPM, DDIM, DPM-Solver++, UniPC.

ivid edits the clean estimate at every step and goes on from the *edited* one. A stepper is therefore
given estimates, not what the network said: the schedulers of diffusers are set up as if the network
predicted the picture itself (``prediction_type="sample"``), so that multistep solvers integrate the
edited estimates, and DDIM's noise is the one that belongs to them.

    ddpm    ancestral, the variance of the posterior ("fixed small"); arXiv 2006.11239
    ddim    arXiv 2010.02502 eq. 12; eta 0 draws no noise
    dpm++   DPM-Solver++, multistep, second order; arXiv 2211.01095
    unipc   UniPC, second order; arXiv 2302.04867
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from torch import Tensor

from ...scenes.errors import UnknownName, UserError
from .scene_noise import SceneNoise

__all__ = ["FORWARD", "GRIDS", "SAMPLERS", "Stepper", "make_stepper", "times_of"]

FORWARD: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
}
"""The forward process of the paper, shared by training and sampling."""

ESTIMATES = {"prediction_type": "sample", "clip_sample": False}
SAMPLERS = ("ddim", "ddpm", "dpm++", "unipc")
GRIDS = ("trailing", "official", "quadratic")


class Stepper(Protocol):
    """One way through the times. It remembers earlier estimates, so each batch of pictures needs its own."""

    times: list[int]

    def step(self, x0: Tensor, x: Tensor, k: int, noise: SceneNoise) -> Tensor:
        """The picture at time ``times[k + 1]``, after the last time the clean one.

        Args:
            x0: the clean estimate, edited, [N, 4, H, W].
            x: the noisy picture it was made from, at time ``times[k]``.
            k: how many steps were taken before.
            noise: where ancestral steps draw from.
        """


def make_stepper(name: str, steps: int, *, eta: float = 0.0, grid: str = "trailing") -> Stepper:
    """A stepper at its first step.

    Args:
        name: one of `SAMPLERS`.
        steps: denoising steps, 1 to 1000.
        eta: share of the ancestral noise, in [0, 1]; "ddim" only.
        grid: one of `GRIDS`, see `times_of`: "trailing" or, for few steps, "quadratic"; "official" is the
            authors'. UniPC has the first alone.

    Raises:
        UnknownName: a sampler or grid nobody registered.
        UserError: numbers out of range, or choices that exclude one another.
    """
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    if not 0 <= eta <= 1:
        raise UserError(f"eta is {eta}; it is a share of the ancestral noise, from 0 to 1.")
    if eta and name != "ddim":
        raise UserError(f"eta is {eta}, which only the sampler ddim has; {name} takes 0.")
    times = times_of(steps, grid)
    if name == "ddim":
        return _DDIM(times, eta)
    if name == "ddpm":
        return _DDPM(times)
    if name == "dpm++":
        return _dpm(times)
    if grid != "trailing":
        raise UserError(f"The sampler unipc has the grid trailing alone, not {grid}.")
    return _unipc(steps)


def times_of(steps: int, grid: str = "trailing") -> list[int]:
    """The times the network is asked at, falling.

    The authors go from 1000 down in jumps of ``1000 // steps`` and call the network one below: 999,
    979, ..., 19 for 50 steps. For counts that do not divide 1000 their first time lies below 999
    (8 below for 31 steps, half of the range for 501); "trailing" always begins at 999. Both spend few
    of few steps on the end, where edges and texture come: with 10 the last estimate is made at a third
    of noise. "quadratic" (arXiv 2010.02502, appendix D) spaces the times evenly in their root.
    """
    total = int(FORWARD["num_train_timesteps"])
    if grid not in GRIDS:
        raise UnknownName("grid", grid, GRIDS)
    if not 1 <= steps <= total:
        raise UserError(f"{steps} denoising steps; there must be at least 1 and at most {total}.")
    if grid == "quadratic":
        return [round((total - 1) * (1 - k / steps) ** 2) for k in range(steps)]
    if grid == "official":
        jump = total // steps
        return [jump * k - 1 for k in range(steps, 0, -1)]
    return [round(total - k * total / steps) - 1 for k in range(steps)]


class _DDIM:
    """Own steps: diffusers' take all times to be equally far apart, which holds for divisors of 1000 only."""

    def __init__(self, times: list[int], eta: float) -> None:
        self.times, self._eta = times, eta
        self._alphas: Tensor = DDPMScheduler(**FORWARD).alphas_cumprod

    def step(self, x0: Tensor, x: Tensor, k: int, noise: SceneNoise) -> Tensor:
        if k + 1 == len(self.times):
            return x0
        now, later = (self._alphas[time].to(x.device) for time in self.times[k : k + 2])
        eps = (x - now.sqrt() * x0) / (1 - now).sqrt()
        if self._eta == 0:
            return later.sqrt() * x0 + (1 - later).sqrt() * eps
        variance = self._eta**2 * (1 - later) / (1 - now) * (1 - now / later)
        return later.sqrt() * x0 + (1 - later - variance).sqrt() * eps + variance.sqrt() * noise.draw()


class _DDPM:
    def __init__(self, times: list[int]) -> None:
        self.times = times
        self._scheduler = DDPMScheduler(**FORWARD, variance_type="fixed_small", **ESTIMATES)
        self._scheduler.set_timesteps(timesteps=times)

    def step(self, x0: Tensor, x: Tensor, k: int, noise: SceneNoise) -> Tensor:
        if k + 1 == len(self.times):
            return x0
        moved: Tensor = self._scheduler.step(x0, self.times[k], x, generator=noise.generators).prev_sample
        return moved


class _Multistep:
    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self.times = [int(time) for time in scheduler.timesteps]

    def step(self, x0: Tensor, x: Tensor, k: int, noise: SceneNoise) -> Tensor:
        if k + 1 == len(self.times):
            return x0
        moved: Tensor = self._scheduler.step(x0, self._scheduler.timesteps[k], x).prev_sample
        return moved


def _dpm(times: list[int]) -> Stepper:
    scheduler = DPMSolverMultistepScheduler(**FORWARD, prediction_type="sample")
    with _quiet():
        scheduler.set_timesteps(timesteps=times)
    return _Multistep(scheduler)


def _unipc(steps: int) -> Stepper:
    scheduler = UniPCMultistepScheduler(**FORWARD, prediction_type="sample", timestep_spacing="trailing")
    with _quiet():
        scheduler.set_timesteps(steps)
    return _Multistep(scheduler)


@contextmanager
def _quiet() -> Iterator[None]:
    """diffusers turns tensors into arrays in a way NumPy 2 warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield
