from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from viewsweep.metrics import FID, Features, MetricResult, frechet_distance
from viewsweep.metrics.frechet import gaussian


def features(count: int, width: int = 4, seed: int = 0, shift: float = 0.0, spread: float = 1.0) -> Features:
    rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return Features(spread * rows + shift, torch.zeros(count, 1))


def fid(fake: Features, real: Features, index: torch.Tensor | None = None, **options: Any) -> MetricResult:
    metric = FID(**options)
    metric.update(real, real=True)
    metric.update(fake, index=index)
    return metric.results()["fid[tabletop]"]


def test_known_gaussians_have_the_distance_on_paper() -> None:
    # diagonal: sum (m1 - m2)^2 + sum (s1 - s2)^2
    deviation1, deviation2 = np.array([1.0, 2.0, 0.5]), np.array([3.0, 0.1, 0.5])
    mean1, mean2 = np.array([0.0, 1.0, -2.0]), np.array([1.0, 1.0, 1.0])
    expected = np.sum((mean1 - mean2) ** 2) + np.sum((deviation1 - deviation2) ** 2)
    found = frechet_distance(mean1, np.diag(deviation1**2), mean2, np.diag(deviation2**2))
    assert found == pytest.approx(expected, rel=1e-12)


def test_distance_is_that_of_the_matrix_root() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 12, 12))
    first, second = a @ a.T, b @ b.T
    root = scipy.linalg.sqrtm(first @ second)
    expected = np.trace(first + second - 2 * np.real(root)) + 12 * 0.25
    assert frechet_distance(np.zeros(12), first, np.full(12, 0.5), second) == pytest.approx(expected, rel=1e-9)


def test_distance_is_symmetric_and_ignores_rotation() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, 6, 6))
    first, second, shift = a @ a.T, b @ b.T, generator.normal(size=6)
    turn = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    value = frechet_distance(np.zeros(6), first, shift, second)
    assert frechet_distance(shift, second, np.zeros(6), first) == pytest.approx(value, rel=1e-10)
    turned = frechet_distance(np.zeros(6), turn @ first @ turn.T, turn @ shift, turn @ second @ turn.T)
    assert turned == pytest.approx(value, rel=1e-10)


def test_singular_covariances_are_fine() -> None:
    first, second = np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 4.0, 0.0])
    assert frechet_distance(np.zeros(3), first, np.zeros(3), second) == pytest.approx(5.0)
    assert frechet_distance(np.zeros(3), first, np.zeros(3), first) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [[1.0]], [0.0, 0.0], [[1.0]]), "got [1], [1, 1], [2], [1, 1]."),
        (([0.0], [1.0], [0.0], [[1.0]]), "takes means [D] and covariances [D, D]"),
        (([np.nan], [[1.0]], [0.0], [[1.0]]), "finite numbers only"),
        (([0.0, 0.0], [[1.0, 1.0], [0.0, 1.0]], [0.0, 0.0], np.eye(2)), "cov1 is not symmetric."),
    ],
)
def test_misuse_is_explained(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        frechet_distance(*arguments)


@pytest.mark.parametrize("ddof", [0, 1])
def test_fid_is_the_distance_of_the_moments(ddof: int) -> None:
    fake, real = features(50, seed=1, shift=0.3), features(80, seed=2)
    moments = []
    for part in (real, fake):
        rows = part.embedding.double().numpy()
        moments += [rows.mean(0), np.cov(rows.T, ddof=ddof)]
    assert fid(fake, real, ddof=ddof).value == pytest.approx(frechet_distance(*moments), rel=1e-10)


def test_moments_survive_a_large_offset() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3))
    covariance = gaussian(rows + 1e6)[1]
    np.testing.assert_allclose(covariance, np.cov(rows.T), rtol=1e-7)


def test_same_pictures_have_no_distance() -> None:
    found = fid(features(100), features(100))
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.n == 100


def test_distance_grows_with_shift_and_collapse() -> None:
    real = features(400, seed=5)
    shifted = [fid(features(400, seed=6, shift=shift), real).value for shift in (0.0, 0.2, 0.5, 1.0)]
    collapsed = [fid(features(400, seed=6, spread=spread), real).value for spread in (1.0, 0.6, 0.3, 0.0)]
    assert shifted == sorted(shifted)
    assert collapsed == sorted(collapsed)
    assert collapsed[-1] == pytest.approx(4.0, rel=0.1)  # the trace of the identity


@pytest.mark.parametrize(("fake", "real", "who"), [(4, 100, "generated"), (100, 3, "reference")])
def test_too_few_pictures_are_refused(fake: int, real: int, who: str) -> None:
    found = fid(features(fake), features(real, seed=1))
    assert (found.status, found.value) == ("not_run", None)
    expected = f"FID needs more than 4 {who} pictures, the dimension of the features; there are {min(fake, real)}."
    assert found.reason == expected


def test_interval_encloses_the_value_and_counts_scenes_not_pictures() -> None:
    real = features(500, seed=1)
    objects = features(30, seed=2).embedding.repeat_interleave(10, 0)
    views = Features(objects + 0.05 * features(300, seed=3).embedding, torch.zeros(300, 1))
    scenes = torch.arange(30).repeat_interleave(10)
    alone, together = fid(views, real), fid(views, real, scenes)
    assert alone.value == pytest.approx(together.value, rel=1e-10)
    for found in (alone, together):
        assert found.ci_low is not None
        assert found.ci_high is not None
        assert found.value is not None
        assert found.ci_low <= found.value <= found.ci_high
    assert together.ci_high - together.ci_low > 2 * (alone.ci_high - alone.ci_low)  # type: ignore[operator]


def test_jackknife_leaves_out_what_it_says() -> None:
    fake, real, scenes = features(60, seed=1), features(80, seed=2), torch.arange(6).repeat_interleave(10)
    from viewsweep.metrics import jackknife_interval

    deleted = [float(fid(fake[scenes != scene], real).value or 0) for scene in range(6)]
    found = fid(fake, real, scenes)
    expected = jackknife_interval(float(found.value or 0), deleted, [1] * 6, bounds=(0.0, float("inf")))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, rel=1e-8)


def test_one_scene_has_a_value_without_an_interval() -> None:
    found = fid(features(40), features(60, seed=1), torch.zeros(40, dtype=torch.int64))
    assert found.status == "ok"
    assert found.ci_low is None


def test_width_must_not_change() -> None:
    metric = FID()
    metric.update(features(10, width=4), real=True)
    with pytest.raises(ValueError, match="embedding has 5 columns; that of earlier pictures had 4"):
        metric.update(features(10, width=5))


def test_divisor_is_checked() -> None:
    with pytest.raises(ValueError, match="ddof is 2; it must be 0"):
        FID(ddof=2)
