"""ivid's ablations as methods of one protocol: what blur, erosion and aggregation are good for.

    for name in full no-blur no-erosion; do
        viewsweep train ivid --config small-ablation-$name --out ablation/$name
    done
    viewsweep run tabletop64-range --scenes 48 --out runs/ablation \\
        --methods docs/ablation.py:full,docs/ablation.py:no_blur,docs/ablation.py:no_erosion,docs/ablation.py:stochastic

The trainings differ in the augmentation of the condition only: same first network, seeds and steps.
`stochastic` is the network of `full` shown one earlier view a step, drawn by lot, instead of all of them.
VIEWSWEEP_ABLATION names another folder than ``ablation``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from viewsweep.baselines.ivid.method import FAST, IvidGenerator

SETTINGS: dict[str, Any] = {**FAST, "order": "asked", "rgb_pull": 0.8}


def full(device: str = "cpu") -> IvidGenerator:
    """All three augmentations, warps of all earlier views aggregated."""
    return _trained("full", device)


def no_blur(device: str = "cpu") -> IvidGenerator:
    """Trained on conditions that are as sharp as the pictures."""
    return _trained("no-blur", device)


def no_erosion(device: str = "cpu") -> IvidGenerator:
    """Trained on conditions whose colour reaches up to the edges of depth."""
    return _trained("no-erosion", device)


def stochastic(device: str = "cpu") -> IvidGenerator:
    """The network of `full`, conditioned on one earlier view a step."""
    return _trained("full", device, name="ivid-stochastic", conditioning="stochastic")


def _trained(config: str, device: str, name: str = "", **settings: Any) -> IvidGenerator:
    folder = Path(os.environ.get("VIEWSWEEP_ABLATION", "ablation")) / config / "pipeline"
    return IvidGenerator(folder, name=name or f"ivid-{config}", device=device, **{**SETTINGS, **settings})
