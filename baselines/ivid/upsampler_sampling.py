"""Drawing large pictures from small ones: denoising on the enlarged small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...scenes.generator import scene_generator
from .networks import IMAGE_CHANNELS, RGBDUNet

__all__ = ["Residual", "draw_large"]


@dataclass(frozen=True)
class Residual:
    """What is diffused: the picture itself, or what it has over the enlarged small picture.

    The small configuration draws the second: a network that has seen a few thousand pictures then
    starts from the bilinear picture instead of learning to copy it (SRDiff, arXiv 2104.14951). The
    factors bring what is left to about the spread of pictures.

    Args:
        rgb, depth: factors of the difference in colour and depth code; 0 = the picture itself.
    """

    rgb: float = 0.0
    depth: float = 0.0

    def of(self, pictures: Tensor, enlarged: Tensor) -> Tensor:
        """What the network is to draw where the large pictures are `pictures`, [N, 4, H, W]."""
        factor, base = self._parts(enlarged)
        return (pictures - base) * factor

    def back(self, drawn: Tensor, enlarged: Tensor) -> Tensor:
        """The large pictures in [-1, 1] from what was drawn; the inverse of `of`."""
        factor, base = self._parts(enlarged)
        return (drawn / factor + base).clamp(-1, 1)

    def _parts(self, enlarged: Tensor) -> tuple[Tensor, Tensor]:
        asked = enlarged.new_tensor([self.rgb] * 3 + [self.depth])[:, None, None]
        return torch.where(asked > 0, asked, 1.0), torch.where(asked > 0, enlarged, 0.0)


@torch.no_grad()
def draw_large(
    network: RGBDUNet,
    scheduler: Any,
    labels: Tensor,
    enlarged: Tensor,
    seeds: Sequence[int],
    *,
    steps: int,
    residual: Residual,
    streams: Sequence[str] | None = None,
) -> Tensor:
    """Large RGBD pictures in [-1, 1], [N, 4, H, W].

    Args:
        scheduler: any of diffusers' whose steps draw no noise (DDIM with eta 0, DPM-Solver++, UniPC).
        labels: [N].
        enlarged: small pictures at the large size, [N, 4, H, W], on the network's device.
        seeds: of the scenes the pictures belong to, [N].
        steps: denoising steps.
        residual: what the network was trained to draw.
        streams: name of each picture's noise within its scene; pictures of one seed and stream start
            from the same noise.
    """
    streams = streams or ["ivid.upsampler"] * len(seeds)
    shape = (IMAGE_CHANNELS, *enlarged.shape[2:])
    noise = [
        torch.randn(shape, generator=scene_generator(seed, stream)) for seed, stream in zip(seeds, streams, strict=True)
    ]
    x = torch.stack(noise).to(enlarged)
    stepper = type(scheduler).from_config(scheduler.config)  # multistep solvers remember; no two draws may share that
    stepper.set_timesteps(steps, device=x.device)
    labels = labels.to(x.device)
    for time in stepper.timesteps:
        output = network(x, time.expand(len(x)), labels, enlarged)
        x = stepper.step(output, time, x).prev_sample
    return residual.back(x, enlarged)
