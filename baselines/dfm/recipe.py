"""Everything that decides what comes out of a training run, networks included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...scenes.errors import UnknownName, UserError

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A training's settings.

    Args:
        problem: name in `problems.PROBLEMS`.
        settings: constructor arguments of the problem.
        objects: how many tabletop objects; 0 = none, the generator that is inverted draws its own.
        views: pictures of each, for inverse graphics.
        steps, batch: optimiser steps, examples in each.
        rate: of AdamW; warm-up, then half a cosine.
        ema: decay a step of the averaged weights, which are the ones kept.
        clip: largest norm of the gradient.
        novel_weight: of the observation that is not shown; 0 = ablation.
        drop: probability that the context is dropped, for guidance.
        precision: of matrix products and convolutions.
        generator: method whose generator is inverted.
        start: whose weights training begins with, as far as they go: a shipped method, or what is known of a folder
            that was given. The authors begin with a trained pixelNeRF, too.
        seed: of initial weights and all random numbers.
    """

    problem: Literal["scene", "motion", "inversion"]
    settings: Mapping[str, Any] = field(default_factory=dict)
    objects: int = 6_000
    views: int = 4
    steps: int = 10_000
    batch: int = 8
    rate: float = 5e-4
    ema: float = 0.999
    clip: float = 1.0
    novel_weight: float = 1.0
    drop: float = 0.1
    precision: Literal["bf16", "no"] = "bf16"
    generator: str = ""
    start: str = ""
    seed: int = 0

    @property
    def size(self) -> int:
        return int(self.settings.get("size", 64))

    def changed(self, *, steps: int | None = None, **changes: Any) -> Recipe:
        """This recipe with what was asked to be otherwise.

        Args:
            changes: `batch`, `precision`, `seed` or `start`.

        Raises:
            UserError: a number out of range.
            UnknownName: another precision, or another change.
        """
        allowed = ("batch", "precision", "seed", "start")
        for name in changes:
            if name not in allowed:
                raise UnknownName("change of this recipe", name, allowed)
        if steps is not None:
            if steps < 1:
                raise UserError(f"--steps {steps}: training takes at least one step.")
            changes["steps"] = steps
        if changes.get("batch", 1) < 1:
            raise UserError(f"--batch {changes['batch']}: at least 1.")
        if changes.get("precision", "no") not in ("bf16", "no"):
            raise UnknownName("precision", changes["precision"], ("bf16", "no"))
        return replace(self, **changes)


_PICTURE = {"patch": 2, "channels": [48, 96, 128], "layers": 1}
_SLIM_PICTURE = {"patch": 2, "channels": [32, 64, 96], "layers": 1}
_TINY_PICTURE = {"patch": 2, "channels": [16, 32], "layers": 1, "groups": 8}
_TINY_FIELD = {"width": 16, "before": 1, "after": 1}
_TINY: dict[str, Any] = {"objects": 20, "steps": 20, "batch": 4}

MOTION = Recipe("motion", {"size": 64, "network": _PICTURE}, drop=0.0, steps=4_500, batch=16)
_BASES = {"bases": 4, "network": _SLIM_PICTURE, "basis_network": {**_SLIM_PICTURE, "channels": [32, 64, 80]}}
MOTION_OF_BASES = replace(MOTION, settings={"size": 64, **_BASES}, steps=4_000)
MOTION_OF_ANSWERS = replace(MOTION_OF_BASES, settings={**MOTION_OF_BASES.settings, "answers": 4}, steps=2_000)
INVERSION = Recipe("inversion", {"size": 64, "latent": 128}, objects=0, steps=1_600, batch=8, generator="eg3d-small")
SCENE = Recipe(
    "scene",
    {"size": 64, "patch": 12, "samples": 20, "coarse": 16, "coarse_samples": 12, "network": _SLIM_PICTURE},
    objects=4_000,
    steps=3_600,
    batch=8,
)
MIXED_SCENE = replace(SCENE, settings={**SCENE.settings, "mixes": True})
PAINTED_SCENE = replace(
    MIXED_SCENE, settings={**MIXED_SCENE.settings, "paints": True}, start="pixelnerf-small", steps=3_000
)
JOINT_SCENE = replace(PAINTED_SCENE, settings={**PAINTED_SCENE.settings, "targets": 2}, steps=5_500)

TINY_MOTION = Recipe("motion", {"size": 16, "bases": 2, "answers": 2, "network": _TINY_PICTURE}, drop=0.0, **_TINY)
TINY_SCENE = Recipe(
    "scene",
    {
        "size": 16,
        "patch": 6,
        "features": 8,
        "samples": 6,
        "coarse": 8,
        "coarse_samples": 4,
        "network": _TINY_PICTURE,
        "field": _TINY_FIELD,
        "mixes": True,
    },
    **_TINY,
)
TINY_INVERSION = Recipe(
    "inversion",
    {"size": 64, "latent": 128, "network": {"channels": [8, 8, 8, 8], "hidden": 16}},
    generator="eg3d-small",
    **{**_TINY, "objects": 0, "batch": 2},
)


def _deterministic(recipe: Recipe) -> Recipe:
    return replace(recipe, settings={**recipe.settings, "deterministic": True}, drop=0.0)


RECIPES: dict[str, dict[str, Recipe]] = {
    "dfm": {
        "small": SCENE,
        "small-mixed": MIXED_SCENE,
        "small-painted": PAINTED_SCENE,
        "small-joint": JOINT_SCENE,
        "small-no-novel": replace(MIXED_SCENE, novel_weight=0.0),
        "tiny": TINY_SCENE,
    },
    "pixelnerf": {
        "small": _deterministic(SCENE),
        "small-mixed": _deterministic(MIXED_SCENE),
        "tiny": _deterministic(TINY_SCENE),
    },
    "dfm-motion": {
        "small": MOTION,
        "small-bases": MOTION_OF_BASES,
        "small-answers": MOTION_OF_ANSWERS,
        "tiny": TINY_MOTION,
    },
    "flow-regressor": {
        "small": replace(_deterministic(MOTION), steps=2_500),
        "small-bases": replace(_deterministic(MOTION_OF_BASES), steps=2_500),
        "tiny": _deterministic(TINY_MOTION),
    },
    "dfm-inversion": {"small": INVERSION, "tiny": TINY_INVERSION},
    "encoder": {"small": _deterministic(INVERSION), "tiny": _deterministic(TINY_INVERSION)},
}
"""By what is trained and configuration. Those that end in no diffusion are the deterministic twins."""
