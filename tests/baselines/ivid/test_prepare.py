"""Any folder of pictures becomes training data: what cannot be used is named, and a kill loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.estimators import SimulatedEstimator
from viewsweep.baselines.ivid.image_data import PreparedPictures, picture_file, read_disparity
from viewsweep.baselines.ivid.prepare import BATCH, Prepared, prepare
from viewsweep.cli import app
from viewsweep.scenes.errors import UnreadableFile, UserError

SIZE = 16
CODE = DepthCode(near=0.5, far=100.0, background=1.0)


class Killed(BaseException):
    """Stands for a signal: nothing in the code may catch it."""


class Flat:
    """An estimator that says the same of every pixel: the picture's mean brightness."""

    name = "flat"
    identity = "flat/1"
    side = 20

    def __init__(self, fail_at: int = 0) -> None:
        self.calls, self.fail_at = 0, fail_at

    def disparity(self, rgb: Tensor, depth: Tensor | None = None) -> Tensor:
        self.calls += 1
        if self.calls == self.fail_at:
            raise Killed
        assert rgb.shape[1:] == (20, 20, 3)
        return rgb.float().mean((1, 2, 3), keepdim=True)[..., 0].expand(-1, 20, 20)


def picture(seed: int, height: int = 30, width: int = 40, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of pictures in all the forms that can be used."""
    folder = tmp_path / "images"
    for name in ("cat", "dog/brown"):
        (folder / name).mkdir(parents=True)
    for number in range(BATCH):
        picture(number).save(folder / "cat" / f"{number}.png")
    picture(20, channels=1).save(folder / "dog" / "grey.png")
    picture(21, channels=4).save(folder / "dog" / "transparent.png")
    picture(22).convert("CMYK").save(folder / "dog" / "print.jpg")
    picture(23).save(folder / "dog" / "brown" / "deep.webp", lossless=True)
    (folder / "dog" / "notes.txt").write_text("not a picture, and not called one")
    (folder / "dog" / ".hidden.png").write_text("not for us")
    return folder


def run(images: Path, out: Path, estimator: Flat | None = None, **settings: object) -> Prepared:
    return prepare(
        images,
        out,
        depth_model=estimator or Flat(),
        size=SIZE,
        log=lambda line: None,
        **settings,  # type: ignore[arg-type]
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_pictures_of_all_kinds_become_squares_with_disparity(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(images, out)
    assert (done.pictures, done.made, done.failed) == (BATCH + 4, BATCH + 4, [])
    record = json.loads((out / "prepared.json").read_text())
    assert (record["complete"], record["classes"], record["left_out"]) == (True, ["cat", "dog"], 0)
    with Image.open(picture_file(out, "cat/3.png")) as made:
        found = np.asarray(made)
    box = (5, 0, 35, 30)  # the middle of 40 x 30
    expected = picture(3).resize((SIZE, SIZE), Image.Resampling.LANCZOS, box=box)
    np.testing.assert_array_equal(found, np.asarray(expected))
    with np.load(out / "disparity" / "cat" / "3.png.npz") as stored:
        assert stored.files == ["arr_0"]
        assert (stored["arr_0"].dtype, stored["arr_0"].shape) == (np.float16, (SIZE, SIZE))
    pictures = PreparedPictures(out, SIZE, CODE, 1.0)
    clean, labels = pictures.batch(torch.arange(len(pictures)))
    assert clean.shape == (BATCH + 4, 4, SIZE, SIZE)
    assert sorted(labels.tolist()) == [0] * BATCH + [1] * 4
    for name, label in zip(pictures.files, labels.tolist(), strict=True):
        assert name.startswith(("cat/", "dog/")[label])
    row = pictures.files.index("cat/3.png")
    torch.testing.assert_close(clean[row, :3], torch.from_numpy(found.copy()).permute(2, 0, 1) / 127.5 - 1)


def test_nearest_disparity_of_the_same_square(images: Path, tmp_path: Path) -> None:
    """Truth beside a picture is cropped as the picture is, and reaches the simulated estimator."""
    across = np.broadcast_to(np.linspace(1.0, 3.0, 40, dtype=np.float32), (30, 40))
    np.save(images / "cat" / "0.depth.npy", across)
    exact = SimulatedEstimator(noise=0.0, smear=0.0, scale_std=0.0, shift=0.0)
    lines: list[str] = []
    prepare(images, tmp_path / "out", depth_model=exact, size=SIZE, log=lines.append)
    found = read_disparity(tmp_path / "out" / "disparity" / "cat" / "0.png.npz")
    columns = 5 + np.floor((np.arange(SIZE) + 0.5) * 30 / SIZE).astype(int)
    np.testing.assert_allclose(found[7], 1 / across[0, columns], rtol=1e-3)
    assert any(line.startswith(f"{BATCH + 3} pictures have no true depth beside them") for line in lines)
    np.save(images / "cat" / "1.depth.npy", across[:, :-1])
    done = prepare(images, tmp_path / "other", depth_model=exact, size=SIZE, log=lines.append)
    assert [path.name for path, _ in done.failed] == ["1.png"]


def test_pictures_are_turned_upright(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    stored = picture(1, 30, 30)
    stored.save(tmp_path / "in" / "a.png", exif=exif)
    run(tmp_path / "in", tmp_path / "out")
    with Image.open(picture_file(tmp_path / "out", "a.png")) as made:
        expected = stored.transpose(Image.Transpose.ROTATE_270).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(np.asarray(made), np.asarray(expected))


def test_unit_is_the_median_of_medians_or_what_is_given(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "prepared.json").read_text())
    files = list((tmp_path / "out" / "disparity").rglob("*.npz"))
    assert record["unit"] == pytest.approx(float(np.median([np.median(read_disparity(path)) for path in files])))
    run(images, tmp_path / "out", unit=6250.0)
    assert json.loads((tmp_path / "out" / "prepared.json").read_text())["unit"] == 6250.0


def break_files(images: Path) -> dict[str, str]:
    """Files that cannot be used, with a word of the reason."""
    whole = (images / "cat" / "0.png").read_bytes()
    jpeg = images / "cat" / "whole.jpg"
    picture(30, 200, 200).save(jpeg)
    (images / "cat" / "cut.jpg").write_bytes(jpeg.read_bytes()[:4000])
    jpeg.unlink()
    (images / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "cat" / "empty.png").write_bytes(b"")
    (images / "dog" / "text.png").write_text("this is no picture")
    picture(31, 15, 100).save(images / "dog" / "low.png")
    picture(32).save(images / "stray.png")
    return {
        "cat/cut.jpg": "not a readable picture",
        "cat/cut.png": "not a readable picture",
        "cat/empty.png": "not a readable picture",
        "dog/text.png": "not a readable picture",
        "dog/low.png": "100 x 15 pixels; it would have to be enlarged",
        "stray.png": "lies beside the folders of the classes",
    }


def test_files_that_cannot_be_used_are_named_and_the_rest_is_done(images: Path, tmp_path: Path) -> None:
    wanted = break_files(images)
    done = run(images, tmp_path / "out")
    assert done.pictures == BATCH + 4
    failed = {path.relative_to(images).as_posix(): reason for path, reason in done.failed}
    assert failed.keys() == wanted.keys()
    assert all(words in failed[name] for name, words in wanted.items())
    listed = (tmp_path / "out" / "unreadable.csv").read_text().splitlines()
    assert len(listed) == 1 + len(wanted)
    assert len(PreparedPictures(tmp_path / "out", SIZE, CODE, 1.0)) == BATCH + 4


def test_command_ends_with_2_where_files_were_left_out(images: Path, tmp_path: Path) -> None:
    command = ["prepare", str(images), "--depth-model", "simulated", "--size", str(SIZE), "--out", str(tmp_path / "o")]
    clean = CliRunner().invoke(app, command)
    assert clean.exit_code == 0, clean.output
    assert "12 pictures. Next: viewsweep train ivid --data" in clean.stdout
    break_files(images)
    broken = CliRunner().invoke(app, [*command, "--json"])
    assert broken.exit_code == 2
    found = json.loads(broken.stdout)
    assert (found["pictures"], found["made"], len(found["failed"])) == (12, 0, 6)
    assert "Error: 6 of the files could not be used; the others were." in broken.stderr


def test_killed_and_started_again_gives_the_same_bytes(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "whole")
    with pytest.raises(Killed):
        run(images, tmp_path / "broken", Flat(fail_at=2))
    with pytest.raises(UserError, match=r"not all prepared\. Run `viewsweep prepare` again\."):
        PreparedPictures(tmp_path / "broken", SIZE, CODE, 1.0)
    (tmp_path / "broken" / "disparity" / "cat" / ".3.png.npz.x.tmp").write_bytes(b"what a kill leaves")
    again = Flat()
    done = run(images, tmp_path / "broken", again)
    assert (done.made, again.calls) == (4, 1)
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_changed_pictures_are_made_again(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "out")
    before = content(tmp_path / "out")
    changed = images / "cat" / "2.png"
    picture(77).save(changed)
    done = run(images, tmp_path / "out")
    assert done.made == 1
    after = content(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {
        "pictures/cat/2.png.png",
        "disparity/cat/2.png.npz",
        "prepared.json",
    }


def test_what_lies_in_the_source_folder_is_not_prepared_twice(images: Path) -> None:
    first = run(images, images / "prepared")
    second = run(images, images / "prepared")
    assert (first.pictures, second.pictures, second.made) == (BATCH + 4, BATCH + 4, 0)


def test_folder_prepared_in_another_way_is_refused(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "out")
    with pytest.raises(UserError, match="pictures prepared with another depth model"):
        prepare(images, tmp_path / "out", depth_model="simulated", size=SIZE)
    with pytest.raises(UserError, match="pictures prepared with another size"):
        prepare(images, tmp_path / "out", depth_model=Flat(), size=SIZE + 1)


def test_estimator_that_gives_no_numbers_is_reported(images: Path, tmp_path: Path) -> None:
    class Broken(Flat):
        def disparity(self, rgb: Tensor, depth: Tensor | None = None) -> Tensor:
            found = super().disparity(rgb).clone()
            found[0, 3, 3] = torch.nan
            return found

    done = run(images, tmp_path / "out", Broken())
    assert done.pictures == BATCH + 2  # one of each batch is lost
    assert all(reason.endswith("flat gave values that are not finite.") for _, reason in done.failed)


def test_folders_without_pictures_and_bad_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        run(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no picture in it"):
        run(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(UserError, match="the unit of disparity is greater than 0"):
        run(tmp_path / "empty", tmp_path / "out", unit=0.0)
    assert not (tmp_path / "out").exists()


def test_one_folder_of_pictures_has_no_classes(tmp_path: Path) -> None:
    (tmp_path / "in" / "horse").mkdir(parents=True)
    for number in range(3):
        picture(number).save(tmp_path / "in" / "horse" / f"{number}.png")
    picture(9).save(tmp_path / "in" / "more.png")
    run(tmp_path / "in", tmp_path / "out")
    pictures = PreparedPictures(tmp_path / "out", SIZE, CODE, 1.0)
    assert (len(pictures), pictures.classes) == (4, ())
    assert pictures.batch(torch.arange(4))[1].tolist() == [0] * 4


@pytest.mark.parametrize("damage", ["gone", "truncated", "no archive"])
def test_damaged_disparity_is_named(images: Path, tmp_path: Path, damage: str) -> None:
    run(images, tmp_path / "out")
    path = tmp_path / "out" / "disparity" / "cat" / "0.png.npz"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40] if damage == "truncated" else b"text")
    pictures = PreparedPictures(tmp_path / "out", SIZE, CODE, 1.0)
    with pytest.raises(UnreadableFile, match=r"0\.png\.npz: not readable .*run `viewsweep prepare` again"):
        pictures.batch(torch.arange(len(pictures)))


@pytest.mark.parametrize("record", ["{", "[]", '{"schema": "viewsweep.prepared-pictures/9"}'])
def test_foreign_record_is_refused(tmp_path: Path, record: str) -> None:
    (tmp_path / "prepared.json").write_text(record)
    with pytest.raises(UnreadableFile, match=r"prepared\.json: not"):
        PreparedPictures(tmp_path, SIZE, CODE, 1.0)
