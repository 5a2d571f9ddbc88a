"""`viewsweep train ivid`: both networks on tabletop, from nothing to a pipeline folder.

1. single unposed RGBD views of the training split are rendered (or found);
2. G_u learns to draw them, class-conditionally;
3. each view is warped to a random camera and back, which leaves the holes a moved camera leaves;
4. G_c, starting from an early state of G_u, learns to fill them;
5. the averaged weights of both go, in half precision, into ``OUT/pipeline``.

Every stage resumes where it was killed.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...scenes.errors import UnknownName, UserError
from ...scenes.files import atomic_write, make_folder
from ...scenes.tabletop import TRAIN_SEEDS
from ...scenes.tabletop.dataset import TabletopViews, prepare_views
from .depth_code import DepthCode
from .networks import RGBDUNet, with_condition
from .pairs import ConditionViews, prepare_conditions
from .pipeline import IvidPipeline
from .recipe import CONFIGS, SAMPLING, Recipe
from .sampling import ddim_scheduler, draw_first, draw_next
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
) -> Path:
    """Train both networks and write the pipeline.

    Args:
        config: name in `recipe.CONFIGS`.
        out: folder for checkpoints, losses, sample sheets and the pipeline.
        steps: optimiser steps of *each* network instead of the recipe's.
        device: torch device.
        log: takes progress lines.
        data: folder for the rendered training views (default ``out/views``); may be shared.

    Returns:
        the pipeline's folder, for `IvidPipeline.from_pretrained`.
    """
    if config not in CONFIGS:
        raise UnknownName("configuration of ivid", config, CONFIGS)
    recipe = CONFIGS[config]
    if steps is not None:
        if steps < 1:
            raise UserError(f"--steps {steps}: training takes at least one step.")
        recipe = replace(recipe, first_steps=steps, next_steps=steps)
    make_folder(out)
    started = time.monotonic()
    code = DepthCode()
    views = prepare_views(data or out / "views", TRAIN_SEEDS[: recipe.views], recipe.size, frontal_share=0.5, log=log)
    torch.manual_seed(recipe.seed)  # initial weights; everything else draws from its own generators
    if recipe.first_weights is not None:
        first = start = given_first(recipe.first_weights)
    else:
        first = fit(_first_stage(recipe, views, code), recipe, out, device=device, log=log)
        start = RGBDUNet.from_config(first.config)
        start.load_state_dict(load_file(branch_file(out, "first")))
    conditions = prepare_conditions(out / "conditions", views, recipe, code, log=log)
    second = fit(_next_stage(recipe, views, conditions, code, start), recipe, out, device=device, log=log)
    pipeline = IvidPipeline(first, second, ddim_scheduler(recipe.prediction), near=code.near, far=code.far, **SAMPLING)
    folder = out / "pipeline"
    for network in (first, second):
        network.half()
    pipeline.save_pretrained(folder)
    record = {
        "recipe": asdict(recipe),
        "command": f"viewsweep train ivid --config {config}",
        "data": f"tabletop training seeds {TRAIN_SEEDS.start} to {TRAIN_SEEDS.start + recipe.views - 1}",
        "device": device if device != "cpu" else f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)",
        "minutes_since_last_start": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
        "files": {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*.safetensors"))
        },
    }
    atomic_write(folder / "training.json", json.dumps(record, indent=2) + "\n")
    log(f"wrote {folder}")
    return folder


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


def pictures(views: TabletopViews, index: Tensor, code: DepthCode) -> tuple[Tensor, Tensor]:
    """RGBD in [-1, 1], [n, 4, S, S], and labels [n]."""
    rgb, depth, label = views.batch(index)
    return torch.cat([rgb.permute(0, 3, 1, 2).float() / 127.5 - 1, code.encode(depth)[:, None]], 1), label


def _first_stage(recipe: Recipe, views: TabletopViews, code: DepthCode) -> Stage:
    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, None]:
        index = torch.randint(len(views), (recipe.batch,), generator=generator)
        return *pictures(views, index, code), None

    def sheet(network: RGBDUNet, path: Path) -> None:
        labels = torch.arange(20) % 10
        scheduler = ddim_scheduler(recipe.prediction)
        write_sheet(path, draw_first(network, scheduler, labels, range(20), steps=25, guidance=1.0).cpu(), 10)

    branch = min(recipe.branch, recipe.first_steps)
    return Stage("first", RGBDUNet(**recipe.network), recipe.first_steps, batch, sheet, branch)


def _next_stage(
    recipe: Recipe, views: TabletopViews, conditions: ConditionViews, code: DepthCode, first: RGBDUNet
) -> Stage:
    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        index = torch.randint(len(conditions), (recipe.batch,), generator=generator)
        clean, label = pictures(views, index, code)
        condition = conditions.batch(index, clean, generator)
        return clean, label, condition.channels(torch.randn(clean.shape, generator=generator))

    def sheet(network: RGBDUNet, path: Path) -> None:
        index = torch.arange(10)
        clean, labels = pictures(views, index, code)
        condition = conditions.batch(index, clean, torch.Generator().manual_seed(0))
        drawn = draw_next(
            network, ddim_scheduler(recipe.prediction), labels, range(10), condition, view=1, steps=20, guidance=0.0
        )
        seen = torch.cat(
            [
                torch.where(condition.rgb_mask > 0, condition.rgb, -1.0),
                torch.where(condition.mask > 0, condition.depth, -1.0),
            ],
            1,
        )
        write_sheet(path, torch.cat([clean, seen, drawn.cpu()]), 10)

    return Stage("next", with_condition(first), recipe.next_steps, batch, sheet)
