"""`viewsweep train ivid`: both networks, from nothing to a pipeline folder.

1. single unposed RGBD pictures: tabletop's are rendered (or found), others were prepared before;
2. G_u learns to draw them, class-conditionally where there are classes;
3. each is warped to a random camera and back, which leaves the holes a moved camera leaves;
4. G_c, starting from a state of G_u, learns to fill them;
5. the averaged weights of both go, in half precision, into ``OUT/pipeline``, with a model card.

Every stage resumes where it was killed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...scenes.errors import UnknownName, UserError
from ...scenes.files import atomic_write, make_folder
from .depth_code import DepthCode
from .devices import hardware_of, make_accelerator
from .image_data import Pictures
from .model_card import model_card
from .networks import RGBDUNet, with_condition
from .pairs import Conditions, FreshConditions, prepare_conditions
from .pipeline import IvidPipeline
from .recipe import CONFIGS, Recipe
from .sampling import Condition, ddim_scheduler, draw_first, draw_next
from .setting_up import pictures_of, refuse_other, share_of
from .sheets import write_sheet
from .training import Stage, branch_file, fit

__all__ = ["train"]


def train(
    config: str,
    out: Path,
    *,
    steps: int | None = None,
    device: str = "cpu",
    log: Callable[[str], None] = print,
    data: Path | None = None,
    **changes: Any,
) -> Path:
    """Train both networks and write the pipeline.

    Args:
        config: name in `recipe.CONFIGS`.
        out: folder for checkpoints, losses, sample sheets and the pipeline.
        steps: optimiser steps of *each* network instead of the recipe's.
        device: torch device.
        log: takes progress lines.
        data: what `viewsweep prepare` wrote; or a folder for tabletop's rendered training views
            (default ``out/views``), which may be shared.
        changes: fields of the recipe that shall be otherwise: `batch`, `accumulate`, `precision`,
            `first_weights`.

    Returns:
        the pipeline's folder, for `IvidPipeline.from_pretrained`.

    Raises:
        UnknownName: there is no such configuration.
        UserError: numbers out of range, pictures that are missing or of another size.
    """
    recipe = _recipe(config, steps, changes)
    code = DepthCode(near=recipe.near, far=recipe.far, background=recipe.background)
    if data is None or not (data / "prepared.json").exists():
        refuse_other(config, recipe, data)
    make_folder(out)
    accelerator = make_accelerator(device, recipe.precision)
    count = share_of(recipe, accelerator)
    started = time.monotonic()
    with accelerator.main_process_first():
        pictures = pictures_of(recipe, data, out, code, log)
    recipe = replace(recipe, network={**recipe.network, "size": recipe.size, "classes": len(pictures.classes)})
    torch.manual_seed(recipe.seed)  # initial weights; everything else draws from its own generators
    if recipe.first_weights is not None:
        first = start = given_first(recipe.first_weights)
        _fits(first, recipe)
    else:
        first = fit(_first_stage(recipe, pictures, count), recipe, out, device=device, log=log)
        start = RGBDUNet.from_config(first.config)
        start.load_state_dict(load_file(branch_file(out, "first")))
    conditions: Conditions
    if recipe.pairs:
        with accelerator.main_process_first():
            conditions = prepare_conditions(out / "conditions", pictures, recipe, code, log=log)
    else:
        conditions = FreshConditions(len(pictures), recipe, code, accelerator.device)
    stage = _next_stage(recipe, pictures, conditions, start, count)
    second = fit(stage, recipe, out, device=device, log=log)
    folder = out / "pipeline"
    if accelerator.is_main_process:
        _write(folder, first, second, recipe, code)
        described = {"config": config, "data": pictures.description, "classes": list(pictures.classes)}
        hardware = hardware_of(accelerator)
        minutes = round((time.monotonic() - started) / 60, 1)
        record = {
            "recipe": asdict(recipe),
            "command": _command(config, recipe, data),
            **described,
            "device": hardware,
            "processes": accelerator.num_processes,
            "minutes_since_last_start": minutes,
            "torch": torch.__version__,
            "files": {
                str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.rglob("*.safetensors"))
            },
        }
        atomic_write(folder / "training.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        atomic_write(folder / "README.md", model_card(record, parameters=[_parameters(first), _parameters(second)]))
        log(f"wrote {folder}")
    accelerator.wait_for_everyone()
    return folder


def _recipe(config: str, steps: int | None, changes: dict[str, Any]) -> Recipe:
    """The recipe of that name with what was asked to be otherwise."""
    if config not in CONFIGS:
        raise UnknownName("configuration of ivid", config, CONFIGS)
    recipe = CONFIGS[config]
    if steps is not None:
        if steps < 1:
            raise UserError(f"--steps {steps}: training takes at least one step.")
        recipe = replace(recipe, first_steps=steps, next_steps=steps)
    for name in ("batch", "accumulate"):
        if changes.get(name, 1) < 1:
            raise UserError(f"--{name} {changes[name]}: at least 1.")
    if changes.get("precision", "no") not in ("bf16", "fp16", "no"):
        raise UnknownName("precision", changes["precision"], ("bf16", "fp16", "no"))
    return replace(recipe, **changes)


def given_first(source: str) -> RGBDUNet:
    """The first network of a pipeline, in float32.

    Args:
        source: the pipeline's folder, or "shipped:NAME" for a pipeline that comes with the package.

    Raises:
        UserError: there is no such pipeline.
    """
    shipped = source.removeprefix("shipped:")
    folder = Path(source) if shipped == source else Path(__file__).parent / "weights" / shipped
    if not (folder / "first" / "config.json").is_file():
        raise UserError(f"{source}: there is no pipeline with a first network to start from.")
    network: RGBDUNet = RGBDUNet.from_config(RGBDUNet.load_config(folder / "first"))
    network.load_state_dict(load_file(folder / "first" / "diffusion_pytorch_model.safetensors"))
    return network


def _fits(first: RGBDUNet, recipe: Recipe) -> None:
    for name, meaning in (("size", "pixels"), ("classes", "classes")):
        if first.config[name] != recipe.network[name]:
            raise UserError(
                f"{recipe.first_weights}: its first network has {first.config[name]} {meaning}, "
                f"the training pictures have {recipe.network[name]}."
            )


def _write(folder: Path, first: RGBDUNet, second: RGBDUNet, recipe: Recipe, code: DepthCode) -> None:
    settings = {"near": code.near, "far": code.far, **recipe.sampling}
    pipeline = IvidPipeline(first, second, ddim_scheduler(recipe.prediction), **settings)
    for network in (first, second):
        network.half()
    pipeline.save_pretrained(folder)


def _command(config: str, recipe: Recipe, data: Path | None) -> str:
    """What to type to get the same again; folders go by their last name."""
    known, words = CONFIGS[config], [f"viewsweep train ivid --config {config}"]
    if (recipe.first_steps, recipe.next_steps) != (known.first_steps, known.next_steps):
        words.append(f"--steps {recipe.next_steps}")
    for name in ("batch", "accumulate", "precision", "first_weights"):
        if getattr(recipe, name) != getattr(known, name):
            words.append(f"--{name.replace('_', '-')} {getattr(recipe, name)}")
    if data is not None and (data / "prepared.json").exists():
        words.append(f"--data {data.resolve().name}")
    return " ".join(words)


def _parameters(network: RGBDUNet) -> int:
    return sum(value.numel() for value in network.parameters())


def _sheet_labels(count: int, pictures: Pictures) -> Tensor:
    return torch.arange(count) % max(1, len(pictures.classes))


def _to(condition: Condition, device: torch.device) -> Condition:
    parts = (condition.rgb, condition.depth, condition.rgb_mask, condition.mask)
    return Condition(*(part.to(device) for part in parts))


def _first_stage(recipe: Recipe, pictures: Pictures, count: int) -> Stage:
    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, None]:
        index = torch.randint(len(pictures), (count,), generator=generator)
        return *pictures.batch(index), None

    def sheet(network: RGBDUNet, path: Path) -> None:
        scheduler, labels = ddim_scheduler(recipe.prediction), _sheet_labels(20, pictures)
        guidance = 1.0 if pictures.classes else 0.0
        drawn = draw_first(network, scheduler, labels, range(20), steps=25, guidance=guidance)
        write_sheet(path, drawn.cpu(), 10)

    branch = min(recipe.branch, recipe.first_steps)
    return Stage("first", RGBDUNet(**recipe.network), recipe.first_steps, batch, sheet, branch, pictures.identity)


def _next_stage(recipe: Recipe, pictures: Pictures, conditions: Conditions, first: RGBDUNet, count: int) -> Stage:
    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        index = torch.randint(len(conditions), (count,), generator=generator)
        clean, label = pictures.batch(index)
        condition = conditions.batch(index, clean, generator)
        clean = clean.to(condition.rgb.device)
        return clean, label, condition.channels(torch.randn(clean.shape, generator=generator).to(clean.device))

    def sheet(network: RGBDUNet, path: Path) -> None:
        index = torch.arange(min(10, len(conditions)))
        clean, labels = pictures.batch(index)
        condition = _to(conditions.batch(index, clean, torch.Generator().manual_seed(0)), network.device)
        scheduler = ddim_scheduler(recipe.prediction)
        drawn = draw_next(network, scheduler, labels, range(len(index)), condition, view=1, steps=20, guidance=0.0)
        seen = torch.cat(
            [
                torch.where(condition.rgb_mask > 0, condition.rgb, -1.0),
                torch.where(condition.mask > 0, condition.depth, -1.0),
            ],
            1,
        )
        write_sheet(path, torch.cat([clean, seen.cpu(), drawn.cpu()]), len(index))

    return Stage("next", with_condition(first), recipe.next_steps, batch, sheet, data=pictures.identity)
