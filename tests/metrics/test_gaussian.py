from __future__ import annotations

import numpy as np
import pytest
import torch
from viewsweep.metrics.gaussian import GaussianSums


def rows(count: int, width: int = 5, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)).double() + shift


def streamed(values: torch.Tensor, *cuts: int) -> GaussianSums:
    parts = torch.tensor_split(values, cuts)
    sums = GaussianSums.of(parts[0])
    for part in parts[1:]:
        sums.add(part)
    return sums


@pytest.mark.parametrize("ddof", [0, 1])
def test_batches_give_the_moments_of_the_whole(ddof: int) -> None:
    values = rows(60, shift=3.0)
    mean, covariance = streamed(values, 7, 8, 40).moments(ddof)
    np.testing.assert_allclose(mean, values.numpy().mean(0), rtol=1e-13)
    np.testing.assert_allclose(covariance, np.cov(values.numpy().T, ddof=ddof), rtol=1e-12)


def test_shift_saves_the_digits_that_raw_sums_lose() -> None:
    values = rows(400, shift=1e6)
    expected = np.cov(values.numpy().T)
    shifted = streamed(values, 100).moments()[1]
    raw = GaussianSums.empty(5).add(values).moments()[1]
    assert np.abs(shifted - expected).max() < 1e-9 < 1e-5 < np.abs(raw - expected).max()


def test_sums_of_one_shift_merge_by_addition() -> None:
    values, shift = rows(50), torch.full((5,), 0.25, dtype=torch.float64)
    one, other = (GaussianSums.empty(5, shift).add(part) for part in (values[:20], values[20:]))
    merged = one.merge(other)
    for part in ("count", "first", "second"):
        assert torch.equal(getattr(merged, part), getattr(one, part) + getattr(other, part))


def test_sums_of_other_shifts_are_moved_first() -> None:
    values = rows(90, shift=100.0)
    merged = streamed(values[:30]).merge(streamed(values[30:50])).merge(streamed(values[50:], 10))
    mean, covariance = merged.moments()
    np.testing.assert_allclose(mean, values.numpy().mean(0), rtol=1e-14)
    np.testing.assert_allclose(covariance, np.cov(values.numpy().T), rtol=1e-11)
    assert int(merged.count) == 90


def test_merging_changes_neither_side() -> None:
    one, other = streamed(rows(10)), streamed(rows(10, seed=1))
    before = one.moments()[1].copy()
    one.merge(other).add(rows(10, seed=2))
    np.testing.assert_array_equal(one.moments()[1], before)


def test_empty_sums_add_nothing() -> None:
    sums = streamed(rows(10))
    np.testing.assert_allclose(GaussianSums.empty(5).merge(sums).moments()[1], sums.moments()[1], rtol=1e-12)


def test_unfit_rows_are_refused_and_leave_no_trace() -> None:
    sums = streamed(rows(10))
    before = sums.moments()[1]
    with pytest.raises(ValueError, match="cannot forget a NaN"):
        sums.add(torch.full((2, 5), float("nan")))
    with pytest.raises(ValueError, match=r"rows have shape \[3, 4\]; these are sums of rows \[N, 5\]"):
        sums.add(rows(3, 4))
    np.testing.assert_array_equal(sums.moments()[1], before)
    with pytest.raises(ValueError, match="needs more than 1 rows; there are 1"):
        GaussianSums.of(rows(1)).moments()
    with pytest.raises(ValueError, match="5 and 4 wide cannot be merged"):
        sums.merge(GaussianSums.empty(4))
    with pytest.raises(ValueError, match="at least one row"):
        GaussianSums.of(rows(0))
