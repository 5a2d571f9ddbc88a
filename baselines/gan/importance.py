"""Where samples along rays fall: evenly spread at first, then where the first ones found something."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["fine_distances", "quantiles", "widened"]

FLOOR = 1e-5  # of NeRF: keeps the distribution proper where nothing was found


def quantiles(count: int, jitter: Tensor | None, like: Tensor) -> Tensor:
    """Ascending numbers in (0, 1), one in each of `count` equal parts, [count] or [..., count].

    Args:
        count: how many.
        jitter: where in its part each falls, in [0, 1), [..., count]; None: in the middle.
        like: device and type.
    """
    parts = torch.arange(count, device=like.device, dtype=like.dtype)
    return (parts + (0.5 if jitter is None else jitter)) / count


def widened(shares: Tensor) -> Tensor:
    """Shares that also reach a stretch's neighbours (EG3D): larger of two, then mean of two, plus 0.01."""
    padded = functional.pad(shares, (1, 1))
    larger = torch.maximum(padded[..., 1:], padded[..., :-1])
    return (larger[..., 1:] + larger[..., :-1]) / 2 + 0.01


def fine_distances(edges: Tensor, shares: Tensor, count: int, jitter: Tensor | None, smooth: bool) -> Tensor:
    """Distances drawn from a distribution that is constant over each stretch (NeRF, section 5.2), ascending.

    Args:
        edges: ends of the stretches, ascending, [..., B + 1].
        shares: share of the light of each stretch, not negative, [..., B].
        count: how many distances.
        jitter: as for `quantiles`, [..., count].
        smooth: whether to widen the shares.
    """
    shares = widened(shares) if smooth else shares + FLOOR
    cumulative = functional.pad(shares.cumsum(-1), (1, 0))
    total = cumulative[..., -1:]
    wanted = (quantiles(count, jitter, edges) * total).contiguous()
    stretch = torch.searchsorted(cumulative[..., 1:-1].contiguous(), wanted, right=True)
    start = edges.gather(-1, stretch)
    inside = (wanted - cumulative.gather(-1, stretch)) / shares.gather(-1, stretch)
    return start + inside.clamp(0, 1) * (edges.gather(-1, stretch + 1) - start)
