"""Moving a picture by a flow, for the reference methods of motion."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

__all__ = ["moved_picture"]


def moved_picture(rgb: Tensor, flow: Tensor) -> Tensor:
    """The picture whose pixel x shows what `rgb` shows at x + flow(x), uint8 [V, H, W, 3].

    Bilinear between pixel centres; beyond the edge the edge goes on, and without a flow the pixel stays.

    Args:
        rgb: uint8 [V, H, W, 3].
        flow: in pixels, x right and y down, [V, H, W, 2]; NaN = none.
    """
    _, height, width, _ = rgb.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([columns, rows], -1).float() + 0.5 + flow.nan_to_num(nan=0.0)
    grid = 2 * place / torch.tensor([width, height], dtype=torch.float32) - 1
    picture = rgb.permute(0, 3, 1, 2).float()
    found = grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8)
