"""The oracle tells the truth and each cheat cheats as it says."""

from __future__ import annotations

import math

import pytest
import torch
from viewsweep.baselines.reference import Billboard, Frozen, Noise, Oracle
from viewsweep.scenes import Cameras, Generator, Request, Scene, sweep360, tabletop

SIZE = 32
METHODS = [Oracle(), Frozen(), Billboard(), Noise()]
IDS = [method.info().name for method in METHODS]


def request(index: int = 3, cameras: Cameras | None = None, label: int | None = 3) -> Request:
    cameras = sweep360(8, math.radians(15)) if cameras is None else cameras
    return Request(index, tabletop.TEST_SEEDS[index], cameras, SIZE, label)


def draw(method: Generator, asked: Request | None = None) -> Scene:
    return next(iter(method.generate([asked or request()])))


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_answer_is_what_was_asked_for(method: Generator) -> None:
    asked = request()
    scene = draw(method, asked)
    assert (scene.seed, scene.label, scene.cameras) == (asked.seed, asked.label, asked.cameras)
    assert (scene.views, scene.size) == (8, (SIZE, SIZE))
    assert scene.depth is not None


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_scene_is_the_same_alone_and_in_a_batch(method: Generator) -> None:
    cameras = sweep360(2)
    alone = [draw(method, request(index, cameras, index)) for index in range(2)]
    together = list(method.generate([request(index, cameras, index) for index in range(2)]))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.rgb, other.rgb)
        assert one.depth is not None
        assert other.depth is not None
        assert torch.equal(one.depth.nan_to_num(0), other.depth.nan_to_num(0))


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_label_can_be_left_to_the_seed(method: Generator) -> None:
    assert draw(method, request(cameras=sweep360(2), label=None)).label is None


def test_oracle_is_the_world() -> None:
    asked = request()
    world = tabletop.sample(asked.seed, asked.label).render(asked.cameras, SIZE)
    scene = draw(Oracle(), asked)
    assert torch.equal(scene.rgb, world.rgb)
    assert world.depth is not None
    assert scene.depth is not None
    assert torch.equal(scene.depth.nan_to_num(0), world.depth.nan_to_num(0))


def test_frozen_repeats_the_first_view_of_the_oracle() -> None:
    truth, scene = draw(Oracle()), draw(Frozen())
    assert truth.depth is not None
    assert scene.depth is not None
    for view in range(scene.views):
        assert torch.equal(scene.rgb[view], scene.rgb[0])
        assert torch.equal(scene.depth[view].nan_to_num(0), scene.depth[0].nan_to_num(0))
    # the world traces one camera and eight with other stopping points, a tenth of a per mille apart
    assert int((scene.rgb[0].int() - truth.rgb[0].int()).abs().max()) <= 1
    assert torch.allclose(scene.depth[0], truth.depth[0], atol=2e-4, equal_nan=True)


def test_noise_is_independent_from_view_to_view_and_its_depth_in_range() -> None:
    scene = draw(Noise())
    assert scene.depth is not None
    values = scene.rgb.float().flatten(1) - 127.5
    correlation = torch.corrcoef(values)[~torch.eye(scene.views, dtype=torch.bool)]
    assert float(correlation.abs().max()) < 0.1
    assert float(scene.depth.min()) >= 1.1
    assert float(scene.depth.max()) <= 2.1


FRONT, BACK = Cameras.orbit([0.0], [0.0]), Cameras.orbit([math.pi], [0.0])
SIDE = Cameras.orbit([math.pi / 2], [0.0])


def test_billboard_is_the_oracle_from_the_front() -> None:
    asked = request(cameras=FRONT)
    truth, card = draw(Oracle(), asked), draw(Billboard(), asked)
    assert int((truth.rgb.int() - card.rgb.int()).abs().max()) <= 1
    assert card.depth is not None
    assert torch.allclose(card.depth[card.foreground], torch.tensor(1.6))
    assert truth.alpha is not None
    assert torch.equal(card.foreground, truth.alpha >= 128)


def test_billboard_is_mirrored_from_behind() -> None:
    front, back = draw(Billboard(), request(cameras=FRONT)), draw(Billboard(), request(cameras=BACK))
    assert torch.equal(back.foreground, front.foreground.flip(2))
    differences = (front.rgb.flip(2).int() - back.rgb.int()).abs()[front.foreground.flip(2)]
    assert int(differences.max()) <= 1


def test_billboard_vanishes_edge_on() -> None:
    card, empty = draw(Billboard(), request(cameras=SIDE)), draw(Oracle(), request(cameras=SIDE))
    assert not bool(card.foreground.any())
    assert bool(empty.foreground.any())
    background = ~torch.nn.functional.max_pool2d(empty.foreground[:, None].float(), 3, 1, 1)[:, 0].bool()
    assert int((card.rgb.int() - empty.rgb.int()).abs()[background].max()) <= 1


def test_billboard_lies_in_its_plane() -> None:
    scene = draw(Billboard())
    assert scene.depth is not None
    assert scene.cameras is not None
    points = scene.cameras.unproject(scene.depth)[scene.foreground]
    assert len(points) > 100
    assert float(points[:, 2].abs().max()) < 1e-6


def test_billboard_fills_the_view_of_a_camera_in_its_plane_with_background() -> None:
    inside = Cameras.orbit([math.pi / 2, math.pi / 2 + 1e-9], [0.0, 0.0])
    scene = draw(Billboard(), request(cameras=inside))
    assert not bool(scene.foreground.any())
