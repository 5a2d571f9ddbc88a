"""Dual discrimination: the discriminator sees the final picture together with the volume rendering it came from, so
that the two cannot drift apart (EG3D: Chan et al. 2022, section 4.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from .superresolution import resized

__all__ = ["dual_pictures", "real_raw"]


def dual_pictures(rgb: Tensor, raw: Tensor) -> Tensor:
    """Six channels: pictures [N, 3, H, W] and raw ones [N, 3, h, w], brought to the same size."""
    return torch.cat([rgb.float(), resized(raw, rgb.shape[-1])], 1)


def real_raw(rgb: Tensor, neural: int) -> Tensor:
    """What stands in for the volume rendering of a real picture [N, 3, H, W]: itself at `neural` x `neural`."""
    return resized(rgb, neural)
