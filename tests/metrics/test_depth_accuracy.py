from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.depth_accuracy import DepthAccuracy, abs_rel, angles_deg, delta, depth_normals, rmse
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, plane, scaled, wobbled

TRUTH = balls(sweep360(6, 0.2), 48)
DEPTH = TRUTH.depth if TRUTH.depth is not None else torch.zeros(0)
WORST = {"abs_rel": 1.0, "silog": 100.0, "delta_1.25": 0.0, "delta_1.05": 0.0}
WORST |= {"normals_deg": 180.0, "normals_11.25": 0.0, "abs_rel_affine": 1.0, "depth_coverage": 0.0}


def measure(scene: Scene, truth: Scene = TRUTH) -> dict[str, float]:
    metric = DepthAccuracy()
    metric.update(scene, 0, truth)
    assert {result.status for result in metric.results().values()} == {"ok"}
    return {name: float(result.value or 0.0) for name, result in metric.results().items()}


def with_depth(depth: torch.Tensor) -> Scene:
    return replace(TRUTH, depth=depth)


def one_ball(size: int) -> Scene:
    """A ball around the origin and its true normals."""
    scene = balls(sweep360(3, 0.2), size, ((0.0, 0.0, 0.0, 0.4),))
    assert scene.cameras is not None
    assert scene.depth is not None
    points = scene.cameras.unproject(scene.depth)
    return replace(scene, normals=torch.nn.functional.normalize(points, dim=-1).float())


def test_true_depth_is_perfect() -> None:
    perfect = {"abs_rel": 0.0, "rmse": 0.0, "silog": 0.0, "delta_1.25": 1.0, "delta_1.05": 1.0, "normals_deg": 0.0}
    perfect |= {"normals_11.25": 1.0, "abs_rel_affine": 0.0, "depth_coverage": 1.0}
    assert measure(TRUTH) == pytest.approx(perfect, abs=1e-9)


@pytest.mark.parametrize("factor", [0.4, 1.3, 7.0])
def test_one_factor_for_the_sweep_is_forgiven(factor: float) -> None:
    found = measure(with_depth(DEPTH * factor))
    assert found["abs_rel"] < 1e-6  # float32
    assert found["rmse"] < 1e-6
    assert found["normals_deg"] == pytest.approx(0.0, abs=0.01)
    held = torch.isfinite(DEPTH)
    a, b = (part[held].double().numpy() for part in (DEPTH * factor, DEPTH))
    assert abs_rel(a, b) == pytest.approx(abs(factor - 1), rel=1e-6)


def test_shift_is_forgiven_by_the_affine_error_alone() -> None:
    found = measure(with_depth(0.8 * DEPTH + 0.5))
    assert found["abs_rel_affine"] < 1e-6
    assert found["abs_rel"] > 0.01


def test_closed_forms() -> None:
    p, d = (torch.tensor(values, dtype=torch.float64).numpy() for values in ([1.1, 2.0, 2.4], [1.0, 2.0, 3.0]))
    assert abs_rel(p, d) == pytest.approx((0.1 + 0 + 0.2) / 3)
    assert rmse(p, d) == pytest.approx(math.sqrt((0.01 + 0.36) / 3))
    assert delta(p, d, 1.25) == pytest.approx(2 / 3)  # 3 / 2.4 is 1.25, not below
    assert delta(p, d, 1.05) == pytest.approx(1 / 3)


@pytest.mark.parametrize("amount", [0.003, 0.01, 0.03])
def test_known_noise_has_the_known_error(amount: float) -> None:
    noise = torch.randn(DEPTH.shape, generator=torch.Generator().manual_seed(1))
    found = measure(with_depth(DEPTH * torch.exp(amount * noise)))
    assert found["abs_rel"] == pytest.approx(amount * math.sqrt(2 / math.pi), rel=0.05)
    assert found["silog"] == pytest.approx(100 * amount, rel=0.05)


@pytest.mark.parametrize("amount", [0.02, 0.05])
def test_scale_that_jumps_between_views_is_not_forgiven(amount: float) -> None:
    factors = 1 + amount * torch.tensor([1.0, -1, 1, -1, 1, -1])
    found = measure(with_depth(DEPTH * factors[:, None, None]))
    # the median of the ratios is one of the two levels, or between them
    assert amount * 0.9 < found["abs_rel"] < amount * 1.2
    assert found["silog"] == pytest.approx(100 * amount, rel=0.05)
    assert found["abs_rel_affine"] > 0.8 * amount
    assert found["normals_deg"] < 0.1  # each view's shape is right


def test_flat_card_passes_the_wide_margin_and_fails_the_others() -> None:
    card = with_depth(torch.where(torch.isfinite(DEPTH), torch.full_like(DEPTH, 1.6), DEPTH))
    found = measure(card)
    assert found["delta_1.25"] > 0.95
    assert found["delta_1.05"] < 0.6
    assert found["normals_deg"] > 25
    assert found["normals_11.25"] < 0.2
    assert found["depth_coverage"] == 1.0


def test_smooth_errors_grow_with_their_size() -> None:
    found = [measure(wobbled(TRUTH, amount)) for amount in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05)]
    for name, sign in (("abs_rel", 1), ("rmse", 1), ("silog", 1), ("normals_deg", 1), ("abs_rel_affine", 1)):
        values = [sign * entry[name] for entry in found]
        assert values == sorted(set(values)), name
    for name in ("delta_1.25", "delta_1.05", "normals_11.25"):
        values = [entry[name] for entry in found]
        assert values == sorted(values, reverse=True), name


def test_jitter_grows_too() -> None:
    values = [measure(scaled(TRUTH, amount))["abs_rel"] for amount in (0.0, 0.005, 0.01, 0.02, 0.05)]
    assert values == sorted(values)


def test_error_and_coverage_are_a_pair() -> None:
    assert TRUTH.depth is not None
    half = DEPTH.clone()
    half[:, :, :24] = NAN
    found = measure(with_depth(half))
    assert found["abs_rel"] == 0.0
    assert 0.2 < found["depth_coverage"] < 0.8


def test_view_without_surface_scores_the_worst() -> None:
    missing = DEPTH.clone()
    missing[2] = NAN
    metric = DepthAccuracy()
    metric.update(with_depth(missing), 0, TRUTH)
    held = {row.metric: row.value for row in metric.rows() if row.view == 2}
    size = float(DEPTH[2][torch.isfinite(DEPTH[2])].double().square().mean().sqrt())
    assert held == pytest.approx({**WORST, "rmse": size})
    assert metric.results()["abs_rel"].value == pytest.approx(1 / 6)


@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_scene_without_common_surface_is_worst_not_missing(pixels: int) -> None:
    depth = torch.full_like(DEPTH, NAN)
    for row, column in torch.nonzero(torch.isfinite(DEPTH[0]))[:pixels].tolist():
        depth[0, row, column] = DEPTH[0, row, column]
    found = measure(with_depth(depth))
    size = found.pop("rmse")
    covered = found.pop("depth_coverage")
    assert found == {name: value for name, value in WORST.items() if name != "depth_coverage"}
    assert 1 < size < 2
    assert covered < 0.05


def test_noise_for_depth_never_beats_the_worst_value() -> None:
    wild = torch.exp(3 * torch.randn(DEPTH.shape, generator=torch.Generator().manual_seed(0)))
    found = measure(with_depth(torch.where(torch.isfinite(DEPTH), wild, DEPTH)))
    assert found["abs_rel"] == 1.0
    assert found["silog"] == 100.0
    assert found["normals_deg"] > 50


def test_views_that_show_nothing_do_not_count() -> None:
    empty = DEPTH.clone()
    empty[0] = NAN
    metric = DepthAccuracy()
    metric.update(TRUTH, 0, with_depth(empty))
    assert sorted({row.view for row in metric.rows()}) == [-1, 1, 2, 3, 4, 5]
    nothing = DepthAccuracy()
    nothing.update(TRUTH, 0, with_depth(torch.full_like(DEPTH, NAN)))
    assert nothing.results()["abs_rel"].reason == "scene 0: the true views show no surface"
    nothing.reset()
    nothing.update(TRUTH, 0, replace(TRUTH, depth=None))
    assert nothing.results()["abs_rel"].reason == "scene 0: the true views have no depth"


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.5, 0.2, 1.0), (-0.3, 0.6, 0.8)])
def test_normals_of_a_plane_are_exact(normal: tuple[float, ...]) -> None:
    cameras = Cameras.orbit([0.2, -0.3], [0.1, 0.3])
    scene = plane(cameras, 40, normal)
    assert scene.depth is not None
    found = depth_normals(scene.depth, cameras)
    held = torch.isfinite(found).all(-1)
    assert 100 < int(held.sum()) < int(torch.isfinite(scene.depth).sum())
    true = torch.nn.functional.normalize(torch.tensor(normal, dtype=torch.float64), dim=0)
    assert float(angles_deg(found[held], true.expand_as(found[held])).max()) < 0.02  # float32 depth


def test_true_normals_are_reached_as_resolution_grows() -> None:
    angles = [measure(ball, ball)["normals_deg"] for ball in (one_ball(24), one_ball(48), one_ball(96))]
    assert angles == sorted(angles, reverse=True)
    assert angles[-1] < 1.0


def test_normals_of_the_truth_take_precedence() -> None:
    ball = one_ball(48)
    assert ball.normals is not None
    turned = replace(ball, normals=ball.normals @ torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]))
    assert measure(ball, turned)["normals_deg"] > 45
    assert measure(ball, replace(ball, normals=None))["normals_deg"] == pytest.approx(0, abs=1e-9)


def test_angles_are_exact_at_both_ends() -> None:
    a = torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    for degrees in (0.0, 1e-7, 90.0, 179.9999, 180.0):
        turn = math.radians(degrees)
        b = torch.tensor([[math.cos(turn), math.sin(turn), 0]], dtype=torch.float64)
        assert float(angles_deg(a, b)) == pytest.approx(degrees, rel=1e-9)
