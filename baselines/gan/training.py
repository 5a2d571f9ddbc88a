"""The loop: exact resume, averaged weights, logs, measured quality, sample sheets, and a watch over it all.

Every step draws its random numbers from a generator seeded by the step's number, so a run that was
killed and started again takes the very steps it would have taken. Several processes (`accelerate
launch`) each draw their own pictures and average their gradients; the first of them writes the files:

    checkpoint.pt           everything; not replaced while something looks wrong
    losses.csv, quality.csv
    best.safetensors        averaged weights with the best measured quality
    samples-NNNNNN.png
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save
from torch import Tensor

from ...scenes.errors import UserError
from ...scenes.files import atomic_write, make_folder
from ...scenes.generator import scene_generator
from ..ivid.devices import make_accelerator
from .base import GanDiscriminator, GanGenerator
from .checkpoint import State, load_checkpoint, save_checkpoint
from .data import CameraPrior, Pictures
from .drawing import draw_set, evenly
from .recipe import Recipe
from .sheets import write_sheet
from .steps import Steps, adam
from .viewpoint import Viewpoint
from .watch import Watch, spread

__all__ = ["Quality", "Task", "Trained", "fit"]

LOG_EVERY = 50
SAVE_EVERY = 250
SHEET_EVERY = 1000

COLUMNS = ("generator", "discriminator", "real", "fake", "spread", "r1", "direction", "density")

Quality = Callable[[Tensor], float]
"""From uint8 pictures [N, H, W, 3] to a number, lower = better."""


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Args:
        name: the method, for logs and messages.
        generator, discriminator: with their initial weights.
        pictures: from what.
        quality: measures drawn pictures; None = nothing is measured and the last state counts as best.
    """

    name: str
    generator: GanGenerator
    discriminator: GanDiscriminator
    pictures: Pictures
    quality: Quality | None = None


@dataclass(frozen=True)
class Trained:
    """What came out.

    Args:
        generator: with the averaged weights that are worth keeping, on the CPU, in evaluation mode.
        viewpoint: the cameras it was trained with.
        step: step those weights are from.
        quality: what was measured of them, or None.
    """

    generator: GanGenerator
    viewpoint: Viewpoint
    step: int
    quality: float | None


def fit(task: Task, recipe: Recipe, out: Path, *, device: str = "cpu", log: Callable[[str], None] = print) -> Trained:
    """Train to the end, from the checkpoint in `out` if there is one.

    Raises:
        TrainingStopped: it failed; the last good state is kept.
        UnreadableFile: the checkpoint is damaged or belongs to another recipe.
        UserError: the device cannot compute in the recipe's precision; batches that cannot be shared out.
    """
    accelerator = make_accelerator(device, recipe.precision)
    _check_batches(recipe, accelerator)
    make_folder(out)
    state = _state(task, recipe, out, accelerator.device)
    viewpoint = _viewpoint(task.pictures, recipe)
    checkpoint, identity = out / "checkpoint.pt", _identity(task, recipe, accelerator.num_processes, state)
    first = accelerator.is_main_process
    if checkpoint.exists():
        load_checkpoint(checkpoint, state, identity=identity)
        if first:
            log(f"{task.name}: going on after step {state.step} of {recipe.steps}")
    elif recipe.start is not None:
        load_checkpoint(Path(recipe.start), state, identity=None)
        state.watch.since.clear()
        if first:
            log(f"{task.name}: starting from step {state.step} of {recipe.start}")
    losses, measured = _Table(out / "losses.csv", ("step", *COLUMNS)), _Table(out / "quality.csv", ("step", "kid"))
    losses.cut(state.step)
    measured.cut(state.step)
    real_spread = _real_spread(task.pictures)
    steps = Steps(state, recipe, task.pictures, accelerator)
    accelerator.wait_for_everyone()  # none may write before all have read
    stream = f"gan.train.{task.name}.{recipe.seed}"
    if accelerator.num_processes > 1:
        stream += f".process {accelerator.process_index} of {accelerator.num_processes}"
    state.generator.train()
    state.discriminator.train()
    started, begin = time.monotonic(), state.step
    recent: list[dict[str, Tensor]] = []
    while state.step < recipe.steps:
        step = state.step + 1
        random = scene_generator(step, stream)
        torch.manual_seed(int(torch.randint(2**62, (), generator=random)))  # for layers with noise of their own
        if recipe.firmer is not None:
            for network in (state.generator, state.average):
                network.sharpen(recipe.firmness_at(step))
        recent.append(steps.take(step, random))
        state.step = step
        _average(state, recipe, accelerator)
        due = step == recipe.steps
        if step % LOG_EVERY == 0 or due:
            values = _means(recent, accelerator)
            recent.clear()
            losses.add(step, [values.get(name) for name in COLUMNS])
            state.watch.look(step, values, real_spread, values.get("spread", real_spread))
            if first:
                log(_line(task.name, step, recipe.steps, values, (step - begin) / (time.monotonic() - started)))
        if step % SAVE_EVERY == 0 or due:
            state.watch.check_weights(step, (state.generator, state.discriminator, state.average))
        if not first:
            continue
        # the checkpoint last: what it vouches for must be there, whenever the process is killed
        if task.quality is not None and (step % recipe.quality_every == 0 or due):
            _measure(task, recipe, state, viewpoint, measured, out, accelerator.device, log)
        if step % SHEET_EVERY == 0 or due:
            write_sheet(out / f"samples-{step:06d}.png", state.average, recipe.size, viewpoint, accelerator.device)
        if (step % SAVE_EVERY == 0 or due) and state.watch.calm:
            losses.write()
            measured.write()
            save_checkpoint(checkpoint, identity, state)
    accelerator.wait_for_everyone()  # the others need the files of the first
    return _trained(state, recipe, viewpoint, measured, out)


class _Table:
    """A CSV file held in memory and written whole, so that it never runs ahead of the checkpoint."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path, self.columns = path, columns
        self.rows: list[list[str]] = []
        if path.exists():
            self.rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]

    def cut(self, step: int) -> None:
        """Forget rows of steps that will be taken again."""
        self.rows = [row for row in self.rows if int(row[0]) <= step]

    def add(self, step: int, values: list[float | None]) -> None:
        self.rows.append([str(step), *("" if value is None else f"{value:.6g}" for value in values)])

    def write(self) -> None:
        atomic_write(self.path, "\n".join(",".join(row) for row in [list(self.columns), *self.rows]) + "\n")


def _state(task: Task, recipe: Recipe, out: Path, device: torch.device) -> State:
    generator, discriminator = task.generator.to(device), task.discriminator.to(device)
    average = type(generator)(**generator.settings).to(device)
    average.load_state_dict(generator.state_dict())
    average.eval().requires_grad_(False)
    lazy_density = recipe.density_every if recipe.density_weight else 0
    lazy_r1 = recipe.r1_every if recipe.gamma and recipe.r1_every > 1 else 0
    return State(
        generator,
        discriminator,
        average,
        adam(generator, recipe.generator_rate, recipe.betas, lazy_density),
        adam(discriminator, recipe.discriminator_rate, recipe.betas, lazy_r1),
        Watch(recipe.patience, lambda: _advice(recipe, out)),
    )


def _advice(recipe: Recipe, out: Path) -> str:
    """What is kept of a training that stops now, and what to do with it."""
    checkpoint, best = out / "checkpoint.pt", out / "best.safetensors"
    change = f"another --seed or a larger --gamma (now {recipe.gamma:g})"
    weights = f"The best weights so far are kept in {best}. " if best.exists() else ""
    if checkpoint.exists():
        return (
            f"The last good state is kept in {checkpoint}. {weights}Go on from that state in another --out with "
            f"--start {checkpoint} and {change}."
        )
    again = "" if recipe.start is None else f"--start {recipe.start}, "
    return f"No state was saved yet. {weights}Start again with {again}{change}."


def _viewpoint(pictures: Pictures, recipe: Recipe) -> Viewpoint:
    if recipe.poses == "prior" or pictures.views is None:
        return Viewpoint.of_prior(CameraPrior(**recipe.prior))
    return Viewpoint.of_data(pictures.views)


def _identity(task: Task, recipe: Recipe, processes: int, state: State) -> str:
    together = f" {processes} processes" if processes > 1 else ""
    return f"{task.name} {replace(recipe, start=None)!r} {state.architecture} {task.pictures.identity}{together}"


def _check_batches(recipe: Recipe, accelerator: Accelerator) -> None:
    for batch in {recipe.batch, *(stage.batch for stage in recipe.stages)}:
        if batch % accelerator.num_processes:
            raise UserError(
                f"A batch of {batch} cannot be shared out evenly among {accelerator.num_processes} processes.",
                hint="Choose --batch or the number of processes so that it can.",
            )


def _real_spread(pictures: Pictures) -> float:
    return spread(pictures.batch(evenly(pictures, min(256, len(pictures)))))


@torch.no_grad()
def _average(state: State, recipe: Recipe, accelerator: Accelerator) -> None:
    """Let the averaged weights follow; buffers (running means) are taken over, the mean of all processes'."""
    decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
    own, kept = dict(state.generator.named_parameters()), dict(state.average.named_parameters())
    torch._foreach_lerp_([kept[name].data for name in own], [value.data for value in own.values()], 1 - decay)
    buffers = dict(state.average.named_buffers())
    for name, value in state.generator.named_buffers():
        if accelerator.num_processes > 1 and value.is_floating_point():
            value.copy_(accelerator.reduce(value.clone(), "mean"))
        buffers[name].copy_(value)


def _means(recent: list[dict[str, Tensor]], accelerator: Accelerator) -> dict[str, float]:
    """Means over the steps that measured a quantity, and over all processes."""
    found = {}
    for name in sorted({name for entry in recent for name in entry}):
        mean = torch.stack([entry[name] for entry in recent if name in entry]).mean()
        found[name] = float(accelerator.reduce(mean, "mean"))
    return found


def _line(name: str, step: int, steps: int, values: dict[str, float], pace: float) -> str:
    differ = f"  spread {values['spread']:.3f}" if "spread" in values else ""
    return (
        f"{name}: step {step}/{steps}  G {values['generator']:.3f}  D {values['discriminator']:.3f}  "
        f"logits {values['real']:+.2f} {values['fake']:+.2f}{differ}  {pace:.2f} steps/s  "
        f"{(steps - step) / pace / 60:.0f} min left"
    )


def _measure(
    task: Task,
    recipe: Recipe,
    state: State,
    viewpoint: Viewpoint,
    measured: _Table,
    out: Path,
    device: torch.device,
    log: Callable[[str], None],
) -> None:
    """Log the quality of the averaged weights; keep them where it is the best so far."""
    assert task.quality is not None
    images = draw_set(state.average, task.pictures, recipe, viewpoint, recipe.quality_pictures, device)
    value = task.quality(images)
    best = min((float(row[1]) for row in _comparable(measured, recipe)), default=float("inf"))
    measured.add(state.step, [value])
    log(f"{task.name}: step {state.step}  KID {value:.4f}" + ("  (best so far)" if value < best else ""))
    if value < best:
        weights = {name: tensor.cpu().contiguous() for name, tensor in state.average.state_dict().items()}
        note = json.dumps(
            {"step": state.step, "kid": value}
        )  # one entry: safetensors does not keep the order of several
        atomic_write(out / "best.safetensors", save(weights, {"viewsweep": note}))


def _comparable(measured: _Table, recipe: Recipe) -> list[list[str]]:
    """Measurements with the firmness of the last step: weights from before would look otherwise with it.

    Those that are not finite are left out: nothing is smaller than NaN, and NaN is smaller than nothing.
    """
    last = recipe.firmness_at(recipe.steps)
    rows = [row for row in measured.rows if recipe.firmness_at(int(row[0])) == last]
    return [row for row in rows if math.isfinite(float(row[1]))]


def _trained(state: State, recipe: Recipe, viewpoint: Viewpoint, measured: _Table, out: Path) -> Trained:
    generator = type(state.average)(**state.average.settings)
    best = min(_comparable(measured, recipe), key=lambda row: float(row[1]), default=None)
    if best is not None and (out / "best.safetensors").exists():
        generator.load_state_dict(load_file(out / "best.safetensors"))
        step, quality = int(best[0]), float(best[1])
    else:
        generator.load_state_dict({name: value.cpu() for name, value in state.average.state_dict().items()})
        step, quality = state.step, None
    return Trained(generator.eval().requires_grad_(False), viewpoint, step, quality)
