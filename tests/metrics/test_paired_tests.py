from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from scipy import stats
from viewsweep.metrics.paired_tests import (
    cliffs_delta,
    holm,
    interval_difference,
    jackknife_difference,
    probability_of_improvement,
    sign_flip_test,
)
from viewsweep.metrics.statistics import jackknife_groups


def naive_sign_flip(differences: list[float]) -> float:
    least = abs(sum(differences)) - 1e-9
    ways = list(itertools.product((1, -1), repeat=len(differences)))
    sums = [abs(sum(sign * d for sign, d in zip(way, differences, strict=True))) for way in ways]
    return sum(total >= least for total in sums) / len(ways)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 13])
def test_few_scenes_are_tested_exactly(count: int) -> None:
    differences = (np.random.default_rng(count).normal(size=count) + 0.5).tolist()
    assert sign_flip_test(differences) == pytest.approx(naive_sign_flip(differences), abs=1e-12)


def test_it_agrees_with_scipy() -> None:
    differences = np.random.default_rng(3).normal(size=30) + 0.35
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    ).pvalue
    assert sign_flip_test(differences.tolist()) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("count", [8, 40])
def test_order_and_direction_change_no_bit(count: int) -> None:
    differences = (np.random.default_rng(5).normal(size=count) + 0.3).tolist()
    mixed = random.Random(1).sample(differences, count)
    assert sign_flip_test(differences) == sign_flip_test(mixed)
    assert sign_flip_test(differences) == sign_flip_test([-difference for difference in differences])
    assert sign_flip_test(differences) == sign_flip_test([1e-6 * difference for difference in differences])


def test_a_p_value_is_never_zero_and_no_difference_gives_one() -> None:
    assert sign_flip_test([1.0] * 50) == 1 / 10_001
    assert sign_flip_test([0.0] * 50) == 1.0
    assert sign_flip_test([0.0] * 3) == 1.0


def test_five_scenes_never_suffice_and_six_do() -> None:
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0]) == 0.0625
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == 0.03125


@pytest.mark.parametrize("count", [10, 30])
def test_without_a_difference_it_errs_as_often_as_it_says(count: int) -> None:
    generator = np.random.default_rng(11)
    trials = generator.exponential(size=(400, count)) - generator.exponential(size=(400, count))
    wrong = sum(sign_flip_test(trial.tolist(), flips=999) <= 0.05 for trial in trials)
    assert 0.02 <= wrong / 400 <= 0.08


def test_many_scenes_are_flipped_in_blocks() -> None:
    differences = np.random.default_rng(2).normal(size=1500)
    expected = 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt((differences**2).sum()))
    assert sign_flip_test(differences.tolist()) == pytest.approx(expected, abs=0.02)


def test_holm_is_the_textbook_procedure() -> None:
    p_values = [0.004, 0.03, 0.012, 0.2, 0.012]
    rejected = []
    for place, which in enumerate(sorted(range(5), key=lambda k: p_values[k])):
        if p_values[which] > 0.05 / (5 - place):
            break
        rejected.append(which)
    adjusted = holm(p_values)
    assert [which for which in range(5) if adjusted[which] <= 0.05] == sorted(rejected)
    assert adjusted == pytest.approx([0.02, 0.06, 0.048, 0.2, 0.048])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_effect_sizes_match_their_definitions() -> None:
    generator = np.random.default_rng(4)
    first, second = generator.integers(0, 6, 30).astype(float), generator.integers(1, 7, 20).astype(float)
    expected = np.sign(first[:, None] - second[None]).mean()
    assert cliffs_delta(first.tolist(), second.tolist()) == pytest.approx(expected, abs=1e-12)
    assert cliffs_delta(second.tolist(), first.tolist()) == pytest.approx(-expected, abs=1e-12)
    assert cliffs_delta([3.0], [1.0, 2.0]) == 1.0
    assert probability_of_improvement([1.0, 2.0, -1.0, 0.0]) == 0.625


def leave_outs(values: np.ndarray, groups: np.ndarray) -> list[float]:
    """A set statistic that is no mean: the standard deviation, with each group left out."""
    return [float(values[groups != group].std()) for group in range(groups.max() + 1)]


def test_pairing_the_groups_sees_what_two_intervals_cannot() -> None:
    generator = np.random.default_rng(6)
    scenes = generator.normal(size=200)  # what makes a scene hard, shared by both methods
    first, second = scenes, 1.1 * scenes + 0.05 * generator.normal(size=200)
    groups = jackknife_groups(200)
    deleted, sizes = [leave_outs(first, groups), leave_outs(second, groups)], np.bincount(groups).tolist()
    paired = jackknife_difference(float(first.std()), float(second.std()), *deleted, sizes)
    assert paired is not None
    assert paired.p < 1e-6
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low < paired.value == float(first.std()) - float(second.std()) < paired.high < 0
    alone = interval_difference(
        *[(float(v.std()), float(v.std()) - 0.1, float(v.std()) + 0.1) for v in (first, second)]
    )
    assert alone.p > 0.3


def test_jackknife_difference_of_means_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(8)
    first, second = generator.normal(size=(2, 20))
    deleted = [[(v.sum() - own) / 19 for own in v] for v in (first, second)]
    found = jackknife_difference(float(first.mean()), float(second.mean()), *deleted, [1] * 20)
    assert found is not None
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-9)


def test_intervals_that_touch_are_no_difference() -> None:
    assert interval_difference((1.0, 0.5, 1.5), (2.0, 1.5, 2.5)).p == pytest.approx(0.05)
    assert interval_difference((1.0, 0.5, 1.5), (2.1, 1.6, 2.6)).p < 0.05
    cut_at_zero = interval_difference((0.1, 0.0, 1.1), (2.0, 1.0, 3.0))
    assert cut_at_zero.p > 0.05  # its longer side counts


def test_values_without_any_spread() -> None:
    assert interval_difference((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)).p == 1.0
    assert interval_difference((1.0, 1.0, 1.0), (2.0, 2.0, 2.0)).p == 0.0
    assert jackknife_difference(1.0, 2.0, [1.0], [2.0], [3]) is None


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        sign_flip_test([])
    with pytest.raises(ValueError, match="must be finite"):
        sign_flip_test([float("nan")])
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        holm([1.5])
    with pytest.raises(ValueError, match="only methods that left out the same groups of scenes can be paired"):
        jackknife_difference(1.0, 2.0, [1.0, 1.0], [2.0], [1, 1])
    with pytest.raises(ValueError, match="does not enclose"):
        interval_difference((1.0, 2.0, 3.0), (1.0, 0.0, 2.0))
