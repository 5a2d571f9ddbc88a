"""How depth enters the networks: linear in disparity, 0 at the near plane, 1 at the far plane.

With the disparity d = 1 / depth, ``u = (d - 1/near) / (1/far - 1/near)`` clipped to [0, 1]; the
channel the networks see is ``2 u - 1``. Pixels without a surface lie on the far plane.
Source: arXiv 2303.17905 and its public code (there near 0.5, far 100 at a camera radius of 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DepthCode"]


@dataclass(frozen=True)
class DepthCode:
    """The planes of the code, in the unit of the camera positions.

    Args:
        near: depth with code -1.
        far: depth with code +1; where the background stands.
        background: codes above this are read as "no surface"; 1 = every pixel is a surface.
    """

    near: float = 1.0
    far: float = 4.0
    background: float = 0.7

    def encode(self, depth: Tensor) -> Tensor:
        """Depth (NaN = no surface) to the channel in [-1, 1]."""
        u = (1 / depth - 1 / self.near) / (1 / self.far - 1 / self.near)
        return (2 * u.clamp(0, 1) - 1).nan_to_num(nan=1.0)

    def planes(self, code: Tensor) -> Tensor:
        """The channel to a depth between near and far, the background at the far plane."""
        code = code.clamp(-1, 1)
        u = (code + 1) / 2
        u = torch.where(code > self.background, torch.ones_like(u), u)
        return 1 / (1 / self.near + u * (1 / self.far - 1 / self.near))

    def decode(self, code: Tensor) -> Tensor:
        """The channel to depth, NaN where it says "no surface"."""
        return torch.where(code.clamp(-1, 1) > self.background, torch.full_like(code, float("nan")), self.planes(code))
