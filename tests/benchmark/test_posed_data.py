"""From a folder of RealEstate10K or CO3D to contexts, cameras and true views."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from viewsweep.benchmark import posed_data
from viewsweep.benchmark.posed_data import PosedData, open_posed_data
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.sequences import Co3dSequences, FramesOfVideo, Re10kSequences
from viewsweep.scenes import Cameras, Scene, tabletop
from viewsweep.scenes.cameras import pinhole
from viewsweep.scenes.errors import UnreadableFile, UserError

from ..dataset_writers import write_co3d, write_re10k

SIZE = 20
FRAMES = FramesOfVideo(kind="frames", frames=[1, 3])


class Ear(Progress):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)


def video(seed: int, frames: int = 4, *, width: int = 32, height: int = SIZE, shift: float = 0.0) -> Scene:
    """A tabletop object filmed on a curve, in wide pictures; `shift` moves the world's origin away."""
    steps = torch.linspace(0, 1, frames, dtype=torch.float64)
    orbit = Cameras.orbit(0.2 + 0.8 * steps, 0.3 - 0.2 * steps)
    side = max(width, height)
    square = tabletop.sample(seed).render(Cameras(orbit.cam_to_world, pinhole(0.8)), side)
    top, left = (side - height) // 2, (side - width) // 2
    rows, columns = slice(top, top + height), slice(left, left + width)
    matrix = pinhole(0.8)
    matrix[0, 0] *= side / width
    matrix[1, 1] *= side / height
    pose = orbit.cam_to_world.clone()
    pose[:, :3, 3] += shift
    return Scene(square.rgb[:, rows, columns], Cameras(pose, matrix), square.depth[:, rows, columns])


@pytest.fixture(scope="module")
def videos() -> list[Scene]:
    return [video(seed, shift=0.5 * seed) for seed in range(3)]


@pytest.fixture
def re10k(tmp_path: Path, videos: list[Scene]) -> Path:
    """Two videos that can be used, b and e; a is gone, c too short, d's second camera is none."""
    root = tmp_path / "data"
    for name, scene in zip(
        "abcde", (videos[0], videos[0], videos[1].select([0, 1]), videos[1], videos[1]), strict=True
    ):
        write_re10k(root, name, scene)
    shutil.rmtree(root / "frames" / "test" / "a")
    path = root / "test" / "d.txt"
    lines = path.read_text().splitlines()
    lines[2] = " ".join([*lines[2].split()[:7], *["1", "0", "0", "0", "0", "1", "0", "0", "0", "0", "3", "0"]])
    path.write_text("\n".join(lines))
    return root


def open_re10k(
    root: Path, *, scenes: int = 2, frames: FramesOfVideo = FRAMES, progress: Progress | None = None
) -> PosedData:
    return open_posed_data(
        root, Re10kSequences(), frames, context=[0], size=SIZE, scenes=scenes, progress=progress or Progress()
    )


def test_sequences_that_cannot_be_used_are_passed_over_and_named(re10k):
    ear = Ear()
    data = open_re10k(re10k, progress=ear)
    assert data.names == ("b", "e")
    reasons = dict(data.passed)
    assert list(reasons) == ["a", "c", "d"]
    assert "not downloaded" in reasons["a"]
    assert "has 2 frames, and frame 3 is needed" in reasons["c"]
    assert "d.txt, line 3" in reasons["d"]
    assert any("3 sequences were passed over" in said for said in ear.heard)


def test_too_few_sequences_are_an_error_that_says_what_was_wrong(re10k):
    with pytest.raises(UserError, match=r"2 sequences can be used, the protocol asks for 3") as caught:
        open_re10k(re10k, scenes=3)
    assert "\n  c: it has 2 frames" in str(caught.value)
    (re10k / "frames" / "test" / "e").rename(re10k / "e")
    with pytest.raises(UserError, match="1 sequences can be used"):
        open_re10k(re10k)


def test_a_missing_picture_passes_its_sequence_over(re10k):
    sorted((re10k / "frames" / "test" / "b").iterdir())[0].unlink()  # not a frame that is needed
    assert open_re10k(re10k).names == ("b", "e")
    sorted((re10k / "frames" / "test" / "b").iterdir())[0].unlink()  # the context
    assert open_re10k(re10k, scenes=1).names == ("e",)


def test_context_and_views_are_those_frames_seen_from_the_context(re10k, videos):
    """View 0 is the context's own; both are in front of it; relative poses and pictures are the video's."""
    data = open_re10k(re10k)
    truth, context = data.truth(1), data.context(1)
    torch.testing.assert_close(truth.rgb, videos[1].rgb[[1, 3], :, 6:26])
    assert torch.equal(context.rgb, truth.rgb[:1])
    assert (context.views, context.seed, truth.seed) == (1, 1, 1)
    assert context.depth is None
    assert context.alpha is None
    assert truth.depth is None
    assert context.cameras == truth.cameras[0]
    torch.testing.assert_close(context.cameras.positions[0], torch.tensor([0, 0, 1.6], dtype=torch.float64))
    torch.testing.assert_close(truth.cameras.relative(0, 1), videos[1].cameras.relative(1, 3), atol=1e-7, rtol=0)
    torch.testing.assert_close(truth.cameras.intrinsics[0], pinhole_of(32, SIZE), atol=1e-8, rtol=0)
    assert data.cameras(1) == truth.cameras


def test_several_views_may_be_given(re10k):
    choice, frames = Re10kSequences(), FramesOfVideo(kind="frames", frames=[0, 1, 3])
    data = open_posed_data(re10k, choice, frames, context=[2, 0], size=SIZE, scenes=1, progress=Progress())
    truth, context = data.truth(0), data.context(0)
    assert torch.equal(context.rgb, truth.rgb[[2, 0]])
    assert context.cameras == truth.cameras[[2, 0]]
    assert float(context.cameras.yaw[0].abs()) < 1e-12  # the first that is given stands in front


def pinhole_of(fine: int, side: int) -> torch.Tensor:
    """The lens of the central `side` pixels of a picture of `fine`, at 0.8 radians."""
    matrix = pinhole(0.8)
    matrix[0, 0] *= fine / side
    matrix[1, 1] *= fine / side
    return matrix


def test_prepared_scenes_come_from_the_cache_until_a_file_changes(re10k, monkeypatch):
    first = open_re10k(re10k).truth(0)
    monkeypatch.setattr(posed_data, "expose", lambda *_: pytest.fail("the pictures were read again"))
    again = open_re10k(re10k).truth(0)
    assert torch.equal(first.rgb, again.rgb)
    assert first.cameras == again.cameras
    assert torch.equal(first.context.rgb, again.context.rgb)
    monkeypatch.undo()
    for picture in (re10k / "frames" / "test" / "b").iterdir():
        picture.write_bytes((re10k / "frames" / "test" / "e" / picture.name).read_bytes())
    assert not torch.equal(open_re10k(re10k).truth(0).rgb, first.rgb)


def test_a_spoilt_cache_entry_is_made_again(re10k, tmp_path):
    first = open_re10k(re10k).truth(0)
    entries = list((tmp_path / "cache" / "posed").iterdir())
    assert len(entries) == 1
    entries[0].write_bytes(b"spoilt")
    assert torch.equal(open_re10k(re10k).truth(0).rgb, first.rgb)


def test_the_hash_is_that_of_what_is_shown(re10k, tmp_path):
    before = open_re10k(re10k).sha256
    moved = tmp_path / "elsewhere"
    shutil.copytree(re10k, moved)
    assert open_re10k(moved).sha256 == before
    path = moved / "test" / "e.txt"
    path.write_text(path.read_text().replace("0.500000000", "0.501000000"))
    assert open_re10k(moved).sha256 != before
    assert open_re10k(re10k, frames=FramesOfVideo(kind="frames", frames=[1, 2])).sha256 != before


def test_damaged_pictures_and_files_are_errors_not_gaps(re10k):
    picture = sorted((re10k / "frames" / "test" / "b").iterdir())[1]
    picture.write_bytes(b"no picture")
    data = open_re10k(re10k)
    with pytest.raises(UnreadableFile, match=picture.name):
        data.truth(0)
    (re10k / "test" / "b.txt").write_text("x\n1 2 3")
    with pytest.raises(UnreadableFile, match=r"b.txt, line 2: a frame has 19 numbers"):
        open_re10k(re10k)
    with pytest.raises(UserError, match=r"there is no such folder. Name .* --data"):
        open_re10k(re10k / "nowhere")


# -- CO3D ------------------------------------------------------------------------------------------


@pytest.fixture
def co3d(tmp_path: Path, videos: list[Scene]) -> Path:
    root = tmp_path / "data"
    own = {"b": videos[1], "a": videos[0], "short": videos[2].select([0, 1])}
    write_co3d(root, "hydrant", own, convention="ndc_norm_image_bounds")
    write_co3d(root, "apple", {"z": videos[2]})
    return root


def open_co3d(
    root: Path, *, scenes: int = 3, each: int = 10, unit: str = "median_depth", progress: Progress | None = None
):
    choice = Co3dSequences(categories=["hydrant", "apple"], each=each)
    frames = FramesOfVideo(kind="frames", frames=[0, 3], unit=unit)
    return open_posed_data(root, choice, frames, context=[0], size=SIZE, scenes=scenes, progress=progress or Progress())


def test_categories_in_their_order_and_so_many_of_each(co3d):
    assert open_co3d(co3d).names == ("hydrant/a", "hydrant/b", "apple/z")
    one = open_co3d(co3d, scenes=2, each=1)
    assert one.names == ("hydrant/a", "apple/z")
    with pytest.raises(UserError, match=r"3 sequences can be used(.|\n)*hydrant/short: it has 2 frames, and frame 3"):
        open_co3d(co3d, scenes=4)


def test_the_unit_is_the_median_depth(co3d, videos):
    """The same object filmed in another unit gives the same scene: the median depth is 1.6."""
    scene = open_co3d(co3d).truth(0)
    depth = videos[0].depth
    scale = 1.6 / float(depth[torch.isfinite(depth)].median())
    own = videos[0].cameras
    expected = scale * float((own.positions[3] - own.positions[0]).norm())
    assert float((scene.cameras.positions[1] - scene.cameras.positions[0]).norm()) == pytest.approx(expected, rel=5e-3)
    raw = open_co3d(co3d, unit="source").truth(0)
    torch.testing.assert_close(raw.cameras.relative(0, 1), own.relative(0, 3), atol=1e-9, rtol=0)


def test_masks_become_alpha_and_depth_stays_out(co3d, videos):
    scene = open_co3d(co3d).truth(1)
    assert scene.depth is None
    seen = torch.isfinite(videos[1].depth[[0, 3], :, 6:26])
    assert torch.equal(scene.alpha > 128, seen)
    assert scene.context.alpha is None
    assert torch.equal(scene.rgb, videos[1].rgb[[0, 3], :, 6:26])


def test_missing_depth_matters_only_where_the_unit_is_taken_from_it(co3d):
    shutil.rmtree(co3d / "hydrant" / "a" / "depths")
    assert dict(open_co3d(co3d, scenes=2).passed)["hydrant/a"].endswith("does not exist")
    assert open_co3d(co3d, unit="source").names[0] == "hydrant/a"


def test_re10k_has_no_depth_to_take_a_unit_from(re10k):
    with pytest.raises(UserError, match="RealEstate10K has no depth"):
        open_re10k(re10k, frames=FramesOfVideo(kind="frames", frames=[0, 1], unit="median_depth"))


# -- what protocols may say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"frames": []},
        {"frames": [0, 0]},
        {"frames": [3, 1]},
        {"frames": [-1, 1]},
        {"frames": [0, 1], "unit": "metre"},
        {"frames": list(range(300))},
    ],
)
def test_frames_that_make_no_sense_are_refused(content):
    with pytest.raises(ValidationError):
        FramesOfVideo(kind="frames", **content)


@pytest.mark.parametrize("content", [{"categories": []}, {"categories": ["../x"]}, {"categories": ["a", "a"]}])
def test_categories_that_make_no_sense_are_refused(content):
    with pytest.raises(ValidationError):
        Co3dSequences(**content)
