"""Training configurations of ivid, by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["CONFIGS", "SAMPLING", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of a training run.

    Args:
        size: picture height and width.
        views: training pictures, from the first seeds of tabletop's training split.
        pairs: how many of them G_c is trained on, the first ones.
        network: arguments of `RGBDUNet`.
        prediction: what the networks predict (diffusers' prediction types).
        first_steps, next_steps: optimiser steps of G_u and of G_c.
        branch: step of G_u whose averaged weights G_c starts from; the earlier it is, the sooner
            both can be trained side by side.
        batch: pictures a step.
        rate: peak learning rate of AdamW; linear warm-up, cosine decay.
        ema: decay of the averaged weights that are shipped.
        drop_label: share of samples trained with the null class.
        yaw_std, pitch_std: of the random view the training pictures are warped to and back, radians.
        prewarp_noise: whether a little noise is laid over the pictures before they are warped.
        blur: whether most warped colours are replaced by the blurred original.
        erosion: whether rings are taken off the colour mask.
        first_weights: pipeline whose first network is G_u, which then is not trained: a folder, or
            "shipped:NAME". G_c starts from these weights.
        seed: of initial weights, order, noise and augmentation.
    """

    size: int = 64
    views: int = 25_600
    pairs: int = 12_800
    network: dict[str, Any] = field(default_factory=dict)
    prediction: str = "v_prediction"
    first_steps: int = 11_000
    next_steps: int = 6_250
    branch: int = 5_000
    batch: int = 16
    rate: float = 4e-4
    ema: float = 0.9995
    drop_label: float = 0.1
    yaw_std: float = 0.3
    pitch_std: float = 0.08
    prewarp_noise: bool = True
    blur: bool = True
    erosion: bool = True
    first_weights: str | None = None
    seed: int = 0


SAMPLING: dict[str, Any] = {"rgb_pull": 0.5, "depth_pull": 0.5, "depth_median": 3}
"""Settings stored with pipelines trained here. Networks as small as these follow their condition
less closely than the paper's, so each step pulls harder (0.5 instead of 0.1 and 0.2), and depth
passes a 3x3 median before it becomes a mesh."""

SMALL = Recipe(network={"channels": (64, 96, 128), "layers": 1, "attention": (False, False, True)})

ABLATION = replace(SMALL, first_weights="shipped:small", next_steps=1_500)
"""G_c alone, from one and the same G_u, so that configurations differ in the augmentation only."""

CONFIGS = {
    "small": SMALL,
    "small-ablation-full": ABLATION,
    "small-ablation-no-blur": replace(ABLATION, blur=False),
    "small-ablation-no-erosion": replace(ABLATION, erosion=False),
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
