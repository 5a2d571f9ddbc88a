from __future__ import annotations

import math

import pytest
import torch
from viewsweep.scenes import Cameras
from viewsweep.scenes.cameras import look_at, pinhole
from viewsweep.scenes.errors import InvalidCameras

SIDE = math.radians(90)


def one(yaw: float = 0.0, pitch: float = 0.0, **options: float) -> Cameras:
    return Cameras.orbit([yaw], [pitch], **options)


def seen(cameras: Cameras, point: tuple[float, float, float]) -> tuple[float, float, float]:
    uv, depth = cameras.project(torch.tensor([point], dtype=torch.float64))
    return float(uv[0, 0, 0]), float(uv[0, 0, 1]), float(depth[0, 0])


# -- where things appear ---------------------------------------------------------------------------


def test_frontal_camera_sits_on_plus_z_looking_at_the_origin():
    cameras = one(radius=2.0)
    assert cameras.positions[0].tolist() == pytest.approx([0, 0, 2])
    assert seen(cameras, (0, 0, 0)) == pytest.approx((0.5, 0.5, 2.0))


def test_image_x_is_right_and_y_is_down():
    u, v, depth = seen(one(), (0.2, 0.1, 0.0))
    assert u > 0.5 > v
    assert depth == pytest.approx(1.6)


def test_positive_yaw_moves_the_camera_towards_plus_x(render, find):
    assert one(SIDE).positions[0].tolist() == pytest.approx([1.6, 0, 0])
    image = render(one(SIDE), 64).rgb[0]
    assert find(image, "red") == pytest.approx((0.5, 0.5), abs=0.01)  # the +x side fills the middle
    assert find(image, "blue")[0] < 0.3  # what was in front is now on the left


def test_negative_yaw_hides_the_plus_x_side_behind(render, find):
    image = render(one(-SIDE), 64).rgb[0]
    assert find(image, "red") == pytest.approx((0.5, 0.5), abs=0.01)  # far side, nothing in between
    assert find(image, "blue")[0] > 0.7


def test_positive_pitch_shows_the_top(render, find):
    low, high = (render(one(0.0, pitch), 96) for pitch in (0.0, math.radians(80)))
    assert find(low.rgb[0], "green")[1] < 0.3
    assert find(high.rgb[0], "green") == pytest.approx((0.5, 0.45), abs=0.05)
    assert find(high.rgb[0], "blue")[1] > 0.6  # the front is at the lower edge, seen from above


def test_frontal_view_of_the_balls(render, find):
    scene = render(one(), 65)
    assert find(scene.rgb[0], "blue") == pytest.approx((0.5, 0.5), abs=0.01)
    assert find(scene.rgb[0], "red")[0] > 0.7
    assert float(scene.depth[0, 32, 32]) == pytest.approx(1.6 - 0.45 - 0.2)


@pytest.mark.parametrize("yaw", [-3.0, -1.2, 0.0, 0.7, 2.9])
@pytest.mark.parametrize("pitch", [-1.4, 0.0, 0.6])
def test_orbit_puts_the_camera_where_the_formula_says(yaw, pitch):
    cameras = one(yaw, pitch, radius=1.3)
    expected = [math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)]
    assert cameras.positions[0].tolist() == pytest.approx([1.3 * x for x in expected])
    assert float(cameras.yaw) == pytest.approx(yaw)
    assert float(cameras.pitch) == pytest.approx(pitch)
    assert float(torch.linalg.det(cameras.cam_to_world[0])) == pytest.approx(1.0)
    assert cameras.cam_to_world[0, 1, 0] == pytest.approx(0.0)  # held level: image x is horizontal


def test_orbit_around_a_target_keeps_it_in_the_middle():
    cameras = Cameras.orbit([0.4], [0.2], target=(0.5, -0.25, 1.0))
    assert seen(cameras, (0.5, -0.25, 1.0))[:2] == pytest.approx((0.5, 0.5))


def test_orbit_broadcasts_one_pitch():
    assert len(Cameras.orbit([0.0, 1.0, 2.0], [0.1])) == 3


# -- pixels, rays and depth ------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 8)])
def test_rays_go_through_pixel_centres(height, width):
    cameras = one(0.3, 0.2)
    origins, directions = cameras.rays(height, width)
    for row in range(height):
        for column in range(width):
            uv, depth = cameras.project(origins + 1.5 * directions[:, row, column])
            assert uv[0, 0].tolist() == pytest.approx([(column + 0.5) / width, (row + 0.5) / height])
            assert float(depth) == pytest.approx(1.5)


def test_unproject_inverts_project(render):
    scene = render(Cameras.orbit([0.3, 2.0], [0.2, -0.4]), 24)
    points = scene.cameras.unproject(scene.depth)
    uv, depth = scene.cameras.project(points.flatten(1, 2))
    seen_there = torch.isfinite(scene.depth).flatten(1)
    assert 0.1 < float(seen_there.double().mean()) < 0.6
    torch.testing.assert_close(depth[seen_there].float(), scene.depth.flatten(1)[seen_there])
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    expected = ((torch.stack([columns, rows], -1) + 0.5) / 24).double().flatten(0, 1).expand_as(uv)
    torch.testing.assert_close(uv[seen_there], expected[seen_there], atol=1e-6, rtol=0)
    assert bool(points.isnan().all(-1).eq(scene.depth.isnan()).all())


def test_corner_rays_at_45_degrees_are_15_9_percent_longer():
    """The factor by which ray distance and z-depth disagree; in the middle they agree."""
    cameras = one(fov=math.radians(45))
    lengths = cameras.rays(1024, 1024)[1].norm(dim=-1)[0]
    assert float(lengths[0, 0]) == pytest.approx(1.1589, abs=5e-4)
    assert float(lengths[512, 512]) == pytest.approx(1.0, abs=1e-5)


def test_points_behind_the_camera_have_negative_depth():
    assert seen(one(), (0.0, 0.0, 3.0))[2] == pytest.approx(-1.4)


def test_relative_takes_points_from_one_camera_to_the_other():
    cameras = Cameras.orbit([0.0, 0.8], [0.1, -0.3])
    point = torch.tensor([0.1, 0.2, 0.3, 1.0], dtype=torch.float64)
    local = cameras.world_to_cam @ point
    torch.testing.assert_close(cameras.relative(0, 1) @ local[0], local[1])


def test_world_to_cam_is_the_inverse():
    cameras = Cameras.orbit([0.0, 1.8], [0.1, -0.3])
    torch.testing.assert_close(cameras.world_to_cam, torch.linalg.inv(cameras.cam_to_world))


def test_pinhole_aspect_keeps_pixels_square():
    matrix = pinhole(0.8, aspect=2.0)
    assert float(matrix[0, 0] * 2) == pytest.approx(float(matrix[1, 1]))


# -- selection and equality ------------------------------------------------------------------------


def test_indexing_gives_cameras():
    cameras = Cameras.orbit([0.0, 1.0, 2.0], [0.0, 0.0, 0.0])
    assert cameras[1] == Cameras.orbit([1.0], [0.0])
    assert cameras[-1] == cameras[2]
    assert len(cameras[1:]) == 2
    assert cameras[[2, 0]].yaw.tolist() == pytest.approx([2.0, 0.0])
    assert cameras != cameras[:2]
    assert [float(camera.yaw) for camera in cameras] == pytest.approx([0.0, 1.0, 2.0])


def test_cameras_keep_their_own_copy():
    pose = look_at(torch.tensor([[0.0, 0, 2]], dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    cameras = Cameras(pose, pinhole(0.7))
    pose[0, 0, 3] = 9.0
    assert float(cameras.positions[0, 0]) == 0.0


# -- refusals --------------------------------------------------------------------------------------


def broken(change: str) -> torch.Tensor:
    pose = Cameras.orbit([0.0, 0.5], [0.0, 0.1]).cam_to_world
    if change == "scaled":
        pose[1, :3, :3] *= 1.01
    elif change == "mirrored":
        pose[1, :3, 0] *= -1
    elif change == "sheared":
        pose[1, 0, 1] += 0.01
    elif change == "nan":
        pose[1, 2, 3] = math.nan
    elif change == "projective":
        pose[1, 3, 0] = 0.1
    return pose


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("scaled", "no rotation"),
        ("mirrored", "mirrored"),
        ("sheared", "no rotation"),
        ("nan", "not finite"),
        ("projective", "0 0 0 1"),
    ],
)
def test_poses_that_are_no_rigid_motions_are_refused_by_view(change, words):
    with pytest.raises(InvalidCameras, match=f"Camera 1: .*{words}"):
        Cameras(broken(change), pinhole(0.7))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_focal_lengths_must_be_positive(value):
    matrix = pinhole(0.7)
    matrix[0, 0] = value
    with pytest.raises(InvalidCameras, match="Camera 0: focal lengths"):
        Cameras(torch.eye(4)[None], matrix)


@pytest.mark.parametrize(
    ("pose", "matrix"),
    [
        (torch.eye(4), torch.eye(3)),
        (torch.eye(3)[None], torch.eye(3)),
        (torch.eye(4)[None], torch.eye(3).expand(2, 3, 3)),
    ],
)
def test_wrong_shapes_are_refused(pose, matrix):
    with pytest.raises(InvalidCameras, match="shape"):
        Cameras(pose, matrix)


def test_pitch_in_degrees_is_noticed():
    with pytest.raises(InvalidCameras, match="radians"):
        Cameras.orbit([0.0], [30.0])


@pytest.mark.parametrize("fov", [0.0, 40.0, -0.1])
def test_fields_of_view_outside_zero_to_pi_are_refused(fov):
    with pytest.raises(InvalidCameras, match="field of view"):
        Cameras.orbit([0.0], [0.0], fov=fov)


def test_index_out_of_range():
    with pytest.raises(IndexError, match="camera 2 of 2"):
        Cameras.orbit([0.0, 1.0], [0.0, 0.0])[2]
