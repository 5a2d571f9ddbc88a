"""The training loop: it learns, it resumes bit for bit, it keeps what was best and writes what it promises."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from viewsweep.baselines.gan import training
from viewsweep.baselines.gan.base import Drawn, SceneState, Views
from viewsweep.baselines.gan.drawing import evenly
from viewsweep.baselines.gan.recipe import Recipe
from viewsweep.baselines.gan.schedules import Fade
from viewsweep.baselines.gan.training import Task, Trained, fit
from viewsweep.scenes.errors import UnreadableFile, UserError

from .gan_toys import RECIPE, ToyDiscriminator, ToyGenerator, ToyPictures


@pytest.fixture(autouse=True)
def marks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"LOG_EVERY": 2, "SAVE_EVERY": 4, "SHEET_EVERY": 12}.items():
        monkeypatch.setattr(training, name, value)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def redness(images: Tensor) -> float:
    return -float(images[..., 0].float().mean())


def task(**changes: object) -> Task:
    torch.manual_seed(0)
    made = Task("toy", ToyGenerator(), ToyDiscriminator(), ToyPictures(), redness)
    return replace(made, **changes)  # type: ignore[arg-type]


def run(out: Path, recipe: Recipe = RECIPE, **changes: object) -> Trained:
    return fit(task(**changes), recipe, out, log=lambda line: None)


def same(a: Trained, b: Trained) -> bool:
    one, two = a.generator.state_dict(), b.generator.state_dict()
    return all(torch.equal(one[name], two[name]) for name in one)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_it_learns_the_colours_of_the_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 400)
    trained = run(tmp_path, replace(RECIPE, steps=400, augment={}, r1_every=4, ema=0.98), quality=None)
    z = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    pose = torch.zeros(200, 25)
    for kind, expected in enumerate(([0.8, -0.5, -0.5], [-0.5, -0.5, 0.8])):
        latents = trained.generator.map(z, torch.full((200,), kind), pose)
        mean = trained.generator.scene(latents)["colour"].mean(0)
        torch.testing.assert_close(mean, torch.tensor(expected), rtol=0, atol=0.35)
    assert trained.step == 400
    assert trained.quality is None


def test_a_discriminator_may_learn_alone_at_first(tmp_path: Path) -> None:
    def after(steps: int) -> tuple[list[Tensor], list[Tensor]]:
        asked = task(quality=None)
        fit(asked, replace(RECIPE, steps=steps, alone=4), tmp_path / str(steps), log=lambda line: None)
        return list(asked.generator.parameters()), list(asked.discriminator.parameters())

    new = task()
    generator, discriminator = after(4)
    assert all(map(torch.equal, generator, new.generator.parameters()))
    assert not any(map(torch.equal, discriminator, new.discriminator.parameters()))
    assert not any(map(torch.equal, after(6)[0], new.generator.parameters()))


@pytest.mark.parametrize("fail_at", [1, 4, 5, 11])
def test_interrupted_training_takes_the_steps_it_would_have_taken(tmp_path: Path, fail_at: int) -> None:
    whole = run(tmp_path / "whole")

    class Breaking(ToyPictures):
        calls = 0

        def batch(self, index: Tensor) -> Tensor:
            if len(index) == RECIPE.batch:
                Breaking.calls += 1
                if Breaking.calls == fail_at:
                    raise KeyboardInterrupt
            return super().batch(index)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", pictures=Breaking())
    again = run(tmp_path / "broken")
    assert same(whole, again)
    for name in ("losses.csv", "quality.csv", "best.safetensors", "samples-000012.png"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_files_say_what_happened(tmp_path: Path) -> None:
    lines: list[str] = []
    trained = fit(task(), RECIPE, tmp_path, log=lines.append)
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["2", "4", "6", "8", "10", "12"]
    measured = {int(row["step"]): float(row["kid"]) for row in rows(tmp_path / "quality.csv")}
    assert list(measured) == [4, 8, 12]
    best = min(measured, key=lambda step: measured[step])
    assert (trained.step, trained.quality) == (best, measured[best])
    assert sum("best so far" in line for line in lines) >= 1
    with Image.open(tmp_path / "samples-000012.png") as sheet:
        assert sheet.size == (8 * 8, 2 * 2 * 8)  # two classes, colour above depth
        assert np.asarray(sheet)[8:16].max() > 0


def test_best_weights_are_those_of_the_best_measurement(tmp_path: Path) -> None:
    """A measure that is lowest in the middle of the training brings back the weights of the middle."""
    order = iter([3.0, 1.0, 2.0])
    middle = run(tmp_path / "whole", quality=lambda images: next(order))
    until = run(tmp_path / "until", replace(RECIPE, steps=8), quality=lambda images: 0.0 if len(images) else 1.0)
    assert middle.step == 8
    assert (tmp_path / "whole" / "best.safetensors").exists()
    assert until.step == 4  # the first of equals


def test_firmer_surfaces_are_measured_apart(tmp_path: Path) -> None:
    """What was measured before the surfaces became firmer is of weights that would look otherwise now."""

    class Firm(ToyGenerator):
        def sharpen(self, factor: float) -> None:
            heard.append((len(order), factor))

    heard: list[tuple[int, float]] = []
    order = [1.0, 3.0, 2.0]
    torch.manual_seed(0)
    trained = run(tmp_path, replace(RECIPE, firmer=(4, 2.5)), generator=Firm(), quality=lambda images: order.pop(0))
    assert [row["kid"] for row in rows(tmp_path / "quality.csv")] == ["1", "3", "2"]
    assert (trained.step, trained.quality) == (12, 2.0)
    assert {factor for left, factor in heard if left == 3} == {1.0}  # up to step 4, before the first measurement
    assert {factor for left, factor in heard if left < 3} == {2.5}
    assert trained.generator.settings == ToyGenerator().settings


def test_a_generator_without_a_gain_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ToyGenerator has no gain of raw densities"):
        run(tmp_path, replace(RECIPE, firmer=(4, 2.5)))


def test_splitting_a_batch_changes_the_memory_not_what_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both halves teach: gradients of parts are weighted by their share of the batch."""
    monkeypatch.setattr(training, "SAVE_EVERY", 300)
    split = run(tmp_path / "split", replace(RECIPE, accumulate=2, steps=300), quality=None)
    blue = split.generator.scene(split.generator.map(torch.zeros(1, 4), torch.tensor([1]), torch.zeros(1, 25)))
    assert float(blue["colour"][0, 2] - blue["colour"][0, 0]) > 0.3


@pytest.mark.parametrize("change", [{"gamma": 2.0}, {"seed": 1}, {"batch": 4}, {"swap": Fade(1.0, 0.6, 10)}])
def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    run(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(UnreadableFile) as caught:
        run(tmp_path, replace(RECIPE, **change))  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"{tmp_path}/checkpoint.pt: this checkpoint belongs to another configuration. "
        "Delete it to start over, or choose another --out."
    )
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "another file"])
def test_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    run(tmp_path)
    path = tmp_path / "checkpoint.pt"
    if damage == "another file":
        torch.save([1, 2, 3], path)
    else:
        content = path.read_bytes()
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"step 3\n"}[damage])
    with pytest.raises(UnreadableFile) as caught:
        run(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("Delete it to start over, or choose another --out.")


def test_another_training_can_start_from_a_checkpoint(tmp_path: Path) -> None:
    run(tmp_path / "first")
    start = str(tmp_path / "first" / "checkpoint.pt")
    lines: list[str] = []
    changed = replace(RECIPE, steps=20, seed=7, start=start)
    trained = fit(task(quality=None), changed, tmp_path / "second", log=lines.append)
    assert lines[0] == f"toy: starting from step 12 of {start}"
    assert trained.step == 20
    with pytest.raises(UserError, match=r"nowhere\.pt: there is no checkpoint\. Give --start the checkpoint\.pt"):
        run(tmp_path / "third", replace(RECIPE, start="nowhere.pt"))
    with pytest.raises(UnreadableFile, match="this checkpoint holds other networks"):
        run(tmp_path / "third", replace(changed), generator=ToyGenerator(classes=3))


@pytest.mark.parametrize("count", [20, 32, 64, 100])
def test_pictures_for_measuring_are_of_all_classes(count: int) -> None:
    """Classes take turns in the data; every so many pictures would be of the same class."""
    pictures = ToyPictures(count=64)
    index = evenly(pictures, count)
    assert len(index) == count
    share = float(pictures.labels(index).float().mean())
    assert 0.3 < share < 0.7
    assert torch.equal(index, evenly(pictures, count))
    if count <= 64:
        assert len(index.unique()) == count


@pytest.mark.parametrize(("batch", "accumulate"), [(8, 8), (1, 1)], ids=["parts of one", "a batch of one"])
def test_a_training_may_look_at_one_picture_at_a_time(tmp_path: Path, batch: int, accumulate: int) -> None:
    """One picture differs from nothing: only the whole step's pictures have a spread, and a single one has none."""
    lines: list[str] = []
    fit(task(), replace(RECIPE, batch=batch, accumulate=accumulate), tmp_path, log=lines.append)
    spreads = [row["spread"] for row in rows(tmp_path / "losses.csv")]
    assert all(float(value) > 0 for value in spreads) if batch > 1 else set(spreads) == {""}
    assert sum("  spread " in line for line in lines) == (6 if batch > 1 else 0)


@pytest.mark.parametrize(("batch", "accumulate"), [(8, 1), (8, 8), (8, 3), (1, 1)])
def test_conditioning_cameras_are_swapped_however_small_the_parts(tmp_path: Path, batch: int, accumulate: int) -> None:
    class Listening(ToyGenerator):
        def map(self, z: Tensor, label: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
            assert pose is not None
            self.told = pose
            return super().map(z, label, pose)

        def draw(self, scene: SceneState, views: Views, size: int, **settings: Any) -> Drawn:
            if self.training:
                swapped.append(self.told.ne(views.labels).any(1))
            return super().draw(scene, views, size, **settings)

    swapped: list[Tensor] = []
    always = replace(RECIPE, batch=batch, accumulate=accumulate, swap=Fade(1.0, 1.0, 0), steps=8)
    torch.manual_seed(0)
    run(tmp_path, always, generator=Listening(), quality=None)
    assert float(torch.cat(swapped).float().mean()) > 0.8  # two pictures may happen to have one camera


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_quality_that_is_not_finite_is_never_the_best(tmp_path: Path, at: int, odd: float) -> None:
    order = [3.0, 1.0, 2.0]
    order[at] = odd
    values = iter(order)
    trained = run(tmp_path, quality=lambda images: next(values))
    expected = min((value, step) for value, step in zip(order, (4, 8, 12), strict=True) if value < 10)
    assert (trained.quality, trained.step) == expected
    assert [row["step"] for row in rows(tmp_path / "quality.csv")] == ["4", "8", "12"]  # all are logged


def test_without_a_finite_quality_the_last_weights_are_kept(tmp_path: Path) -> None:
    trained = run(tmp_path, quality=lambda images: float("nan"))
    assert (trained.step, trained.quality) == (12, None)
    assert not (tmp_path / "best.safetensors").exists()
