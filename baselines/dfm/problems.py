"""The problems by name, and what each needs to be set up: its class, its data, the generator it inverts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...scenes.tabletop import TRAIN_SEEDS
from ..gan.method import GanMethod, load_shipped
from .batches import Maker, inversion_batches, motion_batches, scene_batches
from .core import InverseProblem
from .data import View, prepare_pictures
from .inverse_graphics import InverseGraphics
from .inversion import InversionProblem, latent_statistics
from .motion import MotionProblem
from .recipe import Recipe

__all__ = ["PROBLEMS", "conditioning_of", "data_of", "make_problem", "new_problem"]

PROBLEMS: dict[str, type[InverseProblem]] = {
    "scene": InverseGraphics,
    "motion": MotionProblem,
    "inversion": InversionProblem,
}

VIEWS: dict[str, View] = {"scene": "around", "motion": "clips"}


def make_problem(
    name: str, settings: Mapping[str, Any], generator: str = "", device: str = "cpu"
) -> tuple[InverseProblem, GanMethod | None]:
    """A problem with fresh weights on a device; with an inversion's the method whose generator it inverts.

    Raises:
        UserError: there is no such generator.
    """
    problem: InverseProblem = PROBLEMS[name](**settings)
    if not isinstance(problem, InversionProblem):
        return problem.to(device), None
    method = load_shipped(generator, device)
    return problem.invert(method.generator).to(device), method


def new_problem(recipe: Recipe, device: str) -> tuple[InverseProblem, GanMethod | None]:
    """`make_problem` for a training: initial weights from the recipe's seed, an inversion's latents measured."""
    torch.manual_seed(recipe.seed)  # initial weights; everything else draws from its own generators
    problem, method = make_problem(recipe.problem, recipe.settings, recipe.generator, device)
    if isinstance(problem, InversionProblem) and method is not None:
        mean, spread = latent_statistics(method.generator, conditioning_of(method))
        problem.mean.copy_(mean)
        problem.spread.copy_(spread)
    return problem, method


def conditioning_of(method: GanMethod) -> Tensor | None:
    """The pose label a method's generator is conditioned on, [25]; None where it takes none."""
    return method.stored.viewpoint.pose(1, "cpu")[0] if method.generator.takes_pose else None


def data_of(recipe: Recipe, method: GanMethod | None, folder: Path, log: Callable[[str], None]) -> tuple[Maker, str]:
    """Training examples, and what they are of."""
    if method is not None:
        about = f"objects drawn by {method.name} (weights {method.stored.sha256[:12]}), half of a picture given"
        return inversion_batches(method.generator, conditioning_of(method), recipe.size), about
    seeds = TRAIN_SEEDS[: recipe.objects]
    pictures = prepare_pictures(folder, VIEWS[recipe.problem], seeds, recipe.size, views=recipe.views, log=log)
    if recipe.problem == "motion":
        return motion_batches(pictures), pictures.description
    return scene_batches(pictures, recipe.settings.get("targets", 1)), pictures.description
