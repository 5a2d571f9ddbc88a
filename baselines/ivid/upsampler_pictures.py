"""Small pictures and large ones: what the upsampler is given, in training and when it draws.

All pictures are RGBD in [-1, 1], the fourth channel the depth code (linear in disparity, 1 = far).
In training the small picture is made from the large one and then softened (blurred, as in cascaded
diffusion, arXiv 2106.15282), for at sampling time it comes from a generator that is less sharp than
any photograph.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .augmentation import blurred

__all__ = ["anchored", "enlarge", "halve", "median", "soften"]

ONE_SURFACE = 0.1
"""Depth codes this near to each other, within a square of two pixels, are of one surface."""


def halve(pictures: Tensor) -> Tensor:
    """RGBD pictures at half the size, [N, 4, H, W] to [N, 4, H / 2, W / 2].

    Colour is the mean of four pixels, rounded to 8 bits. Depth never mixes surfaces: it is the mean
    of those of the four that lie on the surface of their lower median, so of the nearer surface where two
    are on each side of an edge.
    """
    rgb = nn.functional.avg_pool2d(pictures[:, :3], 2)
    rgb = ((rgb + 1) * 127.5).round() / 127.5 - 1
    four = nn.functional.pixel_unshuffle(pictures[:, 3:], 2)
    middle = four.median(1, keepdim=True).values
    same = (four - middle).abs() <= ONE_SURFACE
    depth = (four * same).sum(1, keepdim=True) / same.sum(1, keepdim=True)
    return torch.cat([rgb, depth], 1)


def enlarge(pictures: Tensor, factor: int = 2) -> Tensor:
    """Pictures [N, C, h, w], bilinear at `factor` times the size."""
    return nn.functional.interpolate(pictures, scale_factor=factor, mode="bilinear", align_corners=False)


def anchored(drawn: Tensor, small: Tensor) -> Tensor:
    """Depth codes that say which surface is seen as `drawn` does, and how far it is as `small` does.

    Each large pixel takes, of the four small pixels around it, the one that is nearest to what was
    drawn; its depth is the bilinear mean of those of the four that lie on the same surface. So what the
    drawing adds is where edges run; noise in it does not shake surfaces.

    Args:
        drawn: [N, 1, H, W].
        small: [N, 1, h, w], H and W the same multiple of h and w.
    """
    rows, columns = (_neighbours(small.shape[axis], drawn.shape[axis], drawn.device) for axis in (2, 3))
    values = torch.stack([small[:, :, r][:, :, :, c] for r, _ in rows for c, _ in columns])
    weights = torch.stack([r[:, None] * c for _, r in rows for _, c in columns])[:, None, None]
    chosen = values.gather(0, (values - drawn).abs().argmin(0, keepdim=True))
    weights = weights * ((values - chosen).abs() <= ONE_SURFACE)
    return (values * weights).sum(0) / weights.sum(0)


def _neighbours(small: int, large: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The two small pixels about each large one along an axis: index and bilinear weight, [large] each."""
    place = (torch.arange(large, device=device) + 0.5) * small / large - 0.5
    before = place.floor()
    share = place - before
    return [
        (before.long().clamp(min=0), 1 - share),
        ((before.long() + 1).clamp(max=small - 1), share),
    ]


def soften(small: Tensor, generator: torch.Generator, *, noise: float = 0.0, median_share: float = 0.0) -> Tensor:
    """Small pictures [N, 4, h, w] as a generator would draw them; each its own strength.

    Args:
        generator: of all the draws, on the CPU.
        noise: largest standard deviation of normal noise on all channels; each picture's is uniform
            below it.
        median_share: share of pictures whose depth passes a 3x3 median, which takes thin things away.

    Returns:
        the pictures, blurred 3x3 with sigma U(0, 1) pixels.
    """
    count = len(small)
    chosen = torch.rand(count, generator=generator) < median_share
    depth = torch.where(chosen[:, None, None, None], median(small[:, 3:]), small[:, 3:])
    sigma = torch.rand(count, generator=generator) + 1e-3  # 0 would divide by itself
    small = blurred(torch.cat([small[:, :3], depth], 1), sigma)
    strength = noise * torch.rand(count, generator=generator)
    return small + strength[:, None, None, None] * torch.randn(small.shape, generator=generator)


def median(channel: Tensor, side: int = 3) -> Tensor:
    """Median filter of [N, 1, h, w], borders repeated; 1 changes nothing."""
    padded = nn.functional.pad(channel, (side // 2,) * 4, mode="replicate")
    return padded.unfold(2, side, 1).unfold(3, side, 1).flatten(-2).median(-1).values
