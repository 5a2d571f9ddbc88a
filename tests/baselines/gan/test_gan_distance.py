"""A generator that knows one distance of cameras is looked at from it, in whatever unit the request is given."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.baselines.gan.families import FAMILIES
from viewsweep.baselines.gan.method import GanMethod
from viewsweep.baselines.gan.store import save_generator
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.generator import Request
from viewsweep.scenes.scene import Scene
from viewsweep.scenes.tabletop import CLASSES

from .gan_folders import RECORD, VIEWPOINT, random_generator, write_generator

RADIUS, FOV = 2.7, 0.4
NAMES = sorted(FAMILIES)


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GanMethod]:
    """As the papers' generators are: no sphere, near and far are distances from the camera."""
    made = {}
    for name in NAMES:
        tiny = random_generator(name)
        settings = {**tiny.settings, "near": 2.25, "far": 3.3, "bound": None}
        weights = tiny.state_dict()
        if name == "eg3d":
            weights["decoder.output.bias"][0] += 20.0  # something solid, so that there is depth
        else:
            settings["shift"] = 20.0
        generator = type(tiny)(**settings).eval()
        generator.load_state_dict(weights)
        folder, viewpoint = tmp_path_factory.mktemp(name), replace(VIEWPOINT, radius=RADIUS, fov=FOV)
        save_generator(folder, generator, FAMILIES[name], viewpoint, size=16, classes=CLASSES, record=RECORD)
        made[name] = GanMethod(folder, name=f"{name}-far")
    return made


def draw(method: GanMethod, radius: float, fov: float = FOV) -> Scene:
    cameras = Cameras.orbit([0.0, 0.5], [0.2, 0.1], radius=radius, fov=fov)
    return next(iter(method.generate([Request(3, 7, cameras, 16, 2)])))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("radius", [1.0, 1.6, 5.0])
def test_another_distance_is_another_unit(methods: dict[str, GanMethod], name: str, radius: float) -> None:
    """The picture is that from the distance of training, and depth has the unit of the request."""
    known, asked = draw(methods[name], RADIUS), draw(methods[name], radius)
    assert known.depth is not None
    assert asked.depth is not None
    assert asked.cameras is not None
    assert float(asked.cameras.positions.norm(dim=1).mean()) == pytest.approx(radius)
    assert float((known.rgb.float() - asked.rgb.float()).abs().mean()) < 0.1
    torch.testing.assert_close(asked.depth, known.depth * radius / RADIUS, rtol=1e-3, atol=0, equal_nan=True)
    assert bool(torch.isfinite(asked.depth).any())


@pytest.mark.parametrize("name", NAMES)
def test_at_the_distance_of_training_cameras_stay_where_they_are(
    methods: dict[str, GanMethod], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not moved by a rounding of the mean distance either: the same bits."""
    exact = draw(methods[name], RADIUS)
    stored = methods[name].stored
    near = replace(stored, viewpoint=replace(stored.viewpoint, radius=RADIUS * (1 + 1e-6)))
    monkeypatch.setattr(methods[name], "stored", near)
    assert torch.equal(exact.rgb, draw(methods[name], RADIUS).rgb)
    assert methods[name].info().details["cameras"] == "moved to 2.7"


def test_cameras_at_several_distances_are_refused(methods: dict[str, GanMethod]) -> None:
    one, two = Cameras.orbit([0.0], [0.2], radius=2.7, fov=FOV), Cameras.orbit([0.3], [0.2], radius=3.2, fov=FOV)
    both = Cameras(torch.cat([one.cam_to_world, two.cam_to_world]), torch.cat([one.intrinsics, two.intrinsics]))
    with pytest.raises(UserError) as caught:
        list(methods["eg3d"].generate([Request(3, 7, both, 16, 2)]))
    assert str(caught.value) == (
        "eg3d-far, scene 3: the cameras stand 2.7 to 3.2 from the origin; this generator was trained from 2.7 away and "
        "knows no other distance. Ask for cameras at one distance: it stands for the distance of training, whatever "
        "its unit."
    )


def test_another_field_of_view_is_said_once(methods: dict[str, GanMethod], monkeypatch: pytest.MonkeyPatch) -> None:
    method = methods["eg3d"]
    monkeypatch.setattr(method, "_warned", False)
    draw(method, RADIUS, fov=FOV * 1.05)  # a little does not matter; warnings are errors here
    with pytest.warns(UserWarning, match=r"scene 3: pictures of 45 degrees .* on pictures of 22\.9 degrees"):
        draw(method, 1.0, fov=math.radians(45))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(method, 1.0, fov=math.radians(45))


def test_a_generator_with_a_sphere_is_looked_at_from_where_the_cameras_stand(tmp_path: Path) -> None:
    method = GanMethod(write_generator(tmp_path, "eg3d"))
    near, far = draw(method, 1.6), draw(method, 4.8)
    assert not torch.equal(near.rgb, far.rgb)
    assert "cameras" not in method.info().details
