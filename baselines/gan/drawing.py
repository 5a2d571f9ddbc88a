"""Pictures from a generator as it is used: averaged weights, one fixed conditioning pose, places along rays fixed."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Drawn, GanGenerator, Views
from .data import CameraPrior, Pictures
from .recipe import Recipe
from .viewpoint import Viewpoint

__all__ = ["draw_set", "draw_views", "evenly", "to_bytes"]

AT_ONCE = 25


@torch.no_grad()
def draw_views(
    generator: GanGenerator,
    z: Tensor,
    label: int | None,
    views: Views,
    size: int,
    viewpoint: Viewpoint,
    psi: float = 1.0,
) -> Drawn:
    """Views of one scene.

    Args:
        z: [1, latent_size].
        label: its class; None for unconditional generators.
        psi: truncation.
    """
    device = views.cam_to_world.device
    classes = torch.tensor([label], device=device) if generator.classes else None
    pose = viewpoint.pose(1, device) if generator.takes_pose else None
    latents = generator.truncate(generator.map(z.to(device), classes, pose), psi)
    return generator.draw(generator.scene(latents), views, size)


@torch.no_grad()
def draw_set(
    generator: GanGenerator, pictures: Pictures, recipe: Recipe, viewpoint: Viewpoint, count: int, device: torch.device
) -> Tensor:
    """`count` pictures of different scenes, uint8 [count, S, S, 3], the same scenes and cameras at every call.

    Classes and cameras are those of `evenly` chosen training pictures.
    """
    random = torch.Generator().manual_seed(0)
    index = evenly(pictures, count)
    views = pictures.views
    views = (
        CameraPrior(**recipe.prior).draw(count, random) if views is None or recipe.poses == "prior" else views[index]
    )
    z = torch.randn(count, generator.latent_size, generator=random)
    labels = pictures.labels(index)
    parts = []
    for first in range(0, count, AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        seen = Views(views.cam_to_world[rows].to(device), views.intrinsics[rows].to(device))
        label = labels[rows].to(device) if generator.classes else None
        pose = viewpoint.pose(len(seen), device) if generator.takes_pose else None
        scene = generator.scene(generator.map(z[rows].to(device), label, pose))
        parts.append(to_bytes(generator.draw(scene, seen, recipe.size).rgb))
    return torch.cat(parts)


def evenly(pictures: Pictures, count: int) -> Tensor:
    """`count` of the pictures, the same ones at every call, [count].

    By chance, not every so many: where classes take turns, a stride would meet the same ones again and again.
    """
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    return order.repeat(-(-count // len(pictures)))[:count]


def to_bytes(rgb: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] in [-1, 1] as uint8 [N, H, W, 3] on the CPU."""
    scaled = ((rgb.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().contiguous()
