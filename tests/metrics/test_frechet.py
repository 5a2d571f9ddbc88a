from __future__ import annotations

import re
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import torch
from viewsweep.metrics import FID, Features, MetricResult, frechet_distance
from viewsweep.metrics.frechet import frechet_distance_from_features, gaussian, leave_out_distances


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
        (([0.0, 0.0], np.diag([1.0, -1.0]), [0.0, 0.0], np.eye(2)), "cov1 has a negative eigenvalue"),
        (([0.0, 0.0], np.diag([1.0, 0.0]), [0.0, 0.0], np.diag([2.0, -1.0])), "cov2 has a negative eigenvalue"),
    ],
)
def test_misuse_is_explained(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        frechet_distance(*arguments)


Rows = npt.NDArray[np.float64]


def whole_numbers(rows: int, columns: int, seed: int, shift: int = 0) -> Rows:
    """Features whose products and sums have no rounding, so that a reference can be exact."""
    return np.random.default_rng(seed).integers(-9, 10, (rows, columns)).astype(np.float64) + shift


def to_fifty_digits(first: Rows, second: Rows) -> float:
    """The distance of the Gaussians (divided by N) of whole-numbered features, in 50 digits."""
    with mpmath.workdps(50):
        centred = []
        for rows in (first, second):
            exact = mpmath.matrix((len(rows) * rows - rows.sum(0)).tolist())  # N times too large, and whole
            centred.append(exact / mpmath.sqrt(len(rows)) ** 3)
        shift = sum(
            (mpmath.mpf(a) / len(first) - mpmath.mpf(b) / len(second)) ** 2
            for a, b in zip(first.sum(0).tolist(), second.sum(0).tolist(), strict=True)
        )
        traces = sum(mpmath.mnorm(part, "f") ** 2 for part in centred)
        return float(shift + traces - 2 * sum(mpmath.svd_r(centred[0] * centred[1].T, compute_uv=False)))


@pytest.mark.parametrize(
    ("counts", "width"),
    [((6, 9), 20), ((6, 40), 12), ((40, 6), 12), ((30, 30), 8)],
    ids=["both few", "fake few", "real few", "many"],
)
def test_features_give_the_distance_to_fifty_digits(counts: tuple[int, int], width: int) -> None:
    fake, real = whole_numbers(counts[0], width, 1, shift=1), whole_numbers(counts[1], width, 2)
    expected = to_fifty_digits(fake, real)
    assert frechet_distance_from_features(fake, real, ddof=0) == pytest.approx(expected, rel=1e-12)
    moments = *gaussian(fake, 0), *gaussian(real, 0)
    trace = np.trace(moments[1]) + np.trace(moments[3])
    assert abs(frechet_distance(*moments) - expected) <= 1e-7 * trace  # a covariance remembers half the digits


def test_low_rank_covariances_of_many_dimensions_are_within_a_millionth_of_the_trace() -> None:
    fake, real = whole_numbers(10, 300, 3), whole_numbers(14, 300, 4)
    moments = *gaussian(fake, 0), *gaussian(real, 0)
    trace = np.trace(moments[1]) + np.trace(moments[3])
    assert abs(frechet_distance(*moments) - to_fifty_digits(fake, real)) <= 1e-6 * trace


@pytest.mark.parametrize("spread", [1e-12, 1e-6, 1.0, 1e6])
def test_badly_scaled_covariances_that_commute(spread: float) -> None:
    generator = np.random.default_rng(5)
    turn = np.linalg.qr(generator.normal(size=(80, 80)))[0]
    first, second = np.geomspace(1.0, spread, 80), np.geomspace(3.0, 1.0, 80)[generator.permutation(80)]
    expected = float(np.sum((np.sqrt(first) - np.sqrt(second)) ** 2))
    covariances = [(turn * part) @ turn.T for part in (first, second)]
    found = frechet_distance(np.zeros(80), covariances[0], np.zeros(80), covariances[1])
    assert abs(found - expected) <= 1e-6 * (first.sum() + second.sum())


def test_full_rank_is_within_a_millionth_of_the_matrix_root() -> None:
    fake, real = (features(600, 200, seed, shift=0.01 * seed).embedding.double().numpy() for seed in (1, 2))
    moments = *gaussian(fake), *gaussian(real)
    root = scipy.linalg.sqrtm(moments[1] @ moments[3])
    expected = np.sum((moments[0] - moments[2]) ** 2) + np.trace(moments[1] + moments[3] - 2 * np.real(root))
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-6)


def test_same_singular_covariance_has_no_distance() -> None:
    rows = features(30, 100).embedding.double().numpy()
    mean, covariance = gaussian(rows)
    assert frechet_distance(mean, covariance, mean, covariance) <= 1e-7 * np.trace(covariance)
    assert frechet_distance_from_features(rows, rows) <= 1e-12 * np.trace(covariance)


@pytest.mark.parametrize(
    ("fake", "real", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 3)), "got [3, 2], [3, 3]."),
        (np.zeros((1, 2)), np.zeros((3, 2)), "more than ddof = 1 (0 or 1) rows; got [1, 2], [3, 2]."),
        (np.full((3, 2), np.inf), np.zeros((3, 2)), "features must be finite."),
    ],
)
def test_unfit_features_are_refused(fake: Rows, real: Rows, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        frechet_distance_from_features(fake, real)


def test_leave_outs_are_the_distances_without_them() -> None:
    fake, real = features(90, 5, 1).embedding.double().numpy(), features(70, 5, 2).embedding.double().numpy()
    group = np.arange(90) % 4
    expected = [frechet_distance(*gaussian(fake[group != one]), *gaussian(real)) for one in range(4)]
    assert leave_out_distances(fake, group, gaussian(real)) == pytest.approx(expected, rel=1e-9)
    assert leave_out_distances(fake, group, gaussian(real), groups=5)[4] == pytest.approx(
        frechet_distance(*gaussian(fake), *gaussian(real)), rel=1e-9
    )


@pytest.mark.parametrize("ddof", [0, 1])
def test_fid_is_the_distance_of_the_moments(ddof: int) -> None:
    fake, real = features(50, seed=1, shift=0.3), features(80, seed=2)
    moments = []
    for part in (real, fake):
        rows = part.embedding.double().numpy()
        moments += [rows.mean(0), np.cov(rows.T, ddof=ddof)]
    assert fid(fake, real, ddof=ddof).value == pytest.approx(frechet_distance(*moments), rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"intervals": False, "width": 4}], ids=["features", "sums"])
def test_moments_of_all_real_pictures_stand_in_for_a_sample(options: dict[str, Any]) -> None:
    fake, real = features(60, seed=1), features(300, seed=2, shift=1.0)
    metric = FID(**options)
    metric.update(real[:50], real=True)
    metric.update(fake)
    metric.refer(gaussian(real.embedding.numpy().astype(np.float64)))
    assert metric.results()["fid[tabletop]"].value == pytest.approx(fid(fake, real).value, rel=1e-9)


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


def summed(fake: Features, real: Features, **options: Any) -> FID:
    metric = FID(intervals=False, width=fake.embedding.shape[1], **options)
    metric.update(real, real=True)
    metric.update(fake, index=3)
    return metric


@pytest.mark.parametrize("ddof", [0, 1])
def test_sums_give_the_value_of_the_features(ddof: int) -> None:
    fake, real = features(300, 16, 1, shift=5.0), features(400, 16, 2, shift=5.1)
    found = summed(fake, real, ddof=ddof).results()["fid[tabletop]"]
    assert found.value == pytest.approx(fid(fake, real, ddof=ddof).value, rel=1e-9)
    assert (found.n, found.ci_low) == (300, None)


def test_sums_of_two_processes_add_up() -> None:
    fake, real = features(100, seed=1, shift=0.3), features(90, seed=2)
    here, there = summed(fake[:30], real[50:]), summed(fake[30:], real[:50])
    here.merge_state(there)
    assert float(here.compute()) == pytest.approx(fid(fake, real).value, rel=1e-10)


def test_sums_keep_no_features_and_forget_when_told() -> None:
    metric = summed(features(50), features(50, seed=1))
    held = sum(
        part.numel()
        for state in metric.metric_state.values()
        for part in ([*state] if isinstance(state, list) else [state])
    )
    assert held == 2 * (1 + 4 + 16)
    metric.reset()
    assert metric.results()["fid[tabletop]"].reason == "no generated pictures were given."


def test_sums_refuse_what_they_cannot_tell() -> None:
    assert summed(features(3), features(50)).results()["fid[tabletop]"].reason == (
        "FID needs more than 4 generated pictures, the dimension of the features; there are 3."
    )
    far = features(50, shift=1e5)
    found = summed(far, far).results()["fid[tabletop]"]
    assert (found.status, str(found.reason).split(",")[0]) == ("failed", "the features are too far from 0")
    with pytest.raises(ValueError, match="embedding has 5 columns; that of earlier pictures had 4"):
        summed(features(9), features(9)).update(features(9, width=5))
    with pytest.raises(ValueError, match="intervals is False and width is None"):
        FID(intervals=False)
