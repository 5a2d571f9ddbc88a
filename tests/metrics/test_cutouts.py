from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.cutouts import cut_out, estimated_alpha, filled_in
from viewsweep.scenes import Scene, sweep360, tabletop

SCENE = tabletop.sample(7).render(sweep360(4, 0.26), 48)


def slope(size: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    return torch.stack([x, y, 0.5 * (x + y)], -1)[None]


def test_backdrop_continues_behind_the_object() -> None:
    true, known = slope(32), torch.ones(1, 32, 32, dtype=torch.bool)
    known[:, 10:22, 8:20] = False
    filled = filled_in(torch.where(known[..., None], true, torch.tensor(9.0)), known)
    assert torch.equal(filled[known], true[known])
    assert float((filled - true)[~known].abs().max()) < 0.15  # within the hole it runs from .26 to .68


def test_unknown_everywhere_is_black() -> None:
    assert not filled_in(slope(7), torch.zeros(1, 7, 7, dtype=torch.bool)).any()


def test_alpha_comes_before_depth_and_depth_before_a_guess() -> None:
    assert SCENE.alpha is not None
    assert SCENE.depth is not None
    torch.testing.assert_close(cut_out(SCENE, 64).alpha, SCENE.alpha.float() / 255)
    hard = cut_out(replace(SCENE, alpha=None), 64).alpha
    assert torch.equal(hard, torch.isfinite(SCENE.depth).float())
    guess = cut_out(Scene(SCENE.rgb, SCENE.cameras), 64).alpha
    assert set(guess.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("seed", [3, 7, 12])
def test_plain_backdrops_are_told_from_the_object(seed: int) -> None:
    scene = tabletop.sample(seed).render(sweep360(4, 0.26), 48)
    assert scene.alpha is not None
    guess, true = estimated_alpha(scene.rgb.float() / 255) > 0, scene.alpha > 127
    assert float((guess & true).sum() / (guess | true).sum()) > 0.8


def test_busy_rim_makes_everything_object() -> None:
    noise = torch.rand(2, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    assert bool((estimated_alpha(noise) == 1).all())


def test_object_that_reaches_over_the_rim_is_found() -> None:
    picture = slope(32).clone() * 0.3
    picture[:, 10:, 12:15] = 1.0
    assert torch.equal(estimated_alpha(picture)[0].bool(), picture[0, ..., 2] == 1.0)


def test_uncovered_pixels_are_their_own_backdrop() -> None:
    found = cut_out(SCENE, 64)
    assert torch.equal(found.backdrop[found.alpha == 0], found.rgb[found.alpha == 0])
    assert float((found.backdrop - found.rgb).abs()[found.alpha == 1].mean()) > 0.05


@pytest.mark.parametrize(("size", "expected"), [((48, 48), (48, 48)), ((128, 128), (64, 64)), ((40, 100), (26, 64))])
def test_large_pictures_are_averaged_down(size: tuple[int, int], expected: tuple[int, int]) -> None:
    rgb = torch.full((2, *size, 3), 51, dtype=torch.uint8)
    found = cut_out(Scene(rgb, alpha=torch.full((2, *size), 255, dtype=torch.uint8)), 64)
    assert found.rgb.shape == (2, *expected, 3)
    assert found.alpha.shape == (2, *expected)
    torch.testing.assert_close(found.rgb, torch.full_like(found.rgb, 0.2))
