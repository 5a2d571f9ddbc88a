"""The optimisation loop both networks share: exact resume, averaged weights, losses, sample sheets.

Every step draws its pictures, times and noise from a generator seeded by the step's number, so a
run that was killed and started again takes the very steps it would have taken. The checkpoint is
one file, replaced atomically.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from safetensors.torch import save
from torch import Tensor, nn

from ...scenes.errors import UnreadableFile
from ...scenes.files import atomic_write, make_folder
from ...scenes.generator import scene_generator
from .networks import RGBDUNet
from .recipe import Recipe
from .sampling import FORWARD

__all__ = ["Stage", "branch_file", "fit", "noise_scheduler"]

WARM_UP = 300
SAVE_EVERY = 250
LOG_EVERY = 50


@dataclass(frozen=True)
class Stage:
    """One network's training.

    Args:
        name: "first" (G_u) or "next" (G_c); also the folder's name.
        network: what is trained, with its initial weights.
        steps: optimiser steps in all.
        batch: from a generator to clean pictures [N, 4, H, W], labels [N] and condition or None.
        sheet: from a network and a path: write a picture of samples.
        branch: step whose averaged weights are kept beside the checkpoint, for `branch_file`.
    """

    name: str
    network: RGBDUNet
    steps: int
    batch: Callable[[torch.Generator], tuple[Tensor, Tensor, Tensor | None]]
    sheet: Callable[[RGBDUNet, Path], None]
    branch: int = 0


def branch_file(out: Path, name: str) -> Path:
    """Where `fit` keeps the averaged weights of stage `name` at its branch step."""
    return out / name / "branch.safetensors"


def noise_scheduler(prediction: str) -> DDPMScheduler:
    """The forward process of the paper: linear betas 1e-4 to 0.02 over 1000 steps."""
    return DDPMScheduler(
        **FORWARD,
        prediction_type=prediction,
        variance_type="fixed_small",
        clip_sample=False,
    )


def fit(stage: Stage, recipe: Recipe, out: Path, *, device: str, log: Callable[[str], None]) -> RGBDUNet:
    """Train `stage` to its end, from its checkpoint if there is one.

    Returns:
        the network with the averaged weights.

    Raises:
        UnreadableFile: the checkpoint is damaged or belongs to another recipe.
    """
    folder = make_folder(out / stage.name)
    network = stage.network.to(device=device)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=0.0)
    scheduler = noise_scheduler(recipe.prediction)
    checkpoint = folder / "checkpoint.pt"
    step = _restore(checkpoint, stage, recipe, network, average, optimiser)
    if step:
        log(f"{stage.name}: going on after step {step} of {stage.steps}")
    losses = folder / "losses.csv"
    lines = _kept_lines(losses, step)
    started, first, recent = time.monotonic(), step, []
    network.train()
    while step < stage.steps:
        step += 1
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _schedule(step, stage.steps)
        generator = scene_generator(step, f"ivid.train.{stage.name}.{recipe.seed}")
        loss = _loss(network, scheduler, recipe, stage.batch(generator), generator, device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        network.freeze_null_class()
        _update_average(average, network, min(recipe.ema, (1 + step) / (10 + step)))
        recent.append(loss.detach())
        if step % LOG_EVERY == 0 or step == stage.steps:
            mean = float(torch.stack(recent).mean())
            recent.clear()
            lines.append(f"{step},{mean:.6f}")
            if not math.isfinite(mean):
                raise RuntimeError(f"{stage.name}: the loss is not finite at step {step}; the checkpoint is kept.")
            pace = (step - first) / (time.monotonic() - started)
            left = (stage.steps - step) / pace / 60
            log(f"{stage.name}: step {step}/{stage.steps}  loss {mean:.4f}  {pace:.2f} steps/s  {left:.0f} min left")
        # the checkpoint last: what it vouches for must be there, whenever the process is killed
        if step == stage.branch:
            atomic_write(branch_file(out, stage.name), save({k: v.cpu().contiguous() for k, v in average.items()}))
        if step % SAVE_EVERY == 0 or step == stage.steps:
            atomic_write(losses, "\n".join(["step,loss", *lines]) + "\n")
            _save(checkpoint, stage, recipe, step, network, average, optimiser)
        if step % (SAVE_EVERY * 4) == 0 or step == stage.steps:
            stage.sheet(_averaged(stage.network, average, device), folder / f"samples-{step:06d}.png")
    return _averaged(stage.network, average, "cpu")


def _loss(
    network: RGBDUNet,
    scheduler: DDPMScheduler,
    recipe: Recipe,
    batch: tuple[Tensor, Tensor, Tensor | None],
    generator: torch.Generator,
    device: str,
) -> Tensor:
    """Mean squared error of the prediction; labels dropped for guidance.

    All times weigh the same. A cap on the weight of clean times (min-SNR) was tried: it leaves a
    speckle in smooth colour and depth that the last steps no longer remove.
    """
    clean, label, condition = batch
    count = len(clean)
    # stratified times: each batch covers the whole range, which lowers the noise of the gradient
    slots = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    times = (slots * scheduler.config.num_train_timesteps).long()
    noise = torch.randn(clean.shape, generator=generator)
    dropped = torch.rand(count, generator=generator) < recipe.drop_label
    label = torch.where(dropped, torch.full_like(label, network.null_class), label)
    noisy = scheduler.add_noise(clean, noise, times)
    velocity = recipe.prediction == "v_prediction"
    target = scheduler.get_velocity(clean, noise, times) if velocity else noise
    inputs = [noisy, times, label] + ([] if condition is None else [condition])
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        output = network(*(value.to(device) for value in inputs))
    return nn.functional.mse_loss(output.float(), target.to(device))


def _schedule(step: int, total: int) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    warm = min(WARM_UP, max(1, total // 10))
    if step <= warm:
        return step / warm
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@torch.no_grad()
def _update_average(average: dict[str, Tensor], network: RGBDUNet, decay: float) -> None:
    current = network.state_dict()
    torch._foreach_lerp_(list(average.values()), [current[name] for name in average], 1 - decay)


def _averaged(network: RGBDUNet, average: dict[str, Tensor], device: str) -> RGBDUNet:
    copy: RGBDUNet = RGBDUNet.from_config(network.config)
    copy.load_state_dict({name: value.cpu() for name, value in average.items()})
    copy.to(device).eval()
    return copy


def _identity(stage: Stage, recipe: Recipe) -> str:
    network = {key: value for key, value in sorted(stage.network.config.items()) if not key.startswith("_")}
    return f"{stage.name} {stage.steps} {recipe!r} {network!r}"


def _save(
    path: Path,
    stage: Stage,
    recipe: Recipe,
    step: int,
    network: RGBDUNet,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    content = io.BytesIO()
    state = {
        "identity": _identity(stage, recipe),
        "step": step,
        "network": network.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, content)
    atomic_write(path, content.getvalue())


def _restore(
    path: Path,
    stage: Stage,
    recipe: Recipe,
    network: RGBDUNet,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> int:
    if not path.exists():
        return 0
    hint = "Delete it to start over, or choose another --out."
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for damaged archives
        raise UnreadableFile(f"{path}: not a readable checkpoint ({error}).", hint=hint) from error
    if not isinstance(state, dict) or state.get("identity") != _identity(stage, recipe):
        raise UnreadableFile(f"{path}: this checkpoint belongs to another configuration.", hint=hint)
    network.load_state_dict(state["network"])
    for name, value in state["average"].items():
        average[name].copy_(value)
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _kept_lines(path: Path, step: int) -> list[str]:
    """Loss lines up to `step`; later ones were written by steps that will be taken again."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()[1:]
    return [line for line in lines if int(line.split(",")[0]) <= step]
