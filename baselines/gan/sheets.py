"""Contact sheets: a row of views and a row of their depths for each class, for looking at while a GAN trains."""

from __future__ import annotations

import io
import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from ...scenes.files import atomic_write
from .base import GanGenerator, Views
from .drawing import draw_views, to_bytes
from .viewpoint import Viewpoint

__all__ = ["write_sheet"]

ROWS, COLUMNS = 10, 8


def write_sheet(path: Path, generator: GanGenerator, size: int, viewpoint: Viewpoint, device: torch.device) -> None:
    """Write one scene of each class (up to ten), seen from as far around as the generator was trained."""
    random = torch.Generator().manual_seed(1)
    limit = viewpoint.yaw_limit
    if limit == math.pi:
        yaw = torch.arange(COLUMNS, dtype=torch.float64) / COLUMNS * 2 * math.pi
    else:
        yaw = torch.linspace(-limit, limit, COLUMNS, dtype=torch.float64)
    views = Views.of(viewpoint.around(yaw), device)
    kinds = min(ROWS, generator.classes or 4)
    rows = []
    for kind in range(kinds):
        z = torch.randn(1, generator.latent_size, generator=random)
        drawn = draw_views(generator, z, kind if generator.classes else None, views, size, viewpoint)
        rows.append(torch.cat(list(to_bytes(drawn.rgb)), 1))
        rows.append(torch.cat(list(_shaded(drawn.depth, size)), 1))
    buffer = io.BytesIO()
    Image.fromarray(torch.cat(rows).numpy()).save(buffer, format="PNG")
    atomic_write(path, buffer.getvalue())


def _shaded(depth: Tensor, size: int) -> Tensor:
    """Depths [N, h, w] as uint8 [N, size, size, 3]: near is bright, nothing is black; one scale for all."""
    known = torch.isfinite(depth)
    if not bool(known.any()):
        return torch.zeros(len(depth), size, size, 3, dtype=torch.uint8)
    low, high = depth[known].min(), depth[known].max()
    grey = torch.where(known, 255 - 200 * (depth - low) / (high - low).clamp(min=1e-6), 0.0)
    grey = nn.functional.interpolate(grey[:, None], (size, size), mode="nearest")
    return grey.to(torch.uint8).permute(0, 2, 3, 1).expand(-1, -1, -1, 3).cpu()
