from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.scenes import Scene, load_scene, sweep360
from viewsweep.scenes.colmap import write_colmap
from viewsweep.scenes.errors import UserError, WriteFailed
from viewsweep.scenes.imports import import_colmap, import_images, import_nerfstudio
from viewsweep.scenes.nerfstudio import write_nerfstudio


def picture(path: Path, shade: int = 90, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, shade, shade)).save(path)
    return path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def shades(scene: Scene) -> list[int]:
    return scene.rgb[:, 0, 0, 0].tolist()


def scenes_in(out: Path, name: str = "imported") -> list[Scene]:
    return [load_scene(path) for path in sorted((out / "scenes" / name).glob("*.safetensors"))]


def record_of(out: Path, name: str = "imported") -> dict[str, Any]:
    return json.loads((out / "imports" / f"{name}.json").read_text())


@pytest.fixture
def capture(tmp_path, render) -> Path:
    """A nerfstudio capture of four views with depth."""
    write_nerfstudio(tmp_path / "capture", render(sweep360(4, 0.2), 12, 16))
    return tmp_path / "capture"


# -- pictures without cameras ----------------------------------------------------------------------


def test_each_picture_is_a_scene_and_each_folder_one(tmp_path):
    for name, shade in [("b.png", 20), ("a10.JPG", 10), ("a2.png", 30)]:
        picture(tmp_path / "in" / name, shade)
    for view in (1, 2, 10):
        picture(tmp_path / "in" / "car" / f"view_{view}.png", view)
    (tmp_path / "in" / "notes.txt").write_text("passed over")
    (tmp_path / "in" / "empty").mkdir()
    picture(tmp_path / "in" / ".hidden" / "x.png")
    report = import_images(tmp_path / "in", tmp_path / "out")
    assert (report.scenes, report.views, report.failed) == (4, 6, [])
    assert report.folder == tmp_path / "out" / "scenes" / "imported"
    a2, a10, b, car = scenes_in(tmp_path / "out")
    assert [shades(a2), shades(b), shades(car)] == [[30], [20], [1, 2, 10]]
    assert abs(shades(a10)[0] - 10) <= 1
    assert car.cameras is None
    assert car.depth is None
    assert car.size == (6, 8)


def test_one_picture_can_be_given(tmp_path):
    report = import_images(picture(tmp_path / "a.png"), tmp_path / "out")
    assert (report.scenes, report.views) == (1, 1)


def test_size_crops_and_resizes(tmp_path):
    picture(tmp_path / "in" / "s" / "a.png", size=(40, 30))
    picture(tmp_path / "in" / "s" / "b.png", size=(20, 64))
    import_images(tmp_path / "in", tmp_path / "out", size=16)
    assert scenes_in(tmp_path / "out")[0].size == (16, 16)


def test_pictures_of_two_sizes_say_which(tmp_path):
    picture(tmp_path / "in" / "s" / "a.png", size=(40, 30))
    picture(tmp_path / "in" / "s" / "b.png", size=(20, 64))
    with pytest.raises(UserError, match=r"b\.png is 20x64, .*a\.png is 40x30.*give --size"):
        import_images(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_truncated_picture_is_named_and_the_rest_imported(tmp_path):
    for view in range(3):
        picture(tmp_path / "in" / "s" / f"{view}.png", view)
    truncate(tmp_path / "in" / "s" / "1.png")
    report = import_images(tmp_path / "in", tmp_path / "out")
    assert (report.scenes, report.views) == (1, 2)
    ((path, reason),) = report.failed
    assert path == tmp_path / "in" / "s" / "1.png"
    assert "1.png: not a readable picture" in reason
    assert shades(scenes_in(tmp_path / "out")[0]) == [0, 2]
    assert record_of(tmp_path / "out")["failed"] == [{"path": str(path), "reason": reason}]


def test_a_scene_that_fails_does_not_keep_the_others_out(tmp_path):
    picture(tmp_path / "in" / "a" / "0.png")
    truncate(tmp_path / "in" / "a" / "0.png")
    picture(tmp_path / "in" / "b" / "0.png", 77)
    report = import_images(tmp_path / "in", tmp_path / "out")
    assert (report.scenes, len(report.failed)) == (1, 1)
    assert shades(scenes_in(tmp_path / "out")[0]) == [77]


@pytest.mark.parametrize("content", ["nothing", "text", "broken"])
def test_nothing_importable_is_said(tmp_path, content):
    (tmp_path / "in").mkdir()
    if content == "text":
        (tmp_path / "in" / "a.txt").write_text("x")
    if content == "broken":
        for name in ("a.png", "b.png"):
            (tmp_path / "in" / name).write_bytes(b"x")
    words = r"nothing could be imported.*a\.png.*\(1 more failed\.\)" if content == "broken" else "no pictures here"
    with pytest.raises(UserError, match=words):
        import_images(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", [import_images, import_nerfstudio, import_colmap])
def test_a_missing_folder_is_said(tmp_path, run):
    with pytest.raises(UserError, match=r"nowhere: cannot be read \(No such file or directory\)"):
        run(tmp_path / "nowhere", tmp_path / "out")


def test_rotated_photographs_stand_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    import_images(tmp_path / "a.jpg", tmp_path / "out")
    assert scenes_in(tmp_path / "out")[0].size == (8, 4)  # height first


def test_transparency_becomes_alpha(tmp_path):
    (tmp_path / "in" / "s").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "in" / "s" / "a.png")
    picture(tmp_path / "in" / "s" / "b.png", size=(4, 4))
    import_images(tmp_path / "in", tmp_path / "out")
    (scene,) = scenes_in(tmp_path / "out")
    assert scene.alpha[:, 0, 0].tolist() == [0, 255]
    assert scene.rgb[0, 0, 0].tolist() == [255, 255, 255]


# -- nerfstudio and COLMAP -------------------------------------------------------------------------


def test_nerfstudio_capture_becomes_a_scene(tmp_path, capture):
    report = import_nerfstudio(capture, tmp_path / "out")
    assert (report.scenes, report.views, report.failed) == (1, 4, [])
    (scene,) = scenes_in(tmp_path / "out")
    torch.testing.assert_close(scene.cameras.cam_to_world, sweep360(4, 0.2).cam_to_world)
    assert scene.depth is not None


def test_the_record_says_where_everything_came_from(tmp_path, capture):
    import_nerfstudio(capture / "transforms.json", tmp_path / "out", size=8)
    record = record_of(tmp_path / "out")
    assert (record["schema"], record["kind"], record["status"]) == ("viewsweep.import/1", "nerfstudio", "finished")
    assert (record["size"], record["normalise"]) == (8, True)
    (scene,) = record["scenes"]
    assert [Path(view).name for view in scene["views"]] == [f"{view:05d}.png" for view in range(4)]
    assert scene["world"]["scale"] == pytest.approx(1.0)


def test_a_folder_of_captures_becomes_scenes(tmp_path, render):
    for number in (1, 2, 10):
        write_nerfstudio(tmp_path / "in" / f"room_{number}", render(sweep360(number), 8))
    report = import_nerfstudio(tmp_path / "in", tmp_path / "out")
    assert (report.scenes, report.views) == (3, 13)
    assert [scene.views for scene in scenes_in(tmp_path / "out")] == [1, 2, 10]


def test_a_capture_with_holes_keeps_the_rest(tmp_path, capture):
    truncate(capture / "images" / "00001.png")
    (capture / "images" / "00002.png").unlink()
    report = import_nerfstudio(capture, tmp_path / "out")
    assert (report.scenes, report.views) == (1, 2)
    assert [path.name for path, _ in report.failed] == ["00001.png", "00002.png"]
    assert scenes_in(tmp_path / "out")[0].cameras.yaw.tolist() == pytest.approx([0.0, -torch.pi / 2])


def test_every_reason_says_where(tmp_path, capture):
    content = json.loads((capture / "transforms.json").read_text())
    content["frames"][0]["transform_matrix"] = "front"
    (capture / "transforms.json").write_text(json.dumps(content))
    ((path, reason),) = import_nerfstudio(capture, tmp_path / "out").failed
    assert reason == f"{path}: transform_matrix is no matrix of numbers."


def test_depth_of_some_views_only_is_left_out_and_said(tmp_path, capture):
    content = json.loads((capture / "transforms.json").read_text())
    del content["frames"][2]["depth_file_path"]
    (capture / "transforms.json").write_text(json.dumps(content))
    report = import_nerfstudio(capture, tmp_path / "out")
    ((path, reason),) = report.failed
    assert path.name == "transforms.json"
    assert "Only 3 of 4 pictures have depth" in reason
    (scene,) = scenes_in(tmp_path / "out")
    assert scene.views == 4
    assert scene.depth is None


def test_poses_can_be_left_as_they_are(tmp_path, render):
    cameras = sweep360(3, 0.5, radius=4.0)
    write_nerfstudio(tmp_path / "in", render(cameras, 8))
    import_nerfstudio(tmp_path / "in", tmp_path / "out", normalise=False)
    torch.testing.assert_close(scenes_in(tmp_path / "out")[0].cameras.cam_to_world, cameras.cam_to_world)
    assert record_of(tmp_path / "out")["scenes"][0]["world"] is None


def test_size_keeps_cameras_and_pictures_together(tmp_path, render, find):
    """64x48 views, cropped to their middle 48x48 and made smaller."""
    write_nerfstudio(tmp_path / "in", render(sweep360(3, 0.2), 48, 64, fine=4))
    import_nerfstudio(tmp_path / "in", tmp_path / "out", size=36)
    (scene,) = scenes_in(tmp_path / "out")
    expected = render(scene.cameras, 36, fine=4)
    for view, ball in [(0, "blue"), (0, "green"), (1, "red"), (2, "green")]:
        seen, wanted = find(scene.rgb[view], ball), find(expected.rgb[view], ball)
        assert seen[0] * 36 == pytest.approx(wanted[0] * 36, abs=0.1)
        assert seen[1] * 36 == pytest.approx(wanted[1] * 36, abs=0.1)
    both = torch.isfinite(scene.depth) & torch.isfinite(expected.depth)
    assert float((scene.depth - expected.depth)[both].abs().median()) < 0.01


def test_colmap_project_becomes_a_scene(tmp_path, render):
    write_colmap(tmp_path / "in", render(sweep360(5, 0.1), 16))
    report = import_colmap(tmp_path / "in", tmp_path / "out", size=8)
    assert (report.scenes, report.views, report.failed) == (1, 5, [])
    (scene,) = scenes_in(tmp_path / "out")
    torch.testing.assert_close(scene.cameras.cam_to_world, sweep360(5, 0.1).cam_to_world)
    assert scene.size == (8, 8)


def test_a_binary_colmap_model_says_how_to_convert_it(tmp_path):
    (tmp_path / "in" / "sparse" / "0").mkdir(parents=True)
    (tmp_path / "in" / "sparse" / "0" / "images.bin").write_bytes(b"")
    with pytest.raises(UserError, match="model is binary"):
        import_colmap(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("run", "words"), [(import_nerfstudio, r"no transforms\.json here"), (import_colmap, "no COLMAP model")]
)
def test_folders_without_a_description_are_said(tmp_path, run, words):
    picture(tmp_path / "in" / "a.png")
    with pytest.raises(UserError, match=words):
        run(tmp_path / "in", tmp_path / "out")


# -- what is on disk -------------------------------------------------------------------------------


def test_importing_again_gives_the_same_bytes_and_drops_what_is_gone(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "in" / f"{name}.png", ord(name))
    folder = import_images(tmp_path / "in", tmp_path / "out").folder
    first = (folder / "00000.safetensors").read_bytes()
    (tmp_path / "in" / "c.png").unlink()
    assert import_images(tmp_path / "in", tmp_path / "out").scenes == 2
    assert (folder / "00000.safetensors").read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["00000.safetensors", "00001.safetensors"]


def test_scenes_from_elsewhere_are_not_written_over(tmp_path):
    import_images(picture(tmp_path / "one" / "a.png", 1), tmp_path / "out")
    with pytest.raises(UserError, match=r"imported holds 1 scenes that did not come from .*b\.png.*--out"):
        import_images(picture(tmp_path / "two" / "b.png", 2), tmp_path / "out")
    assert shades(scenes_in(tmp_path / "out")[0]) == [1]
    import_images(tmp_path / "two" / "b.png", tmp_path / "out", name="second")
    assert shades(scenes_in(tmp_path / "out", "second")[0]) == [2]


def test_a_methods_scenes_are_not_written_over(tmp_path):
    folder = tmp_path / "out" / "scenes" / "imported"
    folder.mkdir(parents=True)
    (folder / "00000.safetensors").write_bytes(b"precious")
    with pytest.raises(UserError, match="did not come from"):
        import_images(picture(tmp_path / "a.png"), tmp_path / "out")
    assert (folder / "00000.safetensors").read_bytes() == b"precious"


def test_a_full_disk_stops_the_import_and_the_next_try_ends_it(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        picture(tmp_path / "in" / f"{name}.png", ord(name))
    replace, left = os.replace, [3]  # the record and one scene go through, then the disk is full

    def fill_up(source: str, target: Path) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fill_up)
    with pytest.raises(WriteFailed, match=r"00001\.safetensors: the disk is full"):
        import_images(tmp_path / "in", tmp_path / "out")
    assert record_of(tmp_path / "out")["status"] == "running"
    assert shades(scenes_in(tmp_path / "out")[0]) == [ord("a")]
    monkeypatch.setattr(os, "replace", replace)
    assert import_images(tmp_path / "in", tmp_path / "out").scenes == 3
    assert record_of(tmp_path / "out")["status"] == "finished"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_names_of_imports_are_plain(tmp_path, name):
    with pytest.raises(UserError, match="is no name for imported scenes"):
        import_images(picture(tmp_path / "a.png"), tmp_path / "out", name=name)


def test_size_must_be_positive(tmp_path):
    with pytest.raises(UserError, match="at least 1 pixel, not 0"):
        import_images(picture(tmp_path / "a.png"), tmp_path / "out", size=0)


def test_captures_too_large_for_a_scene_file_are_refused_early(tmp_path, capture, monkeypatch):
    monkeypatch.setattr("viewsweep.scenes.capture.MAXIMUM_BYTES", 4000)
    with pytest.raises(UserError, match=r"4 pictures of 16x12 are more than a scene file holds.*--size"):
        import_nerfstudio(capture, tmp_path / "out")
    assert import_nerfstudio(capture, tmp_path / "out", size=8).views == 4
