from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from cleanfid.resize import build_resizer, make_resizer
from torch import Tensor
from viewsweep.metrics.resize import clean_resize, tf1_resize

GREY_LEVEL_BAR = 1e-3 * 255
OURS = 1e-3  # grey levels; what it keeps in fact
SHAPES = [(299, 299), (64, 64), (37, 91), (1, 1), (5, 700), (300, 298), (511, 333), (1024, 768)]


def pictures(count: int, height: int, width: int) -> Tensor:
    g = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randint(0, 256, (count, height, width, 3), generator=g, dtype=torch.uint8)


def nhwc(planes: Tensor) -> np.ndarray:
    return planes.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_clean_is_clean_fids_own(shape: tuple[int, int]) -> None:
    images = pictures(2, *shape)
    reference = build_resizer("clean")
    expected = np.stack([reference(image.numpy()) for image in images])
    difference = np.abs(nhwc(clean_resize(images)) - expected).max()
    assert difference <= OURS < GREY_LEVEL_BAR


@pytest.mark.parametrize("size", [(224, 224), (31, 50), (400, 17)], ids=str)
def test_clean_takes_other_sizes(size: tuple[int, int]) -> None:
    images = pictures(1, 123, 77)
    expected = make_resizer("PIL", False, "bicubic", (size[1], size[0]))(images[0].numpy())
    assert np.abs(nhwc(clean_resize(images, size))[0] - expected).max() <= OURS


@pytest.mark.parametrize("shape", [(64, 64), (37, 91), (511, 333), (1, 2)], ids=str)
def test_tf1_reads_where_tensorflow_1_did(shape: tuple[int, int]) -> None:
    images = pictures(1, *shape)
    difference = np.abs(nhwc(tf1_resize(images, (53, 53)))[0] - naive_tf1(images[0].numpy().astype(float), 53))
    assert difference.max() < 0.05  # positions are float32


def naive_tf1(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    out = np.zeros((size, size, 3))
    for i in range(size):
        y = i * height / size
        y0, y1 = int(y), min(int(y) + 1, height - 1)
        for j in range(size):
            x = j * width / size
            x0, x1 = int(x), min(int(x) + 1, width - 1)
            top = image[y0, x0] * (1 - x + x0) + image[y0, x1] * (x - x0)
            bottom = image[y1, x0] * (1 - x + x0) + image[y1, x1] * (x - x0)
            out[i, j] = top * (1 - y + y0) + bottom * (y - y0)
    return out


@pytest.mark.parametrize("resize", [clean_resize, tf1_resize])
def test_company_changes_no_bit(resize) -> None:  # type: ignore[no-untyped-def]
    images = pictures(3, 80, 61)
    assert torch.equal(resize(images)[1:2], resize(images[1:2]))


@pytest.mark.parametrize("resize", [clean_resize, tf1_resize])
def test_a_flat_picture_stays_flat_and_the_range_is_kept(resize) -> None:  # type: ignore[no-untyped-def]
    flat = torch.full((1, 50, 70, 3), 201, dtype=torch.uint8)
    torch.testing.assert_close(resize(flat), torch.full((1, 3, 299, 299), 201.0), rtol=0, atol=1e-3)
    edge = torch.zeros(1, 40, 40, 3, dtype=torch.uint8)
    edge[:, 20:] = 255
    assert resize(edge).min() == 0
    assert 254.999 < resize(edge).max() < 255.001


def test_other_types_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("images are torch.float32 with shape [1, 3, 8, 8]")):
        clean_resize(torch.zeros(1, 3, 8, 8))
