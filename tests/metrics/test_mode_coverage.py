from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.mode_coverage import KnownModes, ModeCoverage
from viewsweep.scenes import Scene

from .completions import moving, values

LEFT, RIGHT, UP = moving((-3.0, 0.0)), moving((3.0, 0.0)), moving((0.0, -3.0))
MODES = ((0.5, LEFT), (0.3, RIGHT), (0.2, UP))


def measured(samples: list[Scene], modes: tuple[tuple[float, Scene], ...] = MODES) -> dict[str, float | None]:
    metric = ModeCoverage()
    metric.update(samples, 0, modes[0][1], modes)
    return values(metric)


def test_each_mode_as_often_as_it_happens_is_perfect() -> None:
    found = measured([LEFT] * 5 + [RIGHT] * 3 + [UP] * 2)
    assert found["modes_hit"] == found["samples_on_mode"] == 1.0
    assert found["mode_distance"] == pytest.approx(0.0, abs=1e-12)
    assert found["modes_expected"] == pytest.approx(np.mean([1 - (1 - p) ** 10 for p in (0.5, 0.3, 0.2)]))


def test_one_answer_hits_one_mode() -> None:
    found = measured([RIGHT] * 10)
    assert found["modes_hit"] == pytest.approx(1 / 3)
    assert found["samples_on_mode"] == 1.0
    assert found["mode_distance"] == pytest.approx(0.7)


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (0.8, 0.1, 0.1), (1 / 3, 1 / 3, 1 / 3)])
def test_the_mean_of_all_hits_none(weights: tuple[float, ...]) -> None:
    modes = tuple((weight, mode) for weight, (_, mode) in zip(weights, MODES, strict=True))
    flow = sum(weight * mode.flow for weight, mode in modes)  # type: ignore[operator]
    found = measured([replace(LEFT, flow=flow)] * 4, modes)
    assert found["modes_hit"] == found["samples_on_mode"] == 0.0
    assert found["mode_distance"] == pytest.approx(1.0)


def test_where_the_mean_is_an_answer_it_hits_that_one() -> None:
    still = moving((0.0, 0.0))
    found = measured([still] * 3, ((0.25, LEFT), (0.25, RIGHT), (0.5, still)))
    assert found["modes_hit"] == pytest.approx(1 / 3)
    assert found["samples_on_mode"] == 1.0


def test_near_misses_hit_within_half_the_way_to_the_next() -> None:
    modes = ((0.5, LEFT), (0.5, RIGHT))  # 6 apart, 3 from their mean: radii of 1.5
    for off, hits in ((1.4, 1.0), (1.6, 0.0)):
        assert measured([moving((3.0, off))], modes)["samples_on_mode"] == hits


def test_no_sample_hits_two_modes() -> None:
    generator = torch.Generator().manual_seed(0)
    modes = tuple((0.2, moving(tuple((4 * torch.randn(2, generator=generator)).tolist()))) for _ in range(5))
    known = KnownModes.of(modes)
    assert known is not None
    for a in range(5):
        for b in range(a):
            assert known.radii[a] + known.radii[b] <= known.distance(known.answers[a], known.answers[b]) + 1e-12


def test_what_all_modes_share_and_what_some_hide_does_not_count() -> None:
    hidden = LEFT.flow.clone()  # type: ignore[union-attr]
    hidden[:, 8:10] = math.nan
    modes = ((0.5, replace(LEFT, flow=hidden)), (0.5, RIGHT))
    known = KnownModes.of(modes)
    assert known is not None
    assert len(known.answers[0]) == 6 * 8
    assert measured([replace(LEFT, flow=hidden), RIGHT], modes)["modes_hit"] == 1.0
    nowhere = replace(LEFT, flow=torch.full_like(hidden, math.nan))
    assert measured([nowhere], modes)["samples_on_mode"] == 0.0


def test_equal_modes_are_one() -> None:
    found = measured([LEFT] * 5 + [RIGHT] * 5, ((0.3, LEFT), (0.5, RIGHT), (0.2, LEFT)))
    assert found["modes_hit"] == 1.0
    assert found["mode_distance"] == pytest.approx(0.0, abs=1e-12)


def test_modes_without_flow_are_told_apart_by_their_pictures() -> None:
    red, blue = (Scene(torch.zeros(2, 8, 8, 3, dtype=torch.uint8)) for _ in range(2))
    red.rgb[:, :2, :, 0], blue.rgb[:, :2, :, 2] = 200, 200
    modes = ((0.5, red), (0.5, blue))
    mean = replace(red, rgb=((red.rgb.int() + blue.rgb.int()) // 2).to(torch.uint8))
    found = measured([red, red, blue, mean], modes)
    assert found["modes_hit"] == 1.0
    assert found["samples_on_mode"] == 0.75
    assert found["mode_distance"] == pytest.approx((0.0 + 0.25 + 0.25) / 2)


def test_what_cannot_be_measured_is_named() -> None:
    bare = replace(LEFT, flow=None)
    for samples, modes, reason in (
        ([LEFT], (), "what was possible is not known"),
        ([LEFT], ((1.0, LEFT),), "there is one mode only"),
        ([bare], MODES, "a sample has no flow"),
    ):
        metric = ModeCoverage()
        metric.update(samples, 0, LEFT, modes)
        assert str(metric.results()["modes_hit"].reason).startswith(f"scene 0: {reason}")
    with pytest.raises(ValueError, match="they must be positive and sum to 1"):
        measured([LEFT], ((0.5, LEFT), (0.6, RIGHT)))
