from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from viewsweep.scenes import Cameras, sweep360
from viewsweep.scenes.alignment import Similarity, canonical_world, nearest_rotation
from viewsweep.scenes.errors import InvalidCameras


def elsewhere(scale: float = 3.7) -> Similarity:
    """An arbitrary world, as structure from motion leaves it."""
    rotation = torch.from_numpy(Rotation.from_euler("xyz", [0.7, -1.1, 2.2]).as_matrix())
    return Similarity(scale, rotation, torch.tensor([4.0, -2.0, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("pitch", [-0.4, 0.0, 0.9])
def test_a_level_orbit_comes_back_from_any_world(pitch):
    cameras = sweep360(8, pitch)
    moved = elsewhere().apply(cameras)
    back = canonical_world(moved).apply(moved)
    torch.testing.assert_close(back.cam_to_world, cameras.cam_to_world)


def test_depth_scales_with_the_world(render):
    cameras = Cameras.orbit([0.0, 0.5, 1.0], [0.1, 0.2, 0.3])
    moved = elsewhere().apply(cameras)
    depth = render(cameras, 8).depth * 3.7
    world = canonical_world(moved)
    back = world.apply(moved)
    points = back.unproject(depth * world.scale)
    radii = (points - torch.tensor([0, 0, 0.45])).norm(dim=-1)
    assert float((radii[0, 4, 4] - 0.2).abs()) < 1e-6  # the blue ball is where it was, and as large


@pytest.mark.parametrize("yaw", [0.3, -2.0])
def test_the_first_camera_becomes_the_front(yaw):
    cameras = Cameras.orbit([yaw, yaw + 0.5, yaw + 1.2], [0.2, 0.2, 0.2])
    back = canonical_world(cameras).apply(cameras)
    assert back.yaw.tolist() == pytest.approx([0.0, 0.5, 1.2], abs=1e-9)
    assert back.pitch.tolist() == pytest.approx([0.2] * 3)


def test_a_partial_arc_from_above_keeps_its_pitch():
    """The mean of the cameras' up directions would tilt this world by half a radian."""
    cameras = Cameras.orbit([-0.3, 0.0, 0.3], [0.5, 0.5, 0.5])
    moved = elsewhere().apply(cameras)
    assert canonical_world(moved).apply(moved).pitch.tolist() == pytest.approx([0.5] * 3)


def test_cameras_around_a_target_off_the_origin_are_centred():
    cameras = Cameras.orbit([0.0, 1.0, 2.0], [0.1, 0.0, 0.3], radius=5.0, target=(1.0, 2.0, 3.0))
    back = canonical_world(cameras).apply(cameras)
    assert back.positions.norm(dim=1).tolist() == pytest.approx([1.6] * 3)


def test_parallel_cameras_use_the_distance_of_what_they_see():
    poses = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)
    poses[:, 0, 3] = torch.tensor([-0.1, 0.0, 0.1])
    cameras = Cameras(poses, torch.eye(3))
    back = canonical_world(cameras, distance=3.2).apply(cameras)
    assert back.positions[1].tolist() == pytest.approx([0.05, 0, 1.6], abs=0.01)  # scaled by 0.5, nearly in front
    assert float(back.pitch.abs().max()) < 1e-9
    assert back.positions[2, 0] > back.positions[0, 0]  # right stays right


def test_one_camera_faces_the_origin():
    cameras = Cameras.orbit([0.7], [0.4], radius=9.0, target=(3.0, 0.0, 1.0))
    back = canonical_world(cameras).apply(cameras)
    torch.testing.assert_close(back.cam_to_world, Cameras.orbit([0.0], [0.0]).cam_to_world)


def test_outward_looking_cameras_stay_finite():
    """A room seen from its middle: the optical axes meet behind the cameras."""
    poses = sweep360(6).cam_to_world.clone()
    poses[:, :3, 0] *= -1
    poses[:, :3, 2] *= -1
    cameras = Cameras(poses, torch.eye(3))
    back = canonical_world(cameras).apply(cameras)
    assert bool(torch.isfinite(back.cam_to_world).all())


def test_a_camera_straight_above_has_a_front():
    cameras = sweep360(4)
    down = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 1.6], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)
    poses = torch.cat([down[None], cameras.cam_to_world])
    both = Cameras(poses, cameras.intrinsics[0])
    back = canonical_world(both).apply(both)
    torch.testing.assert_close(back.cam_to_world[1:], cameras.cam_to_world, atol=1e-9, rtol=0)


def test_similarity_and_its_inverse_cancel():
    cameras = sweep360(5, 0.2)
    world = elsewhere()
    torch.testing.assert_close(world.inverse().apply(world.apply(cameras)).cam_to_world, cameras.cam_to_world)


def test_similarity_of_a_matrix():
    world = elsewhere(scale=0.4)
    matrix = torch.cat([0.4 * world.rotation, world.translation[:, None]], 1)
    again = Similarity.of_matrix(matrix)
    assert again.scale == pytest.approx(0.4)
    torch.testing.assert_close(again.rotation, world.rotation)
    assert again.to_json()["translation"] == [4.0, -2.0, 0.5]


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (torch.diag(torch.tensor([1.0, 1, -1, 1])), "mirrors"),
        (torch.diag(torch.tensor([2.0, 1, 1, 1])), "no rotation"),
        (torch.zeros(3, 4), "flattens"),
        (torch.eye(3), r"\[3, 3\]"),
        (torch.full((3, 4), math.nan), "finite"),
    ],
)
def test_matrices_that_are_no_similarity_are_refused(matrix, words):
    with pytest.raises(InvalidCameras, match=words):
        Similarity.of_matrix(matrix)


def test_rounding_is_taken_out_of_rotations():
    exact = elsewhere().rotation
    rounded = (exact * 1000).round() / 1000
    again = nearest_rotation(rounded)
    torch.testing.assert_close(again @ again.T, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(again, exact, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "words"), [(1.05, "stretches by up to 0.05"), (-1.0, "mirrors"), (math.inf, "finite")]
)
def test_what_is_no_rotation_is_not_bent_into_one(change, words):
    with pytest.raises(InvalidCameras, match=words):
        nearest_rotation(elsewhere().rotation * change)
