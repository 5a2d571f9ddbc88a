from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics import WarpError
from viewsweep.metrics.warp_error import warp_errors
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, disobedient, frozen, noisy, plane, scaled, static, wobbled

CLEAN = balls()


def measure(scene: Scene) -> dict[str, float]:
    metric = WarpError()
    metric.update(scene, index=0)
    results = metric.results()
    headline = {name: result for name, result in results.items() if "@" not in name}
    assert {result.status for result in headline.values()} == {"ok"}
    return {name: float(result.value or 0.0) for name, result in headline.items()}


def test_consistent_scene_has_almost_no_error() -> None:
    found = measure(CLEAN)
    assert found["warp_psnr"] > 40
    assert found["warp_mse"] < 1e-4
    assert 0.75 < found["covisible"] < 0.95


def test_plain_colour_is_perfect() -> None:
    found = measure(replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 77)))
    assert found["warp_psnr"] == 60.0
    assert found["warp_mse"] < 1e-28  # what the bilinear weights round


@pytest.mark.parametrize("amounts", [(0.01, 0.02, 0.05, 0.1, 0.2)])
def test_noise_raises_the_error_by_its_variance(amounts: tuple[float, ...]) -> None:
    grey = replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 128))  # far from clipping
    errors = [measure(noisy(grey, amount))["warp_mse"] for amount in amounts]
    assert errors == sorted(errors)
    for amount, error in zip(amounts[:4], errors, strict=False):
        # the bilinear sample averages four: between 1 and 2 times the variance, 1 + 4/9 on average
        assert error == pytest.approx(amount**2 * (1 + 4 / 9), rel=0.1)


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda level: disobedient(balls, sweep360(24, 0.26), [1.0, 2.0, 4.0][level]),
        lambda level: scaled(CLEAN, [0.01, 0.02, 0.05][level]),
        lambda level: wobbled(CLEAN, [0.03, 0.08, 0.2][level]),
        lambda level: noisy(CLEAN, [0.01, 0.03, 0.1][level]),
    ],
    ids=["disobeys the camera", "depth scale jitters", "geometry wobbles", "noise"],
)
def test_each_corruption_shows_and_grows(corrupt: Callable[[int], Scene]) -> None:
    found = [measure(CLEAN)] + [measure(corrupt(level)) for level in range(3)]
    psnr = [entry["warp_psnr"] for entry in found]
    assert psnr == sorted(psnr, reverse=True)
    assert psnr[-1] < psnr[0] - 10


def test_frozen_view_is_clearly_bad() -> None:
    clean, cheat = measure(CLEAN), measure(frozen(CLEAN))
    assert cheat["warp_psnr"] < 25 < 40 < clean["warp_psnr"]
    assert cheat["covisible"] < clean["covisible"] - 0.2


def test_noise_for_depth_scores_the_worst_value() -> None:
    found = measure(static(CLEAN))
    assert found["warp_psnr"] == 0.0
    assert found["warp_mse"] == 1.0
    assert found["covisible"] < 0.05


def test_pairs_without_overlap_count_as_worst() -> None:
    assert CLEAN.depth is not None
    depth = CLEAN.depth.clone()
    depth[3] *= 1.5
    metric = WarpError()
    metric.update(replace(CLEAN, depth=depth), index=0)
    by_view = {row.view: row.value for row in metric.rows() if row.metric == "warp_mse"}
    assert by_view[3] == 1.0
    assert [by_view[2], by_view[4]] == pytest.approx([0.5, 0.5], abs=1e-3)  # one of their two neighbours
    assert by_view[10] < 1e-3


def test_scene_without_any_surface_is_worst_not_missing() -> None:
    found = measure(replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN)))  # type: ignore[arg-type]
    assert found == {"warp_psnr": 0.0, "warp_mse": 1.0, "covisible": 0.0}


def test_same_camera_twice_is_covisible_but_for_edges() -> None:
    scene = plane(Cameras.orbit([0.2, 0.2], [0.1, 0.1]), 48)
    values = warp_errors(scene, [(0, 1)])
    assert values.shape == (2, 3)
    assert float(values[:, 1].max()) < 1e-25
    # surface pixels at the lower and right outline fall on footprints that reach into the background
    assert float(values[:, 2].min()) > 0.85


def test_views_report_their_azimuth() -> None:
    metric = WarpError()
    metric.update(CLEAN, index=5)
    rows = [row for row in metric.rows() if row.metric == "warp_psnr"]
    assert [row.view for row in rows] == list(range(-1, 24))
    assert math.isnan(rows[0].yaw_deg)
    expected = [15.0 * view if view < 12 else 15.0 * view - 360 for view in range(24)]
    assert [row.yaw_deg for row in rows[1:]] == pytest.approx(expected)
    assert rows[0].value == pytest.approx(sum(row.value for row in rows[1:]) / 24)


def test_exposure_of_the_whole_scene_is_forgiven() -> None:
    dimmed = replace(CLEAN, rgb=(CLEAN.rgb.float() * 0.6).round().to(torch.uint8))
    assert measure(dimmed)["warp_psnr"] > measure(CLEAN)["warp_psnr"]


def test_larger_images_give_a_similar_answer() -> None:
    small, large = measure(balls(sweep360(12, 0.26), 48)), measure(balls(sweep360(12, 0.26), 128))
    assert large["warp_psnr"] > small["warp_psnr"] > 35
    assert large["covisible"] == pytest.approx(small["covisible"], abs=0.12)


def test_fast_equals_loops() -> None:
    cameras = sweep360(12, 0.26)[[0, 1, 3]]
    scene = wobbled(balls(cameras, 20), 0.004)
    fast = warp_errors(scene, [(0, 1), (1, 2)])
    slow = torch.tensor([_naive(scene, *pair) for pair in ((0, 1), (1, 0), (1, 2), (2, 1))], dtype=torch.float64)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-12)


def _naive(scene: Scene, i: int, j: int) -> tuple[float, float, float]:
    """The definition, pixel by pixel."""
    cameras, depth = scene.cameras, scene.depth
    assert cameras is not None
    assert depth is not None
    size = scene.size[0]
    points = cameras.unproject(depth)[i]
    tilt = math.sqrt(2) * math.tan(math.radians(75)) / (float(cameras.intrinsics[0, 0, 0]) * size)

    def corners(values: torch.Tensor, y: int, x: int) -> list[torch.Tensor]:
        return [values[y, x], values[y, x + 1], values[y + 1, x], values[y + 1, x + 1]]

    def solid(view: int, y: int, x: int) -> bool:
        if not (0 <= y < size - 1 and 0 <= x < size - 1):
            return False
        near = [1 / float(d) for d in corners(depth[view].double(), y, x)]
        return all(map(math.isfinite, near)) and max(near) - min(near) <= tilt * max(near)

    errors, seen, surface = [], 0, 0
    for y in range(size):
        for x in range(size):
            if not math.isfinite(depth[i, y, x]):
                continue
            surface += 1
            uv, z = cameras[j].project(points[y, x][None])
            px = (uv[0, 0] * size - 0.5).tolist()
            if not all(0 <= place <= size - 1 for place in px):
                continue
            left, top = min(int(px[0]), size - 2), min(int(px[1]), size - 2)
            if not solid(j, top, left):
                continue
            right, down = px[0] - left, px[1] - top
            weights = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
            found = 1 / sum(w / float(d) for w, d in zip(weights, corners(depth[j].double(), top, left), strict=True))
            if abs(found - float(z)) >= 0.01 * float(z):
                continue
            seen += 1
            if all(solid(i, y - a, x - b) for a in (0, 1) for b in (0, 1)):
                colours = corners(scene.rgb[j].double() / 255, top, left)
                colour = sum(w * c for w, c in zip(weights, colours, strict=True))
                errors.append(float(((colour - scene.rgb[i, y, x].double() / 255) ** 2).mean()))
    mse = sum(errors) / len(errors)
    return 10 * math.log10(1 / max(mse, 1e-6)), mse, seen / surface
