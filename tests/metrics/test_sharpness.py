from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics import Features, MetricResult, mean_interval
from viewsweep.metrics.features import sharpness
from viewsweep.metrics.sharpness import WORST, SharpnessRatio

NOTHING = Features(torch.zeros(1, 2), torch.zeros(1, 1))


def features(values: torch.Tensor) -> Features:
    return replace(Features(torch.zeros(len(values), 2), torch.zeros(len(values), 1)), sharpness=values)


def measured(fake: torch.Tensor, real: torch.Tensor, scenes: torch.Tensor | None = None) -> dict[str, MetricResult]:
    metric = SharpnessRatio()
    metric.update(features(real), real=True)
    metric.update(features(fake), index=scenes)
    return metric.results()


def pictures(count: int, seed: int) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.integers(0, 256, (count, 24, 24, 3)).astype(np.uint8))


def blurred(images: torch.Tensor, reach: int) -> torch.Tensor:
    wide = images.permute(0, 3, 1, 2).float()
    return torch.nn.functional.avg_pool2d(wide, reach, 1, reach // 2).permute(0, 2, 3, 1).round().to(torch.uint8)


def test_ratio_is_that_of_the_means_and_the_error_its_logarithm() -> None:
    found = measured(torch.tensor([0.5, 1.5, 1.0, 3.0]), torch.tensor([2.0, 4.0, 3.0]))
    assert found["sharpness_ratio"].value == pytest.approx(0.5)
    assert found["sharpness_error"].value == pytest.approx(math.log(2.0))


def test_half_the_detail_is_as_wrong_as_twice() -> None:
    real = torch.tensor([1.0, 2.0])
    half, twice = (measured(real * factor, real)["sharpness_error"].value for factor in (0.5, 2.0))
    assert half == pytest.approx(twice)


def test_blur_lowers_and_noise_raises_it() -> None:
    real, drawn = blurred(pictures(20, 0), 3), blurred(pictures(20, 1), 3)
    truth = sharpness(real)
    assert measured(sharpness(drawn), truth)["sharpness_ratio"].value == pytest.approx(1.0, abs=0.05)
    ratios = [measured(sharpness(blurred(drawn, reach)), truth)["sharpness_ratio"].value for reach in (1, 3, 5, 7)]
    assert ratios == sorted(ratios, reverse=True)  # type: ignore[type-var]
    assert measured(sharpness(pictures(20, 2)), truth)["sharpness_ratio"].value > 5  # type: ignore[operator]


def test_flat_pictures_score_the_worst_error() -> None:
    found = measured(torch.zeros(6), torch.ones(4))
    assert (found["sharpness_ratio"].value, found["sharpness_error"].value) == (0.0, WORST)


def test_interval_is_over_scenes_and_the_errors_follows_from_it() -> None:
    generator = np.random.default_rng(0)
    scene = generator.uniform(0.2, 0.8, 10)
    views = torch.from_numpy(np.repeat(scene, 6)).float()
    found = measured(views, torch.ones(5), torch.arange(60) // 6)
    ratio, error = found["sharpness_ratio"], found["sharpness_error"]
    expected = mean_interval(views[::6].tolist())
    assert (ratio.ci_low, ratio.ci_high) == pytest.approx(expected, rel=1e-9)
    assert (error.ci_low, error.ci_high) == pytest.approx([-math.log(end) for end in reversed(expected or ())])


def test_interval_around_one_starts_at_no_error() -> None:
    found = measured(torch.tensor([0.5, 1.6, 0.9, 1.2]), torch.ones(5))["sharpness_error"]
    assert found.ci_low == 0.0
    assert found.value is not None
    assert found.ci_high is not None
    assert found.value <= found.ci_high


def test_ids_carry_no_network_for_none_takes_part() -> None:
    assert list(SharpnessRatio.definitions("inception")) == ["sharpness_ratio", "sharpness_error"]
    assert list(SharpnessRatio("inception").results()) == ["sharpness_ratio", "sharpness_error"]


def test_unknown_sharpness_is_named() -> None:
    known, unknown = torch.ones(4), torch.tensor([1.0, math.nan, math.nan])
    assert measured(unknown, known)["sharpness_ratio"].reason == (
        "the sharpness of 2 of 3 generated pictures was not measured."
    )
    assert measured(known, unknown)["sharpness_error"].reason == (
        "the sharpness of 2 of 3 reference pictures was not measured."
    )
    flat = measured(known, torch.zeros(3))["sharpness_ratio"]
    assert (flat.status, flat.reason) == ("not_run", "the reference pictures hold no detail to compare with.")
