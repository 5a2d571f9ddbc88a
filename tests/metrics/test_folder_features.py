from __future__ import annotations

import re
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from viewsweep.metrics import FID, KID, Features, InceptionScore, extract
from viewsweep.metrics import folder_features as files_to_features
from viewsweep.metrics.folder_features import folder_features, picture_files, read_picture
from viewsweep.scenes.errors import UserError


class Moments:
    """A network small enough to read: mean colour for features, its softmax for classes."""

    name, sha256, classes = "moments", "0" * 64, ("red", "green", "blue")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, images: Tensor) -> Features:
        self.shapes.append(tuple(images.shape[:3]))
        colour = images.float().mean((1, 2)) / 255
        return Features(colour, torch.log_softmax(5 * colour, 1))


class PreparingMoments(Moments):
    """The same, of pictures brought to one pixel."""

    def prepare(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float().mean((2, 3), keepdim=True)

    def compute(self, prepared: Tensor) -> Features:
        self.shapes.append((len(prepared), 1, 1))
        colour = prepared[:, :, 0, 0] / 255
        return Features(colour, torch.log_softmax(5 * colour, 1))


def picture(seed: int, height: int = 12, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(folder: Path, sizes: list[tuple[int, int]]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k:03d}.png" for k in range(len(sizes))]
    for k, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        Image.fromarray(picture(k, *size)).save(path)
    return paths


SAME = [(12, 12)] * 7
MIXED = [(12, 12), (12, 12), (9, 14), (12, 12), (9, 14), (9, 14), (20, 5)]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
@pytest.mark.parametrize("sizes", [SAME, MIXED], ids=["same", "mixed"])
@pytest.mark.parametrize("network", [Moments, PreparingMoments])
def test_rows_are_those_of_single_pictures(
    network: type[Moments], sizes: list[tuple[int, int]], batch_size: int, tmp_path: Path
) -> None:
    paths = save(tmp_path, sizes)
    found = folder_features(tmp_path, network(), batch_size=batch_size)
    single = Features.cat([extract(Moments(), torch.from_numpy(np.array(Image.open(path)))[None]) for path in paths])
    for name in ("embedding", "log_probabilities", "sharpness"):
        torch.testing.assert_close(getattr(found, name), getattr(single, name), rtol=0, atol=1e-6)


def test_only_pictures_of_one_size_share_a_batch(tmp_path: Path) -> None:
    save(tmp_path, MIXED)
    network, preparing = Moments(), PreparingMoments()
    folder_features(tmp_path, network, batch_size=2)
    assert network.shapes == [(2, 12, 12), (1, 9, 14), (1, 12, 12), (2, 9, 14), (1, 20, 5)]
    folder_features(tmp_path, preparing, batch_size=3)
    assert [shape[0] for shape in preparing.shapes] == [3, 3, 1]


def test_files_come_in_the_order_given_or_sorted(tmp_path: Path) -> None:
    paths = save(tmp_path, SAME)
    forward = folder_features(tmp_path, Moments())
    backward = folder_features(paths[::-1], Moments())
    assert torch.equal(forward.embedding.flip(0), backward.embedding)


def test_pictures_of_all_kinds_and_subfolders_are_found(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "c/d.webp", "c/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(0)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.relative_to(tmp_path).as_posix() for path in picture_files(tmp_path)] == [
        "a.jpeg",
        "b.PNG",
        "c/d.webp",
        "c/e.jpg",
    ]


@pytest.mark.parametrize("decoders", [1, 4])
def test_decoding_runs_ahead_of_the_network_but_not_far(
    decoders: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = save(tmp_path, [(4, 4)] * 40)
    read, lead, threads = [0], [0], set()

    def counted(file: Path) -> np.ndarray:
        threads.add(threading.current_thread())
        read[0] += 1
        return read_picture(file)

    class Slow(Moments):
        def __call__(self, images: Tensor) -> Features:
            done = sum(shape[0] for shape in self.shapes)
            time.sleep(0.02)
            lead[0] = max(lead[0], read[0] - done)
            return super().__call__(images)

    monkeypatch.setattr(files_to_features, "read_picture", counted)
    folder_features(paths, Slow(), batch_size=4, workers=decoders)
    assert 4 < lead[0] <= 4 + 2 * 4 + 1
    assert threading.main_thread() not in threads
    assert not any(thread.is_alive() for thread in threads)


def test_a_network_that_fails_stops_the_decoders(tmp_path: Path) -> None:
    class Failing(Moments):
        def __call__(self, images: Tensor) -> Features:
            raise RuntimeError("out of memory")

    paths = save(tmp_path, [(4, 4)] * 30)
    with pytest.raises(RuntimeError, match="out of memory"):
        folder_features(paths, Failing(), batch_size=2)
    assert not any(thread.name.startswith("viewsweep-decode") for thread in threading.enumerate())


def test_all_unreadable_files_are_named_at_once(tmp_path: Path) -> None:
    paths = save(tmp_path, [(40, 40)] * 6)
    paths[1].write_bytes(b"no picture at all")
    paths[4].write_bytes(paths[4].read_bytes()[:900])
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    paths[5] = (tmp_path / "float.tiff").rename(tmp_path / "zfloat.png")
    with pytest.raises(UserError) as caught:
        folder_features(paths, Moments(), batch_size=2)
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 of 6 pictures cannot be read; replace them or leave them out:"
    assert lines[1].startswith(f"  {paths[1]}: cannot identify image file")
    assert lines[2].startswith(f"  {paths[4]}: image file is truncated")
    assert lines[3] == f"  {paths[5]}: 32 bits a channel (Pillow's mode F); save it with 8 or 16"
    assert len(lines) == 4


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}: no picture in it. Files that end in .png, .jpg")):
        folder_features(tmp_path, Moments())
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'none'}: there is no such folder")):
        folder_features(tmp_path / "none", Moments())
    with pytest.raises(UserError, match="There are no pictures"):
        folder_features([], Moments())
    with pytest.raises(ValueError, match="batch_size is 0 and workers 2"):
        folder_features(tmp_path, Moments(), batch_size=0)


RGB = picture(3)
ALPHA = np.random.default_rng(4).integers(0, 256, (12, 12), dtype=np.uint8)


def reads(image: Image.Image, path: Path, **options: object) -> np.ndarray:
    image.save(path, **options)
    return read_picture(path)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    found = reads(Image.fromarray(RGB[..., 0]), tmp_path / "a.png")
    assert np.array_equal(found, np.repeat(RGB[..., :1], 3, 2))


def test_16_bits_give_their_high_byte(tmp_path: Path) -> None:
    deep = (RGB[..., 0].astype(np.uint16) << 8) + 77
    assert np.array_equal(reads(Image.fromarray(deep), tmp_path / "a.png"), np.repeat(RGB[..., :1], 3, 2))


def test_alpha_is_dropped(tmp_path: Path) -> None:
    assert np.array_equal(reads(Image.fromarray(np.dstack([RGB, ALPHA])), tmp_path / "a.png"), RGB)


def test_palettes_give_their_colours(tmp_path: Path) -> None:
    few = Image.fromarray(RGB).quantize(16)
    expected = np.array(few.convert("RGB"))
    assert np.array_equal(reads(few, tmp_path / "a.png"), expected)
    assert np.array_equal(reads(few, tmp_path / "b.png", transparency=bytes(range(16))), expected)


def test_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    assert np.array_equal(reads(Image.fromarray(RGB), tmp_path / "a.png", exif=exif), RGB)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_clean_fid_reads_the_same_pixels(mode: str, name: str, tmp_path: Path) -> None:
    from cleanfid.utils import ResizeDataset

    image = Image.fromarray(RGB).convert(mode)
    try:
        image.save(tmp_path / name)
    except OSError:
        pytest.skip(f"{name[2:]} has no {mode}")
    theirs = ResizeDataset([tmp_path / name], mode="legacy_tensorflow")[0]
    assert np.array_equal(read_picture(tmp_path / name), theirs.permute(1, 2, 0).round().numpy().astype(np.uint8))


def test_one_pass_feeds_all_set_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture is decoded once and goes through the network once, however many metrics look at it."""
    fake, real = (save(tmp_path / name, [(4, 4)] * 8) for name in ("fake", "real"))
    read: Counter[Path] = Counter()

    def counted(file: Path) -> np.ndarray:
        read[file] += 1
        return read_picture(file)

    monkeypatch.setattr(files_to_features, "read_picture", counted)
    network = Moments()
    metrics = [FID(network.name), KID(network.name), InceptionScore(network.name)]
    features = {
        real_set: folder_features(paths, network, batch_size=5) for real_set, paths in [(False, fake), (True, real)]
    }
    for metric in metrics:
        for real_set, rows in features.items():
            metric.update(rows, real=real_set)
    assert [next(iter(metric.results().values())).status for metric in metrics] == ["ok"] * 3
    assert read == Counter(fake + real)
    assert sum(shape[0] for shape in network.shapes) == len(fake + real)
