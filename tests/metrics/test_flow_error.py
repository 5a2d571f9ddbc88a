from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.flow_error import FlowError, end_point_errors, still_threshold
from viewsweep.scenes import Scene

from .completions import SIZE, moving, values


def measured(samples: list[Scene], true: Scene, modes: list[Scene] | None = None) -> dict[str, float | None]:
    metric = FlowError()
    metric.update(samples, 0, true, [(1 / len(modes), mode) for mode in modes] if modes else ())
    return values(metric)


def test_end_point_error_is_the_length_of_the_difference() -> None:
    true = torch.zeros(1, 4, 4, 2)
    flow = true.clone()
    flow[0, 1, 2] = torch.tensor([3.0, -4.0])
    assert float(end_point_errors(flow, true).sum()) == 5.0


def test_known_errors() -> None:
    true = moving((3.0, 0.0))  # a 16th of the picture moves
    still, other = moving((0.0, 0.0)), moving((3.0, 4.0))
    found = measured([still, other, true], true)
    assert found["sample_epe_moving"] == pytest.approx((3 + 4 + 0) / 3)
    assert found["sample_epe"] == pytest.approx((3 + 4 + 0) / 3 / 16)
    assert found["best_epe"] == found["best_epe_moving"] == found["static_moved"] == 0.0
    assert found["epe_moving_gain"] == pytest.approx(7 / 3)


def test_no_motion_is_good_at_the_whole_and_bad_at_what_moves() -> None:
    true = moving((3.0, 0.0))
    shaky = replace(true, flow=true.flow + 0.4)  # type: ignore[operator]
    nothing = measured([moving((0.0, 0.0))], true)
    trembling = measured([shaky], true)
    assert nothing["sample_epe"] < trembling["sample_epe"]  # type: ignore[operator]
    assert nothing["sample_epe_moving"] > 5 * trembling["sample_epe_moving"]  # type: ignore[operator]


def test_pixels_without_true_flow_do_not_count() -> None:
    true = moving((3.0, 0.0))
    assert true.flow is not None
    torn = true.flow.clone()
    torn[:, :4] = math.nan
    wild = true.flow.clone()
    wild[:, :4] = 99.0
    found = measured([replace(true, flow=wild)], replace(true, flow=torn))
    assert found["sample_epe"] == found["static_moved"] == 0.0


def test_leaving_pixels_out_is_predicting_no_motion() -> None:
    true = moving((3.0, 0.0))
    nowhere = replace(true, flow=torch.full((1, SIZE, SIZE, 2), math.nan))
    found, still = measured([nowhere], true), measured([moving((0.0, 0.0))], true)
    assert found["best_epe"] == still["best_epe"]
    assert found["static_moved"] == 1.0
    assert still["static_moved"] == 0.0


def test_background_is_what_stays_in_every_possible_motion() -> None:
    true = moving((3.0, 0.0))
    assert true.flow is not None
    other = torch.zeros_like(true.flow)
    other[:, :8] = 2.0
    plausible = replace(true, flow=other)
    assert measured([plausible], true)["static_moved"] == pytest.approx(8 * 32 / (32 * 32 - 64))
    assert measured([plausible], true, [true, plausible])["static_moved"] == 0.0


def test_half_a_pixel_at_64_is_no_motion() -> None:
    assert still_threshold(64) == 0.5
    true = moving((0.24, 0.0))
    assert measured([true], true)["best_epe_moving"] is None
    metric = FlowError()
    metric.update([true], 0, true)
    assert metric.results()["best_epe_moving"].reason == "nothing moves by half a pixel."


def test_missing_flows_are_named() -> None:
    true = moving()
    for sample, truth, reason in (
        (true, replace(true, flow=None), "there is no true flow"),
        (
            replace(true, flow=None),
            true,
            "a sample has no flow; a method of the motion task returns it from `generate`",
        ),
    ):
        metric = FlowError()
        metric.update([sample], 0, truth)
        assert metric.results()["best_epe"].reason == f"scene 0: {reason}"
