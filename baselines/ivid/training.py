"""The optimisation loop both networks share: exact resume, averaged weights, losses, sample sheets.

Every step draws its pictures, times and noise from a generator seeded by the step's number, so a
run that was killed and started again takes the very steps it would have taken. The checkpoint is
one file, replaced atomically. Several processes (`accelerate launch`) each draw their own pictures and
average their gradients; the first of them writes the files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from safetensors.torch import save
from torch import Tensor, nn

from ...scenes.errors import UserError
from ...scenes.files import atomic_write, make_folder
from ...scenes.generator import scene_generator
from ..resumable import kept_lines, load_state, rate_share, restore, save_state, update_average
from .devices import make_accelerator
from .networks import RGBDUNet
from .recipe import Recipe
from .sampling import FORWARD

__all__ = ["Stage", "branch_file", "fit", "noise_scheduler"]

SAVE_EVERY = 250
LOG_EVERY = 50


@dataclass(frozen=True)
class Stage:
    """One network's training.

    Args:
        name: "first" (G_u) or "next" (G_c); also the folder's name.
        network: what is trained, with its initial weights.
        steps: optimiser steps in all.
        batch: from a generator to this process' clean pictures [N, 4, H, W], labels [N] and condition or None.
        sheet: from a network and a path: write a picture of samples.
        branch: step whose averaged weights are kept beside the checkpoint, for `branch_file`.
        data: identity of what it is trained on; a checkpoint of other data is refused.
    """

    name: str
    network: RGBDUNet
    steps: int
    batch: Callable[[torch.Generator], tuple[Tensor, Tensor, Tensor | None]]
    sheet: Callable[[RGBDUNet, Path], None]
    branch: int = 0
    data: str = ""


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
        the network with the averaged weights, on the CPU; the same on all processes.

    Raises:
        UnreadableFile: the checkpoint is damaged or belongs to another recipe.
        UserError: the device cannot compute in the recipe's precision.
    """
    accelerator = make_accelerator(device, recipe.precision)
    if recipe.accumulate < 1:
        raise UserError(f"accumulate is {recipe.accumulate}; a batch has at least one part.")
    folder = make_folder(out / stage.name)
    network = stage.network.to(device=accelerator.device)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=0.0)
    scheduler = noise_scheduler(recipe.prediction)
    checkpoint = folder / "checkpoint.pt"
    identity = _identity(stage, recipe, accelerator.num_processes)
    state = load_state(checkpoint, identity)
    step = restore(state, network, average, optimiser, accelerator.scaler)
    if step and accelerator.is_main_process:
        log(f"{stage.name}: going on after step {step} of {stage.steps}")
    losses = folder / "losses.csv"
    lines = kept_lines(losses, step)
    stream = f"ivid.train.{stage.name}.{recipe.seed}"
    if accelerator.num_processes > 1:
        stream += f".process {accelerator.process_index} of {accelerator.num_processes}"
    accelerator.wait_for_everyone()  # none may write before all have read
    model, stepper = accelerator.prepare(network, optimiser)
    started, first, recent = time.monotonic(), step, []
    model.train()
    while step < stage.steps:
        step += 1
        for group in stepper.param_groups:
            group["lr"] = recipe.rate * rate_share(step, stage.steps, recipe.schedule)
        generator = scene_generator(step, stream)
        clean, label, condition = stage.batch(generator)
        parts = _parts(network, scheduler, recipe, clean, label, condition, generator)
        loss = torch.zeros((), device=accelerator.device)
        for position, (inputs, target) in enumerate(parts):
            last = position == len(parts) - 1
            with nullcontext() if last else accelerator.no_sync(model):
                output = model(*(value.to(accelerator.device) for value in inputs))
                squares = nn.functional.mse_loss(output.float(), target.to(accelerator.device))
                share = squares * (len(target) / len(clean))
                accelerator.backward(share)
            loss += share.detach()
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        stepper.step()
        stepper.zero_grad(set_to_none=True)
        network.freeze_null_class()
        update_average(average, network, min(recipe.ema, (1 + step) / (10 + step)))
        recent.append(loss)
        if step % LOG_EVERY == 0 or step == stage.steps:
            mean = float(accelerator.reduce(torch.stack(recent).mean(), "mean"))
            recent.clear()
            lines.append(f"{step},{mean:.6f}")
            if not math.isfinite(mean):
                raise RuntimeError(f"{stage.name}: the loss is not finite at step {step}; the checkpoint is kept.")
            if accelerator.is_main_process:
                pace = (step - first) / (time.monotonic() - started)
                left = (stage.steps - step) / pace / 60
                log(
                    f"{stage.name}: step {step}/{stage.steps}  loss {mean:.4f}  {pace:.2f} steps/s  {left:.0f} min left"
                )
        if not accelerator.is_main_process:
            continue
        # the checkpoint last: what it vouches for must be there, whenever the process is killed
        if step == stage.branch:
            atomic_write(branch_file(out, stage.name), save({k: v.cpu().contiguous() for k, v in average.items()}))
        if step % SAVE_EVERY == 0 or step == stage.steps:
            atomic_write(losses, "\n".join(["step,loss", *lines]) + "\n")
            save_state(checkpoint, identity, step, network, average, optimiser, accelerator.scaler)
        if step % (SAVE_EVERY * 4) == 0 or step == stage.steps:
            stage.sheet(_averaged(stage.network, average, accelerator.device), folder / f"samples-{step:06d}.png")
    accelerator.wait_for_everyone()  # the others need the files of the first
    return _averaged(stage.network, average, "cpu")


def _parts(
    network: RGBDUNet,
    scheduler: DDPMScheduler,
    recipe: Recipe,
    clean: Tensor,
    label: Tensor,
    condition: Tensor | None,
    generator: torch.Generator,
) -> list[tuple[list[Tensor], Tensor]]:
    """The inputs of the network and its targets, in `recipe.accumulate` parts.

    All random numbers are drawn for the whole batch, so that splitting it changes nothing but the memory
    needed. The loss is the plain mean squared error: all times weigh the same. A cap on the weight of
    clean times (min-SNR) was tried: it leaves a speckle in smooth colour and depth that the last steps no
    longer remove.
    """
    count, device = len(clean), clean.device
    # stratified times: each batch covers the whole range, which lowers the noise of the gradient
    slots = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    times = (slots * scheduler.config.num_train_timesteps).long().to(device)
    noise = torch.randn(clean.shape, generator=generator).to(device)
    dropped = (torch.rand(count, generator=generator) < recipe.drop_label).to(label.device)
    label = torch.where(dropped, torch.full_like(label, network.null_class), label)
    noisy = scheduler.add_noise(clean, noise, times)
    velocity = recipe.prediction == "v_prediction"
    target = scheduler.get_velocity(clean, noise, times) if velocity else noise
    inputs = [noisy, times, label] + ([] if condition is None else [condition])
    sizes = [len(part) for part in torch.arange(count).tensor_split(min(recipe.accumulate, count))]
    split = [value.split(sizes) for value in (*inputs, target)]
    return [(list(part[:-1]), part[-1]) for part in zip(*split, strict=True)]


def _averaged(network: RGBDUNet, average: dict[str, Tensor], device: str | torch.device) -> RGBDUNet:
    copy: RGBDUNet = RGBDUNet.from_config(network.config)
    copy.load_state_dict({name: value.cpu() for name, value in average.items()})
    copy.to(device).eval()
    return copy


def _identity(stage: Stage, recipe: Recipe, processes: int) -> str:
    network = {key: value for key, value in sorted(stage.network.config.items()) if not key.startswith("_")}
    together = f" {processes} processes" if processes > 1 else ""
    return f"{stage.name} {stage.steps} {recipe!r} {network!r} {stage.data}{together}"
