"""Training configurations of ivid, by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...scenes.sweeps import FOV, RADIUS
from .networks import PAPER_IMAGENET, PAPER_SINGLE

__all__ = ["CONFIGS", "SAMPLING", "Recipe"]

SAMPLING: dict[str, Any] = {"rgb_pull": 0.5, "depth_pull": 0.5, "depth_median": 3}
"""Settings stored with pipelines trained here. Networks as small as these follow their condition
less closely than the paper's, so each step pulls harder (0.5 instead of 0.1 and 0.2), and depth
passes a 3x3 median before it becomes a mesh."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of a training run.

    Args:
        size: picture height and width.
        views: training pictures, from the first seeds of tabletop's training split; 0 = tabletop
            will not do, pictures must be given.
        depth: depth of tabletop's pictures, "true" or as an estimator would see it, "simulated".
        pairs: how many pictures G_c is trained on, the first ones, their round trips warped once and
            stored; 0 = all pictures, each warped to another camera every time it is used.
        network: arguments of `RGBDUNet`; `size` and `classes` follow the pictures.
        prediction: what the networks predict (diffusers' prediction types).
        first_steps, next_steps: optimiser steps of G_u and of G_c.
        branch: step of G_u whose averaged weights G_c starts from; the earlier it is, the sooner
            both can be trained side by side.
        batch: pictures a step, on all processes together.
        accumulate: parts a process splits its pictures into, one after the other through the
            network; changes the memory needed, not the result.
        precision: of matrix products and convolutions.
        rate: learning rate of AdamW, the peak where it changes.
        schedule: "cosine" (after a linear warm-up) or "constant".
        ema: decay of the averaged weights that are shipped.
        drop_label: share of samples trained with the null class.
        near, far, background: the depth code the networks learn, see `DepthCode`.
        radius, fov: distance to the pivot and field of view (radians) pictures are taken to have.
        yaw_std, pitch_std: of the random view the training pictures are warped to and back, radians.
        radius_std: of its distance, relative.
        target_std: of the point it looks at, per axis, in units of the radius.
        warp: "small" or "paper", see `warping`.
        prewarp_noise: whether a little noise is laid over the pictures before they are warped.
        blur: whether most warped colours are replaced by the blurred original.
        erosion: whether rings are taken off the colour mask.
        most_erosion: most rings taken off.
        first_weights: pipeline whose first network is G_u, which then is not trained: a folder, or
            "shipped:NAME". G_c starts from these weights.
        sampling: settings of `IvidPipeline` stored with the weights.
        seed: of initial weights, order, noise and augmentation.
    """

    size: int = 64
    views: int = 25_600
    depth: Literal["true", "simulated"] = "true"
    pairs: int = 12_800
    network: dict[str, Any] = field(default_factory=dict)
    prediction: str = "v_prediction"
    first_steps: int = 11_000
    next_steps: int = 6_250
    branch: int = 5_000
    batch: int = 16
    accumulate: int = 1
    precision: Literal["bf16", "fp16", "no"] = "bf16"
    rate: float = 4e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    ema: float = 0.9995
    drop_label: float = 0.1
    near: float = 1.0
    far: float = 4.0
    background: float = 0.7
    radius: float = RADIUS
    fov: float = FOV
    yaw_std: float = 0.3
    pitch_std: float = 0.08
    radius_std: float = 0.0
    target_std: float = 0.0
    warp: str = "small"
    prewarp_noise: bool = True
    blur: bool = True
    erosion: bool = True
    most_erosion: int = 3
    first_weights: str | None = None
    sampling: dict[str, Any] = field(default_factory=lambda: dict(SAMPLING))
    seed: int = 0


SMALL = Recipe(network={"channels": (64, 96, 128), "layers": 1, "attention": (False, False, True)})

EVERYWHERE: dict[str, Any] = {"near": 0.5, "far": 100.0, "background": 1.0, "radius": 1.0, "fov": math.radians(45)}
"""Planes and cameras of the paper's training, for pictures that have a surface at every pixel."""

ABLATION = replace(SMALL, first_weights="shipped:small", next_steps=1_500)
"""G_c alone, from one and the same G_u, so that configurations differ in the augmentation only."""

IMAGENET = Recipe(
    size=128,
    views=0,
    pairs=0,
    network=dict(PAPER_IMAGENET),
    prediction="epsilon",
    first_steps=1_000_000,
    next_steps=1_000_000,
    branch=1_000_000,
    batch=128,
    rate=1e-4,
    schedule="constant",
    ema=0.9999,
    yaw_std=0.15,
    pitch_std=0.15,
    radius_std=0.1,
    target_std=0.05,
    warp="paper",
    most_erosion=4,
    sampling={"near": 0.6, "far": 5.0, "rgb_pull": 0.1, "depth_pull": 0.2, "hull_pull": 0.5, "depth_median": 1}
    | {"background": 1.0, "warp": "paper", "radius": 1.0, "fov": math.radians(45), "clamp": False},
    **EVERYWHERE,
)
"""The paper's, on 8 GPUs. Its samplers read depth with other planes (0.6 and 5) than training wrote it."""

CONFIGS = {
    "small": SMALL,
    "small-simulated-depth": replace(SMALL, depth="simulated", background=1.0, sampling=SAMPLING | {"background": 1.0}),
    "small-pictures": replace(
        SMALL,
        views=0,
        sampling=SAMPLING | {"near": 0.5, "far": 100.0, "background": 1.0, "radius": 1.0, "fov": math.radians(45)},
        **EVERYWHERE,
    ),
    "small-ablation-full": ABLATION,
    "small-ablation-no-blur": replace(ABLATION, blur=False),
    "small-ablation-no-erosion": replace(ABLATION, erosion=False),
    "small-ablation-no-noise": replace(ABLATION, prewarp_noise=False),
    "imagenet128": IMAGENET,
    "singlecategory128": replace(IMAGENET, network=dict(PAPER_SINGLE), batch=64),
    "tiny": Recipe(  # seconds on a laptop: for trying out the machinery and for tests
        size=16,
        views=64,
        pairs=64,
        network={"size": 16, "channels": (32, 32), "layers": 1, "attention": (False, False), "groups": 8},
        first_steps=20,
        next_steps=20,
        branch=10,
        batch=4,
    ),
}
