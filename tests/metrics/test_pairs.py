from __future__ import annotations

import math

import pytest
import torch
from viewsweep.metrics import adjacent_pairs
from viewsweep.scenes import Cameras, grid_3x9, sweep360


def test_full_circle_is_closed() -> None:
    assert adjacent_pairs(sweep360(5, 0.3)) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]


def test_arc_stays_open() -> None:
    assert adjacent_pairs(sweep360(24, 0.26)[:6]) == [(k, k + 1) for k in range(5)]


@pytest.mark.parametrize(("views", "pairs"), [(1, []), (2, [(0, 1)])])
def test_few_views(views: int, pairs: list[tuple[int, int]]) -> None:
    assert adjacent_pairs(sweep360(views)) == pairs


def test_camera_that_stands_still_is_a_sweep_too() -> None:
    assert adjacent_pairs(sweep360(4)[[0, 0, 0]]) == [(0, 1), (1, 2), (2, 0)]


def test_grid_is_connected_by_its_smallest_steps() -> None:
    cameras = grid_3x9()
    pairs = adjacent_pairs(cameras)
    assert len(pairs) == 26
    assert len({view for pair in pairs for view in pair}) == 27
    axis = cameras.cam_to_world[:, :3, 2]
    widest = max(math.acos(min(1.0, float(axis[a] @ axis[b]))) for a, b in pairs)
    assert widest < 0.1501


def test_shuffled_sweep_finds_its_neighbours() -> None:
    order = [3, 0, 4, 1, 2, 5]
    cameras = Cameras.orbit([0.2 * k for k in order], [0.1] * 6)
    pairs = adjacent_pairs(cameras)
    assert sorted(tuple(sorted((order[a], order[b]))) for a, b in pairs) == [(k, k + 1) for k in range(5)]


def test_float32_poses_are_still_a_circle() -> None:
    exact = sweep360(24, 0.26)
    pose = exact.cam_to_world.float() * torch.tensor(1.0)
    assert adjacent_pairs(Cameras(pose, exact.intrinsics)) == adjacent_pairs(exact)


def test_cameras_that_move_without_turning_are_no_circle() -> None:
    pose = torch.eye(4, dtype=torch.float64).repeat(5, 1, 1)
    pose[:, 0, 3] = torch.arange(5)
    cameras = Cameras(pose, sweep360(1).intrinsics[0])
    assert adjacent_pairs(cameras) == [(0, 1), (1, 2), (2, 3), (3, 4)]
