"""One test a row of the table of camera conventions, each against formulas in the model's own world."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras
from viewsweep.scenes.cameras import pinhole
from viewsweep.scenes.converters import from_opengl, to_eg3d
from viewsweep.scenes.errors import InvalidCameras
from viewsweep.scenes.model_cameras import MODELS, corner_focal_of_fov

YAWS, PITCHES = [0.0, 0.4, -1.1, 0.2, 2.5], [0.0, 0.0, 0.3, -0.7, 0.5]


def pose_of(
    position: tuple[float, float, float], *, up: str, axes: str, target: tuple[float, ...] = (0, 0, 0)
) -> Tensor:
    """A camera at `position` of some world that looks at `target`, built from scratch."""
    here = torch.tensor(position, dtype=torch.float64)
    forward = torch.nn.functional.normalize(torch.tensor(target, dtype=torch.float64) - here, dim=0)
    above = torch.tensor([0.0, 1, 0] if up == "y" else [0.0, 0, 1], dtype=torch.float64)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, above), dim=0)
    over = torch.linalg.cross(right, forward)
    pose = torch.eye(4, dtype=torch.float64)
    columns = [right, over, -forward] if axes == "opengl" else [right, -over, forward]
    pose[:3, :3], pose[:3, 3] = torch.stack(columns, 1), here
    return pose


def expect(model: str, position_of, *, up: str, axes: str, radius: float, invert: bool = False) -> None:
    """Our angles, by way of the model's, give its pose; its pose gives our camera."""
    matrix = pinhole(0.4)
    native = [MODELS[model].angles.to_native(yaw, pitch) for yaw, pitch in zip(YAWS, PITCHES, strict=True)]
    places = [tuple(radius * part for part in position_of(*angles)) for angles in native]
    poses = torch.stack([pose_of(place, up=up, axes=axes) for place in places])
    poses = torch.linalg.inv(poses) if invert else poses
    ours = Cameras.orbit(YAWS, PITCHES, radius=1.6, fov=0.4)
    torch.testing.assert_close(MODELS[model].poses(ours), poses, rtol=0, atol=1e-12)
    back = MODELS[model].cameras(poses, matrix)
    torch.testing.assert_close(back.cam_to_world, ours.cam_to_world, rtol=0, atol=1e-12)
    assert float(back.positions[1, 0]) > 0.5  # positive yaw: towards +x
    assert float(back.positions[2, 1]) > 0.4  # positive pitch: upwards
    torch.testing.assert_close(torch.linalg.det(poses[:, :3, :3]), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("model", ["eg3d", "panohead"])
def test_eg3d_stands_on_a_sphere_with_opencv_axes(model):
    def position(h: float, v: float) -> tuple[float, float, float]:
        phi = math.acos(1 - 2 * v / math.pi)
        return math.sin(phi) * math.cos(math.pi - h), math.cos(phi), math.sin(phi) * math.sin(math.pi - h)

    expect(model, position, up="y", axes="opencv", radius=2.7)


@pytest.mark.parametrize("model", ["pigan", "gram"])
def test_pigan_turns_the_other_way_with_opengl_axes(model):
    expect(
        model,
        lambda h, v: (math.sin(v) * math.cos(h), math.cos(v), math.sin(v) * math.sin(h)),
        up="y",
        axes="opengl",
        radius=1.0,
    )


def test_epigraf_has_its_front_on_x():
    expect(
        "epigraf",
        lambda y, p: (math.sin(p) * math.cos(y), math.cos(p), math.sin(p) * math.sin(y)),
        up="y",
        axes="opengl",
        radius=1.0,
    )


def test_3dgp_turns_to_minus_x():
    expect(
        "3dgp",
        lambda y, p: (-math.sin(p) * math.sin(y), math.cos(p), math.sin(p) * math.cos(y)),
        up="y",
        axes="opengl",
        radius=1.0,
    )


def test_stylenerf_has_z_up():
    expect(
        "stylenerf",
        lambda u, v: (math.sin(v) * math.cos(u), math.sin(v) * math.sin(u), math.cos(v)),
        up="z",
        axes="opengl",
        radius=1.0,
    )


def test_stylesdf_counts_elevation():
    expect(
        "stylesdf",
        lambda az, el: (math.sin(az) * math.cos(el), math.sin(el), math.cos(az) * math.cos(el)),
        up="y",
        axes="opengl",
        radius=1.0,
    )


def test_ivid_stores_world_to_camera():
    expect(
        "ivid",
        lambda y, p: (math.sin(y) * math.cos(p), math.sin(p), math.cos(y) * math.cos(p)),
        up="y",
        axes="opengl",
        radius=1.0,
        invert=True,
    )


@pytest.mark.parametrize(("model", "radius"), [("graf", 3.4), ("giraffe", 2.732)])
def test_graf_counts_turns_and_height(model, radius):
    def position(u: float, v: float) -> tuple[float, float, float]:
        theta, phi = math.tau * u, math.acos(1 - 2 * v)
        return math.sin(phi) * math.cos(theta), math.sin(phi) * math.sin(theta), math.cos(phi)

    expect(model, position, up="z", axes="opengl", radius=radius)


def test_eg3d_camera_stays_on_its_sphere_wherever_it_looks():
    """Frontal label with the pivot on the z axis: rotation diag(1, -1, -1), translation (0, 0, 2.7)."""
    eg3d = MODELS["eg3d"]
    cameras = eg3d.orbit([math.pi / 2, 2.0], [math.pi / 2, 1.3], size=512, radius=2.7, pivot=(0, 0, 0.2))
    torch.testing.assert_close(cameras.positions.norm(dim=1), torch.tensor([2.7, 2.7], dtype=torch.float64))
    label = to_eg3d(cameras)[0]
    expected = torch.diag(torch.tensor([1.0, -1, -1, 1], dtype=torch.float64))
    expected[2, 3] = 2.7
    torch.testing.assert_close(label[:16].view(4, 4), expected, rtol=0, atol=1e-12)
    assert float(label[16]) == pytest.approx(4.2634, abs=1e-3)
    uv, _ = cameras.project(torch.tensor([[0.0, 0.0, 0.2]]))
    torch.testing.assert_close(uv, torch.full_like(uv, 0.5))
    assert float(cameras.positions[1, 0]) > 0  # h above pi/2: towards +x
    assert float(cameras.positions[1, 1]) > 0  # v below pi/2: upwards


@pytest.mark.parametrize(("size", "focal"), [(64, 4.683), (128, 4.720), (256, 4.739)])
def test_corner_aligned_rays_make_the_focal_length_depend_on_the_size(size, focal):
    fov = math.radians(12)
    assert corner_focal_of_fov(fov, size) == pytest.approx(focal, abs=1e-3)
    assert MODELS["3dgp"].focal_of(fov, size) == pytest.approx(4.757, abs=1e-3)
    matrix = MODELS["pigan"].matrix(fov, size)
    _, rays = Cameras(torch.eye(4)[None], matrix).rays(size, size)
    assert float(rays[0, 0, 0, 0]) == pytest.approx(-math.tan(fov / 2))  # centre of the first pixel
    assert float(rays[0, 0, -1, 0]) == pytest.approx(math.tan(fov / 2))


def test_stylesdf_gives_half_its_field_of_view():
    assert MODELS["stylesdf"].focal_of(math.radians(6), 64) == pytest.approx(4.757, abs=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_field_of_view_round_trip(model):
    fov = math.radians(MODELS[model].fov_deg)
    focal = MODELS[model].focal_of(fov, 64)
    assert MODELS[model].fov_of(focal, 64) == pytest.approx(fov)


@pytest.mark.parametrize("model", MODELS)
def test_cameras_of_a_model_render_the_side_they_must(model, render, find):
    """Our pictures from the model's own angles: yaw to the right shows what lies on +x in the middle."""
    convention = MODELS[model]
    native = convention.angles.to_native(math.pi / 2, 0.0)
    camera = convention.orbit([native[0]], [native[1]], size=48)
    back = convention.cameras(convention.poses(camera), camera.intrinsics)
    torch.testing.assert_close(back.cam_to_world, camera.cam_to_world, rtol=0, atol=1e-12)
    wide = Cameras(back.cam_to_world, pinhole(math.radians(40)))
    assert find(render(wide, 48).rgb[0], "red") == pytest.approx((0.5, 0.5), abs=0.02)


def test_a_pose_with_opencv_axes_is_told_apart_from_one_with_opengl_axes():
    ours = Cameras.orbit([0.3], [0.1], radius=1.0)
    assert MODELS["pigan"].cameras(MODELS["eg3d"].poses(ours), ours.intrinsics) != ours
    assert from_opengl(MODELS["pigan"].poses(ours, 1.0), ours.intrinsics).cam_to_world.allclose(ours.cam_to_world)
    with pytest.raises(InvalidCameras, match="no rotation"):
        MODELS["eg3d"].cameras(2 * torch.eye(4)[None], ours.intrinsics)
