from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from viewsweep.metrics import Features, MetricResult, jackknife_interval
from viewsweep.metrics.vendi import Vendi, vendi_score

Rows = npt.NDArray[np.float64]


def points(count: int, seed: int, width: int = 8, spread: float = 1.0) -> Rows:
    values = spread * np.random.default_rng(seed).normal(size=(count, width)) + 1.0
    return values.astype(np.float32).astype(np.float64)


def vendi(values: Rows, scenes: Rows | None = None, azimuth: Rows | None = None) -> MetricResult:
    known = {} if azimuth is None else {"azimuth_deg": torch.from_numpy(azimuth)}
    metric = Vendi()
    metric.update(
        Features(torch.from_numpy(values), torch.zeros(len(values), 1), **known),
        index=None if scenes is None else torch.as_tensor(scenes),
    )
    return metric.results()["vendi[tabletop]"]


def test_pictures_all_alike_count_as_one() -> None:
    assert vendi(np.repeat(points(1, 0), 12, axis=0)).value == pytest.approx(1.0, abs=1e-12)


def test_pictures_without_anything_in_common_count_each() -> None:
    assert vendi(np.eye(9)).value == pytest.approx(9.0, rel=1e-12)


@pytest.mark.parametrize("kinds", [2, 5])
def test_kinds_of_equal_size_count_as_their_number_whatever_their_length(kinds: int) -> None:
    values = np.eye(kinds)[np.arange(30) % kinds] * np.arange(1, 31)[:, None]
    assert vendi(values).value == pytest.approx(kinds, rel=1e-12)


@pytest.mark.parametrize("count", [5, 40], ids=["wide", "tall"])
def test_both_ways_to_the_eigenvalues_agree_with_the_definition(count: int) -> None:
    rows = points(count, 1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    weights = np.linalg.eigvalsh(unit @ unit.T / count)
    expected = np.exp(-sum(w * np.log(w) for w in weights if w > 1e-14))
    assert vendi_score(rows) == pytest.approx(expected, rel=1e-9)


def test_score_falls_with_collapse() -> None:
    values = [vendi_score(points(60, 2, spread=spread)) for spread in (2.0, 1.0, 0.3, 0.05)]
    assert values == sorted(values, reverse=True)


def test_frontal_view_stands_for_the_scene() -> None:
    scenes, azimuth = np.repeat(np.arange(10), 6), np.tile([-180.0, -120.0, -60.0, 0.0, 60.0, 120.0], 10)
    rows = points(60, 3)
    found = vendi(rows, scenes, azimuth)
    assert found.value == pytest.approx(vendi_score(rows[3::6]), rel=1e-12)
    assert found.n == 10
    rows[azimuth != 0.0] = 1.0
    assert vendi(rows, scenes, azimuth).value == found.value


def test_order_of_pictures_changes_no_bit() -> None:
    rows, scenes, order = points(40, 4), np.arange(40) // 4, np.random.default_rng(0).permutation(40)
    assert vendi(rows, scenes) == vendi(rows[order], scenes[order])


def test_jackknife_leaves_out_what_it_says() -> None:
    rows = points(9, 5)
    found = vendi(rows, np.arange(9))
    deleted = [vendi_score(np.delete(rows, scene, 0)) for scene in range(9)]
    expected = jackknife_interval(float(found.value or 0), deleted, [1] * 9, bounds=(1.0, np.inf))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, rel=1e-9)


def test_single_scene_is_one_object_without_an_interval() -> None:
    found = vendi(points(5, 0), np.zeros(5, dtype=np.int64))
    assert (found.value, found.ci_low, found.n) == (1.0, None, 1)


def test_features_without_a_direction_fail() -> None:
    found = vendi(np.vstack([np.zeros((2, 4)), np.eye(4)]))
    assert (found.status, found.reason) == ("failed", "the features of 2 pictures are all 0, which is like nothing.")
    with pytest.raises(ValueError, match="finite and other than 0"):
        vendi_score([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"at least one row; got \[0, 3\]"):
        vendi_score(np.zeros((0, 3)))
