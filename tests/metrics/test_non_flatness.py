from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics import NonFlatness
from viewsweep.metrics.non_flatness import frontal_view, non_flatness, relief
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, plane, static

BALL = ((0.0, 0.0, 0.0, 0.4),)


def measure(scene: Scene) -> tuple[float, float]:
    metric = NonFlatness()
    metric.update(scene, index=0)
    results = metric.results()
    return float(results["nfs"].value or 0.0), float(results["plane_residual"].value or 0.0)


def test_evenly_spread_values_fill_all_bins() -> None:
    assert non_flatness(np.linspace(0, 1, 6400, endpoint=False) + 1e-9, 0.0, 1.0) == pytest.approx(64.0)


def test_equal_values_fill_one_bin() -> None:
    assert non_flatness(np.full(100, 0.3), 0.0, 1.0) == 1.0


def test_values_in_two_bins_evenly_fill_two() -> None:
    assert non_flatness(np.array([0.1, 0.9, 0.1, 0.9]), 0.0, 1.0) == pytest.approx(2.0)


def test_values_out_of_range_count_in_the_outermost_bins() -> None:
    assert non_flatness(np.array([-5.0, 0.0, 7.0, 0.999]), 0.0, 1.0) == pytest.approx(2.0)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (0.3, -0.9, 1.0), (1.5, 0.5, 1.0)])
@pytest.mark.parametrize("pitch", [0.0, 0.26, -0.5])
def test_a_card_is_flat_however_it_is_tilted(normal: tuple[float, ...], pitch: float) -> None:
    score, residual = measure(plane(sweep360(24, pitch), 64, normal))
    assert score == pytest.approx(1.0, abs=0.01)
    assert residual < 1e-6


def test_a_ball_is_not_flat() -> None:
    score, residual = measure(balls(solids=BALL))
    assert score == pytest.approx(21.4, abs=1.0)
    assert residual == pytest.approx(0.051, abs=0.005)


def test_flattening_shows_in_proportion() -> None:
    found = [measure(_flattened(factor)) for factor in (1.0, 0.25, 0.05, 0.01)]
    scores, residuals = zip(*found, strict=True)
    assert list(scores) == sorted(scores, reverse=True)
    assert residuals[1] / residuals[0] == pytest.approx(0.25, rel=0.1)
    assert residuals[3] / residuals[2] == pytest.approx(0.2, rel=0.1)
    assert scores[-1] < 2.0


def test_unit_of_length_and_resolution_play_no_part() -> None:
    scene = balls(solids=BALL)
    assert scene.cameras is not None
    pose = scene.cameras.cam_to_world.clone()
    pose[:, :3, 3] *= 100
    larger = replace(scene, cameras=Cameras(pose, scene.cameras.intrinsics), depth=scene.depth * 100)  # type: ignore[operator]
    assert measure(larger) == pytest.approx(measure(scene), rel=1e-3)
    assert measure(balls(sweep360(4, 0.26), 128, BALL)) == pytest.approx(measure(scene), rel=0.05)


def test_only_the_frontal_view_counts() -> None:
    cameras = sweep360(8, 0.1)
    scene = balls(cameras)
    order = [5, 2, 0, 7]
    assert frontal_view(cameras[order]) == 2
    assert measure(scene.select(order)) == measure(scene)


def test_of_equally_frontal_views_the_level_one_is_taken() -> None:
    assert frontal_view(Cameras.orbit([0.1, -0.1, 0.1], [0.3, 0.0, 0.0])) == 1


def test_relief_of_a_plane_is_nothing_and_of_a_bump_its_height() -> None:
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 40)), -1).reshape(-1, 2)
    tilted = 1 / (0.5 + 0.1 * grid[:, 0] - 0.05 * grid[:, 1])
    assert np.abs(relief(tilted, grid)).max() < 1e-12
    bump = np.full(1600, 2.0)
    bump[820] -= 0.01
    assert relief(bump, grid)[820] == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("pixels", [0, 1, 15])
def test_hardly_any_surface_scores_the_worst_value(pixels: int) -> None:
    scene = balls()
    assert scene.depth is not None
    depth = torch.full_like(scene.depth, NAN)
    depth[:, 30, :pixels] = 1.5
    assert measure(replace(scene, depth=depth)) == (1.0, 0.0)


def test_pixels_that_hang_alone_are_no_surface() -> None:
    scene = balls()
    assert scene.depth is not None
    depth = torch.full_like(scene.depth, NAN)
    depth[:, ::2, 10:50:2] = 1.5
    assert measure(replace(scene, depth=depth)) == (1.0, 0.0)
    assert measure(static(scene)) == (1.0, 0.0)


def test_a_few_floaters_change_nothing() -> None:
    scene = balls(solids=BALL)
    assert scene.depth is not None
    depth = scene.depth.clone()
    depth[:, 2, 5:60:6] = 0.2
    assert measure(replace(scene, depth=depth)) == measure(scene)


def _flattened(factor: float) -> Scene:
    """A hemisphere's depth under a far camera, pressed towards the card through its rim."""
    scene = balls(Cameras.orbit([0.0], [0.0], radius=40.0, fov=0.03), 64, BALL)
    assert scene.depth is not None
    return replace(scene, depth=40.0 + (scene.depth - 40.0) * factor)
