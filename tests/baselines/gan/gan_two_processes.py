"""Trains a toy GAN with two processes on the CPU; started as a process of its own by `test_gan_accelerated`.

usage: gan_two_processes.py OUT

OUT/whole: both train to the end. OUT/broken: the same, stopped on the way and started again. OUT/alike: both draw
the same random numbers, so that the mean of their gradients is the gradient of one. Each process leaves its final
weights beside them, e.g. OUT/whole-0.pt.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState, debug_launcher
from gan_toys import ALIKE, RECIPE, ToyDiscriminator, ToyGenerator, ToyPictures
from viewsweep.baselines.gan import training
from viewsweep.baselines.gan.recipe import Recipe
from viewsweep.baselines.gan.training import Task, fit


class Stopped(Exception):
    """The training ends here, on all processes alike."""


class Breaking(ToyPictures):
    """Stops at a call of `batch` with a share of the batch."""

    def __init__(self, stop_at: int) -> None:
        super().__init__()
        self.stop_at, self.calls = stop_at, 0

    def batch(self, index: torch.Tensor) -> torch.Tensor:
        if len(index) == RECIPE.batch // 2:
            self.calls += 1
            if self.calls == self.stop_at:
                raise Stopped
        return super().batch(index)


def train(out: Path, recipe: Recipe = RECIPE, stop_at: int = 0) -> dict[str, torch.Tensor]:
    """The final averaged weights of this process."""
    torch.manual_seed(0)
    task = Task("toy", ToyGenerator(), ToyDiscriminator(), Breaking(stop_at))
    weights: dict[str, torch.Tensor] = fit(task, recipe, out, log=lambda line: None).generator.state_dict()
    return weights


def work(out: Path) -> None:
    """What each of the two processes does."""
    training.SAVE_EVERY, training.LOG_EVERY = 4, 2
    torch.set_num_threads(1)
    rank = PartialState(cpu=True).process_index
    torch.save(train(out / "whole"), out / f"whole-{rank}.pt")
    try:
        train(out / "broken", stop_at=9)
    except Stopped:
        torch.save(train(out / "broken"), out / f"broken-{rank}.pt")
    original = training.scene_generator
    training.scene_generator = lambda step, stream: original(step, "alike")
    torch.save(train(out / "alike", replace(ALIKE, batch=2 * ALIKE.batch)), out / f"alike-{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)  # nothing but this thread may be there when the process forks
    debug_launcher(work, (Path(sys.argv[1]),), num_processes=2)
