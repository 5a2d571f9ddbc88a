"""The fast rasteriser draws what rays and loops draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid.rasterise import rasterise
from viewsweep.baselines.ivid.rasterise_reference import rasterise_reference

HEIGHT, WIDTH = 13, 17


def soup(count: int, size: float, seed: int) -> Tensor:
    """Random faces [count, 3, 3] of about `size` samples, both ways round."""
    generator = torch.Generator().manual_seed(seed)
    centre = 18 * torch.rand(count, 1, 2, generator=generator)
    corner = centre + 2 * size * (torch.rand(count, 3, 2, generator=generator) - 0.5)
    return torch.cat([corner, 0.5 + 2 * torch.rand(count, 3, 1, generator=generator)], -1)


def slivers(count: int, seed: int) -> Tensor:
    """Long thin faces in any direction."""
    generator = torch.Generator().manual_seed(seed)
    angle = 6.3 * torch.rand(count, generator=generator)
    along, across = torch.stack([angle.cos(), angle.sin()], -1), torch.stack([-angle.sin(), angle.cos()], -1)
    middle = 16 * torch.rand(count, 2, generator=generator)
    corner = torch.stack([middle - 30 * along, middle + 40 * along, middle + 0.7 * across], 1)
    return torch.cat([corner, 0.5 + 2 * torch.rand(count, 3, 1, generator=generator)], -1)


@pytest.mark.parametrize(
    "faces",
    [
        pytest.param(soup(250, 0.9, 1), id="below a sample"),
        pytest.param(soup(60, 2.0, 2), id="a few samples"),
        pytest.param(soup(30, 9.0, 3), id="many samples"),
        pytest.param(soup(15, 70.0, 4), id="larger than the picture"),
        pytest.param(slivers(30, 5), id="slivers"),
    ],
)
def test_triangle_soups_are_equal(faces: Tensor) -> None:
    keep = torch.arange(len(faces)) % 7 != 0
    found = rasterise(faces[None], keep[None], HEIGHT, WIDTH)
    expected = rasterise_reference(faces, keep, HEIGHT, WIDTH)
    decided = expected.decided
    assert decided.mean() > 0.8
    assert np.array_equal(found.face[0].numpy()[decided], expected.face[decided])
    hit = decided & (expected.face >= 0)
    assert hit.sum() > 10
    np.testing.assert_allclose(found.depth[0].numpy()[hit], expected.depth[hit], rtol=1e-4)
    np.testing.assert_allclose(found.weights[0].numpy()[hit], expected.weights[hit], atol=2e-3)
    assert np.isnan(found.depth[0].numpy()[decided & (expected.face < 0)]).all()


@pytest.mark.parametrize("faces", [pytest.param(soup(80, 3.0, 6), id="small"), pytest.param(slivers(40, 7), id="wide")])
def test_bands_of_rows_are_parts_of_the_whole(faces: Tensor) -> None:
    keep = torch.ones(1, len(faces), dtype=torch.bool)
    whole = rasterise(faces[None], keep, HEIGHT, WIDTH)
    for first, end in ((0, 5), (5, 6), (6, HEIGHT)):
        band = rasterise(faces[None], keep, end - first, WIDTH, first_row=first)
        assert torch.equal(band.face, whole.face[:, first:end])
        torch.testing.assert_close(band.depth, whole.depth[:, first:end], rtol=0, atol=0, equal_nan=True)
        assert torch.equal(band.weights, whole.weights[:, first:end])
