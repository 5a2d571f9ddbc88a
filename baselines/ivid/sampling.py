"""Denoising of first and further views: guidance without a class, edits of the clean estimate.

Legend: x = noisy picture, x0 = clean estimate, s = guidance. At every step the network's output
becomes x0, x0 is edited (`conditioning.Pulls`), and a stepper goes on from the edited one.
Guidance arXiv 2207.12598 in ivid's form ``(1 + s) * conditional - s * null``; guidance in a part of
the times arXiv 2404.07724.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from .conditioning import DEPTH_PULL, RGB_PULL, Condition, Pulls
from .networks import IMAGE_CHANNELS, RGBDUNet
from .scene_noise import SceneNoise
from .steppers import FORWARD, make_stepper

__all__ = ["ALWAYS", "FORWARD", "Condition", "ddim_scheduler", "draw_first", "draw_next"]

ALWAYS = (0.0, 1.0)


def ddim_scheduler(prediction: str) -> DDIMScheduler:
    """The sampler's side of `training.noise_scheduler`, "trailing" spacing as the authors step it.

    Pipelines store it for its forward process and prediction type; `steppers` does the stepping.
    """
    return DDIMScheduler(
        **FORWARD,
        prediction_type=prediction,
        timestep_spacing="trailing",
        set_alpha_to_one=True,
        clip_sample=False,
    )


@torch.no_grad()
def draw_first(
    network: RGBDUNet,
    scheduler: DDIMScheduler,
    labels: Tensor,
    seeds: Sequence[int],
    *,
    steps: int,
    guidance: float,
    interval: tuple[float, float] = ALWAYS,
    sampler: str = "ddim",
    eta: float = 0.0,
    grid: str = "trailing",
    clamp: bool = True,
    precision: torch.dtype | None = None,
) -> Tensor:
    """First views, RGBD, [N, 4, H, W]; each depends on its own seed and label alone.

    Args:
        network: G_u.
        scheduler: the forward process and what the network predicts.
        labels: classes, [N]; of no meaning to a network without classes.
        seeds: of the scenes, [N].
        steps, sampler, eta, grid: see `steppers.make_stepper`.
        guidance: s; 0 leaves the null branch out.
        interval: guidance is on at times t with ``low < t / 1000 <= high``; (0, 1) = always.
        clamp: whether clean estimates are clipped to [-1, 1]: pictures have no other values, and
            strong guidance does not burn out. The authors do not.
        precision: what the network computes in; None = as it is stored.
    """
    denoise = _Denoiser(network, scheduler, labels, guidance, interval, clamp, precision)
    stepper = make_stepper(sampler, steps, eta=eta, grid=grid)
    x = _noise(network, seeds, "ivid.first").draw()
    ancestral = _noise(network, seeds, "ivid.first.steps")
    for k, time in enumerate(stepper.times):
        x = stepper.step(denoise(x, time, None), x, k, ancestral)
    return x


@torch.no_grad()
def draw_next(
    network: RGBDUNet,
    scheduler: DDIMScheduler,
    labels: Tensor,
    seeds: Sequence[int],
    condition: Condition | Sequence[Condition],
    *,
    view: int,
    steps: int,
    guidance: float,
    interval: tuple[float, float] = ALWAYS,
    rgb_pull: float = RGB_PULL,
    depth_pull: float = DEPTH_PULL,
    hull_pull: float = 0.0,
    sampler: str = "ddim",
    eta: float = 0.0,
    grid: str = "trailing",
    clamp: bool = True,
    precision: torch.dtype | None = None,
) -> Tensor:
    """Further views that agree with `condition`, RGBD, [N, 4, H, W]. See `draw_first`.

    Args:
        network: G_c.
        condition: what earlier views say together; or a list of conditions, one of which each
            scene picks anew at every step (stochastic conditioning, arXiv 2210.04628).
        view: number of the view in its sweep; each has its own noise.
        rgb_pull, depth_pull, hull_pull: see `conditioning.Pulls`; the authors' are 0.1, 0.2, 0.5.
    """
    denoise = _Denoiser(network, scheduler, labels, guidance, interval, clamp, precision)
    pulls = Pulls(rgb_pull, depth_pull, hull_pull)
    stepper = make_stepper(sampler, steps, eta=eta, grid=grid)
    stream = f"ivid.view.{view}"
    noise, ancestral = _noise(network, seeds, stream), _noise(network, seeds, f"{stream}.steps")
    choice = _noise(network, seeds, f"{stream}.choice")
    x = noise.draw()
    for k, time in enumerate(stepper.times):
        known = condition if isinstance(condition, Condition) else _pick(condition, choice)
        x0 = denoise(x, time, known.channels(noise.draw()))
        x0 = pulls(x0, known, last=k + 1 == len(stepper.times))
        x = stepper.step(x0, x, k, ancestral)
    return x


@dataclass(frozen=True)
class _Denoiser:
    """The clean estimate x0, from what the network predicts, velocity or noise."""

    network: RGBDUNet
    scheduler: DDIMScheduler
    labels: Tensor
    guidance: float
    interval: tuple[float, float]
    clamp: bool
    precision: torch.dtype | None

    def __call__(self, x: Tensor, time: int, condition: Tensor | None) -> Tensor:
        output = self._output(x, time, condition)
        a: Tensor = self.scheduler.alphas_cumprod[time].to(x.device)
        if self.scheduler.config.prediction_type == "v_prediction":
            x0 = a.sqrt() * x - (1 - a).sqrt() * output
        else:
            x0 = (x - (1 - a).sqrt() * output) / a.sqrt()
        return x0.clamp(-1, 1) if self.clamp else x0

    def _output(self, x: Tensor, time: int, condition: Tensor | None) -> Tensor:
        if self.network.null_class == 0:
            return self._ask(x, time, None, condition)
        labels = self.labels.to(x.device)
        low, high = self.interval
        if self.guidance == 0 or not low < time / 1000 <= high:
            return self._ask(x, time, labels, condition)
        # both branches at once: larger batches are cheaper a picture
        labels = torch.cat([labels, torch.full_like(labels, self.network.null_class)])
        twice = None if condition is None else torch.cat([condition, condition])
        named, null = self._ask(torch.cat([x, x]), time, labels, twice).chunk(2)
        return (1 + self.guidance) * named - self.guidance * null

    def _ask(self, x: Tensor, time: int, labels: Tensor | None, condition: Tensor | None) -> Tensor:
        times = torch.full((len(x),), time, device=x.device)
        with torch.autocast(x.device.type, dtype=self.precision, enabled=self.precision is not None):
            output: Tensor = self.network(x, times, labels, condition)
        return output.float()


def _noise(network: RGBDUNet, seeds: Sequence[int], stream: str) -> SceneNoise:
    size = network.config.size
    return SceneNoise(seeds, stream, (IMAGE_CHANNELS, size, size), network.device)


def _pick(conditions: Sequence[Condition], choice: SceneNoise) -> Condition:
    """For each scene one of `conditions`."""
    picked = choice.choose(len(conditions))
    return Condition.join([conditions[int(number)].rows([row]) for row, number in enumerate(picked)])
