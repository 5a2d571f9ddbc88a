"""Small trained-looking generators on disk: what loading and drawing do must not depend on what was learned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from viewsweep.baselines.gan.base import GanGenerator
from viewsweep.baselines.gan.data import CameraPrior
from viewsweep.baselines.gan.families import FAMILIES
from viewsweep.baselines.gan.recipes import RECIPES
from viewsweep.baselines.gan.store import save_generator
from viewsweep.baselines.gan.viewpoint import Viewpoint
from viewsweep.scenes.sweeps import FOV, RADIUS
from viewsweep.scenes.tabletop import CLASSES

RECORD: dict[str, Any] = {
    "config": "tiny",
    "recipe": asdict(RECIPES["epigraf"]["tiny"]),
    "data": "nothing",
    "command": "viewsweep train eg3d --config tiny",
    "step": 20,
    "quality": 0.5,
    "discriminator_parameters": 1000,
    "device": "cpu",
    "processes": 1,
    "minutes_since_last_start": 0.1,
    "torch": "2",
}

VIEWPOINT = Viewpoint.of_prior(
    CameraPrior("uniform", yaw=3.141592653589793, pitch=0.1, pitch_mean=0.24, radius=RADIUS, fov=FOV)
)


def random_generator(family: str, seed: int = 0, config: str = "tiny") -> GanGenerator:
    """A generator with random weights that draws something solid."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made, _ = FAMILIES[family].networks(config, len(CLASSES))
    return made.eval()


def write_generator(folder: Path, family: str, generator: GanGenerator | None = None) -> Path:
    """Its folder."""
    made = generator or random_generator(family)
    save_generator(folder, made, FAMILIES[family], VIEWPOINT, size=16, classes=CLASSES, record=RECORD)
    return folder
