"""Resizing as the feature networks expect it, a batch at a time, on the device of the pictures.

`clean_resize` is the filter of Pillow's bicubic resampling in float: Keys' cubic (a = -1/2), widened
by the factor of reduction (which is what prevents aliasing), without rounding in between, cut to
[0, 255] at the end (Parmar et al., "On aliased resizing and surprising subtleties in GAN
evaluation", CVPR 2022). `tf1_resize` is the bilinear interpolation of TensorFlow 1: output pixel j
reads position j * size_in / size_out, and large pictures alias. It exists for numbers comparable
with old papers.

Each picture is resized by itself, so its neighbours in a batch change no bit of it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own habit)
from torch import Tensor

__all__ = ["check_pictures", "clean_resize", "tf1_resize"]

SUPPORT = 2.0  # of the cubic filter, in pixels of the coarser picture
SHARPNESS = -0.5  # Keys' a


def check_pictures(images: Tensor) -> None:
    """Refuse what is not uint8 sRGB, [N, H, W, 3].

    Raises:
        ValueError: another type or shape, or pictures without a pixel.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape[1:3]:
        raise ValueError(
            f"images are {images.dtype} with shape {list(images.shape)}; they must be uint8, [N, H, W, 3]."
        )


def clean_resize(images: Tensor, size: tuple[int, int] = (299, 299)) -> Tensor:
    """Bicubic with antialiasing, float32 in [0, 255], [N, 3, *size], channels last in memory.

    Agrees with Pillow's float resampling to 1e-3 of a grey level.

    Args:
        images: uint8 sRGB, [N, H, W, 3].
        size: height and width of the result.
    """
    check_pictures(images)
    height, width = images.shape[1:3]
    if (height, width) == size:
        return images.permute(0, 3, 1, 2).float()  # the strides stay: channels last
    rows = [entry.to(images.device) for entry in _taps(height, size[0])]
    columns = [entry.to(images.device) for entry in _taps(width, size[1])]
    resized = images.new_empty((len(images), *size, 3), dtype=torch.float32)
    for image, target in zip(images, resized, strict=True):
        tall = _weighted_rows(image.float().reshape(height, width * 3), *rows)  # [h, W * 3]
        turned = tall.reshape(size[0], width, 3).transpose(0, 1).reshape(width, size[0] * 3)
        both = _weighted_rows(turned, *columns)  # [w, h * 3]
        target.copy_(both.reshape(size[1], size[0], 3).transpose(0, 1))
    return resized.clamp_(0, 255).permute(0, 3, 1, 2)


def tf1_resize(images: Tensor, size: tuple[int, int] = (299, 299)) -> Tensor:
    """Bilinear as TensorFlow 1 did it, float32 in [0, 255], [N, 3, *size], channels last in memory.

    The shift of half a pixel is put into the sampling grid in float32, as the networks do that
    resize inside, so that the rounding is theirs too.

    Args:
        images: uint8 sRGB, [N, H, W, 3].
        size: height and width of the result.
    """
    check_pictures(images)
    height, width = images.shape[1:3]
    shift = torch.eye(2, 3, device=images.device)
    shift[0, 2] += shift[0, 0] / width - shift[0, 0] / size[1]
    shift[1, 2] += shift[1, 1] / height - shift[1, 1] / size[0]
    grid = F.affine_grid(shift[None], [1, 3, *size], align_corners=False)
    resized = images.new_empty((len(images), *size, 3), dtype=torch.float32)
    for image, target in zip(images, resized, strict=True):
        planes = image.permute(2, 0, 1)[None].float()
        sampled = F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)
        target.copy_(sampled[0].permute(1, 2, 0))
    return resized.permute(0, 3, 1, 2)


def _weighted_rows(table: Tensor, sources: Tensor, weights: Tensor) -> Tensor:
    """Row i of the result: the sum over k of weights[i, k] * table[sources[i, k]].

    Only the few rows under the filter are read, which a product with a full matrix would not do.
    """
    return F.embedding_bag(sources, table, per_sample_weights=weights, mode="sum")


@lru_cache(maxsize=64)
def _taps(before: int, after: int) -> tuple[Tensor, Tensor]:
    """Which pixels each of `after` pixels is made of, and with which weights, both [after, K]."""
    reduction = max(before / after, 1.0)
    centre = (np.arange(after) + 0.5) * before / after
    first = np.maximum(np.floor(centre - SUPPORT * reduction + 0.5), 0).astype(np.int64)
    end = np.minimum(np.floor(centre + SUPPORT * reduction + 0.5), before).astype(np.int64)
    sources = first[:, None] + np.arange((end - first).max())
    weights = _cubic((sources + 0.5 - centre[:, None]) / reduction)
    weights[sources >= end[:, None]] = 0.0
    weights /= weights.sum(1, keepdims=True)  # at the border the pixels inside share the whole weight
    inside = torch.from_numpy(np.minimum(sources, before - 1))
    return inside, torch.from_numpy(weights.astype(np.float32))


def _cubic(offset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic convolution kernel; zero from 2 on."""
    x, a = np.abs(offset), SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
