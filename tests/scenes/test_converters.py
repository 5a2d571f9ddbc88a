from __future__ import annotations

import math

import pytest
import torch
from viewsweep.scenes import Cameras, sweep360
from viewsweep.scenes.cameras import pinhole
from viewsweep.scenes.converters import (
    ANGLES,
    focal_of_eg3d_fov,
    focal_of_fov,
    from_eg3d,
    from_opengl,
    from_pixels,
    ray_to_z,
    to_eg3d,
    to_opengl,
    to_pixels,
    z_to_ray,
)
from viewsweep.scenes.errors import InvalidCameras


@pytest.fixture
def cameras() -> Cameras:
    return Cameras.orbit([0.0, 0.7, -2.4], [0.0, 0.3, -0.5], radius=2.1, fov=0.6)


# -- OpenGL ----------------------------------------------------------------------------------------


def test_opengl_round_trip(cameras):
    assert from_opengl(to_opengl(cameras), cameras.intrinsics) == cameras


def test_opengl_camera_looks_along_its_minus_z_with_y_up():
    """Blender's and NeRF's default: the identity pose looks along -z, image up is +y."""
    pose = torch.eye(4, dtype=torch.float64)[None]
    pose[0, 2, 3] = 1.6
    assert from_opengl(pose, pinhole(math.radians(40))) == Cameras.orbit([0.0], [0.0])


def test_opengl_pose_shows_the_side_it_must_show(render, find):
    """A pose written by hand: on +x, looking at the origin, so that +z is on the left."""
    pose = torch.tensor([[[0.0, 0, 1, 1.6], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]])
    image = render(from_opengl(pose, pinhole(math.radians(40))), 48).rgb[0]
    assert find(image, "red") == pytest.approx((0.5, 0.5), abs=0.02)
    assert find(image, "green")[1] < 0.3
    assert find(image, "blue")[0] < 0.3


# -- EG3D ------------------------------------------------------------------------------------------


def test_eg3d_round_trip(cameras):
    labels = to_eg3d(cameras)
    assert labels.shape == (3, 25)
    assert from_eg3d(labels) == cameras
    torch.testing.assert_close(from_eg3d(labels.float()).cam_to_world, cameras.cam_to_world)


def test_frontal_eg3d_label():
    """Rotation diag(1, -1, -1), translation (0, 0, 2.7), focal length 4.2647 of the image."""
    label = torch.tensor(
        [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1],
        dtype=torch.float64,
    )
    expected = Cameras.orbit([0.0], [0.0], radius=2.7, fov=2 * math.atan(0.5 / 4.2647))
    torch.testing.assert_close(to_eg3d(expected)[0], label)
    assert float(from_eg3d(label[None]).yaw) == 0.0


def test_eg3d_labels_have_25_numbers():
    with pytest.raises(InvalidCameras, match=r"\[2, 16\]; they must be \[views, 25\]"):
        from_eg3d(torch.zeros(2, 16))


# -- angles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ANGLES)
def test_angles_round_trip(model):
    native = ANGLES[model].to_native(0.4, -0.3)
    assert ANGLES[model].from_native(*native) == pytest.approx((0.4, -0.3))


def test_eg3d_pitch_is_distorted_by_its_sampler():
    """An offset of .2 in v tilts the camera by .1277, one of .5 by .3239."""
    for offset, tilt in [(0.2, 0.1277), (0.5, 0.3239)]:
        assert -ANGLES["eg3d"].from_native(math.pi / 2, math.pi / 2 + offset)[1] == pytest.approx(tilt, abs=1e-4)


# -- pixels ----------------------------------------------------------------------------------------


def test_pixels_round_trip(cameras):
    for first_centre in (0.0, 0.5):
        pixels = to_pixels(cameras.intrinsics, 640, 480, first_centre=first_centre)
        back = from_pixels(pixels, 640, 480, first_centre=first_centre)
        torch.testing.assert_close(back, cameras.intrinsics)


def test_opencv_puts_the_middle_of_a_picture_half_a_pixel_less():
    matrix = pinhole(0.6)
    assert to_pixels(matrix, 640, 480)[:2, 2].tolist() == [320.0, 240.0]
    assert to_pixels(matrix, 640, 480, first_centre=0.0)[:2, 2].tolist() == [319.5, 239.5]


# -- depth -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("focal", "corner"), [(0.5 / math.tan(math.radians(22.5)), 1.1589), (4.2647, 1.0137)])
def test_corner_factor_between_ray_distance_and_z(focal, corner):
    """15.9 % at a field of view of 45 degrees (ivid), 1.4 % at EG3D's focal length."""
    cameras = Cameras.orbit([0.3], [0.1], fov=2 * math.atan(0.5 / focal))
    distance = z_to_ray(torch.ones(1, 512, 512, dtype=torch.float64), cameras)
    assert float(distance[0, 0, 0]) == pytest.approx(corner, abs=1e-3)
    assert float(distance[0, 256, 256]) == pytest.approx(1.0, abs=1e-5)


def test_ray_distance_of_a_ball_becomes_its_z_depth(render):
    scene = render(Cameras.orbit([0.4, 1.0], [0.2, 0.0], fov=1.2), 32)
    points = scene.cameras.unproject(scene.depth)
    distance = (points - scene.cameras.positions[:, None, None]).norm(dim=-1).float()
    torch.testing.assert_close(ray_to_z(distance, scene.cameras), scene.depth, equal_nan=True)
    torch.testing.assert_close(z_to_ray(scene.depth, scene.cameras), distance, equal_nan=True)


def test_depth_does_not_depend_on_the_views_beside_it(render):
    cameras = sweep360(4)
    depth = render(cameras, 16).depth
    torch.testing.assert_close(ray_to_z(depth, cameras)[2:3], ray_to_z(depth[2:3], cameras[2]), equal_nan=True)


def test_maps_must_fit_the_cameras():
    with pytest.raises(InvalidCameras, match="do not fit 4 cameras"):
        ray_to_z(torch.ones(3, 8, 8), sweep360(4))


# -- fields of view --------------------------------------------------------------------------------


def test_eg3d_field_of_view_is_a_diagonal_one():
    """18.837 degrees in EG3D's words are 13.38 degrees across the image's side: f = 4.2634, not 3.014."""
    fov = math.radians(18.837)
    assert focal_of_eg3d_fov(fov) == pytest.approx(4.2634, abs=1e-3)
    assert focal_of_fov(fov) == pytest.approx(3.014, abs=1e-3)
    across = 2 * math.atan(0.5 / focal_of_eg3d_fov(fov))
    assert math.degrees(across) == pytest.approx(13.38, abs=0.01)


def test_focal_length_is_that_of_our_cameras():
    assert focal_of_fov(0.7) == pytest.approx(float(pinhole(0.7)[0, 0]))
