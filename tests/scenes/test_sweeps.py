from __future__ import annotations

import math

import pytest
import torch
from viewsweep.scenes import GRID_3X9_PREFIXES, gaussian_poses, grid_3x9, sweep360
from viewsweep.scenes.errors import UserError


@pytest.mark.parametrize("views", [1, 7, 24])
def test_sweep_steps_are_equal_all_the_way_round(views):
    yaw = sweep360(views).yaw
    steps = torch.remainder(torch.roll(yaw, -1) - yaw, 2 * math.pi)
    expected = 2 * math.pi / views if views > 1 else 0.0
    torch.testing.assert_close(steps, torch.full_like(steps, expected))


def test_sweep_starts_in_front_and_goes_to_plus_x():
    cameras = sweep360(24, pitch=0.2)
    assert float(cameras.yaw[0]) == 0.0
    assert float(cameras.yaw[1]) == pytest.approx(math.radians(15))
    assert cameras.positions[6].tolist() == pytest.approx([1.6 * math.cos(0.2), 1.6 * math.sin(0.2), 0.0])
    torch.testing.assert_close(cameras.pitch, torch.full_like(cameras.pitch, 0.2))


def test_sweep_needs_a_view():
    with pytest.raises(UserError, match="at least one view"):
        sweep360(0)


def test_grid_prefixes_are_full_grids():
    cameras = grid_3x9()
    assert len(cameras) == 27 == GRID_3X9_PREFIXES[-1]
    for length in GRID_3X9_PREFIXES[1:]:
        part = cameras[:length]
        yaws = {round(float(yaw), 6) for yaw in part.yaw}
        pitches = {round(float(pitch), 6) for pitch in part.pitch}
        assert len(yaws) * 3 == length
        assert pitches == {0.0, 0.15, -0.15}
        assert yaws == {-yaw + 0.0 for yaw in yaws}  # as far to the left as to the right


def test_grid_reaches_34_degrees_not_70():
    """Summaries of the paper write 70 degrees: that is the whole range, not the half."""
    assert math.degrees(float(grid_3x9().yaw.max())) == pytest.approx(34.4, abs=0.05)


def test_grid_starts_in_front_then_pitches_then_yaws():
    cameras = grid_3x9()
    assert cameras.yaw[:6].tolist() == pytest.approx([0, 0, 0, 0.15, 0.15, 0.15])
    assert cameras.pitch[:4].tolist() == pytest.approx([0, 0.15, -0.15, 0])


def test_gaussian_pose_depends_on_its_own_seed_only():
    together = gaussian_poses([3, 4, 5])
    assert together[1] == gaussian_poses([4])
    assert gaussian_poses([5, 3])[1] == together[0]
    torch.manual_seed(0)
    assert gaussian_poses([4]) == together[1]


def test_gaussian_poses_have_the_published_spread():
    cameras = gaussian_poses(range(2000))
    assert float(cameras.yaw.std()) == pytest.approx(0.3, rel=0.05)
    assert float(cameras.pitch.std()) == pytest.approx(0.15, rel=0.05)
    assert abs(float(cameras.yaw.mean())) < 0.03
    assert abs(float(cameras.pitch.mean())) < 0.015
    assert abs(float(torch.corrcoef(torch.stack([cameras.yaw, cameras.pitch]))[0, 1])) < 0.08


def test_gaussian_pitch_is_clipped():
    cameras = gaussian_poses(range(50), pitch_std=10.0, pitch_limit=0.5)
    assert float(cameras.pitch.abs().max()) == pytest.approx(0.5)


def test_no_seeds_no_cameras():
    assert len(gaussian_poses([])) == 0
