"""Trains with two processes on the CPU; started as a process of its own by `test_accelerated`.

usage: two_processes.py OUT

OUT/same: one step, for which both draw the same batch, so that the mean of their gradients is the
gradient of one. OUT/whole: each draws its own. OUT/broken: the same, stopped on the way and started
again. Each process leaves its final weights beside them, e.g. OUT/same-0.pt.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState, debug_launcher
from torch import Tensor
from viewsweep.baselines.ivid import training
from viewsweep.baselines.ivid.networks import RGBDUNet
from viewsweep.baselines.ivid.recipe import CONFIGS
from viewsweep.baselines.ivid.training import Stage, fit

STEPS = 8
RECIPE = replace(CONFIGS["tiny"], precision="no", drop_label=0.0)
NETWORK = {**RECIPE.network, "channels": (8, 8), "groups": 4, "head": 8}


class Stopped(Exception):
    """The training ends here, on all processes alike."""


def stage(*, same: bool, stop_at: int = 0) -> Stage:
    """Random pictures; the same in all processes, or whatever the process' own generator says."""
    calls = iter(range(1, 1000))

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, None]:
        call = next(calls)
        if call == stop_at:
            raise Stopped
        if same:  # the loss draws times and noise from this generator afterwards
            generator.manual_seed(call)
        return torch.rand(4, 4, 16, 16, generator=generator) * 2 - 1, torch.arange(4), None

    torch.manual_seed(0)
    return Stage("first", RGBDUNet(**NETWORK), 1 if same else STEPS, batch, lambda network, path: None)


def train(out: Path, *, same: bool, stop_at: int = 0) -> dict[str, Tensor]:
    """The final weights."""
    made = fit(stage(same=same, stop_at=stop_at), RECIPE, out, device="cpu", log=lambda line: None)
    weights: dict[str, Tensor] = made.state_dict()
    return weights


def work(out: Path) -> None:
    """What each of the two processes does."""
    training.SAVE_EVERY, training.LOG_EVERY = 4, 2
    torch.set_num_threads(1)
    rank = PartialState(cpu=True).process_index
    torch.save(train(out / "same", same=True), out / f"same-{rank}.pt")
    torch.save(train(out / "whole", same=False), out / f"whole-{rank}.pt")
    try:
        train(out / "broken", same=False, stop_at=7)
    except Stopped:
        torch.save(train(out / "broken", same=False), out / f"broken-{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)  # nothing but this thread may be there when the process forks
    debug_launcher(work, (Path(sys.argv[1]),), num_processes=2)
