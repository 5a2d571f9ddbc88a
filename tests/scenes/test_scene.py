from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from viewsweep.scenes import Cameras, Scene, load_scene, save_scene
from viewsweep.scenes.errors import InvalidCameras, InvalidScene, UnreadableFile, WriteFailed
from viewsweep.scenes.scene import SCHEMA


@pytest.fixture
def scene(render) -> Scene:
    cameras = Cameras.orbit([0.0, 0.4, 0.9], [0.1, 0.0, -0.2])
    seen = render(cameras, 12, 16)
    return Scene(
        rgb=seen.rgb,
        cameras=cameras,
        depth=seen.depth,
        alpha=torch.isfinite(seen.depth).to(torch.uint8) * 255,
        normals=torch.full((3, 12, 16, 3), math.nan),
        label=4,
        seed=1234,
        context=Scene(rgb=seen.rgb[:1], cameras=cameras[:1], label=4),
    )


def assert_same(one: Scene, other: Scene) -> None:
    for name in ("rgb", "depth", "alpha", "normals"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0, equal_nan=True)
    assert one.cameras == other.cameras
    assert (one.label, one.seed) == (other.label, other.seed)


# -- the file --------------------------------------------------------------------------------------


def test_round_trip_keeps_every_bit(tmp_path, scene):
    save_scene(tmp_path / "a.safetensors", scene)
    back = load_scene(tmp_path / "a.safetensors")
    assert_same(back, scene)
    assert torch.equal(back.context.rgb, scene.context.rgb)
    assert back.context.cameras == scene.context.cameras
    assert (back.context.label, back.context.seed) == (4, None)


def test_round_trip_of_bare_pictures(tmp_path):
    save_scene(tmp_path / "a.safetensors", Scene(rgb=torch.zeros(1, 2, 3, 3, dtype=torch.uint8)))
    back = load_scene(tmp_path / "a.safetensors")
    assert back.cameras is None
    assert back.depth is None
    assert back.context is None
    assert (back.label, back.seed) == (None, None)


def test_same_scene_gives_the_same_bytes(tmp_path, scene):
    for name in ("a", "b"):
        save_scene(tmp_path / name, scene)
    save_scene(tmp_path / "c", load_scene(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_file_is_named(tmp_path, scene, share):
    path = tmp_path / "00012.safetensors"
    save_scene(path, scene)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableFile, match=r"00012\.safetensors: not a readable scene file"):
        load_scene(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nowhere\.safetensors"):
        load_scene(tmp_path / "nowhere.safetensors")


def test_newer_schema_is_refused(tmp_path):
    header = json.dumps({"schema": "viewsweep.scene/2"})
    (tmp_path / "a").write_bytes(save({"rgb": torch.zeros(1, 2, 2, 3).byte()}, metadata={"viewsweep": header}))
    with pytest.raises(UnreadableFile, match=rf"viewsweep\.scene/2'; this version reads {SCHEMA}. Update viewsweep"):
        load_scene(tmp_path / "a")


@pytest.mark.parametrize(
    "metadata", [None, {"viewsweep": "[1]"}, {"viewsweep": "{"}, {"viewsweep": 99999 * "["}, {"other": "{}"}]
)
def test_foreign_safetensors_are_refused(tmp_path, metadata):
    save_file({"rgb": torch.zeros(1, 2, 2, 3).byte()}, tmp_path / "a", metadata=metadata)
    with pytest.raises(UnreadableFile, match=r"schema|readable"):
        load_scene(tmp_path / "a")


@pytest.mark.parametrize(
    "header",
    [
        {"label": "mug"},
        {"seed": 1.5},
        {"seed": 2**63},
        {"label": True},
        {"context": [1]},
        {"context": {"label": "mug"}},
    ],
    ids=str,
)
def test_headers_of_the_wrong_type_are_refused(tmp_path, header):
    rgb = torch.zeros(1, 2, 2, 3).byte()
    metadata = {"viewsweep": json.dumps({"schema": SCHEMA} | header)}
    save_file({"rgb": rgb, "context.rgb": rgb.clone()}, tmp_path / "a", metadata=metadata)
    with pytest.raises(InvalidScene, match=r"/a: "):
        load_scene(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("depth", torch.full((3, 12, 16), math.inf), "depth of view 0 is infinite or not positive at 192 pixels"),
        ("depth", torch.zeros(3, 12, 16), "not positive"),
        ("depth", torch.ones(3, 12, 15), r"depth is torch.float32 with shape \[3, 12, 15\]"),
        ("rgb", torch.zeros(3, 12, 16, 3), "rgb is torch.float32"),
        ("cam_to_world", 2 * torch.eye(4).double().expand(3, 4, 4), "no rotation"),
        ("cam_to_world", torch.eye(4).double().expand(2, 4, 4), "intrinsics have shape"),
    ],
    ids=["infinite", "zero", "shape", "type", "scaled", "count"],
)
def test_readable_file_whose_parts_do_not_fit_is_named(tmp_path, scene, name, value, words):
    save_scene(tmp_path / "00003.safetensors", scene)
    header = {"viewsweep": json.dumps({"schema": SCHEMA})}
    tensors = load_file(tmp_path / "00003.safetensors")
    tensors[name] = value.contiguous()
    save_file(tensors, tmp_path / "00003.safetensors", metadata=header)
    with pytest.raises(InvalidScene, match=rf"00003\.safetensors: .*{words}"):
        load_scene(tmp_path / "00003.safetensors")


@pytest.mark.parametrize("missing", ["rgb", "intrinsics"])
def test_file_with_a_part_missing_is_named(tmp_path, scene, missing):
    save_scene(tmp_path / "a", scene)
    tensors = load_file(tmp_path / "a")
    del tensors[missing]
    save_file(tensors, tmp_path / "a", metadata={"viewsweep": json.dumps({"schema": SCHEMA})})
    with pytest.raises(InvalidScene, match=missing):
        load_scene(tmp_path / "a")


def test_saving_into_a_missing_folder_fails(tmp_path, scene):
    with pytest.raises(WriteFailed, match="nowhere"):
        save_scene(tmp_path / "nowhere" / "a", scene)


# -- the value -------------------------------------------------------------------------------------


def test_infinite_depth_is_refused(render):
    seen = render(Cameras.orbit([0.0, 1.0], [0.0, 0.0]), 8)
    depth = seen.depth.clone()
    depth[1, 2, 3] = math.inf
    with pytest.raises(InvalidScene, match=r"depth of view 1 is infinite or not positive at 1 pixels.*NaN"):
        Scene(rgb=seen.rgb, depth=depth)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_depth_must_be_positive(value):
    with pytest.raises(InvalidScene, match="not positive"):
        Scene(rgb=torch.zeros(1, 1, 1, 3).byte(), depth=torch.full((1, 1, 1), value))


def test_nan_depth_means_no_surface():
    depth = torch.tensor([[[math.nan, 2.0]]])
    scene = Scene(rgb=torch.zeros(1, 1, 2, 3).byte(), depth=depth)
    assert scene.foreground.tolist() == [[[False, True]]]


def test_foreground_falls_back_to_alpha_then_everywhere():
    rgb = torch.zeros(1, 1, 2, 3).byte()
    assert Scene(rgb=rgb, alpha=torch.tensor([[[127, 128]]]).byte()).foreground.tolist() == [[[False, True]]]
    assert Scene(rgb=rgb).foreground.all()


@pytest.mark.parametrize(
    "rgb",
    [
        torch.zeros(1, 2, 2, 3),
        torch.zeros(2, 2, 3).byte(),
        torch.zeros(1, 2, 2, 4).byte(),
        torch.zeros(0, 2, 2, 3).byte(),
    ],
    ids=["float", "one image", "rgba", "no view"],
)
def test_rgb_must_be_uint8_views(rgb):
    with pytest.raises(InvalidScene, match="rgb"):
        Scene(rgb=rgb)


def test_each_view_needs_its_camera():
    with pytest.raises(InvalidScene, match="2 views but 1 cameras"):
        Scene(rgb=torch.zeros(2, 2, 2, 3).byte(), cameras=Cameras.orbit([0.0], [0.0]))


def test_select_keeps_views_and_identity(scene):
    part = scene.select([2, 0])
    assert part.views == 2
    assert part.cameras == scene.cameras[[2, 0]]
    assert torch.equal(part.depth[1].nan_to_num(), scene.depth[0].nan_to_num())
    assert (part.label, part.seed, part.context) == (scene.label, scene.seed, scene.context)


def test_views_of_one_scene_can_be_its_context(tmp_path, scene):
    """The context shares memory with the views then, which safetensors must not trip over."""
    whole = Scene(rgb=scene.rgb, cameras=scene.cameras, context=scene.select(slice(0, 1)))
    save_scene(tmp_path / "a", whole)
    assert torch.equal(load_scene(tmp_path / "a").context.rgb, scene.rgb[:1])


def test_repr_says_what_is_there(scene):
    assert repr(scene) == "Scene(3 views 16x12: rgb, cameras, depth, alpha, normals, context; label=4, seed=1234)"
    assert repr(Scene(rgb=scene.rgb)) == "Scene(3 views 16x12: rgb; label=None, seed=None)"


def test_invalid_cameras_and_scenes_are_the_users_business():
    assert InvalidCameras.exit_code == InvalidScene.exit_code == UnreadableFile.exit_code == 2
