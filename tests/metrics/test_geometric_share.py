from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics import GeometricShare
from viewsweep.metrics.geometric_share import CURVE_PIXELS, CURVE_TOLERANCES, geometric_shares
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, disobedient, frozen, noisy, plane, scaled, static, wobbled

CLEAN = balls()


def share(scene: Scene) -> float:
    metric = GeometricShare()
    metric.update(scene, index=0)
    return float(metric.compute())


def test_consistent_scene_passes() -> None:
    assert share(CLEAN) > 0.99


@pytest.mark.parametrize(("size", "bar"), [(24, 0.95), (32, 0.97), (64, 0.99), (128, 0.995)])
def test_consistent_scene_passes_at_every_resolution(size: int, bar: float) -> None:
    assert share(balls(sweep360(24, 0.26)[:4], size)) > bar


def test_occlusion_is_not_blamed_on_anyone() -> None:
    # a small ball in front of a large one covers other parts of it in every view
    scene = balls(sweep360(24, 0.1)[:5], 64, ((0.0, 0.0, 0.4, 0.09), (0.0, 0.0, -0.1, 0.35)))
    assert share(scene) > 0.985


@pytest.mark.parametrize(
    ("corrupt", "last"),
    [
        (lambda level: disobedient(balls, sweep360(24, 0.26), [1.0, 3.0, 9.0][level]), 0.85),
        (lambda level: scaled(CLEAN, [0.005, 0.02, 0.05][level]), 0.25),
        (lambda level: wobbled(CLEAN, [0.01, 0.03, 0.08][level]), 0.25),
    ],
    ids=["disobeys the camera", "depth scale jitters", "geometry wobbles"],
)
def test_each_corruption_shows_and_grows(corrupt: Callable[[int], Scene], last: float) -> None:
    found = [share(CLEAN)] + [share(corrupt(level)) for level in range(3)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < last


def test_frozen_view_is_clearly_bad() -> None:
    assert share(frozen(CLEAN)) < 0.5


def test_frozen_ball_passes_for_it_is_the_same_ball() -> None:
    """The known blind spot: turned about its axis a solid of revolution is the same solid."""
    scene = balls(solids=((0.0, 0.0, 0.0, 0.4),))
    assert share(frozen(scene)) > 0.99


def test_noise_for_depth_scores_next_to_nothing() -> None:
    assert share(static(CLEAN)) < 0.01


def test_colours_play_no_part() -> None:
    assert share(noisy(CLEAN, 0.3)) == share(CLEAN)


def test_unit_of_length_plays_no_part() -> None:
    assert CLEAN.cameras is not None
    pose = CLEAN.cameras.cam_to_world.clone()
    pose[:, :3, 3] *= 8
    larger = replace(CLEAN, cameras=Cameras(pose, CLEAN.cameras.intrinsics), depth=CLEAN.depth * 8)  # type: ignore[operator]
    assert share(larger) == pytest.approx(share(CLEAN), abs=1e-12)


def test_no_surface_scores_zero() -> None:
    assert share(replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN))) == 0.0  # type: ignore[arg-type]


@pytest.mark.parametrize("hidden_share", [0.6, 0.9])
def test_hiding_most_of_the_surface_does_not_pay(hidden_share: float) -> None:
    """Checkered holes leave no solid footprint to be blamed for; at most half is excused."""
    assert CLEAN.depth is not None
    rows = torch.arange(64)
    holes = ((rows[:, None] + rows) % 2 == 0) & (rows[:, None] < 64)
    surface = torch.isfinite(CLEAN.depth)
    below = surface.cumsum(1) / surface.sum(1, keepdim=True).clamp(min=1) > 1 - hidden_share
    depth = torch.where(holes & below & surface, torch.tensor(NAN), CLEAN.depth)
    assert share(replace(CLEAN, depth=depth)) < 0.9


def test_depth_that_leaves_the_frame_does_not_pay() -> None:
    assert share(replace(CLEAN, depth=torch.full_like(CLEAN.depth, 0.1))) == 0.0  # type: ignore[arg-type]


def test_occluders_that_the_other_view_looks_through_are_blamed() -> None:
    """Each view puts its own wall close to its own camera, to hide everything behind it."""
    assert CLEAN.depth is not None
    depth = CLEAN.depth.clone()
    depth[::2, :, 20:44] = 0.8
    assert share(replace(CLEAN, depth=depth)) < 0.45


def test_curve_contains_the_headline_and_grows() -> None:
    metric = GeometricShare()
    metric.update(wobbled(CLEAN, 0.01), index=0)
    metric.update(CLEAN, index=1)
    curve = metric.curve()
    assert set(curve) == {(pixels, tolerance) for pixels in CURVE_PIXELS for tolerance in CURVE_TOLERANCES}
    assert curve[1.0, 0.01] == float(metric.compute())
    for tolerance in CURVE_TOLERANCES:
        values = [curve[pixels, tolerance] for pixels in CURVE_PIXELS]
        assert values == sorted(values)
    for pixels in CURVE_PIXELS:
        values = [curve[pixels, tolerance] for tolerance in CURVE_TOLERANCES]
        assert values == sorted(values)


def test_curve_of_nothing_is_empty() -> None:
    assert GeometricShare().curve() == {}


def test_fast_equals_loops() -> None:
    scenes = [
        wobbled(balls(sweep360(12, 0.26)[[0, 1, 3]], 20), 0.006),
        plane(sweep360(12, 0.3)[[0, 1, 3]], 20, normal=(0.4, 0.1, 1.0), half=0.5),
    ]
    for scene in scenes:
        fast = geometric_shares(scene, [(0, 1), (1, 2)])[:, 0]
        slow = [_naive(scene, *pair) for pair in ((0, 1), (1, 0), (1, 2), (2, 1))]
        assert fast.tolist() == pytest.approx(slow, abs=1e-12)


def _naive(scene: Scene, i: int, j: int) -> float:
    """The definition, pixel by pixel."""
    cameras, depth = scene.cameras, scene.depth
    assert cameras is not None
    assert depth is not None
    size = scene.size[0]
    tilt = math.sqrt(2) * math.tan(math.radians(75)) / (float(cameras.intrinsics[0, 0, 0]) * size)

    def look(view: int, place: list[float]) -> tuple[str, float]:
        if not all(0 <= coordinate <= size - 1 for coordinate in place):
            return "outside", NAN
        x, y = (min(int(coordinate), size - 2) for coordinate in place)
        found = [1 / float(depth[view, y + b, x + a]) for b in (0, 1) for a in (0, 1)]
        if not any(map(math.isfinite, found)):
            return "empty", NAN
        if not all(map(math.isfinite, found)) or max(found) - min(found) > tilt * max(found):
            return "mixed", NAN
        a, b = place[0] - x, place[1] - y
        weights = [(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b]
        return "solid", 1 / sum(w * d for w, d in zip(weights, found, strict=True))

    def carry(x: float, y: float, z: float, start: int, end: int) -> tuple[list[float], float]:
        local = torch.linalg.inv(cameras.intrinsics[start]) @ torch.tensor(
            [(x + 0.5) / size, (y + 0.5) / size, 1.0], dtype=torch.float64
        )
        world = cameras.cam_to_world[start, :3, :3] @ (z * local) + cameras.positions[start]
        uv, depth_there = cameras[end].project(world[None])
        return (uv[0, 0] * size - 0.5).tolist(), float(depth_there)

    passed = tested = surface = 0
    for y in range(size):
        for x in range(size):
            d = float(depth[i, y, x])
            if not math.isfinite(d):
                continue
            surface += 1
            place, z = carry(x, y, d, i, j)
            kind, shown = look(j, place)
            if kind == "empty":
                tested += 1
            if kind != "solid":
                continue
            home, back = carry(*place, shown, j, i)
            if math.dist(home, (x, y)) < size / 256 and abs(back - d) / d < 0.01:
                passed += 1
                tested += 1
                continue
            behind, there = look(i, home)
            borne_out = behind != "empty" and not (behind == "solid" and there > 1.005 * back)
            if not (shown <= 0.99 * z and borne_out):
                tested += 1
    return passed / max(tested, surface / 2)
