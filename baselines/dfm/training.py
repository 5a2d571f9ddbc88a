"""The optimisation loop of all three problems: exact resume, averaged weights, losses by term, sample sheets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...scenes.files import atomic_write, make_folder
from ...scenes.generator import scene_generator
from ..ivid.devices import make_accelerator
from ..resumable import kept_lines, load_state, rate_share, restore, save_state, update_average
from .batches import Maker
from .core import Batch, InverseProblem, Observation, Tensors, losses
from .process import noised
from .recipe import Recipe

__all__ = ["Task", "fit", "moved"]

SAVE_EVERY = 250
SHEET_EVERY = 2_000
LOG_EVERY = 50


@dataclass(frozen=True)
class Task:
    """One problem's training.

    Args:
        name: for people.
        problem: what is trained, with its initial weights.
        batches: training examples.
        sheet: from the problem with averaged weights and a path: write a picture of samples.
        data: identity of what it is trained on; a checkpoint of other data is refused.
    """

    name: str
    problem: InverseProblem
    batches: Maker
    sheet: Callable[[InverseProblem, Path], None]
    data: str


def fit(task: Task, recipe: Recipe, out: Path, *, device: str, log: Callable[[str], None]) -> InverseProblem:
    """Train to the recipe's last step, from the checkpoint if there is one.

    Returns:
        the problem with the averaged weights, on the device.

    Raises:
        UnreadableFile: the checkpoint is damaged or belongs to another recipe.
        RuntimeError: the loss is not finite; the checkpoint before is kept.
    """
    accelerator = make_accelerator(device, recipe.precision)
    make_folder(out)
    problem = task.problem.to(accelerator.device)
    own = problem.state_dict()
    average = {name: value.detach().clone() for name, value in own.items()}
    optimiser = torch.optim.AdamW(problem.parameters(), recipe.rate, weight_decay=0.0, betas=(0.9, 0.99))
    checkpoint, table = out / "checkpoint.pt", out / "losses.csv"
    identity = f"{task.name} {recipe!r} {sorted(problem.settings.items())!r} {task.data}"
    step = restore(load_state(checkpoint, identity), problem, average, optimiser, None)
    if step:
        log(f"{task.name}: going on after step {step} of {recipe.steps}")
    lines = kept_lines(table, step)
    started, first = time.monotonic(), step
    recent: list[dict[str, float]] = []
    problem.train()
    while step < recipe.steps:
        step += 1
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * rate_share(step, recipe.steps)
        random = scene_generator(step, f"dfm.train.{task.name}.{recipe.seed}")
        batch = moved(task.batches(recipe.batch, random), accelerator.device)
        with accelerator.autocast():
            terms = losses(problem, batch, noised, random, novel_weight=recipe.novel_weight, drop=recipe.drop)
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        accelerator.backward(total)
        nn.utils.clip_grad_norm_(problem.parameters(), recipe.clip)
        optimiser.step()
        update_average(average, problem, min(recipe.ema, (1 + step) / (10 + step)))
        recent.append({name: float(value.detach()) for name, value in terms.items()})
        if step % LOG_EVERY == 0 or step == recipe.steps:
            means = {name: sum(entry[name] for entry in recent) / len(recent) for name in recent[0]}
            recent.clear()
            lines.append(f"{step}," + ",".join(f"{value:.6f}" for value in means.values()))
            if not all(math.isfinite(value) for value in means.values()):
                raise RuntimeError(f"{task.name}: the loss is not finite at step {step}; the checkpoint is kept.")
            pace = (step - first) / (time.monotonic() - started)
            said = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            left = (recipe.steps - step) / pace / 60
            log(f"{task.name}: step {step}/{recipe.steps}  {said}  {pace:.2f} steps/s  {left:.0f} min left")
            heading = "step," + ",".join(means)
        # the checkpoint last: what it vouches for must be there, whenever the process is killed
        if step % SAVE_EVERY == 0 or step == recipe.steps:
            atomic_write(table, "\n".join([heading, *lines]) + "\n")
            save_state(checkpoint, identity, step, problem, average, optimiser, None)
        if step % SHEET_EVERY == 0 or step == recipe.steps:
            task.sheet(_averaged(problem, average), out / f"samples-{step:06d}.png")
    return _averaged(problem, average)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on another device."""

    def there(tensors: Tensors) -> Tensors:
        return {name: value.to(device) for name, value in tensors.items()}

    def seen(observation: Observation) -> Observation:
        return Observation(there(observation.parameters), observation.picture.to(device))

    novel = None if batch.novel is None else seen(batch.novel)
    return Batch(there(batch.context), seen(batch.target), novel)


def _averaged(problem: InverseProblem, average: dict[str, Tensor]) -> InverseProblem:
    copy = deepcopy(problem)
    copy.load_state_dict(average)
    return copy.eval()
