"""Training configurations of ivid's upsampler, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .networks import IMAGE_CHANNELS, PAPER_UPSAMPLER
from .recipe import EVERYWHERE, Recipe

__all__ = ["PAPER", "UPSAMPLER_CONFIGS", "UpsamplerRecipe"]


@dataclass(frozen=True)
class UpsamplerRecipe(Recipe):
    """A `Recipe` whose one network doubles pictures; `size` is that of the large ones.

    What concerns warps, and `first_steps`, `next_steps` and `pairs`, is of no use here; `sampling` are
    settings of `UpsamplerPipeline`.

    Args:
        steps: optimiser steps.
        rgb_residual, depth_residual: the network draws what the enlarged small picture lacks, times
            these, instead of the picture; 0 = the picture itself, as the authors do.
        noise, median_share: see `upsampler_pictures.soften`.
        mirror: whether half the pictures are mirrored, left and right.
    """

    steps: int = 1_000_000
    rgb_residual: float = 0.0
    depth_residual: float = 0.0
    noise: float = 0.0
    median_share: float = 0.0
    mirror: bool = False


SMALL = UpsamplerRecipe(
    size=128,
    views=2_560,
    network={
        "patch": 2,
        "channels": (32, 64, 96),
        "attention": (False, False, False),
        "layers": 1,
        "extra_channels": IMAGE_CHANNELS,
    },
    steps=5_000,
    batch=8,
    rate=6e-4,
    ema=0.999,
    rgb_residual=6.0,
    depth_residual=3.0,
    noise=0.04,
    median_share=0.5,
    mirror=True,
    sampling={"anchor_depth": True},
)

PAPER = UpsamplerRecipe(
    size=256,
    views=0,
    network=dict(PAPER_UPSAMPLER),
    prediction="epsilon",
    batch=32,
    rate=1e-4,
    schedule="constant",
    ema=0.9999,
    sampling={"near": 0.6, "far": 5.0},
    **EVERYWHERE,
)
"""The authors', on 8 GPUs. Small pictures are decoded with other planes (0.6 and 5) than training wrote
depth with, and so must the upsampler's be, or it would be given other codes than the generator drew."""

UPSAMPLER_CONFIGS = {
    "small-upsampler": SMALL,
    "imagenet256-upsampler": PAPER,
    "singlecategory256-upsampler": replace(PAPER, network={**PAPER_UPSAMPLER, "classes": 0}),
    "tiny-upsampler": replace(  # seconds on a laptop: for trying out the machinery and for tests
        SMALL,
        size=16,
        views=32,
        network={
            "channels": (32, 32),
            "layers": 1,
            "attention": (False, False),
            "groups": 8,
            "extra_channels": IMAGE_CHANNELS,
        },
        steps=20,
        batch=4,
    ),
}
