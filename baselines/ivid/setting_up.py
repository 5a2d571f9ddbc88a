"""What every training of ivid sets up first: its pictures, this process's share of them, the hardware's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator

from ...scenes.errors import UserError
from ...scenes.tabletop import TRAIN_SEEDS
from ...scenes.tabletop.dataset import prepare_views
from .depth_code import DepthCode
from .estimators import SimulatedEstimator
from .image_data import Pictures, PreparedPictures, TabletopPictures
from .recipe import Recipe

__all__ = ["pictures_of", "refuse_other", "share_of"]

TABLETOP_FILES = ("dataset.json", "rgb.npy")
"""What a folder of rendered views holds, finished or not."""


def refuse_other(config: str, recipe: Recipe, data: Path | None) -> None:
    """Refuse a `data` folder that is neither prepared nor tabletop's, and no folder where tabletop will not do."""
    if data is None and recipe.views:
        return
    hint = "Prepare pictures with `viewsweep prepare IMAGES --depth-model ... --out DIR` and give --data DIR."
    if data is None:
        raise UserError(f"The configuration {config} trains on pictures of your own.", hint=hint)
    foreign = data.is_dir() and any(data.iterdir()) and not any((data / name).exists() for name in TABLETOP_FILES)
    if foreign or not recipe.views:
        raise UserError(f"{data}: there is no prepared.json, so these are no prepared pictures.", hint=hint)


def pictures_of(recipe: Recipe, data: Path | None, out: Path, code: DepthCode, log: Callable[[str], None]) -> Pictures:
    """What the recipe is trained on."""
    if data is not None and (data / "prepared.json").exists():
        return PreparedPictures(data, recipe.size, code, recipe.radius)
    seeds = TRAIN_SEEDS[: recipe.views]
    views = prepare_views(data or out / "views", seeds, recipe.size, frontal_share=0.5, log=log)
    estimator = SimulatedEstimator() if recipe.depth == "simulated" else None
    return TabletopPictures(views, code, seeds, estimator=estimator, radius=recipe.radius)


def share_of(recipe: Recipe, accelerator: Accelerator) -> int:
    """Pictures of a step that this process draws."""
    if recipe.batch % accelerator.num_processes:
        raise UserError(
            f"A batch of {recipe.batch} cannot be shared out evenly among {accelerator.num_processes} processes.",
            hint="Choose --batch or the number of processes so that it can.",
        )
    return int(recipe.batch // accelerator.num_processes)
