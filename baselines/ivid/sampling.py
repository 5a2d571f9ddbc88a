"""Denoising with DDIM (eta 0), guidance without a class, and ivid's edits of the clean estimate.

Legend: x = noisy picture, x0 = clean estimate, eps = noise estimate, a = cumulative alpha.
Formulas: DDIM arXiv 2010.02502 eq. 12; guidance arXiv 2207.12598 in ivid's form
``(1 + s) * conditional - s * null``; edits of x0 from ivid's public code: after an edit, eps is
recomputed from the edited x0, so that the edit steers all later steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from ...scenes.generator import scene_generator
from .networks import IMAGE_CHANNELS, RGBDUNet

__all__ = ["Condition", "ddim_scheduler", "draw_first", "draw_next"]

RGB_PULL = 0.1
DEPTH_PULL = 0.2

FORWARD = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
"""The forward process of the paper, shared by training and sampling."""


@dataclass(frozen=True)
class Condition:
    """What earlier views say about a new one.

    Args:
        rgb: warped colours in [-1, 1], [N, 3, H, W]; meaningless outside `rgb_mask`.
        depth: warped depth code in [-1, 1], [N, 1, H, W]; meaningless outside `mask`.
        rgb_mask: where colour is known, 0 or 1, [N, 1, H, W].
        mask: where depth is known, 0 or 1, [N, 1, H, W].
        hull: code of the nearest depth at which something unseen may stand, [N, 1, H, W]; -1 where
            anything may. None where the rule of the hull is not used.
    """

    rgb: Tensor
    depth: Tensor
    rgb_mask: Tensor
    mask: Tensor
    hull: Tensor | None = None

    def channels(self, noise: Tensor) -> Tensor:
        """The six input channels, holes filled with `noise` [N, 4, H, W], fresh at every step."""
        rgb = torch.where(self.rgb_mask > 0, self.rgb, noise[:, :3])
        depth = torch.where(self.mask > 0, self.depth, noise[:, 3:])
        return torch.cat([self.rgb_mask, rgb, depth, self.mask], 1)


def ddim_scheduler(prediction: str) -> DDIMScheduler:
    """The sampler's side of `training.noise_scheduler`, "trailing" spacing as the authors step it."""
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
    clamp: bool = True,
) -> Tensor:
    """First views, RGBD in [-1, 1], [N, 4, H, W]; each depends on its own seed and label alone."""
    noise = _Noise(seeds, "ivid.first", network)
    x = noise.draw()
    for time, previous in _times(scheduler, steps):
        output = _guided(network, x, time, labels, None, guidance)
        x0 = _clean(scheduler, output, x, time)
        if clamp:  # the pictures have no other values; keeps guidance from burning out
            x0 = x0.clamp(-1, 1)
        x = _move(scheduler, x0, _noise_of(scheduler, x0, x, time), previous) if previous >= 0 else x0
    return x


@torch.no_grad()
def draw_next(
    network: RGBDUNet,
    scheduler: DDIMScheduler,
    labels: Tensor,
    seeds: Sequence[int],
    condition: Condition,
    *,
    view: int,
    steps: int,
    guidance: float,
    rgb_pull: float = RGB_PULL,
    depth_pull: float = DEPTH_PULL,
    hull_pull: float = 0.0,
    clamp: bool = True,
) -> Tensor:
    """Further views that agree with `condition`, RGBD in [-1, 1], [N, 4, H, W].

    Args:
        view: number of the view in its sweep; each has its own noise.
        rgb_pull, depth_pull: how far each step moves the clean estimate towards the condition, in
            [0, 1]; the authors' values by default.
        hull_pull: how far each step moves depth outside of the mask behind the hull; the authors' is 0.5.
    """
    noise = _Noise(seeds, f"ivid.view.{view}", network)
    x = noise.draw()
    for time, previous in _times(scheduler, steps):
        channels = condition.channels(noise.draw())
        output = _guided(network, x, time, labels, channels, guidance)
        x0 = _clean(scheduler, output, x, time)
        if clamp:
            x0 = x0.clamp(-1, 1)
        x0 = _edit(x0, condition, rgb_pull, depth_pull, hull_pull, last=previous < 0)
        x = _move(scheduler, x0, _noise_of(scheduler, x0, x, time), previous) if previous >= 0 else x0
    return x


class _Noise:
    """Normal noise from one generator a scene, so that batches do not mix."""

    def __init__(self, seeds: Sequence[int], stream: str, network: RGBDUNet) -> None:
        size = network.config.size
        self.generators = [scene_generator(seed, stream) for seed in seeds]
        self.shape = (IMAGE_CHANNELS, size, size)
        self.device = network.device

    def draw(self) -> Tensor:
        return torch.stack([torch.randn(self.shape, generator=g) for g in self.generators]).to(self.device)


def _times(scheduler: DDIMScheduler, steps: int) -> list[tuple[int, int]]:
    """Pairs (t, next lower t), the last with -1."""
    scheduler.set_timesteps(steps)
    times = [int(t) for t in scheduler.timesteps]
    return list(zip(times, [*times[1:], -1], strict=True))


def _guided(
    network: RGBDUNet, x: Tensor, time: int, labels: Tensor, condition: Tensor | None, guidance: float
) -> Tensor:
    times = torch.full((len(x),), time, device=x.device)
    labels = labels.to(x.device)
    output: Tensor = network(x, times, labels, condition)
    if guidance == 0:
        return output
    null: Tensor = network(x, times, torch.full_like(labels, network.null_class), condition)
    return (1 + guidance) * output - guidance * null


def _clean(scheduler: DDIMScheduler, output: Tensor, x: Tensor, time: int) -> Tensor:
    """x0 from what the network predicts, velocity or noise."""
    a: Tensor = scheduler.alphas_cumprod[time].to(x.device)
    if scheduler.config.prediction_type == "v_prediction":
        return a.sqrt() * x - (1 - a).sqrt() * output
    return (x - (1 - a).sqrt() * output) / a.sqrt()


def _noise_of(scheduler: DDIMScheduler, x0: Tensor, x: Tensor, time: int) -> Tensor:
    """The eps that takes x to this x0."""
    a: Tensor = scheduler.alphas_cumprod[time].to(x.device)
    return (x - a.sqrt() * x0) / (1 - a).sqrt()


def _move(scheduler: DDIMScheduler, x0: Tensor, eps: Tensor, previous: int) -> Tensor:
    a: Tensor = scheduler.alphas_cumprod[previous].to(x0.device)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def _edit(
    x0: Tensor, condition: Condition, rgb_pull: float, depth_pull: float, hull_pull: float, *, last: bool
) -> Tensor:
    """Pull the clean estimate towards what earlier views show; colour not at the last step."""
    rgb, depth = x0[:, :3], x0[:, 3:]
    if not last:
        rgb = torch.where(condition.rgb_mask > 0, rgb_pull * condition.rgb + (1 - rgb_pull) * rgb, rgb)
    outside = depth
    if condition.hull is not None:
        outside = hull_pull * torch.maximum(depth, condition.hull) + (1 - hull_pull) * depth
    depth = torch.where(condition.mask > 0, depth_pull * condition.depth + (1 - depth_pull) * depth, outside)
    return torch.cat([rgb, depth], 1)
