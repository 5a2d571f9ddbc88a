"""Sheets: what goes in comes out, depth colours mean what the legend says, budgets hold."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from viewsweep.reports.layers import DEPTH_MAP, colour_stops, depth_colours
from viewsweep.reports.sprites import SMALLEST_TILE, Sheet, depth_range, nearest, picture_sheet, shrink

PLENTY = 10_000_000


def tiles(sheet: Sheet) -> np.ndarray:
    """The tiles of a sheet again, [V, H, W, C]."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.uri.split(",", 1)[1]))))
    found = []
    for place in range(sheet.tiles):
        top = place // sheet.columns * sheet.tile_height
        left = place % sheet.columns * sheet.tile_width
        found.append(picture[top : top + sheet.tile_height, left : left + sheet.tile_width])
    return np.stack(found)


@pytest.mark.parametrize("views", [1, 7, 24])
@pytest.mark.parametrize("strip", [False, True])
def test_pictures_survive_unchanged(views: int, strip: bool) -> None:
    rgb = np.random.default_rng(views).integers(0, 256, (views, 6, 9, 3), dtype=np.uint8)
    sheet = picture_sheet(rgb, PLENTY, strip=strip)
    assert sheet.lossless
    assert sheet.uri.startswith("data:image/webp;base64,")
    np.testing.assert_array_equal(tiles(sheet), rgb)
    assert not strip or sheet.columns == views


def test_a_full_circle_fills_its_sheet() -> None:
    sheet = picture_sheet(np.zeros((24, 4, 4, 3), np.uint8), PLENTY)
    assert (sheet.columns, sheet.height) == (6, 16)


def test_noise_is_compressed_to_its_budget() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    full = picture_sheet(rgb, PLENTY)
    small = picture_sheet(rgb, len(full.uri) // 3)
    assert not small.lossless
    assert len(small.uri) < len(full.uri) / 2


@pytest.mark.parametrize("limit", [20_000, 4_000, 900])
def test_a_budget_is_kept_whatever_the_pictures(limit: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (24, 96, 160, 3), dtype=np.uint8)
    sheet = picture_sheet(rgb, limit)
    assert sheet.bytes <= limit or max(sheet.tile_width, sheet.tile_height) == SMALLEST_TILE
    assert sheet.tiles == 24
    assert abs(sheet.tile_width / sheet.tile_height - 160 / 96) < 0.12


def test_near_is_bright_far_is_dark_and_nothing_is_transparent() -> None:
    depth = np.array([[[1.0, 1.5, 2.0, np.nan, 0.5, 9.0]]], np.float32)
    shown = tiles(picture_sheet(depth_colours(depth, (1.0, 2.0)), PLENTY))[0, 0].astype(int)
    brightness = shown[:, :3].sum(-1)
    assert brightness[0] > brightness[1] > brightness[2]
    assert shown[:, 3].tolist() == [255, 255, 255, 0, 255, 255]
    assert (shown[4] == shown[0]).all()  # beyond the scale takes the colour of its end
    assert (shown[5] == shown[2]).all()
    stops = colour_stops(DEPTH_MAP, falling=True)
    assert stops[0] == ("0%", "#{:02x}{:02x}{:02x}".format(*shown[0, :3]))
    assert stops[-1] == ("100%", "#{:02x}{:02x}{:02x}".format(*shown[2, :3]))


def test_one_wild_method_does_not_set_the_depth_scale() -> None:
    good = np.linspace(1.0, 2.0, 1000, dtype=np.float32)
    low, high = depth_range([good, good * 1.01, good * 100]) or (0, 0)
    assert 0.9 < low < 1.1
    assert 1.9 < high < 2.1


def test_depth_without_a_surface_or_without_extent() -> None:
    assert depth_range([]) is None
    assert depth_range([np.full(4, np.nan, np.float32)]) is None
    low, high = depth_range([np.full(4, 3.0, np.float32)]) or (0, 0)
    assert low < 3 < high


def test_large_pictures_shrink_and_depth_keeps_its_values() -> None:
    rgb = np.zeros((2, 200, 400, 3), np.uint8)
    depth = np.random.default_rng(0).choice(np.array([1.0, 2.0, np.nan], np.float32), (2, 200, 400))
    small = shrink(rgb)
    assert small.shape == (2, 80, 160, 3)
    small_depth = nearest(depth, 80, 160)
    assert small_depth.shape == (2, 80, 160)
    assert set(np.unique(small_depth[np.isfinite(small_depth)])) == {1.0, 2.0}
