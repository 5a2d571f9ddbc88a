"""Views fused from other views show the scene, whatever camera asks and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.baselines.ivid.backdrop import Backdrop, fill
from viewsweep.baselines.ivid.consensus import agreed
from viewsweep.baselines.ivid.export import export, scene_files
from viewsweep.baselines.ivid.fusion import Fusion, fuse_scene
from viewsweep.baselines.ivid.fusion_method import FusionGenerator, key_cameras
from viewsweep.baselines.ivid.mesh import unproject
from viewsweep.baselines.ivid.method import IvidGenerator
from viewsweep.baselines.ivid.trajectories import random_views, swing, trajectory
from viewsweep.baselines.ivid.warp_settings import PAPER
from viewsweep.benchmark.registry import BUILT_IN, load_method
from viewsweep.metrics import GeometricShare, WarpError
from viewsweep.scenes import Cameras, Scene, grid_3x9, save_scene, sweep360, tabletop
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.generator import Generator, Request


@pytest.fixture(scope="module")
def truth() -> Scene:
    """Eight views of a house."""
    return tabletop.sample(3, "house").render(sweep360(8, 0.26), 48)


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean difference of uint8 pictures, of 255."""
    return float((one.float() - other.float()).abs().mean())


def test_true_views_give_true_views(truth: Scene) -> None:
    between = Cameras.orbit([0.4, 2.0, -2.7], [0.2, 0.26, 0.32])
    found = fuse_scene(truth, supersampling=3).render(between, 48)
    expected = tabletop.sample(3, "house").render(between, 48)
    assert off(found.rgb, expected.rgb) < 6
    assert expected.depth is not None
    both = torch.isfinite(found.depth) & torch.isfinite(expected.depth)
    assert float((torch.isfinite(found.depth) == torch.isfinite(expected.depth)).float().mean()) > 0.98
    assert float((found.depth / expected.depth - 1)[both].abs().median()) < 0.003


def test_rendered_sweep_is_consistent(truth: Scene) -> None:
    cameras = sweep360(12, 0.26)
    found = fuse_scene(truth, supersampling=1).render(cameras, 48)
    scene = Scene(found.rgb, cameras, found.depth)
    error, share = WarpError(), GeometricShare()
    error.update(scene, index=0)
    share.update(scene, index=0)
    assert (error.results()["warp_psnr"].value or 0) > 25
    assert float(share.compute()) > 0.9


def test_views_of_a_path_do_not_depend_on_one_another(truth: Scene) -> None:
    fusion = fuse_scene(truth, supersampling=1)
    path = swing(3, pitch=0.2)
    together, backwards = fusion.render(path, 32), fusion.render(path[[2, 1, 0]], 32)
    assert torch.equal(together.rgb, backwards.rgb.flip(0))
    torch.testing.assert_close(together.depth, backwards.depth.flip(0), rtol=0, atol=0, equal_nan=True)


def test_floating_pieces_are_left_out(truth: Scene) -> None:
    """One view claims a slab in the air before the scene, which the others see through."""
    assert truth.depth is not None
    assert truth.cameras is not None
    depth = truth.depth.clone()
    depth[2, 2:12, 2:12] = 0.9
    kept = agreed(depth, unproject(truth.cameras, depth), truth.cameras)
    assert not bool(kept[2, 4:10, 4:10].any())
    honest = torch.isfinite(truth.depth)
    honest[2, 2:12, 2:12] = False
    assert float(kept[honest].float().mean()) > 0.97
    assert not bool(kept[torch.isnan(depth)].any())


def test_single_view_bears_itself_out(truth: Scene) -> None:
    one = truth.select([0])
    assert one.depth is not None
    assert one.cameras is not None
    assert torch.equal(agreed(one.depth, unproject(one.cameras, one.depth), one.cameras), torch.isfinite(one.depth))


def test_backdrop_is_what_the_views_show_behind(truth: Scene) -> None:
    assert truth.cameras is not None
    ramp = torch.linspace(-1, 1, 32).expand(8, 3, 32, 32)
    empty = torch.ones(8, 32, 32, dtype=torch.bool)
    empty[:, 10:20, 10:20] = False
    shown = Backdrop(ramp.contiguous(), empty, truth.cameras, 3.0).view(truth.cameras[0], 32)
    torch.testing.assert_close(shown[:, :, 4:28], ramp[0, :, :, 4:28], rtol=0, atol=0.15)
    none = Backdrop(ramp, torch.zeros_like(empty), truth.cameras, 3.0).view(truth.cameras[0], 8)
    assert not bool(none.any())


def test_holes_are_filled_smoothly() -> None:
    picture = torch.full((1, 3, 17, 17), 0.3)
    known = torch.rand(1, 1, 17, 17, generator=torch.Generator().manual_seed(0)) < 0.05
    torch.testing.assert_close(fill(picture * known, known), picture)
    assert torch.equal(fill(picture, torch.zeros_like(known)), torch.zeros_like(picture))


def test_scenes_without_any_surface_show_the_backdrop() -> None:
    cameras = sweep360(3, 0.2)
    empty = Scene(torch.full((3, 16, 16, 3), 90, dtype=torch.uint8), cameras, torch.full((3, 16, 16), math.nan))
    found = fuse_scene(empty, supersampling=1).render(swing(2), 16)
    assert bool((found.rgb.int() - 90).abs().max() <= 1)
    assert bool(torch.isnan(found.depth).all())


def test_authors_rules_fill_holes_with_the_hull() -> None:
    cameras = Cameras.orbit([-0.2, 0.2], [0.0, 0.0], radius=1.0, fov=math.radians(45))
    depth = torch.full((2, 24, 24), 1.2)
    depth[:, 8:16, 8:16] = 0.8
    fusion = Fusion(torch.zeros(2, 3, 24, 24), depth, cameras, PAPER, supersampling=3, consensus=False)
    found = fusion.render(Cameras.orbit([0.0], [0.0], radius=1.0, fov=math.radians(45)), 24)
    assert bool(torch.isfinite(found.depth).all())
    assert bool((found.rgb.int() - 128).abs().max() <= 1)


def test_impossible_fusions_are_refused(truth: Scene) -> None:
    with pytest.raises(UserError, match="The scene has no depth"):
        fuse_scene(replace(truth, depth=None))
    with pytest.raises(UserError, match="odd number"):
        fuse_scene(truth, supersampling=4)


@pytest.mark.parametrize("order", [list(range(24)), [5, 3, 17, *range(6, 17), 0, 1, 2, 4, *range(18, 24)]])
def test_key_cameras_depend_on_the_set_alone(order: list[int]) -> None:
    cameras = sweep360(24, 0.26)
    keys = key_cameras(cameras[order], fov=0.7)
    assert keys == key_cameras(cameras, fov=0.7)
    assert len(keys) == 12
    assert sorted(round(math.degrees(angle)) % 360 for angle in keys.yaw.tolist()) == list(range(0, 360, 30))
    torch.testing.assert_close(keys.pitch, torch.full_like(keys.pitch, 0.26))
    torch.testing.assert_close(keys.yaw[:3], torch.tensor([0.0, math.pi / 6, -math.pi / 6], dtype=torch.float64))


def test_views_near_the_front_are_rendered_from_the_grid() -> None:
    for cameras in (random_views(range(20)), swing(9), grid_3x9()):
        assert key_cameras(cameras, fov=0.7) == grid_3x9(fov=0.7)
    high = key_cameras(Cameras.orbit([0.0, 0.1], [0.0, 0.9]), fov=0.7)
    assert sorted({round(pitch, 3) for pitch in high.pitch.tolist()}) == [0.0, 0.3, 0.6, 0.9]


class TrueKeys(IvidGenerator):
    """Draws the world itself where ivid would draw."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            made = tabletop.sample(request.seed, "house").render(request.cameras, request.size)
            yield replace(made, label=request.label, seed=request.seed)


@pytest.fixture(scope="module")
def generator(folder: Path) -> FusionGenerator:
    return FusionGenerator(TrueKeys(folder, name="true"), name="fused", ring=6, supersampling=1)


def ask(index: int, cameras: Cameras, size: int = 16) -> Request:
    return Request(index=index, seed=index, cameras=cameras, size=size, label=3)


def test_scene_is_the_same_alone_in_a_batch_and_in_any_order(generator: FusionGenerator) -> None:
    cameras = sweep360(8, 0.26)
    asked = [ask(1, cameras), ask(2, cameras[[3, 1, 2, 0, 4, 7, 5, 6]]), ask(2, cameras)]
    one, mixed, plain = list(generator.generate(asked))
    (alone,) = list(generator.generate(asked[:1]))
    assert torch.equal(one.rgb, alone.rgb)
    assert torch.equal(mixed.rgb, plain.rgb[[3, 1, 2, 0, 4, 7, 5, 6]])
    assert (one.label, one.seed, one.cameras) == (3, 1, cameras)
    assert one.alpha is not None
    assert one.depth is not None
    assert torch.equal(one.alpha == 255, torch.isfinite(one.depth))


def test_any_size_is_rendered(generator: FusionGenerator) -> None:
    (scene,) = generator.generate([ask(0, sweep360(3, 0.26), size=24)])
    assert scene.size == (24, 24)


def test_ivid_itself_draws_the_keys(folder: Path) -> None:
    """Random networks: only that all fits together."""
    generator = FusionGenerator(
        IvidGenerator(folder, first_steps=2, next_steps=1), name="ivid-fusion-tiny", ring=3, supersampling=1
    )
    (scene,) = generator.generate([ask(5, sweep360(2, 0.26))])
    assert scene.views == 2
    info = generator.info()
    assert isinstance(generator, Generator)
    assert (info.name, info.details["ring"], info.details["keys"]) == ("ivid-fusion-tiny", 3, "ivid")


def test_fusion_is_registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_method("ivid-fusion-small").info().name == "ivid-fusion-small"
    assert "ivid-fusion-paper" in BUILT_IN
    monkeypatch.setenv("VIEWSWEEP_IVID_PAPER", str(tmp_path))
    with pytest.raises(UserError, match="convert ivid"):
        load_method("ivid-fusion-paper")


def test_trajectories() -> None:
    path = swing(60)
    assert len(path) == 60
    torch.testing.assert_close(path.yaw[[0, 15, 30]], torch.tensor([0.6, 0.0, -0.6], dtype=torch.float64))
    torch.testing.assert_close(path.pitch[[0, 15, 30]], torch.tensor([0.0, 0.15, 0.0], dtype=torch.float64))
    many = random_views(range(500))
    assert float(many.yaw.abs().max()) == pytest.approx(0.6)
    assert float(many.pitch.abs().max()) == pytest.approx(0.15)
    assert float(many.yaw.std()) == pytest.approx(0.29, abs=0.03)
    assert trajectory("turntable", 8, pitch=0.1) == sweep360(8, 0.1)
    with pytest.raises(UnknownName, match="trajectory"):
        trajectory("loop")
    with pytest.raises(UserError, match="at least one frame"):
        swing(0)


def test_scenes_are_exported(truth: Scene, tmp_path: Path) -> None:
    for method in ("b", "a"):
        (tmp_path / "run" / "scenes" / method).mkdir(parents=True)
        for index in range(2):
            save_scene(tmp_path / "run" / "scenes" / method / f"{index:05d}.safetensors", truth)
    shown = export([tmp_path / "run"], tmp_path / "out.webp")
    assert [file.parent.name for file in shown] == ["a", "b"]
    assert len(scene_files(tmp_path / "run" / "scenes" / "a")) == 2
    single = scene_files(tmp_path / "run" / "scenes" / "a")[0]
    export([single], tmp_path / "free.gif", fusion="swing", frames=3, size=24, supersampling=1)
    from PIL import Image

    for name, frames, width in (("out.webp", 8, 96), ("free.gif", 3, 24)):
        with Image.open(tmp_path / name) as image:
            assert (image.n_frames, image.width) == (frames, width)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        pytest.param("nowhere", "a.webp", "no such file", id="missing"),
        pytest.param(".", "a.webp", "nothing to show", id="no scenes"),
        pytest.param(".", "a.png", "choose one by the file's ending", id="no video"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path: Path, source: str, out: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        export([tmp_path / source], tmp_path / out)
