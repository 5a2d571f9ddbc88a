"""Frames become moving pictures that other programs read back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor
from viewsweep.scenes import video
from viewsweep.scenes.errors import UserError, ViewsweepError, WriteFailed
from viewsweep.scenes.video import write_video


def moving_square(frames: int = 7, height: int = 32, width: int = 48) -> Tensor:
    """A red square that walks to the right over grey."""
    shown = torch.full((frames, height, width, 3), 128, dtype=torch.uint8)
    for k in range(frames):
        shown[k, 8:24, 4 * k : 4 * k + 12] = torch.tensor([220, 30, 30], dtype=torch.uint8)
    return shown


def read(path: Path) -> np.ndarray:
    """All frames, uint8 [F, H, W, 3]."""
    if path.suffix != ".mp4":
        with Image.open(path) as image:
            return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])
    reader, found = cv2.VideoCapture(str(path)), []
    while (shown := reader.read())[0]:
        found.append(shown[1][..., ::-1])
    return np.stack(found)


@pytest.mark.parametrize("ending", [".webp", ".gif", ".mp4"])
def test_frames_come_back(tmp_path: Path, ending: str) -> None:
    frames, path = moving_square(), tmp_path / f"out{ending}"
    write_video(path, frames, fps=10)
    found = read(path)
    assert found.shape == tuple(frames.shape)
    assert float(np.abs(found.astype(int) - frames.numpy().astype(int)).mean()) < 6
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_odd_sides_are_padded_for_mp4(tmp_path: Path) -> None:
    write_video(tmp_path / "odd.mp4", moving_square(height=31, width=47))
    assert read(tmp_path / "odd.mp4").shape == (7, 32, 48, 3)


@pytest.mark.parametrize(("fps", "total"), [(30.0, 2000), (7.0, 8571), (24.0, 2500)])
def test_animations_last_as_long_as_asked(tmp_path: Path, fps: float, total: int) -> None:
    write_video(tmp_path / "out.webp", moving_square(60, width=264), fps=fps)
    with Image.open(tmp_path / "out.webp") as image:
        times = []
        for frame in ImageSequence.Iterator(image):
            frame.load()
            times.append(frame.info["duration"])
    assert len(times) == 60
    assert sum(times) == pytest.approx(total, abs=1)


def test_single_frame_is_a_video_too(tmp_path: Path) -> None:
    for ending in video.FORMATS:
        write_video(tmp_path / f"one{ending}", moving_square(1))
        assert len(read(tmp_path / f"one{ending}")) == 1


@pytest.mark.parametrize(
    ("name", "frames", "fps", "message"),
    [
        pytest.param("a.avi", moving_square(), 30, "written as .webp, .mp4, .gif", id="ending"),
        pytest.param("a.gif", moving_square()[:0], 30, "must be uint8", id="no frames"),
        pytest.param("a.gif", moving_square().float(), 30, "torch.float32", id="type"),
        pytest.param("a.gif", moving_square(), 0, "0 frames a second", id="rate"),
        pytest.param("a.gif", moving_square(), float("nan"), "nan frames a second", id="no number"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, frames: Tensor, fps: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_video(tmp_path / name, frames, fps=fps)
    assert not list(tmp_path.iterdir())


def test_missing_encoder_and_folder_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WriteFailed):
        write_video(tmp_path / "nowhere" / "a.webp", moving_square())
    monkeypatch.setattr(video, "CODECS", ())
    with pytest.raises(ViewsweepError, match=r"Write a \.webp or \.gif instead"):
        write_video(tmp_path / "a.mp4", moving_square())
