from __future__ import annotations

from pathlib import Path

import pytest
import torch
from viewsweep.scenes import Cameras
from viewsweep.scenes.cameras import pinhole
from viewsweep.scenes.errors import InvalidCameras, InvalidScene, UnreadableFile, UserError
from viewsweep.scenes.posed_sequence import context_world, expose, median_depth, square_intrinsics
from viewsweep.scenes.re10k import list_re10k, read_re10k

from .. import dataset_writers as writers

HEIGHT, WIDTH = 90, 160  # 16 : 9, as 640 x 360


def dolly(views: int) -> Cameras:
    """A camera that moves forward and turns, off the middle of its picture."""
    steps = torch.linspace(0, 1, views, dtype=torch.float64)
    orbit = Cameras.orbit(0.1 + 0.3 * steps, 0.2 + 0.1 * steps, radius=1.7)
    matrix = pinhole(0.7, WIDTH / HEIGHT)
    matrix[:2, 2] = torch.tensor([0.49, 0.53])
    return Cameras(orbit.cam_to_world, matrix)


@pytest.fixture
def written(tmp_path, render):
    scene = render(dolly(5), HEIGHT, WIDTH, fine=2)
    return scene, writers.write_re10k(tmp_path, "000c3ab189999a83", scene)


def folder_of(path: Path) -> Path:
    return path.parents[1] / "frames" / path.parent.name / path.stem


def test_cameras_come_back(written):
    scene, path = written
    sequence = read_re10k(path, folder_of(path))
    back = Cameras(
        torch.stack([frame.cam_to_world for frame in sequence.frames]),
        torch.stack([frame.intrinsics for frame in sequence.frames]),
    )
    torch.testing.assert_close(back.cam_to_world, scene.cameras.cam_to_world, atol=1e-8, rtol=0)
    torch.testing.assert_close(back.intrinsics, scene.cameras.intrinsics, atol=1e-8, rtol=0)
    assert [frame.number for frame in sequence.frames] == [52_000_000 + writers.STEP * view for view in range(5)]


def test_the_square_of_640x360_is_the_papers():
    """f_x grows by 640 / 360, and the border of 140 pixels goes off the left."""
    given = torch.tensor([[0.5, 0, 0.51], [0, 0.9, 0.48], [0, 0, 1]], dtype=torch.float64)
    cut = square_intrinsics(given, 640, 360)
    expected = torch.tensor([[320 / 360, 0, (0.51 * 640 - 140) / 360], [0, 0.9, 0.48], [0, 0, 1]])
    torch.testing.assert_close(cut, expected.double())


@pytest.mark.parametrize("size", [90, 45, 32])
def test_points_are_where_the_cameras_say(written, find, size):
    """The ball's centre of mass in the cut and resized picture against its projection, to a twentieth of a pixel."""
    _, path = written
    scene = expose(read_re10k(path, folder_of(path)), [0, 4], size)
    uv, _ = scene.cameras.project(torch.tensor([[0.0, 0.0, 0.45], [0.45, 0.0, 0.0]]))
    for view in range(2):
        for point, name in enumerate(("blue", "red")):
            seen = find(scene.rgb[view], name)
            assert seen is not None
            # a ball's outline is not centred on its centre's image: half a percent of the picture at this distance
            assert seen == pytest.approx(tuple(uv[view, point].tolist()), abs=0.008)


def test_the_square_is_what_the_cut_cameras_see(written, render):
    """Rendered through the cut intrinsics, the world is the middle of the wide picture to the bit."""
    _, path = written
    scene = expose(read_re10k(path, folder_of(path)), [2], HEIGHT)
    direct = render(scene.cameras, HEIGHT, fine=2)
    differing = (direct.rgb.int() - scene.rgb.int()).abs().amax(-1) > 0
    assert float(differing.double().mean()) < 0.002  # edges whose cameras were printed with nine digits


def test_widths_that_are_odd_are_cut_between_pixels(tmp_path, render):
    cameras = Cameras.orbit([0.1], [0.2], radius=1.7)
    wide = Cameras(cameras.cam_to_world, pinhole(0.7, 97 / 64))
    path = writers.write_re10k(tmp_path, "odd", render(wide, 64, 97))
    cut = expose(read_re10k(path, folder_of(path)), [0], 32).cameras.intrinsics[0]
    torch.testing.assert_close(cut, pinhole(0.7), atol=1e-8, rtol=0)


def test_counts_frames_by_time_whatever_is_missing(written):
    _, path = written
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    gone = folder_of(path) / f"{52_000_000 + writers.STEP}.png"
    gone.unlink()
    sequence = read_re10k(path, folder_of(path))
    assert len(sequence) == 5
    assert sequence.frames[1].path == gone
    assert expose(sequence, [0, 2], 16).views == 2
    with pytest.raises(UnreadableFile, match="no such file"):
        expose(sequence, [1], 16)


def test_names_with_leading_zeros_and_jpeg(tmp_path, render):
    path = writers.write_re10k(tmp_path, "a", render(dolly(2), HEIGHT, WIDTH), suffix="jpg")
    for picture in list(folder_of(path).iterdir()):
        picture.rename(picture.with_stem(picture.stem.zfill(12)))
    assert all(frame.path.is_file() for frame in read_re10k(path, folder_of(path)).frames)


def test_context_world_puts_the_context_in_front(written):
    _, path = written
    sequence = read_re10k(path, folder_of(path))
    own = expose(sequence, [1, 3], 16).cameras
    moved = context_world(own[0]).apply(own)
    assert float(moved.yaw[0].abs()) < 1e-12
    torch.testing.assert_close(moved.positions[0], torch.tensor([0, 0, 1.6], dtype=torch.float64))
    torch.testing.assert_close(moved.cam_to_world[0, :3, :3], torch.diag(torch.tensor([1.0, -1, -1])).double())
    torch.testing.assert_close(moved.relative(0, 1), own.relative(0, 1))
    assert median_depth(sequence) is None  # there is no depth to go by


def test_a_sequence_that_is_too_short_is_said_so(written):
    _, path = written
    with pytest.raises(InvalidScene, match="has 5 frames; frame 150 was asked for"):
        expose(read_re10k(path, folder_of(path)), [0, 150], 16)


def line(*, timestamp: str = "100", lens: str = "0.5 0.9 0.5 0.5 0 0", pose: str = "1 0 0 0 0 1 0 0 0 0 1 0") -> str:
    return f"{timestamp} {lens} {pose}"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", UnreadableFile, "holds no frame, only nothing"),
        (writers.VIDEO, UnreadableFile, "holds no frame, only the address"),
        (f"{line()}\n", UnreadableFile, "line 1 must be the address"),
        (f"x\n{line()} 7", UnreadableFile, "line 2: a frame has 19 numbers, here are 20"),
        (f"x\n{line()}\n{line()[:-4]}", UnreadableFile, "line 3: a frame has 19 numbers, here are 17"),
        (f"x\n{line(timestamp='1.5')}", UnreadableFile, "'1.5' is no whole number of microseconds"),
        (f"x\n{line(timestamp='9' * 5000)}", UnreadableFile, "no whole number"),
        (f"x\n{line(lens='0.5 0.9 half 0.5 0 0')}", UnreadableFile, "'half' is no number"),
        (f"x\n{line(lens='0.5 0.9 0.5 0.5 0.1 0')}", UnreadableFile, "columns 6 and 7 must be 0"),
        (f"x\n{line(lens='0.5 -0.9 0.5 0.5 0 0')}", InvalidCameras, "focal lengths are 0.5 and -0.9"),
        (f"x\n{line(lens='nan 0.9 0.5 0.5 0 0')}", InvalidCameras, "line 2: it holds numbers that are not finite"),
        (f"x\n{line(pose='1 0 0 inf 0 1 0 0 0 0 1 0')}", InvalidCameras, "not finite"),
        (f"x\n{line(pose='1 0 0 0 0 2 0 0 0 0 1 0')}", InvalidCameras, "line 2: .* is no rotation"),
        (f"x\n{line(pose='1 0 0 0 0 1 0 0 0 0 -1 0')}", InvalidCameras, "mirrors"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, content, error, message):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(error, match=message) as caught:
        read_re10k(path, tmp_path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_text_or_huge_are_refused(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(UnreadableFile, match="there is no such file"):
        read_re10k(path, tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFile, match="not readable"):
        read_re10k(path, tmp_path)
    with path.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(UnreadableFile, match="larger than 16 MiB"):
        read_re10k(path, tmp_path)
    with pytest.raises(UnreadableFile, match="cannot be listed"):
        read_re10k(path, tmp_path / "nowhere")


def test_a_split_is_listed_in_the_order_of_its_ids(tmp_path, render):
    scene = render(dolly(1), 9, 16)
    for name in ("b", "a", "c"):
        writers.write_re10k(tmp_path, name, scene)
    for picture in (tmp_path / "frames" / "test" / "c").iterdir():
        picture.unlink()
    (tmp_path / "frames" / "test" / "c").rmdir()
    entries = list_re10k(tmp_path)
    assert [(entry.name, entry.frames is not None) for entry in entries] == [("a", True), ("b", True), ("c", False)]
    (tmp_path / "test_ids.txt").write_text("c\n\nb\n")
    assert [entry.name for entry in list_re10k(tmp_path)] == ["c", "b"]
    for content, message in (("c\nc\n", "names c twice"), ("../x\n", "is no id"), ("d\n", "does not exist")):
        (tmp_path / "test_ids.txt").write_text(content)
        with pytest.raises(UserError, match=message):
            list_re10k(tmp_path)
    with pytest.raises(UserError, match="no folder 'train'"):
        list_re10k(tmp_path, "train")


def test_the_officially_named_folder_and_frames_beside_the_cameras(tmp_path, render):
    path = writers.write_re10k(tmp_path / "RealEstate10K", "a", render(dolly(1), 9, 16))
    (tmp_path / "RealEstate10K" / "frames" / "test" / "a").rename(path.with_suffix(""))
    (entry,) = list_re10k(tmp_path)
    assert entry.frames == path.with_suffix("")
    assert len(read_re10k(entry.cameras, entry.frames)) == 1


def test_damaged_pictures_are_named(written):
    _, path = written
    sequence = read_re10k(path, folder_of(path))
    broken = sequence.frames[3].path
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(UnreadableFile, match=broken.name):
        expose(sequence, [3], 16)
