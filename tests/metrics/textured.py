"""Balls with a texture fine enough for keypoints: consistent to the last bit, at any camera."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from viewsweep.scenes import Cameras, Scene

from .analytic import balls

SOLIDS = ((0.22, 0.0, 0.1, 0.22), (-0.2, 0.05, -0.12, 0.26), (0.0, -0.18, 0.0, 0.24), (0.05, 0.22, -0.05, 0.18))


def arc(views: int, step_deg: float = 10.0, pitch: float = 0.26) -> Cameras:
    """Views around the object, `step_deg` apart."""
    yaw = torch.arange(views, dtype=torch.float64) * math.radians(step_deg)
    return Cameras.orbit(yaw, torch.full_like(yaw, pitch))


def textured(cameras: Cameras, size: int = 160) -> Scene:
    """Four overlapping balls, painted with forty random waves."""
    plain = balls(cameras, size, SOLIDS)
    assert plain.depth is not None
    generator = torch.Generator().manual_seed(5)
    waves = torch.nn.functional.normalize(torch.randn(40, 3, generator=generator, dtype=torch.float64), dim=1)
    waves *= 40 + 80 * torch.rand(40, 1, generator=generator, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(40, generator=generator, dtype=torch.float64)
    brightness = torch.sin(cameras.unproject(plain.depth) @ waves.T + phase).mean(-1)
    grey = torch.nan_to_num(0.5 + 3.0 * brightness, nan=0.8).clamp(0, 1)
    return replace(plain, rgb=(grey * 255).round().to(torch.uint8)[..., None].repeat(1, 1, 1, 3))


def turned(cameras: Cameras, offsets_deg: torch.Tensor, size: int = 160) -> tuple[Scene, Cameras]:
    """Pictures from azimuths off by `offsets_deg` [V], said to be those asked for; and where they are from."""
    true = Cameras.orbit(cameras.yaw + torch.deg2rad(offsets_deg.double()), cameras.pitch)
    return replace(textured(true, size), cameras=cameras), true
