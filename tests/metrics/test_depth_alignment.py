from __future__ import annotations

import numpy as np
import pytest
from viewsweep.metrics.depth_alignment import Alignment, Fit, align_affine, align_scale

RNG = np.random.default_rng(0)
TRUE = 1.0 + RNG.random((3, 8, 8))
TRUE[0, 2, 3] = np.nan
FITS: list[Fit] = ["least squares", "robust"]


@pytest.mark.parametrize("fit", FITS)
def test_a_factor_is_undone(fit: Fit) -> None:
    found = align_scale(TRUE / 2.5, TRUE, fit=fit)
    assert (found.scale, found.shift) == (pytest.approx(2.5), 0.0)
    np.testing.assert_allclose(found.apply(TRUE / 2.5), TRUE, rtol=1e-12)


@pytest.mark.parametrize("fit", FITS)
def test_affine_is_undone_in_the_space_it_was_made_in(fit: Fit) -> None:
    depth = (TRUE + 0.4) / 3
    np.testing.assert_allclose(align_affine(depth, TRUE, fit=fit).apply(depth), TRUE, rtol=1e-12)
    bent = 1 / (2 / TRUE + 0.3)  # affine in disparity
    np.testing.assert_allclose(align_affine(bent, TRUE, space="disparity", fit=fit).apply(bent), TRUE, rtol=1e-12)
    wrong = align_affine(bent, TRUE, space="depth", fit=fit).apply(bent)
    assert np.nanmax(np.abs(wrong - TRUE)) > 0.01


def test_least_squares_is_the_best_affine_map() -> None:
    depth = TRUE + 0.1 * RNG.standard_normal(TRUE.shape)
    held = np.isfinite(TRUE)
    expected = np.polyfit(depth[held], TRUE[held], 1)
    found = align_affine(depth, TRUE)
    assert (found.scale, found.shift) == pytest.approx(tuple(expected))


def test_robust_scale_ignores_what_least_squares_follows() -> None:
    depth = TRUE / 2
    depth[:, :3] = 50.0  # three rows of eight far off
    assert align_scale(depth, TRUE, fit="robust").scale == pytest.approx(2.0)
    assert align_scale(depth, TRUE, fit="least squares").scale < 0.1


def test_depth_without_variation_becomes_the_mean() -> None:
    found = align_affine(np.full_like(TRUE, 3.0), TRUE)
    assert (found.scale, found.shift) == (0.0, pytest.approx(np.nanmean(TRUE)))


def test_disparity_below_zero_is_far_not_negative() -> None:
    aligned = Alignment(1.0, -0.6, "disparity", floor=0.01).apply([1.0, 2.0, np.nan])
    assert aligned[:2] == pytest.approx([2.5, 100.0])
    assert np.isnan(aligned[2])


def test_one_factor_for_all_views_does_not_forgive_a_jump() -> None:
    jumping = TRUE * np.array([1.0, 1.2, 0.8])[:, None, None]
    together = align_scale(jumping, TRUE).apply(jumping)
    assert np.nanmean(np.abs(together - TRUE) / TRUE) > 0.1
    alone = [align_scale(a, b).apply(a) for a, b in zip(jumping, TRUE, strict=True)]
    np.testing.assert_allclose(alone, TRUE, rtol=1e-12)


def test_nothing_to_align_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1 pixels with both depths; there are 0 of 4"):
        align_scale(np.full((2, 2), np.nan), np.ones((2, 2)))
    with pytest.raises(ValueError, match="at least 2 pixels"):
        align_affine([1.0], [2.0])
    with pytest.raises(ValueError, match=r"depth has shape \[2\], its reference \[3\]"):
        align_scale([1.0, 2.0], [1.0, 2.0, 3.0])
