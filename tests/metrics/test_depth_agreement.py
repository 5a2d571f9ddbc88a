from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.depth_agreement import DepthAgreement, excess_over_oracle, standardised_difference
from viewsweep.scenes import Scene, sweep360

from .analytic import NAN, balls, wobbled

CLEAN = balls(sweep360(4, 0.2), 40)
DEPTH = CLEAN.depth if CLEAN.depth is not None else torch.zeros(0)


def measure(scene: Scene, estimate: torch.Tensor, **options: object) -> float:
    metric = DepthAgreement(**options)  # type: ignore[arg-type]
    metric.update(scene, 0, estimate)
    return float(metric.compute())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_it_is_two_minus_two_rho(share: float) -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 500))
    y = share * x + (1 - share) * noise
    rho = np.corrcoef(x, y)[0, 1]
    assert standardised_difference(x, y) == pytest.approx(2 * (1 - rho), abs=1e-12)


def test_the_three_marks_of_the_scale() -> None:
    x = np.random.default_rng(2).normal(size=200)
    assert standardised_difference(x, 5 * x - 3) == pytest.approx(0.0, abs=1e-12)
    assert standardised_difference(x, -x) == pytest.approx(4.0, abs=1e-12)
    assert standardised_difference(x, np.full(200, 7.0)) == 2.0


def test_scale_and_shift_are_forgiven_and_shape_is_not() -> None:
    assert measure(CLEAN, 0.3 * DEPTH + 2) == pytest.approx(0.0, abs=1e-6)
    values = [measure(wobbled(CLEAN, amount), DEPTH) for amount in (0.0, 0.005, 0.02, 0.06)]
    assert values == sorted(set(values))
    inside_out = replace(CLEAN, depth=4 - DEPTH)
    assert measure(inside_out, DEPTH) == pytest.approx(4.0, abs=1e-6)
    card = replace(CLEAN, depth=torch.where(torch.isfinite(DEPTH), torch.full_like(DEPTH, 1.6), DEPTH))
    assert measure(card, DEPTH) == 2.0


def test_disparity_is_compared_in_disparity() -> None:
    near = replace(CLEAN, depth=DEPTH - 0.9)  # a wide range of depth, so that 1 / x bends
    assert near.depth is not None
    assert measure(near, 2 / near.depth + 1, space="disparity") == pytest.approx(0.0, abs=1e-6)
    assert measure(near, 2 / near.depth + 1) > 3.5  # taken for depth it is inside out
    with pytest.raises(ValueError, match="space is 'height'; estimates are in depth or in disparity"):
        DepthAgreement(space="height")  # type: ignore[arg-type]


def test_estimator_may_be_called() -> None:
    metric = DepthAgreement(lambda scene: 2 * scene.depth)  # type: ignore[operator,arg-type,return-value]
    metric.update(CLEAN, 0)
    assert float(metric.compute()) == pytest.approx(0.0, abs=1e-6)
    given = DepthAgreement()
    given.update(CLEAN, 0, lambda scene: scene.depth.numpy())  # type: ignore[union-attr]
    assert float(given.compute()) == 0.0


def test_without_estimator_or_depth_it_says_so() -> None:
    metric = DepthAgreement()
    metric.update(CLEAN, 0)
    assert metric.results()["depth_agreement"].reason == "scene 0: no depth estimator was given"
    metric.update(replace(CLEAN, depth=None), 1, DEPTH)
    assert (metric.results()["depth_agreement"].reason or "").startswith("scene 1: there is no depth")
    with pytest.raises(ValueError, match=r"Scene 2: the estimate has shape \[4, 20, 20\], the depth \[4, 40, 40\]"):
        metric.update(CLEAN, 2, DEPTH[:, ::2, ::2])


def test_a_method_without_depth_is_worst_and_an_estimator_without_is_left_out() -> None:
    hollow = DEPTH.clone()
    hollow[1] = NAN
    metric = DepthAgreement()
    metric.update(replace(CLEAN, depth=hollow), 0, DEPTH)
    assert {row.view: row.value for row in metric.rows()}[1] == 4.0
    metric = DepthAgreement()
    metric.update(CLEAN, 0, hollow)
    assert sorted(row.view for row in metric.rows()) == [-1, 0, 2, 3]
    for useless in (torch.full_like(DEPTH, NAN), torch.ones_like(DEPTH)):
        metric = DepthAgreement()
        metric.update(CLEAN, 0, useless)
        reason = "scene 0: the estimator found no depth, or the same everywhere"
        assert metric.results()["depth_agreement"].reason == reason


def test_excess_is_paired_by_scene() -> None:
    scenes = [balls(sweep360(4, 0.1 * k), 32) for k in range(4)]
    biased = [wobbled(scene, 0.03, seed=9).depth for scene in scenes]  # an estimator with errors of its own
    oracle, method = DepthAgreement(), DepthAgreement()
    for index, (scene, estimate) in enumerate(zip(scenes, biased, strict=True)):
        assert estimate is not None
        oracle.update(scene, index, estimate)
        method.update(wobbled(scene, 0.05, seed=index), index, estimate)
    found = excess_over_oracle(method, oracle)
    assert found.value == pytest.approx(float(method.compute()) - float(oracle.compute()))
    assert (found.status, found.n) == ("ok", 4)
    assert excess_over_oracle(oracle, oracle).value == 0.0
    alone = DepthAgreement()
    alone.update(scenes[0], 0, biased[0])
    assert excess_over_oracle(method, alone).reason == (
        "3 scenes (first: 1) were measured for only one of method and oracle."
    )
    assert excess_over_oracle(DepthAgreement(), oracle).status == "not_run"
