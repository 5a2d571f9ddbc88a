from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from cleanfid.fid import kernel_distance  # type: ignore[import-untyped]
from torchmetrics.image.kid import KernelInceptionDistance
from viewsweep.metrics import KID, Features, MetricResult, jackknife_interval, kid_subsets
from viewsweep.metrics.kernel import kid_u_statistic

Rows = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def _few_subsets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewsweep.metrics.kernel.SUBSETS", 8)  # the printed form takes longer than KID itself


def rows(count: int, seed: int, shift: float = 0.0) -> Rows:
    values = np.random.default_rng(seed).normal(size=(count, 5)) + shift
    return values.astype(np.float32).astype(np.float64)  # what `Features` can hold


def kid(fake: Rows, real: Rows, scenes: Any = None) -> MetricResult:
    metric = KID()
    metric.update(_features(real), real=True)
    metric.update(_features(fake), index=None if scenes is None else torch.as_tensor(scenes))
    return metric.results()["kid[tabletop]"]


def test_fast_equals_loops() -> None:
    fake, real = rows(9, 0), rows(13, 1, 0.5)
    expected = _naive(fake, list(range(9)), real)
    assert kid_u_statistic(fake, real) == pytest.approx(expected, rel=1e-12)
    assert kid(fake, real).value == pytest.approx(expected, rel=1e-12)


def test_views_of_one_scene_are_no_pair() -> None:
    fake, real, scenes = rows(12, 0), rows(13, 1, 0.5), [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert kid(fake, real, scenes).value == pytest.approx(_naive(fake, scenes, real), rel=1e-12)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real, scenes = rows(24, 0), rows(17, 1), np.arange(24) // 4
    whole = kid(fake, real, scenes)
    monkeypatch.setattr("viewsweep.metrics.kernel.BLOCK", 5)
    assert kid(fake, real, scenes).value == pytest.approx(whole.value, rel=1e-12)


def test_equal_distributions_have_no_distance_on_average() -> None:
    values = [kid_u_statistic(rows(40, seed), rows(60, 1000 + seed)) for seed in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


def test_several_views_of_a_scene_bring_no_bias() -> None:
    """All pairs would give about 0.5 here: views of one scene are alike."""
    values, biased = [], []
    for seed in range(60):
        fake = np.repeat(rows(12, seed), 6, axis=0)
        real = rows(60, 1000 + seed)
        values.append(float(kid(fake, real, np.arange(72) // 6).value or 0))
        biased.append(kid_u_statistic(fake, real))
    error = np.std(values) / np.sqrt(60)
    assert abs(np.mean(values)) < 3 * error
    assert np.mean(biased) > 5 * error


def test_completions_are_no_pair_with_their_own_truth() -> None:
    """Samples and truth share worlds and a distribution: no distance. Pairs of a world would make it negative."""
    values, biased = [], []
    for seed in range(60):
        worlds = 2 * rows(12, seed)
        fake, real = (np.repeat(worlds, views, axis=0) + 0.3 * rows(12 * views, seed + views) for views in (8, 4))
        for found, index in ((values, np.arange(48) // 4), (biased, None)):
            metric = KID()
            metric.update(_features(real), real=True, index=None if index is None else torch.as_tensor(index))
            metric.update(_features(fake), index=torch.arange(96) // 8)
            found.append(float(metric.results()["kid[tabletop]"].value or 0))
    error = np.std(values) / np.sqrt(60)
    assert abs(np.mean(values)) < 3 * error
    assert np.mean(biased) < -5 * error


def test_distance_grows_with_shift() -> None:
    real = rows(200, 9)
    values = [float(kid(rows(200, 1, shift), real).value or 0) for shift in (0.0, 0.2, 0.5, 1.0)]
    assert values == sorted(values)


def test_jackknife_leaves_out_what_it_says() -> None:
    fake, real, scenes = rows(30, 3), rows(25, 4, 0.3), np.arange(30) // 5
    found = kid(fake, real, scenes)
    deleted = [float(kid(fake[scenes != scene], real, scenes[scenes != scene]).value or 0) for scene in range(6)]
    expected = jackknife_interval(float(found.value or 0), deleted, [1] * 6)
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, rel=1e-9)


def test_interval_covers() -> None:
    covered = 0
    for seed in range(150):
        found = kid(rows(60, seed), rows(80, 5000 + seed), np.arange(60) // 2)
        covered += (found.ci_low or 0) <= 0 <= (found.ci_high or 0)
    assert covered / 150 > 0.85  # the reference's own scatter is not in it


def test_one_scene_has_no_pair() -> None:
    found = kid(rows(6, 0), rows(9, 1), [0] * 6)
    assert found.status == "not_run"
    assert found.reason == "KID compares pairs of scenes; the generated set holds one."
    assert kid(rows(6, 0), rows(1, 1)).reason == "KID compares pairs of scenes; the reference set holds one."


def test_two_scenes_have_no_interval() -> None:
    found = kid(rows(6, 0), rows(9, 1), [0, 0, 0, 1, 1, 1])
    assert found.status == "ok"
    assert found.ci_low is None


def test_subsets_agree_with_the_whole_and_their_spread_follows_their_size() -> None:
    fake, real = rows(400, 0, 0.5), rows(500, 1)
    small, large = (kid_subsets(fake, real, subsets=30, subset_size=size) for size in (50, 200))
    assert small[0] == pytest.approx(kid_u_statistic(fake, real), rel=0.2)
    assert large[1] < small[1] / 1.5
    assert kid_subsets(fake, real, subsets=5, subset_size=50) == kid_subsets(fake, real, subsets=5, subset_size=50)


def test_subsets_larger_than_the_set_are_refused() -> None:
    with pytest.raises(ValueError, match="100 subsets of 1000 cannot be drawn from 30 and 40 pictures"):
        kid_subsets(rows(30, 0), rows(40, 1))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="KID takes two matrices"):
        kid_u_statistic(rows(5, 0), rows(5, 0)[:, :3])


def _features(values: Rows) -> Features:
    return Features(torch.from_numpy(values).float(), torch.zeros(len(values), 1))


def _naive(fake: Rows, scenes: Any, real: Rows) -> float:
    def kernel(x: Rows, y: Rows) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    within = [
        kernel(x, y) for a, x in zip(scenes, fake, strict=True) for b, y in zip(scenes, fake, strict=True) if a != b
    ]
    reference = [kernel(x, y) for k, x in enumerate(real) for m, y in enumerate(real) if k != m]
    across = [kernel(x, y) for x in fake for y in real]
    return float(np.mean(within) + np.mean(reference) - 2 * np.mean(across))


def test_one_subset_of_all_pictures_is_clean_fids() -> None:
    fake, real = rows(120, 0, 0.4), rows(120, 1)
    theirs = kernel_distance(real, fake, num_subsets=1, max_subset_size=1000)
    assert kid_u_statistic(fake, real) == pytest.approx(theirs, rel=1e-5)
    assert kid_subsets(fake, real, subsets=1, subset_size=120)[0] == pytest.approx(theirs, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save:UserWarning")
def test_one_subset_of_all_pictures_is_torchmetrics() -> None:
    fake, real = rows(80, 0, 0.4), rows(80, 1)
    theirs = KernelInceptionDistance(feature=torch.nn.Identity(), subsets=1, subset_size=80)
    theirs.update(torch.from_numpy(real), real=True)
    theirs.update(torch.from_numpy(fake), real=False)
    assert kid_u_statistic(fake, real) == pytest.approx(float(theirs.compute()[0]), rel=1e-5)


def test_printed_form_stands_beside_with_siblings_and_without_an_interval() -> None:
    fake, real = np.repeat(rows(10, 0), 6, axis=0), rows(90, 1)
    metric = KID()
    metric.update(_features(real), real=True)
    metric.update(_features(fake), index=torch.arange(60) // 6)
    printed = metric.results()["kid_subsets[tabletop]"]
    # subsets of all 60 generated pictures, so that only the reference is drawn
    assert printed.value == pytest.approx(kid_u_statistic(fake, real), abs=0.1)
    assert printed.value > float(metric.compute()) + 0.1  # sibling views are alike
    assert (printed.n, printed.ci_low) == (60, None)
    assert metric.definitions()["kid_subsets[tabletop]"].higher_is_better is None


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite numbers only"):
        kid_u_statistic(rows(5, 0) * np.nan, rows(5, 1))
