from __future__ import annotations

import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest
from viewsweep.metrics.best_of import COUNTS, BestOf, BestOfLPIPS, expected_best
from viewsweep.metrics.lpips_distance import LPIPS
from viewsweep.metrics.paired import PairedQuality
from viewsweep.scenes import sweep360

from .analytic import balls, noisy

TRUTH = [balls(sweep360(2, 0.1 + 0.1 * k), 32) for k in range(3)]
AMOUNTS = (0.2, 0.05, 0.1, 0.02)


def fed(metric: Any, scenes: range = range(3), amounts: tuple[float, ...] = AMOUNTS) -> Any:
    for index in scenes:
        for sample, amount in enumerate(amounts):
            metric.update(noisy(TRUTH[index], amount, seed=sample), index, TRUTH[index], sample)
    return metric


def everything(metric: Any) -> str:
    return json.dumps({name: result.to_json() for name, result in metric.results().items()}) + repr(metric.rows())


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_expected_best_is_the_mean_over_all_subsets(count: int, higher: bool) -> None:
    values = [3.0, -1.0, 2.5, 2.5, 7.0, 0.0]
    best = max if higher else min
    naive = np.mean([best(subset) for subset in itertools.combinations(values, count)])
    assert expected_best(values, count, higher_is_better=higher) == pytest.approx(float(naive), rel=1e-12)


def test_expected_best_has_no_bias() -> None:
    """The best of 2 uniform numbers is 2/3 on average, whether K is 2 or 20."""
    draws = np.random.default_rng(0).random((4000, 20))
    for held in (2, 5, 20):
        estimates = [expected_best(row[:held].tolist(), 2) for row in draws]
        assert np.mean(estimates) == pytest.approx(2 / 3, abs=0.01)
    spread = [np.std([expected_best(row[:held].tolist(), 2) for row in draws]) for held in (2, 20)]
    assert spread[1] < spread[0] / 2


def test_the_best_sample_counts_and_the_curve_leads_to_it() -> None:
    found = {name: result.value for name, result in fed(BestOf()).results().items()}
    single = PairedQuality()
    for index in range(3):
        single.update(noisy(TRUTH[index], 0.02, seed=3), index, TRUTH[index])
    assert found["best_psnr"] == single.results()["psnr"].value
    assert found["best_ssim"] == single.results()["ssim"].value
    curve = [found[f"best_psnr@{count}"] for count in (1, 2, 4)]
    assert curve == sorted(curve)
    assert curve[-1] == pytest.approx(found["best_psnr"])
    means = []
    for sample, amount in enumerate(AMOUNTS):
        metric = PairedQuality()
        for index in range(3):
            metric.update(noisy(TRUTH[index], amount, seed=sample), index, TRUTH[index])
        means.append(metric.results()["psnr"].value or 0.0)
    assert curve[0] == pytest.approx(np.mean(means))


def test_more_samples_than_there_are_is_a_reason() -> None:
    results = fed(BestOf()).results()
    for count in COUNTS:
        result = results[f"best_psnr@{count}"]
        assert result.status == ("ok" if count <= 4 else "not_run")
    assert results["best_psnr@8"].reason == "a scene came with 4 samples, fewer than 8."


def test_unequal_numbers_of_samples_fail_where_it_matters() -> None:
    metric = fed(fed(BestOf(), range(2)), range(2, 3), AMOUNTS[:2])
    results = metric.results()
    assert results["best_psnr"].status == "failed"
    assert results["best_psnr"].reason == ("scene 2 came with 2 samples, scene 1 with 4; the best of more is better.")
    assert results["best_psnr@2"].status == "ok"
    assert results["best_psnr@4"].status == "not_run"


def test_lower_is_better_for_lpips() -> None:
    network = LPIPS()
    metric = fed(BestOfLPIPS(network=network))
    results = metric.results()
    curve = [float(results[f"best_lpips@{count}"].value or 0.0) for count in (1, 2, 4)]
    assert curve == sorted(curve, reverse=True)
    assert results["best_lpips"].value == pytest.approx(curve[-1])


def test_order_merging_and_pickling_change_no_bit() -> None:
    whole = everything(fed(BestOf()))
    backwards = BestOf()
    for index in (2, 0, 1):
        for sample in (3, 0, 2, 1):
            backwards.update(noisy(TRUTH[index], AMOUNTS[sample], seed=sample), index, TRUTH[index], sample)
    assert everything(backwards) == whole
    half = pickle.loads(pickle.dumps(fed(BestOf(), range(1, 3))))
    half.merge_state(fed(BestOf(), range(1)))
    assert everything(half) == whole
    assert everything(fed(fed(BestOf()), range(1))) == whole  # given twice, counted once


def test_definitions_are_complete() -> None:
    for kind in (BestOf, BestOfLPIPS):
        entries = kind.definitions()
        assert len(entries) == len(kind._ids) * (1 + len(COUNTS))
        headline = next(iter(entries.values()))
        assert (headline.unit, headline.higher_is_better) == (kind.unit, kind.higher_is_better)
        assert all(entry.id == name and entry.description.endswith(".") for name, entry in entries.items())
        assert list(kind().results()) == list(entries)
    assert BestOf.definitions()["best_psnr@4"].title == "PSNR, best of 4"
    assert BestOf.definitions()["best_ssim@8"].description == (
        "SSIM of the best of K samples, expected for 8 of a scene's samples."
    )


def test_misuse_and_missing_truth() -> None:
    with pytest.raises(ValueError, match="a sample's number cannot be negative"):
        BestOf().update(TRUTH[0], 0, TRUTH[0], -1)
    with pytest.raises(ValueError, match="the best of 5 cannot be estimated from 2 samples"):
        expected_best([1.0, 2.0], 5)
    metric = BestOf()
    metric.update(TRUTH[0], 0, None, 1)
    assert metric.results()["best_psnr"].reason == "scene 0: the true views are not known"
    metric = BestOf()
    metric.update(TRUTH[0], 0, TRUTH[0], 0)
    metric.update(TRUTH[1], 0, TRUTH[1].select([0, 1]), 1)
    assert metric.results()["best_psnr"].value == 100.0
