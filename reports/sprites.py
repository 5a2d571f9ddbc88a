"""Views of a scene as one image: tiles in reading order, as a data URI that fits a budget.

These pictures are for eyes alone; scores are computed from the stored arrays. They stay lossless while
they fit; a larger set (many methods, noise) is compressed step by step.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LARGEST_TILE", "Sheet", "colour_stops", "depth_range", "depth_sheet", "rgb_sheet", "shrink"]

LARGEST_TILE = 160
"""Pixels of a tile's longer side; larger pictures are shown reduced."""

QUALITIES = (92, 82, 70, 55, 40)
WIDEST_SHEET = 16383  # WebP's limit

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
    def height(self) -> int:
        return math.ceil(self.tiles / self.columns) * self.tile_height


def shrink(rgb: Pictures, depth: Depths | None) -> tuple[Pictures, Depths | None]:
    """Views [V, H, W, 3] and depth [V, H, W] at no more than `LARGEST_TILE` a side.

    Colours are averaged; depth takes the nearest pixel, since the mean of two surfaces is neither.
    """
    height, width = rgb.shape[1:3]
    factor = LARGEST_TILE / max(height, width)
    if factor >= 1:
        return rgb, depth
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.stack([np.asarray(Image.fromarray(view).resize(size, Image.Resampling.LANCZOS)) for view in rgb])
    if depth is not None:
        rows = (np.arange(size[1]) + 0.5) * height / size[1]
        columns = (np.arange(size[0]) + 0.5) * width / size[0]
        depth = depth[:, rows.astype(int)][:, :, columns.astype(int)]
    return small, depth


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


def rgb_sheet(rgb: Pictures, limit: int, *, strip: bool = False) -> Sheet:
    """All views in one sheet of at most `limit` bytes if quality 40 allows; in one row for a `strip`."""
    return _sheet(rgb, limit, strip)


def depth_sheet(depth: Depths, shown: tuple[float, float], limit: int, *, strip: bool = False) -> Sheet:
    """Depth in colour, near bright, far dark; pixels without a surface are transparent."""
    low, high = shown
    place = np.clip((depth - low) / (high - low), 0.0, 1.0)
    known = np.isfinite(depth)
    level = np.where(known, np.round((1.0 - np.where(known, place, 0.0)) * 255), 0).astype(np.uint8)
    tiles = np.where(known[..., None], _palette()[level], np.uint8(0)).astype(np.uint8)
    return _sheet(tiles, limit, strip)


def colour_stops(count: int = 12) -> list[tuple[str, str]]:
    """The depth colours from near to far as (offset in percent, #rrggbb), for a legend."""
    palette = _palette()
    offsets = [place / (count - 1) for place in range(count)]
    colours = [palette[round((1 - offset) * 255)] for offset in offsets]
    return [
        (f"{100 * offset:.0f}%", f"#{int(c[0]):02x}{int(c[1]):02x}{int(c[2]):02x}")
        for offset, c in zip(offsets, colours, strict=True)
    ]


def _palette() -> Pictures:
    """256 perceptually uniform colours with full opacity, dark to bright, [256, 4]."""
    colours = matplotlib.colormaps["viridis"](np.arange(256))
    return np.round(np.asarray(colours) * 255).astype(np.uint8)


def _sheet(tiles: Pictures, limit: int, strip: bool) -> Sheet:
    count, height, width, channels = tiles.shape
    columns = min(count if strip else _columns(count), WIDEST_SHEET // width)
    rows = math.ceil(count / columns)
    full = np.zeros((rows * columns, height, width, channels), np.uint8)
    full[:count] = tiles
    sheet = full.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    data, lossless = _encode(Image.fromarray(sheet.reshape(rows * height, columns * width, channels)), limit)
    uri = "data:image/webp;base64," + base64.b64encode(data).decode("ascii")
    return Sheet(uri, columns, width, height, count, lossless)


def _columns(count: int) -> int:
    """Columns of a nearly square sheet without empty places, or with few where `count` has no such divisor."""
    root = math.ceil(math.sqrt(count))
    return next((columns for columns in range(root, 2 * root) if count % columns == 0), root)


def _encode(image: Image.Image, limit: int) -> tuple[bytes, bool]:
    data = _webp(image, lossless=True)
    if len(data) <= limit:
        return data, True
    for quality in QUALITIES:
        data = _webp(image, quality=quality)
        if len(data) <= limit:
            break
    return data, False


def _webp(image: Image.Image, **options: int) -> bytes:
    memory = io.BytesIO()
    image.save(memory, "WEBP", method=4, **options)
    return memory.getvalue()
