from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.depth_self_agreement import DepthSelfAgreement, depth_agreement, view_scales
from viewsweep.metrics.shared_warps import shared
from viewsweep.scenes import Scene, sweep360

from .analytic import NAN, balls, frozen, noisy, static, wobbled

CLEAN = balls()


def measure(scene: Scene) -> dict[str, float]:
    metric = DepthSelfAgreement()
    metric.update(scene, index=0)
    return {name: float(result.value) for name, result in metric.results().items() if result.value is not None}


def rescaled(amount: float, seed: int = 0) -> tuple[Scene, float]:
    """A scene whose views each have a scale of their own, and the deviation of its logarithm."""
    assert CLEAN.depth is not None
    log = amount * torch.randn(24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    depth = CLEAN.depth.double() * log.exp()[:, None, None]
    return replace(CLEAN, depth=depth.float()), float(log.std())


def test_consistent_scene_has_almost_none() -> None:
    found = measure(CLEAN)
    assert found["scale_jitter"] < 2e-4
    assert found["depth_round_trip"] < 1e-3


@pytest.mark.parametrize("amount", [0.005, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("seed", [0, 1])
def test_injected_scale_comes_back(amount: float, seed: int) -> None:
    scene, injected = rescaled(amount, seed)
    found = measure(scene)
    assert found["scale_jitter"] == pytest.approx(injected, rel=0.05)
    if amount < 0.05:
        assert found["scale_jitter@30"] == pytest.approx(injected, rel=0.1)
        assert found["scale_jitter@60"] == pytest.approx(injected, rel=0.25)


def test_one_wrong_view_is_named() -> None:
    assert CLEAN.depth is not None
    depth = CLEAN.depth.clone()
    depth[7] *= 1.05
    metric = DepthSelfAgreement()
    metric.update(replace(CLEAN, depth=depth), index=0)
    rows = [row for row in metric.rows() if row.metric == "scale_jitter" and row.view >= 0]
    assert max(rows, key=lambda row: row.value).view == 7
    assert float(metric.compute()) == pytest.approx(math.log(1.05) / math.sqrt(24), rel=0.05)


def test_values_of_views_average_to_the_jitter() -> None:
    metric = DepthSelfAgreement()
    metric.update(rescaled(0.02)[0].select(list(range(7))), index=0)  # an arc: its ends have one neighbour
    assert CLEAN.cameras is not None
    pairs = [(k, k + 1) for k in range(6)]
    ratios = depth_agreement(rescaled(0.02)[0].select(list(range(7))), pairs)[:, 0].numpy().reshape(-1, 2)
    scale, free = view_scales(7, pairs, ratios)
    assert free == 6
    assert float(metric.compute()) == pytest.approx(float(np.std(scale, ddof=1)), rel=1e-9)


def test_scales_of_unconnected_views_are_found_apart() -> None:
    scale, free = view_scales(5, [(0, 2), (1, 3)], np.array([[0.2, -0.2], [0.0, 0.0]]))
    assert scale.tolist() == pytest.approx([-0.1, 0.0, 0.1, 0.0, 0.0], abs=1e-12)
    assert free == 2


@pytest.mark.parametrize(
    "corrupt",
    [lambda level: rescaled([0.005, 0.02, 0.08][level])[0], lambda level: wobbled(CLEAN, [0.01, 0.03, 0.08][level])],
    ids=["scale", "geometry wobbles"],
)
def test_round_trip_shows_and_grows(corrupt: Callable[[int], Scene]) -> None:
    found = [measure(CLEAN)["depth_round_trip"]] + [measure(corrupt(level))["depth_round_trip"] for level in range(3)]
    assert found == sorted(found)
    assert found[-1] > 0.03


def test_frozen_depth_does_not_come_home() -> None:
    assert measure(frozen(CLEAN))["depth_round_trip"] > 0.02


def test_nothing_in_common_scores_the_worst_values() -> None:
    found = measure(replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN)))  # type: ignore[arg-type]
    assert (found["scale_jitter"], found["depth_round_trip"]) == (0.5, 0.125)
    noise = measure(static(CLEAN))
    assert noise["depth_round_trip"] > 0.11


def test_views_beyond_tolerance_count_as_worst_and_leave_the_rest() -> None:
    assert CLEAN.depth is not None
    depth = CLEAN.depth.clone()
    depth[3] *= 1.5
    # two of the 24 pairs are lost, each in both directions
    assert measure(replace(CLEAN, depth=depth))["scale_jitter"] == pytest.approx(0.5 * 2 / 24, abs=2e-4)


def test_colours_play_no_part() -> None:
    assert measure(noisy(CLEAN, 0.3)) == measure(CLEAN)


def test_single_view_has_no_pair() -> None:
    metric = DepthSelfAgreement()
    metric.update(CLEAN.select([0]), index=0)
    assert metric.results()["scale_jitter"].reason == "scene 0: a single view has no pair to compare"


def test_fast_equals_loops() -> None:
    scene = wobbled(balls(sweep360(12, 0.26)[[0, 1]], 24), 0.01)
    fast = depth_agreement(scene, [(0, 1)])
    (crossing,) = shared(scene).crossings([(0, 1)])
    for k in range(2):
        found, surface = crossing.warp.found, crossing.surfaces.listed[k]
        ratios, lost = [], []
        for pixel in range(int(surface.sum())):
            shown, z = float(found.depth[k, pixel]), float(crossing.warp.depth[k, pixel])
            if bool(found.solid[k, pixel]) and abs(shown - z) < 0.2 * z:
                ratios.append(math.log(shown / z))
            if bool(crossing.home.tested[k, pixel]):
                off = float(crossing.home.off[k, pixel])
                lost.append(0.125 if math.isnan(off) else min(off, 0.125))
        assert float(fast[k, 0]) == pytest.approx(float(np.median(ratios)), abs=1e-12)
        assert float(fast[k, 1]) == pytest.approx(sum(lost) / len(lost), abs=1e-12)
