"""Completions whose answer is known, for the tests of what measures them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from viewsweep.scenes import Scene, sweep360

from .analytic import balls

VIEWS, SIZE = 6, 32


def truth(index: int = 0, views: int = VIEWS, size: int = SIZE) -> Scene:
    """Two balls, of which the first view is given."""
    scene = balls(sweep360(views, 0.1 + 0.05 * index), size)
    assert scene.cameras is not None
    return replace(scene, context=Scene(scene.rgb[:1], scene.cameras[0]))


def noisy(scene: Scene, amount: float, seed: int = 0, where: Tensor | None = None) -> Scene:
    """Independent noise on every colour, of `amount` levels of 255; `where` [V, H, W] only, if given."""
    noise = amount * torch.randn(scene.rgb.shape, generator=torch.Generator().manual_seed(seed))
    rgb = (scene.rgb + noise).round().clamp(0, 255).to(torch.uint8)
    return replace(scene, rgb=rgb if where is None else torch.where(where[..., None], rgb, scene.rgb))


def moving(flow: tuple[float, float] = (3.0, 0.0), *, size: int = SIZE, views: int = 1) -> Scene:
    """A square in the middle that comes from x + flow(x), before a background that stays; the context is grey."""
    field = torch.zeros(views, size, size, 2)
    field[:, size // 4 : size // 2, size // 4 : size // 2] = torch.tensor(flow)
    grey = torch.full((views, size, size, 3), 128, dtype=torch.uint8)
    return Scene(grey, flow=field, context=Scene(grey[:1]))


def values(metric: Any) -> dict[str, float | None]:
    return {name: result.value for name, result in metric.results().items()}


def everything(metric: Any) -> str:
    """Results and rows to the last bit."""
    return json.dumps({name: result.to_json() for name, result in metric.results().items()}) + repr(metric.rows())
