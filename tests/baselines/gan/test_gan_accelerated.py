"""Two processes train one GAN: they agree, they resume, and together they do what one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.gan import training
from viewsweep.baselines.gan.training import Task, fit
from viewsweep.scenes.errors import UnreadableFile, UserError

from .gan_toys import ALIKE, RECIPE, ToyDiscriminator, ToyGenerator, ToyPictures


@pytest.fixture(scope="module")
def twofold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twofold")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("gan_two_processes.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def weights(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    return state


def furthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "broken", "alike"])
def test_processes_end_with_the_same_weights(twofold: Path, name: str) -> None:
    assert furthest(weights(twofold / f"{name}-0.pt"), weights(twofold / f"{name}-1.pt")) == 0


@pytest.mark.slow
def test_two_processes_resume_exactly_and_one_does_not_take_over(twofold: Path) -> None:
    assert furthest(weights(twofold / "broken-0.pt"), weights(twofold / "whole-0.pt")) == 0
    task = Task("toy", ToyGenerator(), ToyDiscriminator(), ToyPictures())
    with pytest.raises(UnreadableFile, match="belongs to another configuration"):
        fit(task, RECIPE, twofold / "whole", log=lambda line: None)


@pytest.mark.slow
def test_two_processes_with_the_same_numbers_do_what_one_does(
    twofold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients are averaged, not added, in all four passes of a step."""
    original = training.scene_generator
    monkeypatch.setattr(training, "scene_generator", lambda step, stream: original(step, "alike"))
    torch.manual_seed(0)
    task = Task("toy", ToyGenerator(), ToyDiscriminator(), ToyPictures())
    one = fit(task, ALIKE, tmp_path, log=lambda line: None).generator.state_dict()
    assert furthest(one, weights(twofold / "alike-0.pt")) < 1e-6


def test_batches_must_be_shared_out_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = training.make_accelerator

    class Three:
        num_processes = 3

    monkeypatch.setattr(training, "make_accelerator", lambda device, precision: Three())
    task = Task("toy", ToyGenerator(), ToyDiscriminator(), ToyPictures())
    with pytest.raises(UserError, match="A batch of 8 cannot be shared out evenly among 3 processes"):
        fit(task, RECIPE, tmp_path / "out")
    assert make is not training.make_accelerator
    assert not (tmp_path / "out").exists()
