from __future__ import annotations

import math
import random
import warnings

import numpy as np
import pytest
from scipy import stats
from viewsweep.metrics.bootstrap import (
    BOOTSTRAP_FROM,
    BOOTSTRAP_UP_TO,
    bootstrap_interval,
    interval_of_mean,
    scene_means,
)
from viewsweep.metrics.statistics import mean_interval


def ends(interval: tuple[float, float] | None) -> tuple[float, float]:
    assert interval is not None
    return interval


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_it_agrees_with_scipy(method: str, kind: str) -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(size=40) if kind == "normal" else np.exp(generator.normal(size=40))
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa" if method == "bca" else method, random_state=1
    ).confidence_interval
    found = ends(bootstrap_interval(values.tolist(), method=method))  # type: ignore[arg-type]
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * width)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_order_changes_no_bit(method: str) -> None:
    generator = random.Random(3)
    values = [generator.uniform(-1, 1) * 10 ** generator.randint(-6, 6) for _ in range(70)]
    strata = [generator.randint(0, 6) for _ in values]
    pairs = generator.sample(list(zip(values, strata, strict=True)), 70)
    mixed, moved = [value for value, _ in pairs], [stratum for _, stratum in pairs]
    assert bootstrap_interval(values, method=method) == bootstrap_interval(mixed, method=method)  # type: ignore[arg-type]
    assert bootstrap_interval(values, strata=strata) == bootstrap_interval(mixed, strata=moved)
    renamed = [f"class {stratum}" for stratum in moved]
    assert bootstrap_interval(values, strata=strata) == bootstrap_interval(mixed, strata=renamed)


def test_views_of_a_scene_are_no_scenes() -> None:
    """24 views with an intraclass correlation of 0.6: the scene is the unit."""
    generator = np.random.default_rng(0)
    covered = naive = 0
    widths = []
    for _ in range(300):
        views = math.sqrt(0.6) * generator.normal(size=(24, 1)) + math.sqrt(0.4) * generator.normal(size=(24, 24))
        own = scene_means(views.ravel().tolist(), np.repeat(np.arange(24), 24).tolist())
        low, high = ends(bootstrap_interval(own, expand=True, resamples=500))
        wrong_low, wrong_high = ends(mean_interval(views.ravel().tolist()))
        covered += low <= 0 <= high
        naive += wrong_low <= 0 <= wrong_high
        widths.append((high - low) / (wrong_high - wrong_low))
    assert 0.92 <= covered / 300 <= 0.98
    assert naive / 300 < 0.5
    assert np.mean(widths) > 3


@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_small_samples_need_the_expansion(kind: str) -> None:
    generator = np.random.default_rng(7)
    covered = {True: 0, False: 0}
    for _ in range(400):
        values = generator.normal(size=20) if kind == "normal" else generator.exponential(size=20) - 1
        for expand in covered:
            low, high = ends(bootstrap_interval(values.tolist(), expand=expand, resamples=500))
            covered[expand] += low <= 0 <= high
    assert covered[True] / 400 >= {"normal": 0.93, "skewed": 0.89}[kind]
    assert covered[False] < covered[True]


def test_bca_leans_towards_the_tail() -> None:
    values = np.exp(np.random.default_rng(2).normal(size=50))
    low, high = ends(bootstrap_interval(values.tolist()))
    plain_low, plain_high = ends(bootstrap_interval(values.tolist(), method="percentile"))
    assert low > plain_low
    assert high > plain_high


def test_strata_take_the_difference_between_classes_out() -> None:
    generator = np.random.default_rng(5)
    label = np.arange(60) % 3
    values = 10.0 * label + generator.normal(size=60)
    plain = ends(bootstrap_interval(values.tolist()))
    own = ends(bootstrap_interval(values.tolist(), strata=label.tolist()))
    within = math.sqrt(sum(values[label == k].var() for k in range(3)) / 3 / 60)
    assert own[1] - own[0] == pytest.approx(2 * 1.96 * within, rel=0.1)
    assert plain[1] - plain[0] > 5 * (own[1] - own[0])


def test_rare_classes_are_pooled() -> None:
    values = np.random.default_rng(6).normal(size=30).tolist()
    each_its_own = list(range(30))
    assert bootstrap_interval(values, strata=each_its_own) == bootstrap_interval(values)
    two_left = ["common"] * 28 + ["rare", "rarer"]
    assert bootstrap_interval(values, strata=two_left) == bootstrap_interval(values)


def test_equal_scenes_have_an_interval_of_no_width() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap_interval([0.25] * 30) == (0.25, 0.25)
        assert bootstrap_interval([0.1] * 20 + [0.3] * 20, strata=[0] * 20 + [1] * 20) == pytest.approx((0.2, 0.2))


def test_interval_encloses_the_mean_and_stays_within_the_range() -> None:
    values = [1.0] * 25 + [0.2]
    low, high = ends(bootstrap_interval(values, bounds=(0.0, 1.0)))
    assert 0 <= low <= sum(values) / 26 <= high <= 1
    assert bootstrap_interval([0.0] * 29 + [1e-9], bounds=(0.0, 1.0)) is not None


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_scenes_have_no_interval(count: int) -> None:
    assert bootstrap_interval([1.0] * count) is None
    assert interval_of_mean([1.0] * count) is None


def test_the_reported_interval_changes_from_t_to_bca() -> None:
    values = np.exp(np.random.default_rng(8).normal(size=BOOTSTRAP_FROM)).tolist()
    assert interval_of_mean(values[:-1]) == mean_interval(values[:-1])
    assert interval_of_mean(values) == bootstrap_interval(values, expand=True)
    # either side of the change both kinds are about as wide
    before, after = ends(mean_interval(values)), ends(interval_of_mean(values))
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], rel=0.25)


def test_large_samples_need_no_large_memory_and_agree_with_t() -> None:
    values = np.random.default_rng(9).normal(size=BOOTSTRAP_UP_TO).tolist()
    expected = mean_interval(values)
    assert interval_of_mean(values) == pytest.approx(expected, abs=0.005)
    assert interval_of_mean([*values, 0.0]) == mean_interval([*values, 0.0])


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match="method is 'basic'; it must be bca or percentile"):
        bootstrap_interval([1.0, 2.0], method="basic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 values but 1 strata"):
        bootstrap_interval([1.0, 2.0], strata=[0])
    with pytest.raises(ValueError, match="2 values but 1 scenes"):
        scene_means([1.0, 2.0], [0])
