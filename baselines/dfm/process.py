"""The noise of observations: the cosine schedule, and the way back by DDIM.

diffusers' schedulers do the arithmetic; they are set up as if the network predicted the clean observation, which it
does through the forward model. Times are shares of the way, 0 = clean and 1 = pure noise.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from ...scenes.errors import UserError

__all__ = ["STEPS", "kept", "noised", "scheduler"]

STEPS = 1000
"""Steps of the forward process."""

SETTINGS: dict[str, Any] = {
    "num_train_timesteps": STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
    "clip_sample": False,
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
}


def noised(clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """Observations [N, C, H, W] with as much `noise` as belongs to their times [N] in [0, 1]."""
    steps = (time * STEPS).long().clamp(0, STEPS - 1)
    mixed: Tensor = _FORWARD.add_noise(clean, noise, steps)
    return mixed


def kept(time: Tensor) -> Tensor:
    """Which share of a noisy observation's variance is the clean one's, alpha bar, at times [N] in [0, 1]."""
    steps = (time * STEPS).long().clamp(0, STEPS - 1)
    share: Tensor = _FORWARD.alphas_cumprod.to(time.device)[steps]
    return share


def scheduler(steps: int) -> DDIMScheduler:
    """DDIM (eta 0) at `steps` times from pure noise down: for 50 they are 999, 979, ... 19.

    Raises:
        UserError: no step, or more than there are.
    """
    if not 1 <= steps <= STEPS:
        raise UserError(f"{steps} denoising steps; there must be at least 1 and at most {STEPS}.")
    made = DDIMScheduler(**SETTINGS)
    made.set_timesteps(steps)
    return made


_FORWARD = DDIMScheduler(**SETTINGS)
assert torch.all(_FORWARD.alphas_cumprod[1:] < _FORWARD.alphas_cumprod[:-1])
