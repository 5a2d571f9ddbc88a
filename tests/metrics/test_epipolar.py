from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.epipolar import (
    EpipolarError,
    ParallaxError,
    epipolar_errors,
    parallax_ratios,
    symmetric_epipolar_distance,
)
from viewsweep.scenes import Cameras, Scene, sweep360, tabletop

from .analytic import frozen, static
from .textured import arc, textured, turned

CAMERAS = arc(8)
SIZE = 96
CLEAN = textured(CAMERAS, SIZE)
OFFSETS = torch.tensor([0.3, -1.0, 0.8, -0.2, 1.1, -0.9, 0.5, -0.6])


def measure(scene: Scene) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in (EpipolarError(), ParallaxError()):
        metric.update(scene, index=0)
        for name, result in metric.results().items():
            if "@" not in name:
                assert result.status == "ok"
                found[name] = float(result.value or 0.0)
    return found


def correspondences(
    cameras: Cameras, a: int = 0, b: int = 1, size: tuple[int, int] = (256, 256)
) -> tuple[np.ndarray, np.ndarray]:
    world = 0.4 * torch.rand(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.2
    uv, _ = cameras.project(world)
    pixels = uv.numpy() * np.array(size[::-1])
    return pixels[a], pixels[b]


@pytest.mark.parametrize("size", [(256, 256), (256, 400)])
def test_exact_correspondences_lie_on_their_lines(size: tuple[int, int]) -> None:
    points, partners = correspondences(CAMERAS, size=size)
    assert symmetric_epipolar_distance(points, partners, CAMERAS, 0, 1, size).max() < 1e-9


@pytest.mark.parametrize("offset", [0.5, 2.0, 5.0])
def test_offset_across_the_line_is_the_distance(offset: float) -> None:
    points, partners = correspondences(CAMERAS)
    # the line's own direction, from two depths of one pixel
    rays = torch.from_numpy(points / 256)
    deep = torch.stack([_at(CAMERAS, 0, rays, depth) for depth in (1.5, 1.7)])
    line = np.diff([CAMERAS[[1]].project(part)[0][0].numpy() * 256 for part in deep], axis=0)[0]
    across = np.stack([-line[:, 1], line[:, 0]], 1) / np.linalg.norm(line, axis=1, keepdims=True)
    found = symmetric_epipolar_distance(points, partners + offset * across, CAMERAS, 0, 1, (256, 256))
    assert found == pytest.approx(offset, rel=0.02)


def test_swapping_views_changes_nothing_and_scale_scales() -> None:
    points, partners = correspondences(CAMERAS)
    partners = partners + np.random.default_rng(0).normal(0, 2, partners.shape)
    there = symmetric_epipolar_distance(points, partners, CAMERAS, 0, 1, (256, 256))
    back = symmetric_epipolar_distance(partners, points, CAMERAS, 1, 0, (256, 256))
    np.testing.assert_allclose(there, back, rtol=1e-9)
    half = symmetric_epipolar_distance(points / 2, partners / 2, CAMERAS, 0, 1, (128, 128))
    np.testing.assert_allclose(half, there / 2, rtol=1e-9)


def test_unit_of_the_world_does_not_matter() -> None:
    pose = CAMERAS.cam_to_world.clone()
    pose[:, :3, 3] *= 7
    points, partners = correspondences(CAMERAS)
    partners = partners + 1.5
    np.testing.assert_allclose(
        symmetric_epipolar_distance(points, partners, Cameras(pose, CAMERAS.intrinsics), 0, 1, (256, 256)),
        symmetric_epipolar_distance(points, partners, CAMERAS, 0, 1, (256, 256)),
        rtol=1e-9,
    )


def test_cameras_at_one_place_carry_points_over() -> None:
    same = CAMERAS[[0, 0]]
    points, _ = correspondences(CAMERAS)
    moved = points + np.array([3.0, 4.0])
    assert symmetric_epipolar_distance(points, moved, same, 0, 1, (256, 256)) == pytest.approx(5.0)
    found = parallax_ratios(textured(same, 96), [(0, 1)])
    assert found.tolist() == [1.0, 1.0]


def test_consistent_scene() -> None:
    found = measure(CLEAN)
    assert found["sed"] < 0.3
    assert found["tsed"] == 1.0
    assert found["tsed_auc"] > 0.9
    assert found["matches"] > 50
    assert found["parallax_error"] < 0.1
    assert found["parallax_ratio"] == pytest.approx(1.0, abs=0.08)


def test_wrong_azimuth_raises_both_and_parallax_most() -> None:
    found = [measure(turned(CAMERAS, level * OFFSETS, SIZE)[0]) for level in (0.0, 2.0, 4.0)]
    assert [entry["sed"] for entry in found] == sorted(entry["sed"] for entry in found)
    assert [entry["parallax_error"] for entry in found] == sorted(entry["parallax_error"] for entry in found)
    assert found[1]["tsed"] == 1.0  # blind, which is why there is the other
    assert found[1]["parallax_error"] > 3 * found[0]["parallax_error"]


def test_slow_camera_is_measured_as_such() -> None:
    scene, _ = turned(CAMERAS, -0.25 * 10 * torch.arange(8), SIZE)
    assert measure(scene)["parallax_ratio"] == pytest.approx(0.75, abs=0.05)


def test_camera_that_turns_the_other_way_is_worst() -> None:
    scene, _ = turned(CAMERAS, -2.0 * 10 * torch.arange(8), SIZE)
    found = measure(scene)
    assert found["parallax_ratio"] < -0.5
    assert found["parallax_error"] == 1.0


def test_frozen_pictures_fail_in_parallax_whatever_the_lines_say() -> None:
    found = measure(frozen(CLEAN))
    assert found["sed"] < 4.0
    assert found["parallax_ratio"] == 0.0
    assert found["parallax_error"] == 1.0


@pytest.mark.parametrize(
    "scene", [static(CLEAN.select([0, 1])), replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 90))], ids=["noise", "plain"]
)
def test_nothing_in_common_is_worst_and_counts(scene: Scene) -> None:
    found = measure(scene)
    assert found.pop("matches") < 10
    worst = {"sed": 32.0, "tsed": 0.0, "tsed_auc": 0.0, "parallax_error": 1.0, "parallax_ratio": 0.0}
    assert found == worst


def test_pairs_do_not_depend_on_which_others_are_asked_for() -> None:
    alone = epipolar_errors(replace(CLEAN), [(2, 3)])
    among = epipolar_errors(replace(CLEAN), [(0, 1), (2, 3), (0, 3)])
    assert torch.equal(alone, among[2:4])
    assert torch.equal(parallax_ratios(replace(CLEAN), [(2, 3)]), parallax_ratios(CLEAN, [(0, 1), (2, 3)])[2:])


def test_small_tabletop_views_have_matches() -> None:
    found = measure(tabletop.sample(103, 3).render(sweep360(24, 0.26)[list(range(4))], 64))
    assert found["matches"] > 15
    assert found["tsed"] > 0.5


def test_missing_parts_are_named() -> None:
    for scene, metric, reason in (
        (replace(CLEAN, cameras=None), EpipolarError(), "the cameras are unknown"),
        (replace(CLEAN, depth=None), ParallaxError(), "there is no depth"),
        (CLEAN.select([0]), EpipolarError(), "a single view has no pair to compare"),
    ):
        metric.update(scene, index=0)
        for result in metric.results().values():
            assert result.status == "not_run"
            assert reason in (result.reason or "")
    metric = EpipolarError()
    metric.update(replace(CLEAN, depth=None), index=0)
    assert metric.results()["sed"].status == "ok"


def _at(cameras: Cameras, view: int, uv: torch.Tensor, depth: float) -> torch.Tensor:
    rays = torch.cat([uv, torch.ones(len(uv), 1, dtype=uv.dtype)], 1) @ torch.linalg.inv(cameras.intrinsics[view]).T
    pose = cameras.cam_to_world[view]
    return depth * rays @ pose[:3, :3].T + pose[:3, 3]
