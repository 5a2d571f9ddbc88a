"""From a folder of pictures to a pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.estimators import SimulatedEstimator
from viewsweep.baselines.ivid.image_data import TabletopPictures
from viewsweep.baselines.ivid.method import load_pipeline
from viewsweep.baselines.ivid.networks import RGBDUNet
from viewsweep.baselines.ivid.pairs import FreshConditions, lanczos
from viewsweep.baselines.ivid.pipeline import PAPER_SETTINGS
from viewsweep.baselines.ivid.prepare import prepare
from viewsweep.baselines.ivid.recipe import CONFIGS
from viewsweep.baselines.ivid.train import train
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.sweeps import sweep360
from viewsweep.scenes.tabletop import sample
from viewsweep.scenes.tabletop.dataset import TabletopViews

TINY = replace(CONFIGS["tiny"], first_steps=2, next_steps=2, branch=1)
FRESH = replace(  # the paper's way, at a size that takes seconds
    CONFIGS["imagenet128"],
    size=16,
    network=TINY.network,
    first_steps=2,
    next_steps=2,
    branch=2,
    batch=4,
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of three classes with known depth."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(6):
        scene = sample(seed, seed % 3).render(sweep360(1, 0.3), 24)
        assert scene.depth is not None
        place = folder / "in" / f"class {seed % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.rgb[0].numpy()).save(place / f"{seed}.png")
        np.save(place / f"{seed}.depth.npy", scene.depth[0].nan_to_num(nan=6.0).numpy())
    prepare(folder / "in", folder / "out", depth_model="simulated", size=16, log=lambda line: None)
    return folder / "out"


@pytest.fixture(autouse=True)
def _configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", TINY)
    monkeypatch.setitem(CONFIGS, "fresh", FRESH)


def quietly(config: str, out: Path, data: Path | None, **settings: Any) -> Path:
    return train(config, out, data=data, log=lambda line: None, **settings)


@pytest.mark.parametrize("config", ["tiny", "fresh"])
def test_prepared_pictures_make_a_pipeline(prepared: Path, tmp_path: Path, config: str) -> None:
    folder = quietly(config, tmp_path, prepared, accumulate=2)
    pipeline = load_pipeline(folder)
    assert (pipeline.first.config.classes, pipeline.following.config.condition) == (3, True)
    expected = CONFIGS[config].sampling
    assert {name: pipeline.config[name] for name in expected} == expected
    assert pipeline.scheduler.config.prediction_type == CONFIGS[config].prediction
    record = json.loads((folder / "training.json").read_text())
    assert record["data"] == "6 pictures of 3 classes from 'in', depth by simulated"
    assert record["classes"] == ["class 0", "class 1", "class 2"]
    assert record["command"] == f"viewsweep train ivid --config {config} --accumulate 2 --data out"
    assert (tmp_path / "conditions").exists() == (config == "tiny")  # the paper's way stores no round trips


def test_card_says_what_was_done(prepared: Path, tmp_path: Path) -> None:
    folder = quietly("tiny", tmp_path, prepared)
    card, record = (folder / "README.md").read_text(), json.loads((folder / "training.json").read_text())
    parameters = sum(value.numel() for value in RGBDUNet(**{**TINY.network, "classes": 3}).parameters())
    for words in (
        "# ivid, configuration tiny",
        record["data"],
        f"| {parameters / 1e6:.2f} M |",
        "| blur | yes |",
        "the first network's averaged weights at step 1",
        f"{record['command']} --out DIR",
        *record["files"].values(),
    ):
        assert words in card, words


def test_pictures_of_another_size_and_missing_ones_are_refused(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"prepared at 16 pixels, this configuration trains at 64\. .*--size 64"):
        quietly("small", tmp_path / "a", prepared)
    with pytest.raises(UserError, match=r"imagenet128 trains on pictures of your own\. .*viewsweep prepare"):
        quietly("imagenet128", tmp_path / "b", None)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "photo.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"there is no prepared\.json, so these are no prepared pictures"):
        quietly("tiny", tmp_path / "d", tmp_path / "c")


def test_training_goes_on_with_the_same_pictures_only(prepared: Path, tmp_path: Path) -> None:
    quietly("tiny", tmp_path / "out", prepared)
    images = tmp_path / "in"
    images.mkdir()
    for number in range(4):
        Image.fromarray(np.full((16, 16, 3), 60 * number, np.uint8)).save(images / f"{number}.png")
    prepare(images, tmp_path / "other", depth_model="simulated", size=16, log=lambda line: None)
    with pytest.raises(UserError, match="belongs to another configuration"):
        quietly("tiny", tmp_path / "out", tmp_path / "other")
    unconditional = load_pipeline(quietly("tiny", tmp_path / "out2", tmp_path / "other"))
    assert unconditional.first.config.classes == 0


def test_given_network_of_other_classes_is_refused(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its first network has 64 pixels, the training pictures have 16"):
        quietly("tiny", tmp_path, prepared, first_weights="shipped:small")


def slope(size: int = 32) -> torch.Tensor:
    """A smooth surface in smooth colours, RGBD [1, 4, S, S]."""
    line = torch.linspace(-0.5, 0.5, size)
    across, down = line[None].expand(size, -1), line[:, None].expand(-1, size)
    return torch.stack([across, down, across + down, 0.2 + 0.1 * across])[None]


def test_fresh_round_trips_go_elsewhere_each_time() -> None:
    code = DepthCode(near=FRESH.near, far=FRESH.far, background=FRESH.background)
    clean = slope().repeat(3, 1, 1, 1)
    conditions = FreshConditions(3, replace(FRESH, size=32, blur=False, erosion=False), code)
    first, again, other = (
        conditions.batch(torch.arange(3), clean, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first.rgb, again.rgb)
    assert not torch.equal(first.mask, other.mask)
    assert not torch.equal(first.mask[0], first.mask[1])
    assert 0.2 < float(first.mask.mean()) < 1.0
    known = first.mask > 0
    assert float((first.depth - clean[:, 3:])[known].abs().median()) < 0.02


def test_camera_that_stays_returns_the_picture() -> None:
    """Three samples a pixel, reduced and warped back: what is known is what was there."""
    still = replace(FRESH, size=32, yaw_std=0.0, pitch_std=0.0, radius_std=0.0, target_std=0.0)
    still = replace(still, blur=False, erosion=False, prewarp_noise=False)
    code, clean = DepthCode(near=still.near, far=still.far, background=1.0), slope()
    found = FreshConditions(1, still, code).batch(torch.tensor([0]), clean, torch.Generator().manual_seed(0))
    inner = (slice(None), slice(None), slice(5, -5), slice(5, -5))
    assert bool((found.mask[inner] == 1).all())
    torch.testing.assert_close(found.rgb[inner], clean[:, :3][inner], rtol=0, atol=0.01)
    torch.testing.assert_close(found.depth[inner], clean[:, 3:][inner], rtol=0, atol=0.01)


def test_reduction_is_pillows_lanczos() -> None:
    values = torch.rand(1, 1, 30, 45, generator=torch.Generator().manual_seed(0))
    expected = Image.fromarray(values[0, 0].numpy()).resize((15, 10), Image.Resampling.LANCZOS)
    torch.testing.assert_close(lanczos(values, 3)[0, 0], torch.tensor(np.asarray(expected)), rtol=0, atol=1e-5)


def test_tabletop_may_be_seen_through_an_estimator() -> None:
    scene = sample(2).render(sweep360(2, 0.2), 16)
    assert scene.depth is not None
    stored = (scene.depth - 1.6).half().numpy()
    views = TabletopViews(scene.rgb.numpy(), stored, np.array([2, 2]), np.zeros((2, 2), np.float32))
    code = DepthCode()
    exact = TabletopPictures(views, code, range(2))
    plain = SimulatedEstimator(noise=0.0, smear=0.0, scale_std=0.0, shift=0.0)
    same = TabletopPictures(views, code, range(2), estimator=plain, radius=1.6)
    other = TabletopPictures(views, code, range(2), estimator=SimulatedEstimator(), radius=1.6)
    index = torch.arange(2)
    torch.testing.assert_close(same.batch(index)[0], exact.batch(index)[0], rtol=0, atol=1e-4)
    assert not torch.equal(other.batch(index)[0], exact.batch(index)[0])
    assert len({pictures.identity for pictures in (exact, same, other)}) == 3
    assert "simulated depth" in other.description


def test_papers_configurations_have_the_papers_numbers() -> None:
    imagenet, single = CONFIGS["imagenet128"], CONFIGS["singlecategory128"]
    assert dict(PAPER_SETTINGS) == imagenet.sampling
    assert (imagenet.near, imagenet.far, imagenet.radius) == (0.5, 100.0, 1.0)  # as training writes depth
    assert (imagenet.batch, imagenet.rate, imagenet.ema, imagenet.first_steps) == (128, 1e-4, 0.9999, 1_000_000)
    assert (imagenet.yaw_std, imagenet.pitch_std, imagenet.radius_std, imagenet.target_std) == (0.15, 0.15, 0.1, 0.05)
    assert (imagenet.most_erosion, imagenet.drop_label, imagenet.prediction) == (4, 0.1, "epsilon")
    assert replace(single, network=imagenet.network, batch=128) == imagenet
    with torch.device("meta"):
        sizes = [
            sum(value.numel() for value in RGBDUNet(**recipe.network).parameters()) for recipe in (imagenet, single)
        ]
    assert [round(size / 1e6, 1) for size in sizes] == [421.5, 105.2]
