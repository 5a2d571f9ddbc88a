"""`viewsweep train ivid-upsampler`: the upsampler, from nothing to a pipeline folder.

Single unposed RGBD pictures of the large size (tabletop's are rendered or found, others were prepared
before); the network learns to draw each from its softened half-size picture. Resumes where it was killed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...scenes.errors import UnknownName, UserError
from ...scenes.files import atomic_write, make_folder
from .depth_code import DepthCode
from .devices import hardware_of, make_accelerator
from .image_data import Pictures
from .networks import RGBDUNet
from .sampling import ddim_scheduler
from .setting_up import pictures_of, refuse_other, share_of
from .sheets import write_sheet
from .training import Stage, fit
from .upsampler import UpsamplerPipeline
from .upsampler_card import upsampler_card
from .upsampler_pictures import enlarge, halve, soften
from .upsampler_recipe import UPSAMPLER_CONFIGS, UpsamplerRecipe
from .upsampler_sampling import Residual, draw_large

__all__ = ["train", "upsampler_stage", "write_upsampler"]

STAGE = "upsampler"


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
    """Train the upsampler and write its pipeline.

    Args:
        config: name in `UPSAMPLER_CONFIGS`, with or without "-upsampler".
        out: folder for checkpoints, losses, sample sheets and the pipeline.
        steps: optimiser steps instead of the recipe's.
        device: torch device.
        log: takes progress lines.
        data: what `viewsweep prepare` wrote; or a folder for tabletop's rendered training views
            (default ``out/views``), which may be shared.
        changes: fields of the recipe that shall be otherwise: `batch`, `accumulate`, `precision`.

    Returns:
        the pipeline's folder, for `upsampler.load_upsampler`.

    Raises:
        UnknownName: there is no such configuration.
        UserError: numbers out of range, pictures that are missing or of another size.
    """
    name, recipe = _recipe(config, steps, changes)
    code = DepthCode(near=recipe.near, far=recipe.far, background=recipe.background)
    prepared = data is not None and (data / "prepared.json").exists()
    if not prepared:
        refuse_other(name, recipe, data)
    make_folder(out)
    accelerator = make_accelerator(device, recipe.precision)
    count = share_of(recipe, accelerator)
    started = time.monotonic()
    with accelerator.main_process_first():
        pictures = pictures_of(recipe, data, out, code, log)
    recipe = replace(recipe, network={**recipe.network, "size": recipe.size, "classes": len(pictures.classes)})
    torch.manual_seed(recipe.seed)  # initial weights; everything else draws from its own generators
    network = fit(upsampler_stage(recipe, pictures, count), recipe, out, device=device, log=log)
    folder = out / "pipeline"
    if accelerator.is_main_process:
        record = {
            "config": name,
            "command": _command(name, recipe, data if prepared else None),
            "data": pictures.description,
            "classes": list(pictures.classes),
            "device": hardware_of(accelerator),
            "processes": accelerator.num_processes,
            "minutes_since_last_start": round((time.monotonic() - started) / 60, 1),
            "torch": torch.__version__,
        }
        write_upsampler(folder, network, recipe, record)
        log(f"wrote {folder}")
    accelerator.wait_for_everyone()
    return folder


def write_upsampler(folder: Path, network: RGBDUNet, recipe: UpsamplerRecipe, record: Mapping[str, Any]) -> None:
    """The pipeline's folder: weights in half precision, settings, ``training.json`` and the model card.

    Args:
        record: where the weights come from; the recipe and the files' hashes are added.
    """
    settings = {"near": recipe.near, "far": recipe.far, "background": recipe.background, **recipe.sampling}
    UpsamplerPipeline(
        network.half(),
        ddim_scheduler(recipe.prediction),
        rgb_residual=recipe.rgb_residual,
        depth_residual=recipe.depth_residual,
        **settings,
    ).save_pretrained(folder)
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }
    whole = {"recipe": asdict(recipe), **record, "files": files}
    atomic_write(folder / "training.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    parameters = sum(value.numel() for value in network.parameters())
    atomic_write(folder / "README.md", upsampler_card(whole, parameters=parameters))


def upsampler_stage(recipe: UpsamplerRecipe, pictures: Pictures, count: int) -> Stage:
    """How `training.fit` trains the upsampler on `pictures` of the large size, `count` a step."""
    residual = Residual(recipe.rgb_residual, recipe.depth_residual)

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        clean, label = pictures.batch(torch.randint(len(pictures), (count,), generator=generator))
        if recipe.mirror:
            chosen = torch.rand(len(clean), generator=generator) < 0.5
            clean = torch.where(chosen[:, None, None, None], clean.flip(3), clean)
        small = soften(halve(clean), generator, noise=recipe.noise, median_share=recipe.median_share)
        condition = enlarge(small)
        return residual.of(clean, condition), label, condition

    def sheet(network: RGBDUNet, path: Path) -> None:
        clean, label = pictures.batch(torch.arange(min(10, len(pictures))))
        condition = enlarge(halve(clean))
        scheduler = ddim_scheduler(recipe.prediction)
        seeds = range(len(clean))
        drawn = draw_large(network, scheduler, label, condition.to(network.device), seeds, steps=8, residual=residual)
        write_sheet(path, torch.cat([clean, condition, drawn.cpu()]), len(clean))

    return Stage(STAGE, RGBDUNet(**recipe.network), recipe.steps, batch, sheet, data=pictures.identity)


def _recipe(config: str, steps: int | None, changes: Mapping[str, Any]) -> tuple[str, UpsamplerRecipe]:
    """The full name of a configuration and its recipe, with what was asked to be otherwise."""
    name = config if config in UPSAMPLER_CONFIGS else f"{config}-upsampler"
    if name not in UPSAMPLER_CONFIGS:
        raise UnknownName("configuration of ivid's upsampler", config, UPSAMPLER_CONFIGS)
    if steps is not None and steps < 1:
        raise UserError(f"--steps {steps}: training takes at least one step.")
    for field in ("batch", "accumulate"):
        if changes.get(field, 1) < 1:
            raise UserError(f"--{field} {changes[field]}: at least 1.")
    if changes.get("precision", "no") not in ("bf16", "fp16", "no"):
        raise UnknownName("precision", changes["precision"], ("bf16", "fp16", "no"))
    if "first_weights" in changes:
        raise UserError("first_weights: the upsampler is one network and starts from nothing.")
    recipe = UPSAMPLER_CONFIGS[name]
    return name, replace(recipe, **changes, steps=recipe.steps if steps is None else steps)


def _command(name: str, recipe: UpsamplerRecipe, data: Path | None) -> str:
    """What to type to get the same again; folders go by their last name."""
    words = [f"viewsweep train ivid-upsampler --config {name}"]
    for field in ("steps", "batch", "accumulate", "precision"):
        if getattr(recipe, field) != getattr(UPSAMPLER_CONFIGS[name], field):
            words.append(f"--{field} {getattr(recipe, field)}")
    return " ".join([*words, *([] if data is None else [f"--data {data.resolve().name}"])])
