"""`viewsweep train dfm|pixelnerf|dfm-motion|flow-regressor|dfm-inversion|encoder`: from objects to a problem's folder.

1. pictures: tabletop's are rendered (or found); a generator that is inverted draws its own while training goes on;
2. the problem learns until the recipe's last step, see `training`;
3. the averaged weights go, in half precision, into ``OUT/problem``, with a model card.

Training resumes where it was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ...scenes.errors import UnknownName, UserError
from ..ivid.devices import hardware_of, make_accelerator
from .core import InverseProblem
from .problems import data_of, new_problem
from .recipe import RECIPES, Recipe
from .sheets import write_samples
from .store import described, load_problem, save_problem, shipped
from .training import Task, fit

__all__ = [
    "begin",
    "train",
    "train_dfm",
    "train_encoder",
    "train_flow_regressor",
    "train_inversion",
    "train_motion",
    "train_pixelnerf",
]


def train(
    config: str,
    out: Path,
    *,
    what: str,
    steps: int | None = None,
    device: str = "cpu",
    data: Path | None = None,
    log: Callable[[str], None] = print,
    start: str | Path | None = None,
    **changes: Any,
) -> Path:
    """Train a problem and write it.

    Args:
        config: name in `RECIPES[what]`.
        out: folder for the checkpoint, losses, sample sheets and the problem.
        what: name in `RECIPES`.
        steps: instead of the recipe's.
        device: torch device.
        data: folder for tabletop's rendered pictures (default ``out/pictures``), which trainings may share.
        log: takes progress lines.
        start: a trained problem's folder to begin with, instead of the recipe's.
        changes: see `Recipe.changed`.

    Returns:
        the problem's folder.

    Raises:
        UnknownName: there is no such training or configuration.
        UserError: numbers out of range; a start that is no trained problem, or of another shape.
        UnreadableFile: the checkpoint is damaged or belongs to another recipe.
    """
    if what not in RECIPES:
        raise UnknownName("training", what, RECIPES)
    if config not in RECIPES[what]:
        raise UnknownName(f"configuration of {what}", config, RECIPES[what])
    known = RECIPES[what][config]
    if start is not None:
        changes["start"] = described(Path(start))
    recipe = known.changed(steps=steps, **changes)
    accelerator = make_accelerator(device, recipe.precision)
    started = time.monotonic()
    problem, inverted = new_problem(recipe, device)
    if recipe.start:
        begin(problem, shipped(recipe.start) if start is None else Path(start))
    batches, about = data_of(recipe, inverted, data or out / "pictures", log)
    task = Task(what, problem, batches, lambda made, path: write_samples(made, batches, path), about)
    trained = fit(task, recipe, out, device=device, log=log)
    folder = out / "problem"
    record = {
        "what": what,
        "config": config,
        "recipe": asdict(recipe),
        "data": about,
        "command": _command(what, config, known, recipe),
        "device": hardware_of(accelerator),
        "processes": 1,
        "minutes_since_last_start": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
    }
    save_problem(folder, trained, recipe.problem, recipe.generator, record)
    log(f"wrote {folder}")
    return folder


def train_dfm(config: str, out: Path, **settings: Any) -> Path:
    """`train` for inverse graphics."""
    return train(config, out, what="dfm", **settings)


def train_pixelnerf(config: str, out: Path, **settings: Any) -> Path:
    """`train` for its deterministic twin."""
    return train(config, out, what="pixelnerf", **settings)


def train_motion(config: str, out: Path, **settings: Any) -> Path:
    """`train` for motion from one picture."""
    return train(config, out, what="dfm-motion", **settings)


def train_flow_regressor(config: str, out: Path, **settings: Any) -> Path:
    """`train` for its deterministic twin."""
    return train(config, out, what="flow-regressor", **settings)


def train_inversion(config: str, out: Path, **settings: Any) -> Path:
    """`train` for GAN inversion."""
    return train(config, out, what="dfm-inversion", **settings)


def train_encoder(config: str, out: Path, **settings: Any) -> Path:
    """`train` for its deterministic twin."""
    return train(config, out, what="encoder", **settings)


def begin(problem: InverseProblem, folder: Path) -> None:
    """Put a trained problem's weights into one that is at most larger; what is new in it stays as it is.

    Raises:
        UserError: weights the problem has no place for.
    """
    found = load_problem(folder).problem.state_dict()
    own = problem.state_dict()
    strangers = [key for key, value in found.items() if key not in own or own[key].shape != value.shape]
    if strangers:
        raise UserError(f"Training cannot begin with {folder}: its {strangers[0]} fits nothing in this configuration.")
    problem.load_state_dict(own | {key: value.to(own[key].device) for key, value in found.items()})


def _command(what: str, config: str, known: Recipe, recipe: Recipe) -> str:
    """What to type to get the same again."""
    words = [f"viewsweep train {what} --config {config}"]
    for name in ("steps", "batch", "precision", "seed"):
        if getattr(recipe, name) != getattr(known, name):
            words.append(f"--{name} {getattr(recipe, name)}")
    if recipe.start != known.start:
        words.append("--start BEFORE/problem")
    return " ".join(words)
