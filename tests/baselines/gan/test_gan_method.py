"""Trained GANs as methods: a scene is its seed, only the camera moves, and what cannot be drawn is refused."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.baselines.gan import method as module
from viewsweep.baselines.gan.families import FAMILIES
from viewsweep.baselines.gan.method import GanMethod, enlarged_depth
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.generator import Generator, Request
from viewsweep.scenes.scene import Scene
from viewsweep.scenes.sweeps import sweep360
from viewsweep.scenes.tabletop import CLASSES

from .gan_folders import VIEWPOINT, write_generator

NAMES = sorted(FAMILIES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write_generator(tmp_path_factory.mktemp("gan") / name, name) for name in NAMES}


@pytest.fixture(scope="module")
def methods(folders: dict[str, Path]) -> dict[str, GanMethod]:
    return {name: GanMethod(folder, name=f"{name}-tiny", family=name) for name, folder in folders.items()}


def request(index: int = 0, *, seed: int = 7, label: int | None = 3, views: int = 9, size: int = 16) -> Request:
    return Request(index, seed, sweep360(views, 0.24), size, label)


def draw(method: GanMethod, *requests: Request) -> list[Scene]:
    return list(method.generate(requests))


def same(a: Scene, b: Scene) -> bool:
    assert a.depth is not None
    assert b.depth is not None
    assert a.alpha is not None
    assert b.alpha is not None
    depths = torch.equal(a.depth.nan_to_num(-1), b.depth.nan_to_num(-1))
    return torch.equal(a.rgb, b.rgb) and depths and torch.equal(a.alpha, b.alpha)


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_is_the_same_alone_and_in_any_company(methods: dict[str, GanMethod], name: str) -> None:
    alone = draw(methods[name], request())[0]
    crowd = draw(methods[name], request(5, seed=1, label=0, views=3), request(2), request(3, seed=2, label=9))
    assert same(alone, crowd[1])
    assert (alone.seed, alone.label, len(alone.cameras or ())) == (7, 3, 9)
    assert alone.rgb.shape == (9, 16, 16, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_view_does_not_depend_on_the_others(methods: dict[str, GanMethod], name: str) -> None:
    """The latent and the conditioning pose are fixed: one view alone shows what it shows in a sweep.

    Up to a grey level: rays of more views are computed in other groups, which round differently."""
    whole = draw(methods[name], request())[0]
    cameras = sweep360(9, 0.24)[4]
    alone = draw(methods[name], replace(request(), cameras=cameras))[0]
    assert int((whole.rgb[4].int() - alone.rgb[0].int()).abs().max()) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_seed_class_and_camera_matter(methods: dict[str, GanMethod], name: str) -> None:
    first = draw(methods[name], request())[0]
    for other in (request(seed=8), request(label=4)):
        assert not torch.equal(first.rgb, draw(methods[name], other)[0].rgb)
    assert not torch.equal(first.rgb[0], first.rgb[3])


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(methods: dict[str, GanMethod], folders: dict[str, Path], name: str) -> None:
    method = methods[name]
    assert isinstance(method, Generator)
    info = method.info()
    weights = (folders[name] / "generator.safetensors").read_bytes()
    assert info.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert (info.name, info.classes, info.yaw_limit, info.has_depth) == (f"{name}-tiny", CLASSES, math.pi, True)
    assert info.native_size == (16 if name == "eg3d" else None)
    assert info.details["depth_size"] == (8 if name == "eg3d" else "as rgb")
    assert info.details["psi"] == 1.0


def test_truncation_draws_the_mean_scene(folders: dict[str, Path]) -> None:
    method = GanMethod(folders["eg3d"], psi=0.0)
    one, two = draw(method, request(seed=1), request(seed=2))
    assert torch.equal(one.rgb, two.rgb)
    with pytest.raises(UserError, match=r"psi is 1\.5; truncation lies between 0"):
        GanMethod(folders["eg3d"], psi=1.5)


@pytest.mark.parametrize("name", NAMES)
def test_sizes(methods: dict[str, GanMethod], name: str) -> None:
    """Volume rendering draws any size; EG3D's second half makes one, and says so."""
    if name == "eg3d":
        with pytest.raises(UserError) as caught:
            draw(methods[name], request(index=4, size=24))
        assert str(caught.value) == (
            "eg3d-tiny, scene 4: 24 x 24 pixels were asked for; EG3D's super-resolution makes 16 x 16 and nothing "
            "else. Choose a protocol of its size, or train another configuration."
        )
    else:
        scene = draw(methods[name], request(size=24))[0]
        assert scene.rgb.shape == (9, 24, 24, 3)
        assert scene.depth is not None
        assert scene.depth.shape == (9, 24, 24)


@pytest.mark.parametrize("name", NAMES)
def test_a_camera_inside_the_object_is_named(methods: dict[str, GanMethod], name: str) -> None:
    outside, inside = Cameras.orbit([0.0], [0.2]), Cameras.orbit([0.0], [0.2], radius=0.4)
    both = Cameras(
        *(
            torch.cat(pair)
            for pair in ((outside.cam_to_world, inside.cam_to_world), (outside.intrinsics, inside.intrinsics))
        )
    )
    with pytest.raises(UserError) as caught:
        draw(methods[name], replace(request(index=2), cameras=both))
    assert str(caught.value) == (
        f"{name}-tiny, scene 2: the camera of view 1 stands 0.4 from the origin, inside the object, which may fill a "
        "sphere of radius 0.5. Move it out; it was trained from 1.6 away."
    )


@pytest.mark.parametrize("name", NAMES)
def test_cameras_may_stand_nearer_or_farther_than_in_training(methods: dict[str, GanMethod], name: str) -> None:
    """The sphere moves with nothing: seen from twice as far, through half the field of view, it looks much the same."""
    near = Cameras.orbit([0.3], [0.2], radius=1.6, fov=0.7)
    far = Cameras.orbit([0.3], [0.2], radius=16.0, fov=2 * math.atan(math.tan(0.35) / 10))
    one, two = (draw(methods[name], replace(request(), cameras=cameras))[0] for cameras in (near, far))
    assert one.depth is not None
    assert two.depth is not None
    seen = torch.isfinite(two.depth)
    assert bool((two.depth[seen] > 15.4).all())
    assert bool((two.depth[seen] < 16.6).all())
    assert float((one.alpha.float() - two.alpha.float()).abs().mean()) < 60  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        (None, "it draws classes, and none was asked for. Known are 0 mug"),
        (10, "there is no class 10. Known are 0 mug"),
    ],
)
def test_unknown_classes_are_refused(methods: dict[str, GanMethod], label: int | None, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        draw(methods["pigan"], request(label=label))
    assert complaint in str(caught.value)


def test_views_to_go_on_from_are_refused(methods: dict[str, GanMethod]) -> None:
    context = draw(methods["pigan"], request(views=1))[0]
    with pytest.raises(UserError, match="cannot go on from given views"):
        draw(methods["pigan"], replace(request(), context=context))


def test_conditioning_is_the_front_whatever_is_looked_at(
    methods: dict[str, GanMethod], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, seen = methods["eg3d"], []
    original = method.generator.map

    def spy(z: torch.Tensor, label: torch.Tensor | None, pose: torch.Tensor) -> torch.Tensor:
        seen.append(pose)
        return original(z, label, pose)

    monkeypatch.setattr(method.generator, "map", spy)
    draw(method, request(), replace(request(), cameras=sweep360(3, 0.5)))
    assert [pose.shape for pose in seen] == [(1, 25)] * 2
    for pose in seen:
        torch.testing.assert_close(pose[0], torch.tensor(VIEWPOINT.conditioning))


def test_enlarged_depth_is_straight_on_surfaces_and_sharp_at_edges() -> None:
    """A slanted plane stays the plane; beside a step, and beside nothing, no depth in between appears."""
    columns = (torch.arange(16) + 0.5) / 16
    plane = (1.5 + 0.1 * columns).expand(1, 16, 16).clone()
    expected = 1.5 + 0.1 * (torch.arange(32) + 0.5) / 32
    big = enlarged_depth(plane, 32)
    torch.testing.assert_close(big[0, 5, 2:-2], expected[2:-2], rtol=0, atol=1e-6)
    step = plane.clone()
    step[:, :, 8:] += 0.5
    torch.testing.assert_close(
        enlarged_depth(step, 32)[0, 5, 2:-2], (expected + 0.5 * (torch.arange(32) >= 16))[2:-2], rtol=0, atol=0.004
    )
    hole = plane.clone()
    hole[:, :, 8:] = torch.nan
    found = enlarged_depth(hole, 32)[0, 5]
    assert torch.equal(torch.isfinite(found), torch.arange(32) < 16)
    torch.testing.assert_close(found[2:16], expected[2:16], rtol=0, atol=0.004)
    assert torch.equal(enlarged_depth(plane, 16), plane)


@pytest.mark.parametrize("name", NAMES)
def test_paper_sized_ones_come_from_the_user(
    folders: dict[str, Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = getattr(module, f"load_{name}_paper")
    variable = f"VIEWSWEEP_{name.upper()}_PAPER"
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path))
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError) as caught:
        load()
    assert str(caught.value).startswith(f"{tmp_path}/{name}-paper: {name}-paper needs a generator of ")
    assert variable in str(caught.value)
    monkeypatch.setenv(variable, str(folders[name]))
    assert load().info().name == f"{name}-paper"
    monkeypatch.setenv(variable, str(folders["eg3d" if name == "pigan" else "pigan"]))
    with pytest.raises(UserError, match="this is a generator of"):
        load()
