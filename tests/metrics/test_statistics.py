from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats
from viewsweep.metrics.statistics import jackknife_groups, jackknife_interval, mean, mean_interval


def test_interval_of_a_mean_is_the_t_interval() -> None:
    values = [0.3, 0.7, 0.5, 0.9, 0.2]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_scenes_have_no_interval(count: int) -> None:
    assert mean_interval([1.0] * count) is None


def test_equal_scenes_have_an_interval_of_no_width() -> None:
    assert mean_interval([0.25] * 6) == (0.25, 0.25)


def test_interval_stays_within_the_range_of_the_metric() -> None:
    low, high = mean_interval([0.99, 1.0, 0.9], bounds=(0.0, 1.0)) or (0, 0)
    assert low < 0.96 < high == 1.0


def test_order_changes_no_bit() -> None:
    generator = random.Random(3)
    values = [generator.uniform(-1, 1) * 10 ** generator.randint(-6, 6) for _ in range(300)]
    shuffled = generator.sample(values, len(values))
    assert mean(values) == mean(shuffled)
    assert mean_interval(values) == mean_interval(shuffled)


def test_interval_over_scenes_covers_where_one_over_views_does_not() -> None:
    generator = np.random.default_rng(0)
    covered = naive = 0
    for _ in range(400):
        views = generator.normal(size=(10, 1)) + 0.8 * generator.normal(size=(10, 24))
        low, high = mean_interval(views.mean(1).tolist()) or (0, 0)
        covered += low <= 0 <= high
        low, high = mean_interval(views.ravel().tolist()) or (0, 0)
        naive += low <= 0 <= high
    assert 0.92 <= covered / 400 <= 0.98
    assert naive / 400 < 0.6


def test_jackknife_of_a_mean_with_groups_of_one_is_its_t_interval() -> None:
    values = [0.3, 0.7, 0.5, 0.9, 0.2, 0.4]
    total = sum(values)
    deleted = [(total - value) / 5 for value in values]
    assert jackknife_interval(mean(values), deleted, [1] * 6) == pytest.approx(mean_interval(values), rel=1e-9)


def test_jackknife_with_unequal_groups_is_close_to_the_t_interval() -> None:
    values = np.random.default_rng(1).normal(size=47)
    groups = jackknife_groups(47)
    deleted = [float(values[groups != group].mean()) for group in range(20)]
    low, high = jackknife_interval(float(values.mean()), deleted, np.bincount(groups).tolist()) or (0, 0)
    expected = mean_interval(values.tolist()) or (0, 0)
    assert high - low == pytest.approx(expected[1] - expected[0], rel=0.3)


@pytest.mark.parametrize(("units", "groups"), [(1, 1), (7, 7), (20, 20), (47, 20), (256, 20)])
def test_groups_are_twenty_or_as_many_as_scenes(units: int, groups: int) -> None:
    sizes = np.bincount(jackknife_groups(units))
    assert len(sizes) == groups
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("order", ["in turn", "class by class"])
def test_groups_mix_the_classes_whatever_their_order(order: str) -> None:
    scenes = np.arange(256)
    label = scenes % 10 if order == "in turn" else scenes * 10 // 256
    groups = jackknife_groups(256)
    assert min(len(set(label[groups == group])) for group in range(20)) >= 5


def test_one_group_has_no_interval() -> None:
    assert jackknife_interval(1.0, [2.0], [1]) is None


def test_groups_and_sizes_must_fit() -> None:
    with pytest.raises(ValueError, match="2 leave-out values but 1 group sizes"):
        jackknife_interval(1.0, [2.0, 3.0], [1])


def test_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean([])


def test_value_on_the_edge_is_inside_its_interval() -> None:
    assert jackknife_interval(0.0, [0.1, 0.1, 0.3], [1, 1, 1], bounds=(0.0, math.inf))[0] == 0.0  # type: ignore[index]
