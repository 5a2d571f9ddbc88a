from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.chamfer import Chamfer, modified_chamfer, volume_size
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, frozen, scaled, wobbled

CLEAN = balls(sweep360(12, 0.26), 48)
DEPTH = CLEAN.depth if CLEAN.depth is not None else torch.zeros(0)


def measure(scene: Scene, name: str = "chamfer") -> float:
    metric = Chamfer()
    metric.update(scene, 0)
    result = metric.results()[name]
    assert result.status == "ok"
    return float(result.value or 0.0)


def test_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(31, 3)) + 0.2
    table = np.linalg.norm(a[:, None] - b[None], axis=-1)
    assert modified_chamfer(a, b) == pytest.approx(np.median(table.min(1)) + np.median(table.min(0)), rel=1e-12)
    assert modified_chamfer(a, a) == 0.0
    with pytest.raises(ValueError, match=r"these are \[0, 3\] and \[31, 3\]"):
        modified_chamfer(np.zeros((0, 3)), b)


def test_median_forgives_less_than_half() -> None:
    a = np.random.default_rng(1).normal(size=(101, 3))
    b = a.copy()
    b[:50] += 9.0
    assert modified_chamfer(a, b) == 0.0
    b[:51] += 9.0
    assert modified_chamfer(a, b) > 0.1


@pytest.mark.parametrize("offset", [0.02, 0.05])
def test_two_cards_are_as_far_apart_as_they_are(offset: float) -> None:
    """Two parallel cameras at one place that see a card, once at a little more depth."""
    cameras = Cameras.orbit([0.0, 0.0], [0.0, 0.0])
    depth = torch.full((2, 64, 64), 1.6)
    depth[1] += offset
    metric = Chamfer()
    scene = Scene(torch.zeros(2, 64, 64, 3, dtype=torch.uint8), cameras, depth)
    found = float(metric._compare(scene, [(0, 1)])[0, 0])
    # across the picture points slide outwards by at most offset tan(fov / 2), to the next pixel at most
    assert found == pytest.approx(100 * 2 * offset / volume_size(cameras), rel=0.05)


def test_true_depth_scores_about_a_pixel_and_half_of_it_at_twice_the_size() -> None:
    values = [measure(balls(sweep360(12, 0.26), size)) for size in (32, 64, 128)]
    for size, value in zip((32, 64, 128), values, strict=True):
        footprint = 100 * (1.6 * 2 * math.tan(math.radians(20)) / size) / volume_size(sweep360(12, 0.26))
        assert 0.4 * footprint < value < 1.6 * footprint
    assert values[0] / values[1] == pytest.approx(2, rel=0.2)
    assert values[1] / values[2] == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("corrupt", [scaled, wobbled])
def test_geometry_that_moves_shows_and_grows(corrupt: object) -> None:
    values = [measure(corrupt(CLEAN, amount)) for amount in (0.0, 0.02, 0.06, 0.15)]  # type: ignore[operator]
    assert values == sorted(set(values))
    assert values[-1] > 1.5 * values[0]


def test_frozen_depth_is_far_off_at_wide_gaps() -> None:
    assert measure(frozen(CLEAN), "chamfer@60") > 2 * measure(CLEAN, "chamfer@60")


def test_unit_of_length_and_place_do_not_matter() -> None:
    cameras = CLEAN.cameras
    assert cameras is not None
    pose = cameras.cam_to_world.clone()
    pose[:, :3, 3] = 7 * pose[:, :3, 3] + torch.tensor([3.0, -2.0, 11.0])
    moved = Scene(CLEAN.rgb, Cameras(pose, cameras.intrinsics), 7 * DEPTH)
    assert measure(moved) == pytest.approx(measure(CLEAN), rel=1e-4)
    assert volume_size(cameras) == pytest.approx(2 * 1.6 * math.sin(math.radians(20)), rel=1e-9)


def test_view_without_surface_scores_the_worst() -> None:
    assert measure(replace(CLEAN, depth=torch.full_like(DEPTH, NAN))) == 200.0
    hollow = DEPTH.clone()
    hollow[3] = NAN
    metric = Chamfer()
    metric.update(replace(CLEAN, depth=hollow), 0)
    held = {row.view: row.value for row in metric.rows() if row.metric == "chamfer"}
    assert held[3] == 200.0
    assert held[8] < 5


def test_a_view_that_flies_away_is_cut_at_the_worst() -> None:
    assert measure(replace(CLEAN, depth=DEPTH * (1 + 50 * torch.arange(12.0))[:, None, None])) == 200.0
