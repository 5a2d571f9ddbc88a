from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.scenes import Cameras
from viewsweep.scenes.alignment import Similarity
from viewsweep.scenes.cameras import pinhole
from viewsweep.scenes.co3d import camera_quality, list_co3d, read_co3d
from viewsweep.scenes.errors import InvalidCameras, UnreadableFile, UserError
from viewsweep.scenes.half_depth import HalfDepth
from viewsweep.scenes.posed_sequence import context_world, expose, median_depth
from viewsweep.scenes.pytorch3d import intrinsics_of_ndc, pose_of_pytorch3d

from .. import dataset_writers as writers

FORMATS = ("ndc_isotropic", "ndc_norm_image_bounds")


def around(views: int, width: int, height: int) -> Cameras:
    """A circle, in a world turned and scaled at will, as structure from motion leaves it; off-centre lens."""
    matrix = pinhole(0.7, width / height)
    matrix[:2, 2] = torch.tensor([0.47, 0.52])
    steps = torch.linspace(0, 1, views, dtype=torch.float64)
    return Cameras(Cameras.orbit(3.0 * steps, 0.2 + 0.1 * steps, radius=1.7).cam_to_world, matrix)


@pytest.fixture
def written(tmp_path, render):
    """Two sequences of hydrants in portrait format, 48 x 80, and what they were written from."""
    scenes = {
        "20_2": render(around(4, 48, 80), 80, 48, fine=2),
        "10_1": render(around(3, 48, 80), 80, 48, fine=2),
    }
    writers.write_co3d(tmp_path, "hydrant", scenes)
    return tmp_path, scenes


def read(root: Path) -> dict:
    return read_co3d(root, "hydrant", list_co3d(root, "hydrant"))


# -- the convention, against PyTorch3D's projection formula -----------------------------------------


@pytest.mark.parametrize("convention", FORMATS)
@pytest.mark.parametrize(("width", "height"), [(640, 640), (640, 360), (301, 800)])
def test_points_project_as_pytorch3d_does(convention, width, height):
    """Its formula, on R, T, f and p drawn at will, against ours on what we make of them."""
    random = np.random.default_rng(width)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    view = {
        "R": turn.tolist(),
        "T": [0.3, -0.2, 4.0],
        "focal_length": [2.1, 3.4],
        "principal_point": [0.11, -0.23],
        "intrinsics_format": convention,
    }
    points = random.normal(size=(50, 3))
    expected = writers.project_pytorch3d(points, view)
    intrinsics = intrinsics_of_ndc(view["focal_length"], view["principal_point"], width, height, convention)
    cameras = Cameras(pose_of_pytorch3d(view["R"], view["T"])[None], intrinsics)
    uv, depth = cameras.project(torch.from_numpy(points))
    np.testing.assert_allclose(writers.ndc_of_uv(uv[0].numpy(), width, height, convention), expected, atol=1e-9)
    np.testing.assert_allclose(depth[0].numpy(), (points @ turn + view["T"])[:, 2], atol=1e-9)


def test_left_is_left_and_up_is_up():
    """PyTorch3D's own words: (+1, +1) in NDC is the picture's top left corner, which is (0, 0) here."""
    cameras = Cameras(
        pose_of_pytorch3d(np.eye(3).tolist(), [0.0, 0, 0])[None], intrinsics_of_ndc([1, 1], [0, 0], 4, 4, FORMATS[0])
    )
    uv, _ = cameras.project(torch.tensor([[2.0, 2.0, 2.0], [0.0, 0.0, 5.0]]))
    torch.testing.assert_close(uv[0], torch.tensor([[0.0, 0.0], [0.5, 0.5]]).double())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"focal": [1.0]}, r"focal_length must be finite, of shape \[2\]; it is \[1.0\]"),
        ({"focal": [1.0, 0.0]}, "both numbers must be positive"),
        ({"principal": [0.0, float("nan")]}, "principal_point must be finite"),
        ({"principal": "middle"}, "principal_point is no array"),
        ({"convention": "screen"}, "'screen' is not known; ndc_norm_image_bounds and ndc_isotropic are"),
    ],
)
def test_lenses_that_are_none(change, message):
    given = {"focal": [1.0, 1.0], "principal": [0.0, 0.0], "width": 4, "height": 4, "convention": FORMATS[0]} | change
    with pytest.raises(InvalidCameras, match=message):
        intrinsics_of_ndc(**given)


# -- pictures, masks, depth ------------------------------------------------------------------------


@pytest.mark.parametrize("convention", FORMATS)
def test_a_category_comes_back(tmp_path, render, convention):
    scene = render(around(3, 80, 48), 48, 80)
    writers.write_co3d(tmp_path, "hydrant", {"a": scene}, convention=convention)
    sequence = read(tmp_path)["a"]
    assert (sequence.name, sequence.category, len(sequence)) == ("a", "hydrant", 3)
    assert [frame.number for frame in sequence.frames] == [3, 5, 7]  # the list is in another order
    for view, frame in enumerate(sequence.frames):
        torch.testing.assert_close(frame.cam_to_world, scene.cameras.cam_to_world[view], atol=1e-12, rtol=0)
        torch.testing.assert_close(frame.intrinsics, scene.cameras.intrinsics[view], atol=1e-12, rtol=0)


def test_the_square_is_what_the_cut_cameras_see(written, render):
    """Pictures, coverage and depth of the cut against the world rendered through the cut cameras, to the bit."""
    root, _ = written
    scene = expose(read(root)["20_2"], range(4), 48)
    direct = render(scene.cameras, 48, fine=2)
    assert float(((direct.rgb.int() - scene.rgb.int()).abs().amax(-1) > 0).double().mean()) < 0.002
    seen = torch.isfinite(direct.depth)
    assert float((seen != torch.isfinite(scene.depth)).double().mean()) < 0.002
    assert float(((scene.alpha == 255) != seen).double().mean()) < 0.002
    both = seen & torch.isfinite(scene.depth)
    error = (scene.depth - direct.depth)[both].abs()
    assert float(error.median()) < 1.7 / 2048  # a half has eleven bits


@pytest.mark.parametrize("size", [48, 16])  # by whole and odd factors the nearest pixel is the centre itself
def test_points_lie_where_the_depth_says(written, size):
    """Unprojected depth lies on the balls, so pixel centres and z-depth are right."""
    root, _ = written
    scene = expose(read(root)["20_2"], range(4), size)
    points = scene.cameras.unproject(scene.depth)[torch.isfinite(scene.depth)]
    centres = 0.45 * torch.eye(3, dtype=torch.float64)
    nearest = (points[:, None] - centres).norm(dim=-1).amin(1)
    assert float((nearest - 0.2).abs().amax()) < 3e-3


def test_the_median_depth_is_that_of_what_is_seen(written):
    root, scenes = written
    sequence = read(root)["20_2"]
    depth = scenes["20_2"].depth
    expected = float(depth[torch.isfinite(depth)].median())
    assert median_depth(sequence) == pytest.approx(expected, rel=0.01)
    own = expose(sequence, [0], 8).cameras
    world = context_world(own, expected)
    assert isinstance(world, Similarity)
    assert world.scale == pytest.approx(1.6 / expected)
    ahead = own.positions[0] + expected * own.cam_to_world[0, :3, 2]  # what lies at that depth becomes the origin
    torch.testing.assert_close(world.scale * (world.rotation @ ahead) + world.translation, torch.zeros(3).double())


def test_half_floats_are_bits_not_numbers(tmp_path):
    values = np.array([[0.0, 1.5, -2.0], [np.inf, np.nan, 6.1e-5]], np.float16)
    Image.fromarray(values.view(np.uint16)).save(tmp_path / "d.png")
    Image.fromarray(np.array([[255, 255, 255], [255, 255, 0]], np.uint8)).save(tmp_path / "m.png")
    depth = HalfDepth(tmp_path / "d.png", 2.0).read()
    np.testing.assert_allclose(depth, [[np.nan, 3.0, np.nan], [np.nan, np.nan, 2 * 6.1e-5]], rtol=1e-3)
    assert np.isnan(HalfDepth(tmp_path / "d.png", 2.0, tmp_path / "m.png").read()[1, 2])
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(UnreadableFile, match="depth mask is 1x1, its depth map 3x2"):
        HalfDepth(tmp_path / "d.png", 2.0, tmp_path / "m.png").read()
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "d.png")
    with pytest.raises(UnreadableFile, match="16 bits"):
        HalfDepth(tmp_path / "d.png").read()


def test_maps_of_another_size_are_refused(written):
    root, _ = written
    sequence = read(root)["10_1"]
    frame = sequence.frames[0]
    Image.fromarray(np.zeros((80, 47), np.uint8)).save(frame.mask)
    with pytest.raises(UnreadableFile, match="the mask is 47x80, its picture 48x80"):
        expose(sequence, [0], 8)
    Image.fromarray(np.zeros((40, 48), np.uint16)).save(sequence.frames[1].depth.path)
    with pytest.raises(UnreadableFile, match="depth"):
        expose(sequence, [1], 8)
    Image.fromarray(np.zeros((48, 80, 3), np.uint8)).save(sequence.frames[2].path)
    with pytest.raises(UnreadableFile, match="the picture is 80x48, another shape than its camera's 48x80"):
        expose(sequence, [2], 8)


def test_no_masks_and_depth_in_part(tmp_path, render):
    def change(entry: dict) -> None:
        del entry["mask"]
        if entry["frame_number"] == 3:
            entry["depth"] = None

    writers.write_co3d(tmp_path, "hydrant", {"a": render(around(2, 16, 16), 16)}, change=change)
    sequence = read(tmp_path)["a"]
    scene = expose(sequence, [0, 1], 8)
    assert scene.alpha is None
    assert scene.depth is None  # half a scene's depth would call the rest empty
    assert expose(sequence, [1], 8).depth is not None


# -- lists and annotations -------------------------------------------------------------------------


def test_lists_are_sorted_and_named(written):
    root, _ = written
    listed = list_co3d(root, "hydrant")
    assert list(listed) == ["10_1", "20_2"]
    assert [number for number, _ in listed["10_1"]] == [3, 5, 7]
    assert listed["10_1"][0][1] == "hydrant/10_1/images/frame000001.png"
    assert list(list_co3d(root, "hydrant", part="test")) == ["20_2"]
    assert list_co3d(root, "hydrant", part="train") == {}
    with pytest.raises(UserError, match="Here are: fewview_dev"):
        list_co3d(root, "hydrant", subset="manyview_dev_0")
    with pytest.raises(UserError, match=r"no category 'apple' .* Here are: hydrant"):
        list_co3d(root, "apple")
    with pytest.raises(UserError, match="leads out"):
        list_co3d(root, "../hydrant")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "must hold the lists"),
        ('{"train": []}', "has no list 'val'"),
        ('{"val": [["a", 1]]}', "entry 0 of 'val' is not"),
        ('{"val": [["a", "1", "x.jpg"]]}', "entry 0 of 'val' is not"),
    ],
)
def test_lists_that_are_none(written, content, message):
    root, _ = written
    path = root / "hydrant" / "set_lists" / "set_lists_fewview_dev.json"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=message) as caught:
        list_co3d(root, "hydrant")
    assert str(path) in str(caught.value)


def test_only_the_frames_asked_for_are_looked_at(written):
    root, _ = written
    listed = list_co3d(root, "hydrant")
    found = read_co3d(root, "hydrant", {"10_1": listed["10_1"][1:2]})
    assert list(found) == ["10_1"]
    assert [frame.number for frame in found["10_1"].frames] == [5]
    assert read_co3d(root, "hydrant", {}) == {}


def spoilt(root: Path, render, number: int = 5, **viewpoint) -> dict:
    def change(entry: dict) -> None:
        if entry["frame_number"] == number:
            entry["viewpoint"] = None if viewpoint == {"none": True} else entry["viewpoint"] | viewpoint

    scenes = {"a": render(around(2, 16, 16), 16), "b": render(around(1, 16, 16), 16)}
    writers.write_co3d(root, "hydrant", scenes, change=change)
    return read(root)


@pytest.mark.parametrize(
    ("viewpoint", "message"),
    [
        ({"R": [[1, 0, 0], [0, 1, 0], [0, 0, 2]]}, "is no rotation"),
        ({"R": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "mirrors"),
        ({"R": [[1, 0, 0], [0, 1, 0]]}, r"R must be finite, of shape \[3, 3\]"),
        ({"R": None}, "R is no array of numbers"),
        ({"T": [0, 0, float("nan")]}, "T must be finite"),
        ({"T": [0, 0, 3e6]}, "3e\\+06 units away; its reconstruction failed"),
        ({"focal_length": [1, -1]}, "must be positive"),
        ({"intrinsics_format": "pixels"}, "'pixels' is not known"),
        ({"none": True}, "no viewpoint"),
    ],
)
def test_one_bad_camera_costs_its_own_sequence(tmp_path, render, viewpoint, message):
    found = spoilt(tmp_path, render, **viewpoint)
    assert isinstance(found["a"], InvalidCameras)
    assert len(found["b"]) == 1
    for part in (message, "frame 5 of sequence a", "frame_annotations.jgz", "Leave this sequence out"):
        with pytest.raises(InvalidCameras, match=part):
            raise found["a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: entry["image"].update(path="../../etc/passwd"), "the set list says"),
        (lambda entry: entry["image"].update(size=[4]), "at image.size"),
        (lambda entry: entry["image"].update(size=[0, 4]), "has size 4x0"),
        (lambda entry: entry["depth"].update(scale_adjustment=0), "at depth.scale_adjustment"),
        (lambda entry: entry["depth"].update(scale_adjustment=float("inf")), "at depth.scale_adjustment"),
        (lambda entry: entry["depth"].update(path="/etc/passwd"), "leads out of this folder"),
        (lambda entry: entry["mask"].update(path="a/../../x"), "leads out of this folder"),
        (lambda entry: entry.update(sequence_name="other"), "1 frames of the set list are not described here"),
        (lambda entry: entry.update(frame_number=[1]), "first among them frame 3 of sequence a"),
    ],
)
def test_entries_that_are_none(tmp_path, render, change, message):
    writers.write_co3d(tmp_path, "hydrant", {"a": render(around(1, 16, 16), 16)}, change=change)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_annotations_that_are_truncated_or_none(written):
    root, _ = written
    path = root / "hydrant" / "frame_annotations.jgz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=r"frame_annotations.jgz: not readable .* Download the annotations"):
        read(root)
    path.write_bytes(b"no gzip")
    with pytest.raises(UnreadableFile, match="gzip"):
        read(root)
    path.unlink()
    with pytest.raises(UnreadableFile, match="no such file"):
        read(root)


def test_camera_quality(written):
    root, _ = written
    assert camera_quality(root, "hydrant") == {"20_2": 1.5, "10_1": 1.5}
    path = root / "hydrant" / "sequence_annotations.jgz"
    for entries, message in (
        ([{"a": 1}], "entry 0 has no sequence_name"),
        (["x"], "entry 0"),
        ([{"sequence_name": "a", "viewpoint_quality_score": "good"}], "is no number"),
    ):
        with gzip.open(path, "wt") as file:
            json.dump(entries, file)
        with pytest.raises(UnreadableFile, match=message):
            camera_quality(root, "hydrant")
