"""Splitting a step up, over time or over processes, changes what it costs and not what comes out."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor
from viewsweep.baselines.ivid.devices import make_accelerator
from viewsweep.baselines.ivid.networks import with_condition
from viewsweep.baselines.ivid.recipe import CONFIGS, Recipe
from viewsweep.baselines.ivid.train import train
from viewsweep.baselines.ivid.training import Stage, fit
from viewsweep.scenes.errors import UnknownName, UnreadableFile, UserError

from . import two_processes
from .conftest import random_network

NARROW = {"channels": (8, 8), "groups": 4, "head": 8}
EIGHT = replace(CONFIGS["tiny"], batch=8, precision="no")


@pytest.fixture(autouse=True)
def _leave_no_state() -> Iterator[None]:
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def stage(*, condition: bool = False, data: str = "", steps: int = 2) -> Stage:
    """Steps on eight random pictures each."""

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        clean = torch.rand(8, 4, 16, 16, generator=generator) * 2 - 1
        seen = torch.rand(8, 6, 16, 16, generator=generator) if condition else None
        return clean, torch.arange(8), seen

    network = random_network(**NARROW).requires_grad_(True)
    if condition:
        network = with_condition(network)
    return Stage("first", network, steps, batch, lambda network, path: None, data=data)


def run(out: Path, recipe: Recipe, **settings: Any) -> dict[str, Tensor]:
    made = fit(stage(**settings), recipe, out, device="cpu", log=lambda line: None)
    state: dict[str, Tensor] = made.state_dict()
    return state


def furthest(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    return max(float((left[name] - right[name]).abs().max()) for name in left)


def gradients(folder: Path) -> list[Tensor]:
    """Those of the first step, from the checkpoint: Adam's first moment holds a tenth of them."""
    state = torch.load(folder / "first" / "checkpoint.pt", weights_only=True)
    return [10 * entry["exp_avg"] for entry in state["optimiser"]["state"].values()]


def apart(left: list[Tensor], right: list[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize(("parts", "condition"), [(2, False), (2, True), (3, False), (20, False)])
def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path: Path, parts: int, condition: bool) -> None:
    """Weights are not compared: Adam makes a step of full length out of the rounding of a tiny gradient."""
    whole = run(tmp_path / "whole", EIGHT, condition=condition, steps=1)
    split = run(tmp_path / "split", replace(EIGHT, accumulate=parts), condition=condition, steps=1)
    assert furthest(split, whole) < 1e-4
    expected = gradients(tmp_path / "whole")
    assert max(float(gradient.abs().max()) for gradient in expected) > 1e-2
    assert apart(gradients(tmp_path / "split"), expected) < 1e-6


def test_precision_is_what_the_recipe_says(tmp_path: Path) -> None:
    """One process may train in one precision after the other."""
    exact, rough, again = (
        run(tmp_path / str(row), replace(EIGHT, precision=precision))  # type: ignore[arg-type]
        for row, precision in enumerate(("no", "bf16", "no"))
    )
    assert furthest(exact, again) == 0
    assert 0 < furthest(exact, rough) < 1e-2
    assert all(value.dtype == torch.float32 for value in rough.values())


def test_precision_without_hardware_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Training in fp16 needs a GPU\. Choose --precision bf16 or no"):
        make_accelerator("cpu", "fp16")
    with pytest.raises(UnknownName, match="no precision named 'half'"):
        train("tiny", tmp_path / "out", precision="half")
    with pytest.raises(UserError, match="--accumulate 0: at least 1"):
        train("tiny", tmp_path / "out", accumulate=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("other", [{"accumulate": 2}, {"precision": "bf16"}, {"most_erosion": 1}])
def test_checkpoint_of_other_settings_is_refused(tmp_path: Path, other: dict[str, object]) -> None:
    run(tmp_path, EIGHT)
    with pytest.raises(UnreadableFile, match="belongs to another configuration"):
        run(tmp_path, replace(EIGHT, **other))  # type: ignore[arg-type]


def test_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    run(tmp_path, EIGHT, data="these pictures")
    with pytest.raises(UnreadableFile, match="belongs to another configuration"):
        run(tmp_path, EIGHT, data="those pictures")


@pytest.fixture(scope="module")
def twofold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, two_processes.__file__, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # or each process would take all cores
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def weights(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    return state


@pytest.mark.slow
@pytest.mark.parametrize("name", ["same", "whole", "broken"])
def test_processes_end_with_the_same_weights(twofold: Path, name: str) -> None:
    assert furthest(weights(twofold / f"{name}-0.pt"), weights(twofold / f"{name}-1.pt")) == 0


@pytest.mark.slow
def test_two_processes_on_the_same_pictures_do_what_one_does(twofold: Path, tmp_path: Path) -> None:
    two_processes.train(tmp_path, same=True)
    assert apart(gradients(twofold / "same"), gradients(tmp_path)) < 1e-6
    assert furthest(weights(twofold / "same-0.pt"), weights(twofold / "whole-0.pt")) > 1e-5


@pytest.mark.slow
def test_two_processes_resume_exactly_and_one_does_not_take_over(twofold: Path) -> None:
    assert furthest(weights(twofold / "broken-0.pt"), weights(twofold / "whole-0.pt")) == 0
    with (twofold / "broken" / "first" / "losses.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [2, 4, 6, 8]
    with pytest.raises(UnreadableFile, match="belongs to another configuration"):
        two_processes.train(twofold / "whole", same=False)
