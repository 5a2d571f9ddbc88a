"""ivid as a generator: requests in, scenes out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.baselines.ivid.method import DEFAULTS, FAST, IvidGenerator, load_pipeline, load_small
from viewsweep.baselines.ivid.pipeline import IvidPipeline
from viewsweep.baselines.ivid.sampling import ddim_scheduler
from viewsweep.scenes import Scene, load_scene, save_scene, sweep360, tabletop
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.generator import Generator, Request
from viewsweep.scenes.sweeps import FOV, RADIUS

from .conftest import random_network

STEPS = {"first_steps": 3, "next_steps": 2}


@pytest.fixture(scope="module")
def generator(folder: Path) -> IvidGenerator:
    return IvidGenerator(folder, name="ivid-tiny", **STEPS)  # type: ignore[arg-type]


def request(index: int = 0, *, views: int = 2, label: int | None = 3, size: int = 16) -> Request:
    return Request(index=index, seed=100 + index, cameras=sweep360(views, 0.26), size=size, label=label)


def draw(generator: IvidGenerator, requests: Sequence[Request]) -> list[Scene]:
    return list(generator.generate(requests))


def test_scene_carries_what_was_asked_for(generator: IvidGenerator, tmp_path: Path) -> None:
    asked = [request(4, label=7), request(5, views=3, label=0)]
    for scene, wanted in zip(draw(generator, asked), asked, strict=True):
        assert (scene.label, scene.seed, scene.cameras) == (wanted.label, wanted.seed, wanted.cameras)
        assert scene.views == len(wanted.cameras)
        assert scene.size == (16, 16)
        assert scene.depth is not None
        assert scene.alpha is not None
        assert torch.equal(scene.alpha == 255, torch.isfinite(scene.depth))
        assert set(scene.alpha.unique().tolist()) <= {0, 255}
        save_scene(tmp_path / "scene.safetensors", scene)
        assert load_scene(tmp_path / "scene.safetensors").cameras == wanted.cameras


def believe(patch: pytest.MonkeyPatch, pipeline: IvidPipeline, clean: torch.Tensor) -> None:
    """Have the first network return the exact velocity of the picture `clean` [4, 16, 16]."""

    def velocity(x: torch.Tensor, times: torch.Tensor, *others: object) -> torch.Tensor:
        a = pipeline.scheduler.alphas_cumprod[times][:, None, None, None]
        return (a.sqrt() * x - clean) / (1 - a).sqrt()

    patch.setattr(pipeline.first, "forward", velocity)


def test_background_has_no_depth(generator: IvidGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = torch.ones(4, 16, 16)
    clean[..., 8:] = -1
    believe(monkeypatch, generator.pipeline, clean)
    (scene,) = draw(generator, [request(views=1)])
    assert scene.depth is not None
    assert bool(torch.isnan(scene.depth[..., :8]).all())
    torch.testing.assert_close(scene.depth[..., 8:], torch.ones(1, 16, 8))


@pytest.mark.parametrize("side", [1, 3])
def test_median_takes_speckle_off_depth_alone(
    pipeline: IvidPipeline, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    clean = torch.zeros(4, 16, 16)
    clean[3, :, :8] = -0.5  # a step, which stays
    clean[:, 4, 12] = clean[:, 0, 0] = 0.4  # speckles, one of them in the corner
    filtering = IvidPipeline(pipeline.first, pipeline.following, pipeline.scheduler, depth_median=side)
    believe(monkeypatch, filtering, clean)
    drawn = filtering([0], [0], [sweep360(1)], **STEPS)
    assert drawn.rgb[0, 0, 4, 12].tolist() == [178, 178, 178]  # (0.4 + 1) * 127.5
    expected = clean[3].clone()
    if side == 3:
        expected[4, 12], expected[0, 0] = 0.0, -0.5
    torch.testing.assert_close(drawn.depth[0, 0], filtering.code.decode(expected), rtol=0, atol=1e-4)


def test_batch_of_two_equals_one_by_one(generator: IvidGenerator) -> None:
    asked = [request(0, label=1), request(1, label=8), request(2, views=1)]
    together = draw(generator, asked)
    assert [scene.views for scene in together] == [2, 2, 1]
    for scene, wanted in zip(together, asked, strict=True):
        (alone,) = draw(generator, [wanted])
        assert torch.equal(scene.rgb, alone.rgb)
    assert draw(generator, []) == []


def test_info_names_weights_and_settings(generator: IvidGenerator, folder: Path) -> None:
    info = generator.info()
    assert isinstance(generator, Generator)
    assert (info.name, info.native_size, info.classes, info.has_depth) == ("ivid-tiny", 16, tabletop.CLASSES, True)
    stored = {"near": 1.0, "far": 4.0, "background": 0.7, "rgb_pull": 0.1, "depth_pull": 0.2, "depth_median": 1}
    stored |= {"hull_pull": 0.0, "warp": "small", "radius": RADIUS, "fov": FOV, "clamp": True}
    settings = {name: value for name, value in DEFAULTS.items() if value is not None}
    settings |= {**STEPS, "first_interval": "0 to 1", "next_interval": "0 to 1"}
    del settings["order"]  # what is drawn as it is asked for is told as before there was a choice
    assert info.details == {**settings, **stored, "precision": "no", "shared_pose": False}
    outward = IvidGenerator(folder, order="outward").info()
    assert (outward.details["order"], outward.version) == ("outward", "4")
    with pytest.raises(UnknownName, match="no order of views named 'inward'"):
        IvidGenerator(folder, order="inward")
    assert IvidGenerator(folder, rgb_pull=0.9).info().details["rgb_pull"] == 0.9
    assert info.weights_sha256 == IvidGenerator(folder).info().weights_sha256
    assert len(info.weights_sha256 or "") == 64


def test_stored_in_half_precision_computed_in_single(
    folder: Path, generator: IvidGenerator, pipeline: IvidPipeline
) -> None:
    stored = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    networks = generator.pipeline.first, generator.pipeline.following
    numbers = sum(value.numel() for network in networks for value in network.parameters())
    assert stored == pytest.approx(2 * numbers, rel=0.2)  # and the headers
    assert all(network.dtype == torch.float32 for network in networks)
    ours = pipeline([2], [1], [sweep360(1)], **STEPS).rgb.int()
    theirs = generator.pipeline([2], [1], [sweep360(1)], **STEPS).rgb.int()
    assert float((ours - theirs).abs().double().mean()) < 1.5


def test_saved_pipeline_draws_the_same(pipeline: IvidPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    loaded = load_pipeline(tmp_path)
    assert loaded.code == pipeline.code
    ours, theirs = (one([2], [1], [sweep360(2)], **STEPS) for one in (pipeline, loaded))
    assert torch.equal(ours.rgb, theirs.rgb)
    torch.testing.assert_close(ours.depth, theirs.depth, rtol=0, atol=0, equal_nan=True)


def test_settings_are_saved(pipeline: IvidPipeline, tmp_path: Path) -> None:
    settings = {"near": 0.5, "far": 100.0, "rgb_pull": 0.3, "depth_pull": 0.4, "depth_median": 3}
    parts = pipeline.first, pipeline.following, pipeline.scheduler
    IvidPipeline(*parts, **settings).save_pretrained(tmp_path)
    loaded = load_pipeline(tmp_path)
    assert {name: loaded.config[name] for name in settings} == settings
    assert (loaded.code.near, loaded.code.far) == (0.5, 100.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(
            request(size=32),
            "ivid-tiny draws 16 x 16 pixels; 32 were asked for. "
            "Choose a protocol of its size, or train another configuration.",
            id="size",
        ),
        pytest.param(
            request(6, label=None), "ivid-tiny draws classes: scene 6 was asked for without a label.", id="no label"
        ),
        pytest.param(request(label=10), "Class 10 was not trained; classes are 0 to 9.", id="unknown class"),
    ],
)
def test_impossible_request_is_refused(generator: IvidGenerator, wrong: Request, message: str) -> None:
    with pytest.raises(UserError) as caught:
        draw(generator, [wrong])
    assert str(caught.value) == message


def seen(views: int = 1) -> Scene:
    """Views to go on from, as a completion task gives them."""
    rgb = torch.arange(views * 16 * 16 * 3).reshape(views, 16, 16, 3).remainder(251).to(torch.uint8)
    return Scene(rgb, sweep360(8, 0.26)[:views], torch.full((views, 16, 16), 1.6))


def test_context_is_gone_on_from(generator: IvidGenerator) -> None:
    asked = [replace(request(k), context=seen(views)) for k, views in enumerate((1, 1, 2))] + [request(3)]
    scenes = draw(generator, asked)
    for scene, wanted in zip(scenes[:3], asked, strict=False):
        assert wanted.context is not None
        assert scene.context is wanted.context
        assert torch.equal(scene.rgb[0], wanted.context.rgb[0])  # asked for again: kept as it is
        assert scene.depth is not None
        assert bool((scene.depth[0] == 1.6).all())
    assert scenes[3].context is None
    assert not torch.equal(scenes[3].rgb[0], scenes[0].rgb[0])


@pytest.mark.parametrize(
    ("context", "message"),
    [
        pytest.param(
            Scene(seen().rgb, seen().cameras), "Context of scene 2: The given views have no depth", id="depth"
        ),
        pytest.param(
            Scene(torch.zeros(1, 8, 8, 3, dtype=torch.uint8), seen().cameras, torch.ones(1, 8, 8)),
            "Context of scene 2: The given views are 8 x 8 pixels and the networks take 16 x 16.",
            id="size",
        ),
    ],
)
def test_context_that_does_not_fit_is_refused(generator: IvidGenerator, context: Scene, message: str) -> None:
    with pytest.raises(UserError) as caught:
        draw(generator, [replace(request(2), context=context)])
    assert str(caught.value).startswith(message)


def test_shared_pose_draws_a_batch_from_its_first_cameras(folder: Path) -> None:
    generator = IvidGenerator(folder, shared_pose=True, **STEPS)  # type: ignore[arg-type]
    asked = [request(0), replace(request(1), cameras=sweep360(2, -0.3))]
    scenes = draw(generator, asked)
    assert [scene.cameras for scene in scenes] == [asked[0].cameras] * 2
    assert generator.info().details["shared_pose"] is True


def test_classes_are_named_by_the_training_record(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "pipeline"))
    names = [f"kind {k}" for k in range(10)]
    (copied / "training.json").write_text(json.dumps({"classes": names}))
    assert IvidGenerator(copied).info().classes == tuple(names)


def test_networks_without_classes_are_not_guided(tmp_path: Path) -> None:
    parts = random_network(0, classes=0), random_network(1, classes=0, condition=True)
    IvidPipeline(*parts, ddim_scheduler("v_prediction")).save_pretrained(tmp_path)
    generator = IvidGenerator(tmp_path, **STEPS)  # type: ignore[arg-type]
    info = generator.info()
    assert info.classes == ()
    assert (info.details["first_guidance"], info.details["next_guidance"]) == (0.0, 0.0)
    (scene,) = draw(generator, [request(label=None)])
    assert scene.label is None


def test_unknown_setting_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownName, match=r"There is no setting of ivid named 'frist_steps'. Did you mean first_steps"):
        IvidGenerator(folder, frist_steps=3)


def test_folder_without_a_pipeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        IvidGenerator(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: there is no model_index.json, so this is no pipeline folder. "
        "Train one with `viewsweep train ivid --config small --out DIR` and give DIR/pipeline."
    )


def test_shipped_model_is_sampled_with_the_fast_settings() -> None:
    info = load_small().info()
    assert (info.name, info.version, info.native_size, info.classes) == ("ivid-small", "4", 64, tabletop.CLASSES)
    assert {name: info.details[name] for name in FAST} == FAST
