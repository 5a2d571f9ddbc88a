from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation
from viewsweep.scenes import Cameras, Scene, sweep360
from viewsweep.scenes.capture import develop
from viewsweep.scenes.colmap import MODELS, read_colmap, write_colmap
from viewsweep.scenes.errors import InvalidScene, UnreadableFile, UserError

CAMERA = "1 SIMPLE_PINHOLE 8 6 10 4 3"
FRONT = "0 1 0 0 0 0 1.6"  # w x y z: half a turn about x, so y down and z forward at (0, 0, 1.6)


def write(folder: Path, cameras: str = CAMERA, images: str = f"1 {FRONT} 1 a.png\n\n", points: str = "") -> Path:
    """A project with one picture of 8x6 and the model in sparse/0."""
    model = folder / "sparse" / "0"
    model.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(folder / "images" / "a.png")
    (model / "cameras.txt").write_text(f"# comment\n{cameras}\n")
    (model / "images.txt").write_text(f"# comment\n# another\n{images}")
    if points:
        (model / "points3D.txt").write_text(points)
    return model


# -- round trip ------------------------------------------------------------------------------------


def test_round_trip(tmp_path, render):
    scene = render(Cameras.orbit([0.0, 0.5, 3.1], [0.0, 0.3, -1.2], fov=0.8), 16, 24)
    write_colmap(tmp_path, scene)
    developed = develop(read_colmap(tmp_path), normalise=False)
    assert torch.equal(developed.scene.rgb, scene.rgb)
    torch.testing.assert_close(developed.scene.cameras.cam_to_world, scene.cameras.cam_to_world)
    torch.testing.assert_close(developed.scene.cameras.intrinsics, scene.cameras.intrinsics)
    assert developed.scene.depth is None
    assert developed.failed == ()


def test_round_trip_through_the_canonical_world(tmp_path, render):
    cameras = sweep360(6, 0.3)
    write_colmap(tmp_path, render(cameras, 16))
    back = develop(read_colmap(tmp_path)).scene.cameras
    torch.testing.assert_close(back.cam_to_world, cameras.cam_to_world)


def test_equal_intrinsics_are_written_once(tmp_path, render):
    model = write_colmap(tmp_path, render(sweep360(3), 8))
    lines = (model / "cameras.txt").read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("1 PINHOLE 8 8 ")
    assert lines[1].endswith(" 4.0 4.0")


def test_scenes_the_format_cannot_hold_are_refused(tmp_path):
    rgb = torch.zeros(1, 2, 2, 3).byte()
    with pytest.raises(InvalidScene, match="without cameras"):
        write_colmap(tmp_path, Scene(rgb=rgb))
    skewed = torch.tensor([[1.0, 0.1, 0.5], [0, 1, 0.5], [0, 0, 1]])
    with pytest.raises(InvalidScene, match="skew"):
        write_colmap(tmp_path, Scene(rgb=rgb, cameras=Cameras(torch.eye(4)[None], skewed)))


# -- conventions -----------------------------------------------------------------------------------


def test_poses_are_world_to_camera_and_show_the_side_they_must_show(tmp_path, render, find):
    """A camera on +x, written by hand: world to camera is (-z, -y, -x) + (0, 0, 1.6)."""
    quaternion = Rotation.from_matrix([[0, 0, -1], [0, -1, 0], [-1, 0, 0]]).as_quat(scalar_first=True)
    pose = " ".join(str(number) for number in [*quaternion, 0, 0, 1.6])
    write(tmp_path, images=f"7 {pose} 1 a.png\n1.0 2.0 -1\n")
    cameras = develop(read_colmap(tmp_path), normalise=False).scene.cameras
    assert cameras.positions[0].tolist() == pytest.approx([1.6, 0, 0])
    image = render(cameras, 60).rgb[0]
    assert find(image, "red") == pytest.approx((0.5, 0.5), abs=0.02)
    assert find(image, "green")[1] < 0.4
    assert find(image, "blue")[0] < 0.4


def test_pixel_centres_lie_at_half_pixels(tmp_path):
    write(tmp_path)
    assert read_colmap(tmp_path).frames[0].lens.intrinsics[:2, 2].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("record", "kind", "focal", "coefficients"),
    [
        ("SIMPLE_PINHOLE 8 6 10 4 3", "pinhole", (10, 10), ()),
        ("PINHOLE 8 6 10 11 4 3", "pinhole", (10, 11), ()),
        ("SIMPLE_RADIAL 8 6 10 4 3 .1", "opencv", (10, 10), (0.1, 0, 0, 0, 0, 0, 0, 0)),
        ("RADIAL 8 6 10 4 3 .1 .2", "opencv", (10, 10), (0.1, 0.2, 0, 0, 0, 0, 0, 0)),
        ("OPENCV 8 6 10 11 4 3 .1 .2 .3 .4", "opencv", (10, 11), (0.1, 0.2, 0.3, 0.4, 0, 0, 0, 0)),
        (
            "FULL_OPENCV 8 6 10 11 4 3 .1 .2 .3 .4 .5 .6 .7 .8",
            "opencv",
            (10, 11),
            (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        ),
        ("SIMPLE_RADIAL_FISHEYE 8 6 10 4 3 .1", "fisheye", (10, 10), (0.1, 0, 0, 0)),
        ("RADIAL_FISHEYE 8 6 10 4 3 .1 .2", "fisheye", (10, 10), (0.1, 0.2, 0, 0)),
        ("OPENCV_FISHEYE 8 6 10 11 4 3 .1 .2 .3 .4", "fisheye", (10, 11), (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_camera_models(tmp_path, record, kind, focal, coefficients):
    write(tmp_path, cameras=f"1 {record}")
    lens = read_colmap(tmp_path).frames[0].lens
    assert (lens.kind, (lens.fx, lens.fy), lens.coefficients) == (kind, focal, coefficients)
    assert (lens.width, lens.height, lens.cx, lens.cy) == (8, 6, 4.0, 3.0)


def test_all_models_are_tested():
    (marker,) = test_camera_models.pytestmark
    assert {case[0].split()[0] for case in marker.args[1]} == set(MODELS)


def test_undistorted_pictures_are_what_their_cameras_see(tmp_path, photograph, render, find):
    cameras = Cameras.orbit([0.2, 0.9], [0.1, 0.5])
    model = write_colmap(tmp_path, render(cameras, 72, 96))
    (model / "cameras.txt").write_text("1 RADIAL 96 72 80 50 34 -0.25 0.06\n")
    lens = read_colmap(tmp_path).frames[0].lens
    for view, pose in enumerate(cameras.cam_to_world):
        Image.fromarray(photograph(lens, pose)[0]).save(tmp_path / "images" / f"{view:05d}.png")
    scene = develop(read_colmap(tmp_path), normalise=False).scene
    expected = render(scene.cameras, 72, 96, fine=4)
    for view in range(2):
        for ball in ("red", "green", "blue"):
            seen, wanted = find(scene.rgb[view], ball), find(expected.rgb[view], ball)
            assert seen[0] * 96 == pytest.approx(wanted[0] * 96, abs=0.1)
            assert seen[1] * 72 == pytest.approx(wanted[1] * 72, abs=0.1)


def test_images_come_in_natural_order_with_their_own_names(tmp_path):
    images = "".join(f"{n} {FRONT} 1 {name}\n\n" for n, name in enumerate(["cam 0/10.png", "cam 0/2.png", "a.png"], 1))
    write(tmp_path, images=images)
    names = [str(frame.path.relative_to(tmp_path / "images")) for frame in read_colmap(tmp_path).frames]
    assert names == ["a.png", "cam 0/2.png", "cam 0/10.png"]


def test_an_empty_last_line_may_be_missing(tmp_path):
    write(tmp_path, images=f"1 {FRONT} 1 a.png")
    assert len(read_colmap(tmp_path).frames) == 1


@pytest.mark.parametrize("place", ["", "sparse/0", "sparse", "colmap/sparse/0", "text"])
def test_models_are_found_where_tools_put_them(tmp_path, place):
    model = write(tmp_path / "made")
    target = tmp_path / "project" / place
    target.parent.mkdir(parents=True, exist_ok=True)
    model.rename(target)
    (tmp_path / "made" / "images").rename(tmp_path / "project" / "images")
    assert develop(read_colmap(tmp_path / "project")).scene.views == 1


def test_the_models_own_folder_can_be_given(tmp_path):
    model = write(tmp_path)
    assert develop(read_colmap(model)).scene.views == 1


def test_points_say_how_far_a_single_camera_looks(tmp_path):
    write(tmp_path, points="# comment\n1 0 0 0 9 9 9 0.5\n2 0 0 0.1 9 9 9 0.5 1 2\n3 0.1 0 -0.1 9 9 9 0.5\n")
    capture = read_colmap(tmp_path)
    assert capture.distance == pytest.approx(1.6)
    assert develop(capture).world.scale == pytest.approx(1.0)


# -- refusals --------------------------------------------------------------------------------------


def test_no_model_is_said(tmp_path):
    with pytest.raises(UserError, match="no COLMAP text model here"):
        read_colmap(tmp_path)


def test_binary_models_come_with_the_way_out(tmp_path):
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse" / "images.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"this model is binary. Run `colmap model_converter .* --output_type TXT`"):
        read_colmap(tmp_path)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"cameras": "1 PINHOLE 8"}, r"cameras\.txt, line 2: a camera needs"),
        ({"cameras": "1 PINHOLE 8 6 1 2 3"}, r"cameras\.txt, line 2: PINHOLE has 4 parameters, here are 3"),
        ({"cameras": "1 PINHOLE 8 6 1 2 3 x"}, r"cameras\.txt, line 2: could not convert"),
        ({"images": "1 1 0 0 0 1 a.png\n\n"}, r"images\.txt, line 3: not an image"),
        ({"images": f"1 {FRONT} 1 a.png\n2 {FRONT} 1 b.png\n"}, r"images\.txt, line 4: here the 2D points of a\.png"),
        ({"points": "1 a b c\n"}, r"points3D\.txt, line 1: not a point"),
        ({"points": "1 0 0 0 9 9 9 0.5\n2 0.5\n"}, r"points3D\.txt, line 2: not a point"),
    ],
)
def test_broken_lines_are_named(tmp_path, parts, words):
    write(tmp_path, **parts)
    with pytest.raises(UnreadableFile, match=words):
        read_colmap(tmp_path)


def test_a_missing_cameras_file_is_named(tmp_path):
    (write(tmp_path) / "cameras.txt").unlink()
    with pytest.raises(UnreadableFile, match=r"cameras\.txt: not readable \(there is no such file\)"):
        read_colmap(tmp_path)


def test_binary_rubbish_is_named(tmp_path):
    (write(tmp_path) / "cameras.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFile, match=r"cameras\.txt: not readable"):
        read_colmap(tmp_path)


@pytest.mark.parametrize(
    ("cameras", "image", "words"),
    [
        (CAMERA, f"{FRONT} 9 b.png", "has no camera 9"),
        (CAMERA, "0 0 0 0 0 0 0 1 b.png", "no rigid motion"),
        (CAMERA, "nan 0 1 0 0 0 0 1 b.png", "no rigid motion"),
        (CAMERA, "1 0 0 0 0 inf 0 1 b.png", "no rigid motion"),
        (CAMERA, f"{FRONT} 1 ../../b.png", "leads out"),
        (
            f"{CAMERA}\n2 THIN_PRISM_FISHEYE 8 6 1 1 4 3 0 0 0 0 0 0 0 0",
            f"{FRONT} 2 b.png",
            "THIN_PRISM_FISHEYE is not",
        ),
        (f"{CAMERA}\n2 SIMPLE_PINHOLE 8 6 -1 4 3", f"{FRONT} 2 b.png", "must be positive"),
    ],
)
def test_a_bad_image_is_named_and_the_others_kept(tmp_path, cameras, image, words):
    write(tmp_path, cameras=cameras, images=f"1 {FRONT} 1 a.png\n\n2 {image}\n\n")
    capture = read_colmap(tmp_path)
    assert [frame.path.name for frame in capture.frames] == ["a.png"]
    ((path, reason),) = capture.failed
    assert path.name == "b.png"
    assert words in reason


def test_half_a_turn_about_x_is_the_frontal_camera(tmp_path):
    """COLMAP's world is often y-down; this is what the quaternion 0 1 0 0 means here."""
    write(tmp_path)
    assert develop(read_colmap(tmp_path), normalise=False).scene.cameras.cam_to_world[0].flatten().tolist() == (
        pytest.approx([1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 1.6, 0, 0, 0, 1])
    )
    assert math.isclose(float(torch.linalg.det(read_colmap(tmp_path).frames[0].cam_to_world)), 1.0)
