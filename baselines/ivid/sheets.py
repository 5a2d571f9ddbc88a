"""Contact sheets of RGBD pictures, for looking at while a network trains."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

__all__ = ["write_sheet"]


def write_sheet(path: Path, pictures: Tensor, columns: int) -> None:
    """Write RGBD pictures [N, 4, H, W] in [-1, 1] as a PNG: colour above depth code, row by row."""
    rgb = pictures[:, :3].permute(0, 2, 3, 1)
    depth = pictures[:, 3:].permute(0, 2, 3, 1).expand_as(rgb)
    cells = ((torch.cat([rgb, depth], 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    missing = -len(cells) % columns
    cells = torch.cat([cells, torch.full((missing, *cells.shape[1:]), 255, dtype=torch.uint8)])
    rows = [torch.cat(list(row), 1) for row in cells.split(columns)]
    Image.fromarray(torch.cat(rows).numpy()).save(path)
