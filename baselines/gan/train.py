"""`viewsweep train pigan|eg3d|epigraf`: from pictures to a generator's folder.

1. pictures: tabletop's are rendered (or found), others come from a folder;
2. generator and discriminator play until the recipe's last step, see `training`;
3. the averaged weights that measured best go, in half precision, into ``OUT/generator``, with a model card.

Training resumes where it was killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ...scenes.errors import UnknownName, UserError
from ...scenes.tabletop import TRAIN_SEEDS
from ...scenes.tabletop.dataset import prepare_views
from ..ivid.devices import hardware_of, make_accelerator
from .base import GanDiscriminator, GanGenerator
from .data import CameraPrior, Pictures, TabletopPictures
from .families import FAMILIES, Family, marching_of
from .folder_data import FolderPictures
from .recipe import Recipe
from .recipes import RECIPES
from .store import save_generator
from .training import Quality, Task, Trained, fit
from .viewpoint import Viewpoint
from .warm_start import warm_start

__all__ = ["train", "train_eg3d", "train_epigraf", "train_pigan"]

TABLETOP_SCHEMA = "viewsweep.tabletop-views/"


def train(
    config: str,
    out: Path,
    *,
    family: str,
    steps: int | None = None,
    device: str = "cpu",
    data: Path | None = None,
    log: Callable[[str], None] = print,
    quality: Quality | None = None,
    **changes: Any,
) -> Path:
    """Train a GAN and write its generator.

    Args:
        config: name in `RECIPES[family]`.
        out: folder for the checkpoint, logs, sample sheets and the generator.
        family: name in `FAMILIES`.
        steps: instead of the recipe's.
        device: torch device.
        data: a folder of pictures, see `FolderPictures`; or one for tabletop's rendered views (default
            ``out/views``), which trainings may share.
        log: takes progress lines.
        quality: measures pictures of tabletop, lower = better; not asked about other pictures.
        changes: see `Recipe.changed`.

    Returns:
        the generator's folder.

    Raises:
        UnknownName: there is no such family or configuration.
        UserError: numbers out of range; pictures that are missing, or have no cameras where those are needed.
        TrainingStopped: training failed; the last good state is kept.
    """
    if family not in FAMILIES:
        raise UnknownName("GAN", family, FAMILIES)
    if config not in RECIPES[family]:
        raise UnknownName(f"configuration of {family}", config, RECIPES[family])
    known, made = RECIPES[family][config], FAMILIES[family]
    recipe = known.changed(steps=steps, **changes)
    accelerator = make_accelerator(device, recipe.precision)
    started = time.monotonic()
    with accelerator.main_process_first():
        pictures = _pictures(config, recipe, data, out, log)
    if pictures.views is None and recipe.poses == "data":
        recipe = replace(recipe, poses="prior")
    if recipe.planes_of is not None and not _is_tabletop(pictures):
        recipe = _from_nothing(recipe, log)
    torch.manual_seed(recipe.seed)  # initial weights; everything else draws from its own generators
    generator, discriminator = made.networks(config, len(pictures.classes))
    if recipe.planes_of is not None:
        warm_start(generator, recipe.planes_of)
    _check_cameras(made, generator, discriminator, pictures, recipe)
    task = Task(family, generator, discriminator, pictures, quality if _is_tabletop(pictures) else None)
    trained = fit(task, recipe, out, device=device, log=log)
    folder = out / "generator"
    if accelerator.is_main_process:
        record = {
            "config": config,
            "recipe": asdict(recipe),
            "data": pictures.description,
            "command": _command(family, config, known, recipe, data),
            "step": trained.step,
            "quality": trained.quality,
            "discriminator_parameters": sum(value.numel() for value in discriminator.parameters()),
            "device": hardware_of(accelerator),
            "processes": accelerator.num_processes,
            "minutes_since_last_start": round((time.monotonic() - started) / 60, 1),
            "torch": torch.__version__,
        }
        _write(folder, made, trained, recipe, pictures, record)
        log(f"wrote {folder}")
    accelerator.wait_for_everyone()
    return folder


def train_pigan(config: str, out: Path, **settings: Any) -> Path:
    """`train` for pi-GAN."""
    return train(config, out, family="pigan", **settings)


def train_eg3d(config: str, out: Path, **settings: Any) -> Path:
    """`train` for EG3D."""
    return train(config, out, family="eg3d", **settings)


def train_epigraf(config: str, out: Path, **settings: Any) -> Path:
    """`train` for EpiGRAF."""
    return train(config, out, family="epigraf", **settings)


def _pictures(config: str, recipe: Recipe, data: Path | None, out: Path, log: Callable[[str], None]) -> Pictures:
    """What the recipe is trained on."""
    if data is not None and data.exists() and not _holds_tabletop(data):
        return FolderPictures(data, recipe.size)
    if not recipe.views:
        if data is not None and not data.exists():
            raise UserError(f"{data}: there is no such folder.", hint="Give --data the folder of your pictures.")
        raise UserError(
            f"The configuration {config} trains on pictures of your own.",
            hint="Give --data a folder of pictures, with EG3D's dataset.json where their cameras are known.",
        )
    if data is not None and not (data.is_dir() and any(data.iterdir())):  # as it should be for a first training
        state = "is empty" if data.is_dir() else "does not exist"
        log(
            f"ATTENTION: --data {data} {state}, so training is on tabletop, and {recipe.views:,} rendered views of it "
            "go there. If pictures of your own were meant, stop now and give the folder they are in."
        )
    seeds = TRAIN_SEEDS[: recipe.views]
    views = prepare_views(data or out / "views", seeds, recipe.size, frontal_share=recipe.frontal_share, log=log)
    return TabletopPictures(views, seeds, recipe.frontal_share)


def _from_nothing(recipe: Recipe, log: Callable[[str], None]) -> Recipe:
    """A recipe that begins with trained tri-planes, for pictures those planes have never seen.

    Its low rate keeps what was learned, and the discriminator's lead protects it; neither is of use to random planes,
    which take the papers' rates.
    """
    usual = Recipe()
    log(
        f"The tri-planes of {recipe.planes_of} have learned tabletop; on pictures of your own training begins with "
        f"random ones. {recipe.steps:,} steps may be too few for that: --steps takes more, ten thousand and up."
    )
    return replace(
        recipe,
        planes_of=None,
        alone=0,
        generator_rate=usual.generator_rate,
        discriminator_rate=usual.discriminator_rate,
    )


def _holds_tabletop(data: Path) -> bool:
    """Whether a folder is tabletop's, finished or not, or still empty."""
    if not data.is_dir() or not any(data.iterdir()):
        return data.is_dir()
    try:
        content: Any = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return (data / "rgb.npy").exists()
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(TABLETOP_SCHEMA)


def _is_tabletop(pictures: Pictures) -> bool:
    return isinstance(pictures, TabletopPictures)


def _check_cameras(
    family: Family, generator: GanGenerator, discriminator: GanDiscriminator, pictures: Pictures, recipe: Recipe
) -> None:
    """Refuse pictures whose cameras the networks cannot use."""
    prior = recipe.poses == "prior"
    if discriminator.takes_pose and (prior or pictures.views is None):
        raise UserError(
            f"{family.title} judges how picture and camera fit, and these pictures have no cameras.",
            hint="Give a folder with EG3D's dataset.json, or train pigan, which needs none.",
        )
    views = pictures.views
    viewpoint = Viewpoint.of_prior(CameraPrior(**recipe.prior)) if prior or views is None else Viewpoint.of_data(views)
    marching = marching_of(generator)
    if not marching.near < viewpoint.radius < marching.far:
        of_prior = "They are those of its prior: choose another configuration, or give dataset.json with cameras."
        raise UserError(
            f"The cameras stand {viewpoint.radius:.3g} from the origin on average, and this configuration looks for "
            f"the object between {marching.near:g} and {marching.far:g} along the rays.",
            hint=of_prior
            if prior or views is None
            else "Scale the translations in dataset.json, or choose another configuration.",
        )


def _write(
    folder: Path, family: Family, trained: Trained, recipe: Recipe, pictures: Pictures, record: dict[str, Any]
) -> None:
    save_generator(
        folder,
        _sharpened(trained.generator, recipe.sharpness),
        family,
        trained.viewpoint,
        size=recipe.size,
        classes=pictures.classes,
        record=record,
    )


def _sharpened(generator: GanGenerator, factor: float) -> GanGenerator:
    """The generator with more opaque surfaces, see `Recipe.sharpness`; its weights stay what they are."""
    if factor == 1.0:
        return generator
    settings = {**generator.settings, "gain": generator.settings["gain"] * factor}
    crisp: GanGenerator = type(generator)(**settings).to(next(generator.parameters()).device)
    crisp.load_state_dict(generator.state_dict())
    return crisp.eval()


def _command(family: str, config: str, known: Recipe, recipe: Recipe, data: Path | None) -> str:
    """What to type to get the same again; folders go by their last name."""
    words = [f"viewsweep train {family} --config {config}"]
    for name in ("steps", "batch", "accumulate", "precision", "seed", "gamma"):
        if getattr(recipe, name) != getattr(known, name):
            words.append(f"--{name} {getattr(recipe, name)}")
    if recipe.start is not None:
        words.append(f"--start {Path(recipe.start).name}")
    if data is not None and not _holds_tabletop(data):
        words.append(f"--data {data.resolve().name}")
    return " ".join(words)
