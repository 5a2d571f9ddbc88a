"""Views of a scene as one image: tiles in reading order, as a data URI that fits a budget.

These pictures are for eyes alone; scores are computed from the stored arrays. They stay lossless while
they fit; a larger set (many methods, noise) is compressed step by step, and in the end made smaller.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LARGEST_TILE", "Sheet", "depth_range", "nearest", "picture_sheet", "shrink"]

LARGEST_TILE = 160
"""Pixels of a tile's longer side; larger pictures are shown reduced."""

QUALITIES = (92, 82, 70, 55, 40)
HOPELESS = 0.25
"""Bytes a pixel below which pictures are not even tried without loss."""

WIDEST_SHEET = 16383  # WebP's limit
SMALLEST_TILE = 24
PREFIX = "data:image/webp;base64,"

Pictures = NDArray[np.uint8]
Depths = NDArray[np.float32]


@dataclass(frozen=True)
class Sheet:
    """Tiles of one size in `columns` columns, encoded as WebP."""

    uri: str
    columns: int
    tile_width: int
    tile_height: int
    tiles: int
    lossless: bool

    @property
    def width(self) -> int:
        return self.columns * self.tile_width

    @property
    def bytes(self) -> int:
        """Of the picture, before base64."""
        return (len(self.uri) - len(PREFIX)) * 3 // 4

    @property
    def height(self) -> int:
        return math.ceil(self.tiles / self.columns) * self.tile_height


def shrink(rgb: Pictures) -> Pictures:
    """Views [V, H, W, C] at no more than `LARGEST_TILE` a side, colours averaged."""
    height, width = rgb.shape[1:3]
    factor = LARGEST_TILE / max(height, width)
    return rgb if factor >= 1 else _scaled(rgb, factor)


def nearest(values: Any, height: int, width: int) -> Any:
    """Maps [V, H, W, ...] at another size by their nearest pixels: the mean of two surfaces is neither."""
    rows = (np.arange(height) + 0.5) * values.shape[1] / height
    columns = (np.arange(width) + 0.5) * values.shape[2] / width
    return values[:, rows.astype(int)][:, :, columns.astype(int)]


def depth_range(depths: Iterable[Depths]) -> tuple[float, float] | None:
    """The range of depth colours shared by everything shown side by side.

    Each map proposes its 1st and 99th percentile; the medians of the proposals win, so that one method
    with wild depth cannot wash out the others. None where there is no depth at all.
    """
    finite = [depth[np.isfinite(depth)] for depth in depths]
    bounds = [np.percentile(values, [1.0, 99.0]) for values in finite if values.size]
    if not bounds:
        return None
    low, high = (float(bound) for bound in np.median(bounds, axis=0))
    return (low, high) if high - low > 1e-6 * abs(high) else (low - 0.01 * abs(low), high + 0.01 * abs(high))


def picture_sheet(tiles: Pictures, limit: int, *, strip: bool = False) -> Sheet:
    """Tiles [V, H, W, 3 or 4] in one sheet of at most `limit` bytes; in one row for a `strip`.

    Where even the poorest quality is too large, the tiles are made smaller, down to `SMALLEST_TILE`.
    """
    shown = tiles
    while True:
        sheet, size = _sheet(shown, limit, strip)
        longest = max(sheet.tile_width, sheet.tile_height)
        if size <= limit or longest <= SMALLEST_TILE:
            return sheet
        factor = longest / max(tiles.shape[1:3]) * min(0.85, max(0.4, math.sqrt(limit / size)))
        shown = _scaled(tiles, max(factor, SMALLEST_TILE / max(tiles.shape[1:3])))


def _scaled(tiles: Pictures, factor: float) -> Pictures:
    height, width = tiles.shape[1:3]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.stack([np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.LANCZOS)) for tile in tiles])


def _sheet(tiles: Pictures, limit: int, strip: bool) -> tuple[Sheet, int]:
    """The sheet, and its bytes before base64."""
    count, height, width, channels = tiles.shape
    columns = min(count if strip else _columns(count), WIDEST_SHEET // width)
    rows = math.ceil(count / columns)
    full = np.zeros((rows * columns, height, width, channels), np.uint8)
    full[:count] = tiles
    sheet = full.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    data, lossless = _encode(Image.fromarray(sheet.reshape(rows * height, columns * width, channels)), limit)
    uri = PREFIX + base64.b64encode(data).decode("ascii")
    return Sheet(uri, columns, width, height, count, lossless), len(data)


def _columns(count: int) -> int:
    """Columns of a nearly square sheet without empty places, or with few where `count` has no such divisor."""
    root = math.ceil(math.sqrt(count))
    return next((columns for columns in range(root, 2 * root) if count % columns == 0), root)


def _encode(image: Image.Image, limit: int) -> tuple[bytes, bool]:
    if limit >= HOPELESS * image.width * image.height:
        data = _webp(image, lossless=True)
        if len(data) <= limit:
            return data, True
    # the best quality that fits, by bisection: sizes fall along QUALITIES
    held, first, last = b"", 0, len(QUALITIES) - 1  # `held` is the picture at `last`, once one has fitted
    while first < last:
        middle = (first + last) // 2
        data = _webp(image, quality=QUALITIES[middle])
        if len(data) <= limit:
            held, last = data, middle
        else:
            first = middle + 1
    return held or _webp(image, quality=QUALITIES[first]), False


def _webp(image: Image.Image, **options: int) -> bytes:
    memory = io.BytesIO()
    image.save(memory, "WEBP", method=4, **options)
    return memory.getvalue()
