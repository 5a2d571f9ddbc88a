"""A training that fails is stopped, says so, and does not take its last good state with it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.gan import training
from viewsweep.baselines.gan.base import SceneState
from viewsweep.baselines.gan.training import fit
from viewsweep.baselines.gan.watch import TrainingStopped, Watch, spread
from viewsweep.scenes.errors import ChecksFailed

from .gan_toys import RECIPE, ToyGenerator, ToyPictures
from .test_gan_training import marks, task

__all__ = ["marks"]  # a fixture


class Failing(ToyGenerator):
    """Goes wrong in a chosen way from its `after`-th training scene on."""

    how, after = "", 0

    def __init__(self, classes: int = 2) -> None:
        super().__init__(classes)
        self.count = 0

    def scene(self, latents: Tensor) -> SceneState:
        state = super().scene(latents)
        if self.training:
            self.count += 1
            if self.count > self.after:
                if self.how == "nan":
                    return {"colour": state["colour"] * torch.nan}
                if self.how == "collapse":
                    return {"colour": state["colour"] * 1e-3}
        return state


def run(out: Path, how: str, after: int, lines: list[str] | None = None, **changes: object) -> None:
    kind = type("Failing", (Failing,), {"how": how, "after": after})
    torch.manual_seed(0)
    plain = replace(RECIPE, steps=60, patience=10, augment={}, density_weight=0.0)
    recipe = replace(plain, **changes)  # type: ignore[arg-type]
    fit(task(generator=kind()), recipe, out, log=(lines if lines is not None else []).append)


def step_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["step"])


def test_numbers_that_are_not_finite_stop_at_once_and_keep_the_last_state(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped) as caught:
        run(tmp_path, "nan", after=17)
    message = str(caught.value)
    assert message.startswith("Training stopped at step 18: 'discriminator' is nan, which is not finite. ")
    assert f"The last good state is kept in {tmp_path}/checkpoint.pt" in message
    assert f"--start {tmp_path}/checkpoint.pt and another --seed or a larger --gamma (now 1)" in message
    assert isinstance(caught.value, ChecksFailed)
    assert caught.value.exit_code == 3
    assert step_of(tmp_path / "checkpoint.pt") == 16
    held = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert all(bool(torch.isfinite(value).all()) for value in held["generator"].values())


def test_a_training_that_stops_before_anything_is_saved_does_not_name_a_state(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped) as caught:
        run(tmp_path / "first", "nan", after=1)
    assert list((tmp_path / "first").iterdir()) == []
    assert str(caught.value) == (
        "Training stopped at step 2: 'discriminator' is nan, which is not finite. No state was saved yet. Start again "
        "with another --seed or a larger --gamma (now 1)."
    )
    run(tmp_path / "good", "", 0, steps=8)
    start = tmp_path / "good" / "checkpoint.pt"
    with pytest.raises(TrainingStopped, match=f"Start again with --start {start}, another --seed or a larger"):
        run(tmp_path / "second", "nan", after=0, start=str(start), steps=20)


@pytest.mark.parametrize("best", [True, False])
def test_a_training_that_stops_names_the_best_weights_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: bool
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 10)
    with pytest.raises(TrainingStopped) as caught:
        run(tmp_path, "nan", after=17, quality_every=4 if best else 20)
    assert (tmp_path / "checkpoint.pt").exists()
    assert (tmp_path / "best.safetensors").exists() is best
    assert (f"The best weights so far are kept in {tmp_path}/best.safetensors." in str(caught.value)) is best


def test_a_collapse_stops_after_patience_and_keeps_the_state_before_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped) as caught:
        run(tmp_path, "collapse", after=30)
    assert "Training stopped at step 42: the generator has collapsed: its pictures differ by 0.00" in str(caught.value)
    assert "and have for 10 steps" in str(caught.value)
    assert step_of(tmp_path / "checkpoint.pt") == 28  # step 32 was already suspicious


def test_a_failed_training_can_be_taken_up_elsewhere_with_other_settings(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped):
        run(tmp_path / "first", "collapse", after=30)
    lines: list[str] = []
    start = str(tmp_path / "first" / "checkpoint.pt")
    run(tmp_path / "second", "", 0, lines, seed=1, gamma=2.0, start=start)
    assert lines[0] == f"toy: starting from step 28 of {start}"
    assert step_of(tmp_path / "second" / "checkpoint.pt") == 60


def test_weights_are_looked_at_before_they_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight no loss shows, broken between two looks."""
    take = training.Steps.take

    def breaking(self: training.Steps, step: int, random: torch.Generator) -> object:
        measured = take(self, step, random)
        if step == 8:
            self.state.generator.get_buffer("mean").fill_(torch.inf)
        return measured

    monkeypatch.setattr(training.Steps, "take", breaking)
    with pytest.raises(TrainingStopped, match=r"step 8: Failing\.mean holds numbers that are not finite"):
        run(tmp_path, "", 0)
    assert step_of(tmp_path / "checkpoint.pt") == 4


def test_a_healthy_training_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, "", 0)
    assert step_of(tmp_path / "checkpoint.pt") == 60


def values(real: float = 1.0, fake: float = -1.0, **others: float) -> dict[str, float]:
    return {"real": real, "fake": fake, **others}


def test_a_moment_of_sameness_is_forgiven() -> None:
    watch = Watch(patience=100)
    for step in range(10, 1000, 10):
        bad = 200 <= step < 290
        watch.look(step, values(), 0.5, 0.01 if bad else 0.4)
        assert watch.calm is not bad


def test_sameness_at_the_beginning_does_not_count() -> None:
    watch = Watch(patience=100)
    for step in range(10, 101, 10):
        watch.look(step, values(), 0.5, 0.0)
        assert watch.calm
    watch.look(110, values(), 0.5, 0.0)
    assert not watch.calm
    for step in range(120, 210, 10):
        watch.look(step, values(), 0.5, 0.0)
    with pytest.raises(TrainingStopped, match="step 210: the generator has collapsed"):
        watch.look(210, values(), 0.5, 0.0)


def test_logits_that_run_away_are_noticed() -> None:
    watch = Watch(patience=20)
    for step in range(10, 50, 10):
        watch.look(step, values(40.0, -40.0), 0.5, 0.4)
    with pytest.raises(TrainingStopped, match=r"the discriminator has run away: its logits .* lie 80 apart"):
        watch.look(50, values(40.0, -40.0), 0.5, 0.4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_any_measured_number_must_be_finite(bad: float) -> None:
    with pytest.raises(TrainingStopped, match="'r1' is"):
        Watch(patience=1000).look(1, values(r1=bad), 0.5, 0.4)


def test_what_looks_wrong_survives_a_restart() -> None:
    first = Watch(patience=20)
    first.look(30, values(), 0.5, 0.0)
    second = Watch(patience=20)
    second.load_state_dict(first.state_dict())
    with pytest.raises(TrainingStopped):
        second.look(50, values(), 0.5, 0.0)


def test_spread() -> None:
    assert spread(torch.ones(4, 3, 8, 8)) == 0
    assert math.isnan(spread(torch.ones(1, 3, 8, 8)))
    real = ToyPictures().batch(torch.arange(64))
    assert spread(real) == pytest.approx(float(real.std(0).mean()))
