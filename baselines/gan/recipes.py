"""The recipes by method and configuration.

`paper` recipes hold what is known of the authors' settings; where they count pictures, steps here are those
divided by the batch. `small` ones are for tabletop at 64 pixels on one CPU core, `tiny` ones for trying out.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ...scenes.sweeps import FOV, RADIUS
from .patches import PatchSchedule
from .recipe import Recipe
from .schedules import Fade, Stage

__all__ = ["RECIPES"]

AS_TABLETOP: dict[str, float] = {"radius": RADIUS, "fov": FOV}
"""Where networks made for tabletop look for the object, for pictures without cameras; spreads are CelebA's."""

TINY = Recipe(
    views=64,
    size=16,
    steps=20,
    batch=4,
    r1_every=4,
    density_points=64,
    prior=AS_TABLETOP,
    quality_every=10,
    quality_pictures=20,
)

# pi-GAN ------------------------------------------------------------------------------------------------------------

PIGAN_SMALL = Recipe(
    stages=(Stage(5_200, 32, 16),),  # 2,000 steps at 64 pixels took an hour and lost variety
    steps=5_200,
    precision="bf16",
    generator_rate=4e-4,
    discriminator_rate=2e-4,
    rate_end=0.2,
    betas=(0.0, 0.9),
    ema=0.998,
    clip=10.0,
    gamma=1.0,
    r1_every=4,
    direction_weight=1.0,
    density_noise=Fade(1.0, 0.0, 1_000),
    class_group=4,
    prior=AS_TABLETOP,
    quality_every=400,
    quality_pictures=400,
    firmer=(4_000, 2.5),
    sharpness=5.0,
)

PIGAN_PAPER = Recipe(
    size=64,
    views=0,
    steps=200_000,
    batch=56,
    accumulate=2,
    precision="bf16",
    reuse=False,
    generator_rate=6e-5,
    discriminator_rate=2e-4,
    betas=(0.0, 0.9),
    ema=0.999,
    clip=10.0,
    gamma=0.2,
    r1_every=1,
    direction_weight=15.0,
    density_noise=Fade(1.0, 0.0, 5_000),
    top=(0.99, 2_000, 0.6),
    poses="prior",
    prior={"shape": "normal", "yaw": 0.3, "pitch": 0.155, "radius": 1.0, "fov": math.radians(12)},
    quality_every=5_000,
    patience=5_000,
)
"""CelebA."""

# EG3D --------------------------------------------------------------------------------------------------------------

EG3D_SMALL = Recipe(
    steps=13_500,
    batch=16,
    precision="bf16",
    generator_rate=0.0025,
    discriminator_rate=0.002,
    rate_end=0.2,
    ema=0.998,
    gamma=1.0,
    r1_every=16,
    density_weight=0.25,
    density_points=500,
    swap=Fade(1.0, 1.0, 0),
    blur=Fade(2.0, 0.0, 500),
    class_group=4,
)

EG3D_PAPER = Recipe(
    size=512,
    views=0,
    steps=781_250,
    batch=32,
    precision="bf16",
    reuse=False,
    ema=0.5 ** (32 / 10_000),
    gamma=1.0,
    r1_every=16,
    density_weight=0.25,
    density_reach=1.0,
    swap=Fade(1.0, 0.5, 31_250),
    blur=Fade(10.0, 0.0, 6_250),
    flip=True,
    quality_every=5_000,
    patience=5_000,
)
"""FFHQ; 25 million pictures at a neural resolution of 64. (The authors' last 2 million at 128 are not built.)"""

# EpiGRAF -----------------------------------------------------------------------------------------------------------

EPIGRAF_SMALL = Recipe(
    steps=1_400,
    planes_of="eg3d-small",
    alone=300,
    precision="bf16",
    generator_rate=0.0001,
    discriminator_rate=0.001,
    rate_end=0.2,
    ema=0.999,
    gamma=1.0,
    r1_every=16,
    density_weight=0.1,
    density_points=500,
    swap=Fade(1.0, 1.0, 0),
    patches=PatchSchedule(0.5, 0.1, 0.8, 20_000),
    patch_size=32,
    class_group=4,
    quality_every=200,
    sharpness=3.0,
)

EPIGRAF_PAPER = Recipe(
    size=512,
    views=0,
    steps=390_625,
    batch=64,
    precision="bf16",
    reuse=False,
    ema=0.5 ** (64 / 10_000),
    gamma=0.1,
    r1_every=16,
    density_noise=Fade(1.0, 0.0, 78_125),
    blur=Fade(10.0, 0.0, 3_125),
    patches=PatchSchedule(64 / 512),
    patch_size=64,
    prior={"shape": "normal", "yaw": 0.3, "pitch": 0.155, "radius": 1.0, "fov": math.radians(12)},
    quality_every=5_000,
    patience=5_000,
)
"""FFHQ; 25 million pictures."""

RECIPES: dict[str, dict[str, Recipe]] = {
    "pigan": {
        "small": PIGAN_SMALL,
        "paper": PIGAN_PAPER,
        "paper-cats": replace(
            PIGAN_PAPER,
            batch=28,
            accumulate=1,
            prior={"shape": "uniform", "yaw": 0.5, "pitch": 0.4, "radius": 1.0, "fov": math.radians(12)},
        ),
        "paper-carla": replace(
            PIGAN_PAPER,
            size=128,
            # the sizes are the authors'; when they change and the batches are chosen here
            stages=(Stage(40_000, 32, 56), Stage(100_000, 64, 28, 10_000), Stage(200_000, 128, 14, 10_000)),
            batch=14,
            accumulate=1,
            clip=1.0,
            gamma=10.0,
            prior={
                "shape": "uniform",
                "yaw": math.pi,
                "pitch": math.radians(42.5),
                "pitch_mean": math.radians(47.5),
                "radius": 1.0,
                "fov": math.radians(30),
            },
        ),
        "tiny": replace(
            TINY,
            stages=(Stage(10, 8, 4), Stage(20, 16, 4, 5)),
            r1_every=1,
            direction_weight=1.0,
            clip=10.0,
            top=(0.99, 10, 0.6),
            density_noise=Fade(1.0, 0.0, 10),
            betas=(0.0, 0.9),
        ),
    },
    "eg3d": {
        "small": EG3D_SMALL,
        "paper": EG3D_PAPER,
        "paper-256": replace(EG3D_PAPER, size=256),
        "paper-128": replace(EG3D_PAPER, size=128),
        "tiny": replace(TINY, density_weight=0.25, swap=Fade(1.0, 0.5, 10), blur=Fade(1.0, 0.0, 10)),
    },
    "epigraf": {
        "small": EPIGRAF_SMALL,
        "paper": EPIGRAF_PAPER,
        "paper-256": replace(EPIGRAF_PAPER, size=256, patches=PatchSchedule(64 / 256)),
        "tiny": replace(TINY, density_noise=Fade(1.0, 0.0, 10), patches=PatchSchedule(0.5, 0.1, 0.8, 40), patch_size=8),
    },
}
"""A recipe for each configuration of each method's networks."""
