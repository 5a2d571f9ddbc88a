"""How much faster the Fréchet distance is than the matrix root of SciPy, at the width of Inception."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from viewsweep.metrics import frechet_distance
from viewsweep.metrics.frechet import frechet_distance_from_features, gaussian, leave_out_distances

WIDTH = 2048

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

T = TypeVar("T")
Rows = npt.NDArray[np.float64]


def features(count: int, seed: int, spread: float = 1.0) -> Rows:
    """Never negative, and with variances that fall over five decades, as Inception's do."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    strong = generator.normal(size=(count, WIDTH)) * np.arange(1, WIDTH + 1) ** -1.0
    rows = 10 * spread * strong @ turn + 0.2 * generator.normal(size=(count, WIDTH))
    return np.maximum(rows, 0.0)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result, and the processor time it took: other work on the machine does not count."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def by_matrix_root(mean1: Rows, cov1: Rows, mean2: Rows, cov2: Rows) -> float:
    root = np.real(scipy.linalg.sqrtm(cov1 @ cov2))
    return float(np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root))


def test_ten_times_faster_than_the_matrix_root(capsys: pytest.CaptureFixture[str]) -> None:
    moments = *gaussian(features(5000, 1, 1.05)), *gaussian(features(5000, 2))
    timed(lambda: frechet_distance(*moments))  # warm
    ours, taken = min((timed(lambda: frechet_distance(*moments)) for _ in range(3)), key=lambda run: run[1])
    theirs, longer = timed(lambda: by_matrix_root(*moments))
    with capsys.disabled():
        print(f"\n{WIDTH} dimensions: {taken:.1f} s, scipy sqrtm {longer:.1f} s, {longer / taken:.1f} times faster")
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert longer >= 10 * taken


def test_few_pictures_are_faster_still_and_exact(capsys: pytest.CaptureFixture[str]) -> None:
    fake, real = features(500, 3, 1.05), features(600, 4)
    moments = *gaussian(fake), *gaussian(real)
    exact, quick = timed(lambda: frechet_distance_from_features(fake, real))
    singular, slow = timed(lambda: frechet_distance(*moments))
    with capsys.disabled():
        print(f"\n500 and 600 pictures of {WIDTH} dimensions: {quick:.1f} s from features, {slow:.1f} s from moments")
    trace = np.trace(moments[1]) + np.trace(moments[3])
    assert abs(exact - singular) <= 1e-6 * trace
    assert quick < slow


def test_interval_of_ten_thousand_pictures_costs_no_more_than_two_matrix_roots(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake, real = features(10_000, 5, 1.05), features(5000, 6)
    reference = gaussian(real)
    group = np.arange(len(fake)) // 25 % 20
    deleted: list[float] = []
    taken = timed(lambda: deleted.extend(leave_out_distances(fake, group, reference)))[1]
    _, root = timed(lambda: by_matrix_root(*reference, *reference))
    with capsys.disabled():
        print(f"\n20 leave-out distances of 10,000 x {WIDTH}: {taken:.0f} s; one scipy sqrtm: {root:.0f} s")
    left = gaussian(fake[group != 7])
    assert deleted[7] == pytest.approx(frechet_distance(*left, *reference), rel=1e-6)
    assert taken <= 2 * root
