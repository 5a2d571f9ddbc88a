"""Training from nothing to a pipeline, and the same one after any number of kills."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from viewsweep.baselines.ivid import train as ivid
from viewsweep.baselines.ivid import training
from viewsweep.baselines.ivid.method import load_pipeline
from viewsweep.baselines.ivid.recipe import CONFIGS, SAMPLING, Recipe
from viewsweep.baselines.ivid.train import given_first
from viewsweep.baselines.ivid.training import Stage, branch_file, fit
from viewsweep.scenes.errors import UnknownName, UnreadableFile, UserError
from viewsweep.scenes.tabletop.dataset import prepare_views

from . import killed_training
from .conftest import random_network
from .killed_training import MARKS, TINY

KILLS = ["1-before", "1-after", "2-after", "3-middle", "3-after", "2-before", "4-middle", "2-after"]
"""Files of a run: branch, losses, checkpoint, losses, checkpoint of the first network, then those of the second."""


@pytest.fixture(scope="module")
def tiny() -> Iterator[Recipe]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, "tiny", TINY)
        for name, value in MARKS.items():
            patch.setattr(training, name, value)
        yield TINY


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    prepare_views(folder, range(TINY.views), TINY.size, frontal_share=0.5, log=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def whole(tiny: Recipe, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a run that was left alone, and what it said."""
    folder, lines = tmp_path_factory.mktemp("whole"), []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in `killed_training`: sums split over other threads round differently
    try:
        ivid.train("tiny", folder, data=data, log=lines.append)
    finally:
        torch.set_num_threads(threads)
    return folder, lines


def losses(folder: Path) -> list[int]:
    with (folder / "losses.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_one_call_makes_a_pipeline(whole: tuple[Path, list[str]]) -> None:
    folder, lines = whole
    record = json.loads((folder / "pipeline" / "training.json").read_text())
    assert record["command"] == "viewsweep train ivid --config tiny"
    assert record["recipe"]["first_steps"] == TINY.first_steps
    assert record["data"] == "tabletop training seeds 0 to 19"
    assert len(record["files"]) == 2
    for name, digest in record["files"].items():
        assert hashlib.sha256((folder / "pipeline" / name).read_bytes()).hexdigest() == digest
    pipeline = load_pipeline(folder / "pipeline")
    assert (pipeline.first.config.condition, pipeline.following.config.condition) == (False, True)
    assert pipeline.scheduler.config.prediction_type == TINY.prediction
    assert {name: pipeline.config[name] for name in SAMPLING} == SAMPLING
    for network in (pipeline.first, pipeline.following):
        table = network.unet.class_embedding.weight
        assert bool((table[network.null_class] == 0).all())
        assert bool((table[:10].abs().amax(1) > 0).all())
    assert any(line.startswith("first: step 8/8  loss ") for line in lines)
    assert lines[-1] == f"wrote {folder / 'pipeline'}"


def test_losses_and_sample_sheets_are_kept(whole: tuple[Path, list[str]]) -> None:
    folder, _ = whole
    for name, rows in (("first", 2), ("next", 3)):
        assert losses(folder / name) == [2, 4, 6, 8]
        with Image.open(folder / name / "samples-000008.png") as sheet:
            assert sheet.size == (10 * 16, rows * 2 * 16)  # colour above depth


def test_second_network_starts_from_the_first_ones_branch(whole: tuple[Path, list[str]]) -> None:
    folder, _ = whole
    assert branch_file(folder, "first").exists()
    assert not branch_file(folder, "next").exists()
    untrained, trained = (
        torch.load(folder / name / "checkpoint.pt", weights_only=True)["network"] for name in ("first", "next")
    )
    assert tuple(trained["unet.conv_in.weight"].shape[:2]) == (32, 40)
    assert tuple(untrained["unet.conv_in.weight"].shape[:2]) == (32, 16)


def test_killed_again_and_again_ends_like_one_left_alone(
    whole: tuple[Path, list[str]], data: Path, tmp_path: Path
) -> None:
    folder, _ = whole
    command = [sys.executable, killed_training.__file__, str(tmp_path), str(data), *KILLS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in sorted((folder / "pipeline").rglob("*.safetensors")):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()
    for name in ("first", "next"):
        assert (tmp_path / name / "losses.csv").read_bytes() == (folder / name / "losses.csv").read_bytes()
        assert (tmp_path / name / "samples-000008.png").read_bytes() == (
            folder / name / "samples-000008.png"
        ).read_bytes()
    assert branch_file(tmp_path, "first").read_bytes() == branch_file(folder, "first").read_bytes()


def test_finished_training_is_not_repeated(whole: tuple[Path, list[str]], data: Path) -> None:
    folder, _ = whole
    before = {path: path.read_bytes() for path in (folder / "pipeline").rglob("*.safetensors")}
    lines: list[str] = []
    ivid.train("tiny", folder, data=data, log=lines.append)
    assert lines == [
        "first: going on after step 8 of 8",
        "next: going on after step 8 of 8",
        f"wrote {folder / 'pipeline'}",
    ]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.usefixtures("tiny")
def test_second_network_alone_can_be_trained(
    whole: tuple[Path, list[str]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The given first network goes into the pipeline as it is, and the second starts from it."""
    given = whole[0] / "pipeline"
    monkeypatch.setitem(CONFIGS, "second", replace(TINY, first_weights=str(given), next_steps=1))
    ivid.train("second", tmp_path, data=data, log=lambda line: None)
    assert not (tmp_path / "first").exists()
    before, after = load_pipeline(given), load_pipeline(tmp_path / "pipeline")
    assert all(torch.equal(value, after.first.state_dict()[name]) for name, value in before.first.state_dict().items())
    difference = (
        after.following.state_dict()["unet.conv_out.weight"] - before.first.state_dict()["unet.conv_out.weight"]
    )
    assert 0 < float(difference.abs().max()) < 1e-2
    monkeypatch.setitem(CONFIGS, "second", replace(TINY, first_weights="shipped:huge"))
    with pytest.raises(UserError, match="shipped:huge: there is no pipeline"):
        ivid.train("second", tmp_path / "other", data=data, log=lambda line: None)


def test_ablations_differ_in_the_augmentation_only() -> None:
    full = CONFIGS["small-ablation-full"]
    assert given_first(str(full.first_weights)).config.channels == [64, 96, 128]
    assert replace(CONFIGS["small-ablation-no-blur"], blur=True) == full
    assert replace(CONFIGS["small-ablation-no-erosion"], erosion=True) == full


@pytest.mark.usefixtures("tiny")
def test_number_of_steps_can_be_chosen(data: Path, tmp_path: Path) -> None:
    ivid.train("tiny", tmp_path, steps=1, data=data, log=lambda line: None)
    record = json.loads((tmp_path / "pipeline" / "training.json").read_text())
    assert (record["recipe"]["first_steps"], record["recipe"]["next_steps"]) == (1, 1)
    assert losses(tmp_path / "first") == [1]


def stage(name: str = "first", steps: int = 4, fail_at: int = 0) -> Stage:
    """A stage on random pictures that dies at call `fail_at` of its batch."""
    calls = iter(range(1, 1000))

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, None]:
        if next(calls) == fail_at:
            raise KeyboardInterrupt
        return torch.rand(4, 4, 16, 16, generator=generator), torch.arange(4), None

    network = random_network().requires_grad_(True)
    return Stage(name, network, steps, batch, lambda network, path: None)


def run(out: Path, recipe: Recipe = TINY, **settings: object) -> dict[str, Tensor]:
    made = fit(stage(**settings), recipe, out, device="cpu", log=lambda line: None)  # type: ignore[arg-type]
    state: dict[str, Tensor] = made.state_dict()
    return state


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("fail_at", [1, 4, 5, 7])
def test_interrupted_stage_takes_the_steps_it_would_have_taken(tmp_path: Path, fail_at: int) -> None:
    expected = run(tmp_path / "whole", steps=8)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", steps=8, fail_at=fail_at)
    found = run(tmp_path / "broken", steps=8)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert losses(tmp_path / "broken" / "first") == [2, 4, 6, 8]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"recipe": replace(TINY, rate=1e-3)}, id="rate"),
        pytest.param({"recipe": replace(TINY, seed=1)}, id="seed"),
        pytest.param({"recipe": replace(TINY, blur=False)}, id="blur"),
        pytest.param({"recipe": replace(TINY, erosion=False)}, id="erosion"),
        pytest.param({"recipe": replace(TINY, prewarp_noise=False)}, id="prewarp noise"),
        pytest.param({"steps": 8}, id="steps"),
    ],
)
def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path, other: dict[str, object]) -> None:
    run(tmp_path)
    before = (tmp_path / "first" / "checkpoint.pt").read_bytes()
    with pytest.raises(UnreadableFile) as caught:
        run(tmp_path, **other)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"{tmp_path}/first/checkpoint.pt: this checkpoint belongs to another configuration. "
        "Delete it to start over, or choose another --out."
    )
    assert (tmp_path / "first" / "checkpoint.pt").read_bytes() == before


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "another file"])
def test_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    run(tmp_path)
    path = tmp_path / "first" / "checkpoint.pt"
    if damage == "another file":
        torch.save([1, 2, 3], path)
    else:
        content = path.read_bytes()
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"step 3\n"}[damage])
    with pytest.raises(UnreadableFile) as caught:
        run(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("Delete it to start over, or choose another --out.")


@pytest.mark.usefixtures("tiny")
def test_loss_that_is_not_finite_stops_before_the_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, steps=4)
    broken = stage(steps=4)
    broken = replace(broken, batch=lambda generator: (torch.full((4, 4, 16, 16), torch.nan), torch.arange(4), None))
    with pytest.raises(RuntimeError, match=r"first: the loss is not finite at step 2; the checkpoint is kept\."):
        fit(broken, TINY, tmp_path / "other", device="cpu", log=lambda line: None)
    assert not (tmp_path / "other" / "first" / "checkpoint.pt").exists()


def test_labels_are_dropped_for_guidance(tmp_path: Path) -> None:
    """Where all are dropped the class embeddings learn nothing, where none are the null class is never asked."""
    start = random_network().state_dict()["unet.class_embedding.weight"]
    dropped = run(tmp_path / "all", replace(TINY, drop_label=1.0))["unet.class_embedding.weight"]
    torch.testing.assert_close(dropped, start, rtol=0, atol=0)
    kept = run(tmp_path / "none", replace(TINY, drop_label=0.0))["unet.class_embedding.weight"]
    moved = (kept - start).abs().amax(1) > 0
    assert moved.tolist() == [True] * 4 + [False] * 7


def test_unknown_configuration_and_no_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        ivid.train("smal", tmp_path / "out")
    assert str(caught.value) == "There is no configuration of ivid named 'smal'. Did you mean small?"
    with pytest.raises(UserError) as refused:
        ivid.train("tiny", tmp_path / "out", steps=0)
    assert str(refused.value) == "--steps 0: training takes at least one step."
    assert not (tmp_path / "out").exists()
