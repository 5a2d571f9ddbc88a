"""Layers: normals point where the surface does, the heat map is the metric's own error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from viewsweep.metrics import WarpError
from viewsweep.reports.layers import HEAT_LIMIT, coloured, heat_colours, normal_colours, warp_differences
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.scene import Scene
from viewsweep.scenes.sweeps import sweep360

from .fake_run import draw


def test_a_wall_that_faces_the_camera_is_blue_and_a_floor_green() -> None:
    pose = torch.eye(4, dtype=torch.float64)[None]
    matrix = torch.tensor([[[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]]], dtype=torch.float64)
    cameras = Cameras(pose, matrix)
    rgb = torch.zeros(1, 9, 9, 3, dtype=torch.uint8)
    wall = normal_colours(Scene(rgb, cameras, torch.full((1, 9, 9), 2.0)))
    assert wall[0, 4, 4].tolist() == [128, 128, 255, 255]
    assert wall[0, 0, 0, 3] == 0  # no neighbours, no normal
    rows = (torch.arange(9) + 0.5) / 9 - 0.5
    depth = torch.where(rows > 0.1, 1 / rows, torch.nan)[None, :, None].expand(1, 9, 9).contiguous().float()
    floor = normal_colours(Scene(rgb, cameras, depth))  # one below the camera
    assert floor[0, 7, 4].tolist() == [128, 255, 128, 255]


def test_a_left_slope_is_less_red_than_a_right_one() -> None:
    """Of a ball the right half faces right."""
    scene = draw(3, sweep360(1), 32)
    colours = normal_colours(scene)[0].astype(int)
    known = colours[..., 3] > 0
    assert colours[:, :16][known[:, :16]][:, 0].mean() < 110
    assert colours[:, 16:][known[:, 16:]][:, 0].mean() > 146
    assert colours[known][:, 2].min() >= 126  # nothing seen faces away


def test_true_scenes_differ_little_and_repainted_views_much() -> None:
    scene = draw(5, sweep360(24, pitch=0.2), 48)
    clean = warp_differences(scene)
    judged = np.isfinite(clean)
    assert judged.mean() > 0.05
    rgb = scene.rgb.clone()
    rgb[7] = 255 - rgb[7]
    spoilt = warp_differences(Scene(rgb, scene.cameras, scene.depth))
    assert np.nanmean(spoilt[7]) > 3 * np.nanmean(clean[7])
    assert np.nanmean(spoilt[6]) > np.nanmean(clean[6])
    assert np.array_equal(spoilt[12], clean[12], equal_nan=True)


def test_the_picture_shows_what_the_metric_measures() -> None:
    """Views of one neighbour each way: the mean square over pixels of a pair is the metric's error."""
    scene = draw(5, sweep360(24, pitch=0.2)[[0, 1]], 48)
    metric = WarpError()
    metric.update(scene, index=0)
    rows = {row.view: row.value for row in metric.rows() if row.metric == "warp_mse" and row.view >= 0}
    shown = warp_differences(scene)
    for view in (0, 1):
        assert float(np.nanmean(shown[view].astype(np.float64) ** 2)) == pytest.approx(rows[view], rel=1e-5)


def test_heat_is_transparent_without_a_surface_and_grey_where_it_cannot_be_judged() -> None:
    differences = np.array([[[0.0, HEAT_LIMIT, 9.0, math.nan, math.nan]]], np.float32)
    depth = np.array([[[1.0, 1.0, 1.0, 1.0, math.nan]]], np.float32)
    colours = heat_colours(differences, depth)[0, 0].astype(int)
    assert colours[0, :3].sum() < colours[1, :3].sum()
    assert colours[1].tolist() == colours[2].tolist()
    assert 0 < colours[3, 3] < 255
    assert colours[4].tolist() == [0, 0, 0, 0]


def test_colours_end_at_the_ends_of_the_scale() -> None:
    share = np.array([0.0, 1.0, math.nan], np.float32)
    low, high, nothing = coloured(share, "viridis").astype(int)
    assert low.sum() < high.sum()
    assert nothing.tolist() == [0, 0, 0, 0]
