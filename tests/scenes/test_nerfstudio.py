from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.scenes import Cameras, Scene, sweep360
from viewsweep.scenes.capture import develop
from viewsweep.scenes.errors import InvalidCameras, InvalidScene, UnreadableFile, UserError
from viewsweep.scenes.lens import Lens
from viewsweep.scenes.nerfstudio import read_nerfstudio, write_nerfstudio

FRONT = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1.6], [0, 0, 0, 1]]  # OpenGL: at +z, looking along -z


def write(folder: Path, **content: Any) -> Path:
    """A transforms.json with one picture of 8x6, as `content` says."""
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(folder / "a.png")
    frame = {"file_path": "a.png", "transform_matrix": FRONT}
    base = {"fl_x": 10.0, "w": 8, "h": 6, "frames": [frame]}
    (folder / "transforms.json").write_text(json.dumps(base | content))
    return folder / "transforms.json"


# -- round trip ------------------------------------------------------------------------------------


def test_round_trip(tmp_path, render):
    scene = render(Cameras.orbit([0.0, 0.5, 1.2], [0.0, 0.3, -0.2], fov=0.8), 24, 24)
    path = write_nerfstudio(tmp_path, scene)
    back = develop(read_nerfstudio(path), normalise=False).scene
    assert torch.equal(back.rgb, scene.rgb)
    torch.testing.assert_close(back.cameras.cam_to_world, scene.cameras.cam_to_world)
    torch.testing.assert_close(back.cameras.intrinsics, scene.cameras.intrinsics)
    torch.testing.assert_close(back.depth, scene.depth, equal_nan=True)


def test_round_trip_through_the_canonical_world(tmp_path, render):
    scene = render(sweep360(6, 0.3), 16)
    write_nerfstudio(tmp_path, scene)
    back = develop(read_nerfstudio(tmp_path)).scene
    torch.testing.assert_close(back.cameras.cam_to_world, scene.cameras.cam_to_world)
    torch.testing.assert_close(back.depth, scene.depth, equal_nan=True)


def test_written_world_is_z_up_with_opengl_axes(tmp_path, render):
    """A camera at pitch 0.5 stands at height r sin 0.5 above the file's xy plane and looks along its own -z."""
    content = json.loads(write_nerfstudio(tmp_path, render(Cameras.orbit([0.3], [0.5]), 8)).read_text())
    matrix = torch.tensor(content["frames"][0]["transform_matrix"])
    assert float(matrix[2, 3]) == pytest.approx(1.6 * math.sin(0.5))
    torch.testing.assert_close(-matrix[:3, 2], -matrix[:3, 3] / 1.6)
    assert float(matrix[2, 1]) > 0.8  # its y axis points up
    assert content["frames"][0]["cx"] == 4.0


def test_depth_is_written_in_millimetres(tmp_path, render):
    scene = render(Cameras.orbit([0.0], [0.0]), 9)
    write_nerfstudio(tmp_path, scene)
    stored = np.load(tmp_path / "depth" / "00000.npy")
    assert stored[4, 4] == pytest.approx(950.0)  # 1.6 - 0.45 - 0.2
    assert stored[0, 0] == 0.0


def test_scenes_the_format_cannot_hold_are_refused(tmp_path):
    rgb = torch.zeros(1, 2, 2, 3).byte()
    with pytest.raises(InvalidScene, match="without cameras"):
        write_nerfstudio(tmp_path, Scene(rgb=rgb))
    skewed = torch.tensor([[1.0, 0.1, 0.5], [0, 1, 0.5], [0, 0, 1]])
    with pytest.raises(InvalidScene, match="skew"):
        write_nerfstudio(tmp_path, Scene(rgb=rgb, cameras=Cameras(torch.eye(4)[None], skewed)))


# -- conventions -----------------------------------------------------------------------------------


def test_poses_are_opengl_and_show_the_side_they_must_show(tmp_path, render, find):
    write(tmp_path)
    cameras = develop(read_nerfstudio(tmp_path), normalise=False).scene.cameras
    image = render(cameras, 60).rgb[0]
    assert find(image, "blue") == pytest.approx((0.5, 0.5), abs=0.02)
    assert find(image, "red")[0] > 0.6
    assert find(image, "green")[1] < 0.4


def test_pixel_centres_lie_at_half_pixels(tmp_path):
    """cx = w / 2 is the middle of the picture; OpenCV would say (w - 1) / 2."""
    write(tmp_path, cx=4.0, cy=3.0)
    assert read_nerfstudio(tmp_path).frames[0].lens.intrinsics[:2, 2].tolist() == [0.5, 0.5]


def test_blender_sets_give_an_angle_and_leave_the_suffix_out(tmp_path):
    path = write(tmp_path)
    frame = {"file_path": "./a", "transform_matrix": FRONT}
    path.write_text(json.dumps({"camera_angle_x": 0.9, "frames": [frame]}))
    (frame,) = read_nerfstudio(tmp_path).frames
    assert frame.path == tmp_path / "a.png"
    assert frame.lens.fx == frame.lens.fy == pytest.approx(4 / math.tan(0.45))
    assert (frame.lens.cx, frame.lens.cy) == (4.0, 3.0)


def test_frames_override_the_file(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "b.png")
    frames = [
        {"file_path": "a.png", "transform_matrix": FRONT},
        {"file_path": "b.png", "transform_matrix": FRONT, "fl_x": 20.0, "cx": 3.0, "k1": 0.1},
    ]
    write(tmp_path, fl_y=11.0, frames=frames)
    first, second = (frame.lens for frame in read_nerfstudio(tmp_path).frames)
    assert (first.fx, first.fy, first.cx, first.kind) == (10.0, 11.0, 4.0, "pinhole")
    assert (second.fx, second.fy, second.cx, second.kind) == (20.0, 11.0, 3.0, "opencv")


def test_frames_come_in_natural_order(tmp_path):
    names = ["r_10.png", "r_2.png", "r_1.png"]
    write(tmp_path, frames=[{"file_path": name, "transform_matrix": FRONT} for name in names])
    assert [frame.path.name for frame in read_nerfstudio(tmp_path).frames] == ["r_1.png", "r_2.png", "r_10.png"]


@pytest.mark.parametrize(
    ("settings", "kind", "coefficients"),
    [
        ({"camera_model": "OPENCV", "k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}, "opencv", (0.1, 0.2, 0.3, 0.4, 0.0)),
        ({"k1": 0.1, "k3": 0.5}, "opencv", (0.1, 0.0, 0.0, 0.0, 0.5)),
        ({"camera_model": "OPENCV_FISHEYE", "k1": 0.1, "k4": 0.4}, "fisheye", (0.1, 0.0, 0.0, 0.4)),
        ({"is_fisheye": True, "k1": 0.1}, "fisheye", (0.1, 0.0, 0.0, 0.0)),
        ({"distortion_params": [0.1, 0.2, 0.3, 0.0, 0.01, 0.02]}, "opencv", (0.1, 0.2, 0.01, 0.02, 0.3)),
        ({"camera_model": "PINHOLE"}, "pinhole", ()),
    ],
)
def test_distortion_models(tmp_path, settings, kind, coefficients):
    write(tmp_path, **settings)
    lens = read_nerfstudio(tmp_path).frames[0].lens
    assert (lens.kind, lens.coefficients) == (kind, coefficients)


def test_applied_transform_and_scale_are_undone(tmp_path, render):
    scene = render(sweep360(3), 8)
    path = write_nerfstudio(tmp_path, scene)
    content = json.loads(path.read_text())
    for frame in content["frames"]:
        for row in frame["transform_matrix"][:3]:
            row[3] *= 0.25
    path.write_text(json.dumps(content | {"applied_scale": 0.25}))
    back = develop(read_nerfstudio(path), normalise=False).scene
    torch.testing.assert_close(back.cameras.cam_to_world, scene.cameras.cam_to_world)
    torch.testing.assert_close(back.depth, scene.depth, equal_nan=True)


def test_rounded_poses_are_rotations_again(tmp_path):
    cameras = Cameras.orbit([0.7], [0.4])
    rounded = (cameras.cam_to_world[0] * torch.tensor([1.0, -1, -1, 1]) * 1000).round() / 1000
    write(tmp_path, frames=[{"file_path": "a.png", "transform_matrix": rounded.tolist()}])
    back = develop(read_nerfstudio(tmp_path), normalise=False).scene.cameras
    torch.testing.assert_close(back.cam_to_world, cameras.cam_to_world, atol=2e-3, rtol=0)


# -- distortion, depth and size, end to end --------------------------------------------------------

LENSES = {
    "brown": Lens(96, 72, 80.0, 82.0, 50.0, 34.0, "opencv", (-0.25, 0.06, 0.003, -0.004, 0.0)),
    "fisheye": Lens(96, 72, 60.0, 60.0, 46.0, 38.0, "fisheye", (0.03, -0.01, 0.002, 0.0)),
}


def shoot(folder: Path, photograph: Any, lens: Lens, cameras: Cameras) -> None:
    """Photographs of the balls through `lens`, with depth, as a nerfstudio capture."""
    names = ("k1", "k2", "k3", "k4") if lens.kind == "fisheye" else ("k1", "k2", "p1", "p2", "k3")
    content: dict[str, Any] = dict(zip(names, lens.coefficients, strict=True))
    content |= {"fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy, "w": lens.width, "h": lens.height}
    content["camera_model"] = "OPENCV_FISHEYE" if lens.kind == "fisheye" else "OPENCV"
    content["frames"] = []
    for view, pose in enumerate(cameras.cam_to_world):
        rgb, depth = photograph(lens, pose)
        Image.fromarray(rgb).save(folder / f"{view}.png")
        Image.fromarray((np.nan_to_num(depth) * 1000 + 0.5).astype(np.uint16)).save(folder / f"{view}_depth.png")
        matrix = (pose * torch.tensor([1.0, -1, -1, 1])).tolist()
        frame = {"file_path": f"{view}.png", "depth_file_path": f"{view}_depth.png", "transform_matrix": matrix}
        content["frames"].append(frame)
    (folder / "transforms.json").write_text(json.dumps(content))


@pytest.mark.parametrize("size", [None, 48])
@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_undistorted_pictures_are_what_their_cameras_see(tmp_path, photograph, render, find, lens, size):
    cameras = Cameras.orbit([0.2, 0.9], [0.1, 0.5])
    shoot(tmp_path, photograph, lens, cameras)
    scene = develop(read_nerfstudio(tmp_path), size=size, normalise=False).scene
    height, width = (72, 96) if size is None else (48, 48)
    assert scene.size == (height, width)
    expected = render(scene.cameras, height, width, fine=4)
    torch.testing.assert_close(scene.cameras.cam_to_world, cameras.cam_to_world)
    for view in range(2):
        for ball in ("red", "green", "blue"):
            seen, wanted = find(scene.rgb[view], ball), find(expected.rgb[view], ball)
            assert seen[0] * width == pytest.approx(wanted[0] * width, abs=0.1)
            assert seen[1] * height == pytest.approx(wanted[1] * height, abs=0.1)
    both = torch.isfinite(scene.depth) & torch.isfinite(expected.depth)
    off = (scene.depth - expected.depth).abs()[both]
    assert float(off.median()) < 5e-3  # the nearest pixel's depth, half a pixel away at most
    either = torch.isfinite(scene.depth) | torch.isfinite(expected.depth)
    assert int(both.sum()) > 0.9 * int(either.sum())


def test_depth_follows_the_scale_of_the_world(tmp_path, photograph):
    """In the canonical world the points still lie on the balls, scaled alike."""
    cameras = Cameras.orbit([0.0, 0.9, 1.8], [0.1, 0.5, 0.2], radius=3.0)
    shoot(tmp_path, photograph, LENSES["brown"], cameras)
    developed = develop(read_nerfstudio(tmp_path))
    scene, world = developed.scene, developed.world
    assert world.scale == pytest.approx(1.6 / 3.0)
    points = scene.cameras.unproject(scene.depth)[torch.isfinite(scene.depth)]
    original = (points - world.translation) @ world.rotation / world.scale
    centres = 0.45 * torch.eye(3, dtype=torch.float64)
    distance = torch.cdist(original, centres).min(1).values
    assert float((distance - 0.2).abs().median()) < 0.01


def test_small_depth_maps_are_brought_to_the_pictures_size(tmp_path):
    np.save(tmp_path / "d.npy", np.array([[1000.0, 2000.0]], np.float32))
    frame = {"file_path": "a.png", "transform_matrix": FRONT, "depth_file_path": "d.npy"}
    write(tmp_path, frames=[frame])
    depth = develop(read_nerfstudio(tmp_path), normalise=False).scene.depth
    assert depth[0].tolist() == [[1.0] * 4 + [2.0] * 4] * 6


def test_depth_unit_can_be_given(tmp_path):
    np.save(tmp_path / "d.npy", np.ones((6, 8), np.float32))
    frame = {"file_path": "a.png", "transform_matrix": FRONT, "depth_file_path": "d.npy"}
    write(tmp_path, frames=[frame], depth_unit_scale_factor=2.5)
    assert float(develop(read_nerfstudio(tmp_path), normalise=False).scene.depth[0, 0, 0]) == 2.5


def test_calibration_of_the_full_size_serves_smaller_pictures(tmp_path):
    write(tmp_path, w=80, h=60, fl_x=100.0, cx=41.0)
    scene = develop(read_nerfstudio(tmp_path), normalise=False).scene
    assert scene.cameras.intrinsics[0, 0].tolist() == pytest.approx([100 / 80, 0, 41 / 80])


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not readable as JSON"),
        ("{", "not readable as JSON"),
        ("[1]", "at the top"),
        ("{}", "at frames: Field required"),
        ('{"frames": [{"transform_matrix": []}]}', r"at frames\.0\.file_path"),
        ('{"fl_x": NaN, "frames": []}', "at fl_x"),
        ('{"frames": [], "applied_transform": [[1, 2]]}', "at applied_transform"),
        ('{"frames": [], "applied_scale": 0}', "at applied_scale"),
        ('{"frames": [], "depth_unit_scale_factor": -1}', "at depth_unit_scale_factor"),
        ("[" * 100_000, "not readable as JSON"),
    ],
)
def test_files_of_another_format_are_named(tmp_path, content, words):
    (tmp_path / "transforms.json").write_text(content)
    with pytest.raises(UnreadableFile, match=rf"transforms\.json: .*{words}"):
        read_nerfstudio(tmp_path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"transforms\.json: there is no such file"):
        read_nerfstudio(tmp_path)


def test_mirroring_applied_transform_is_refused(tmp_path):
    write(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]])
    with pytest.raises(InvalidCameras, match=r"transforms\.json: applied_transform: The matrix mirrors"):
        read_nerfstudio(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transform_matrix": [[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]}, "stretches"),
        ({"transform_matrix": [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]]}, "mirrors"),
        ({"transform_matrix": [[1.0, 0], [0, 1]]}, r"must be finite, \[4, 4\]"),
        ({"transform_matrix": "front"}, "no matrix"),
        ({"transform_matrix": [[math.inf] * 4] * 4}, "finite"),
        ({"file_path": "../../secret.png"}, "leads out"),
        ({"depth_file_path": "/secret.npy"}, "leads out"),
        ({"camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR is not supported"),
        ({"k4": 0.1}, "k4 belongs to"),
        ({"camera_model": "OPENCV_FISHEYE", "p1": 0.1}, "no p1"),
        ({"fl_x": -3.0}, "positive"),
        ({"camera_angle_y": 4.0}, "not between 0 and pi"),
    ],
)
def test_a_bad_frame_is_named_and_the_others_kept(tmp_path, change, words):
    good = {"file_path": "a.png", "transform_matrix": FRONT}
    write(tmp_path, frames=[good, {"file_path": "b.png", "transform_matrix": FRONT} | change])
    capture = read_nerfstudio(tmp_path)
    assert [frame.path.name for frame in capture.frames] == ["a.png"]
    ((path, reason),) = capture.failed
    assert path.name in ("b.png", "secret.png")
    assert re.search(words, reason)


def test_a_frame_without_a_field_of_view_is_named(tmp_path):
    path = write(tmp_path)
    path.write_text(json.dumps({"frames": [{"file_path": "a.png", "transform_matrix": FRONT}]}))
    ((_, reason),) = read_nerfstudio(tmp_path).failed
    assert "neither fl_x nor camera_angle_x" in reason


def test_a_picture_of_another_shape_than_its_calibration_is_named(tmp_path):
    write(tmp_path, w=8, h=8)
    capture = read_nerfstudio(tmp_path)
    with pytest.raises(UserError, match="is 8x6, its calibration is for 8x8"):
        develop(capture)
