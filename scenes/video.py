"""Pictures as a moving picture: .webp and .gif through Pillow, .mp4 through OpenCV.

    .webp   true colours, plays in browsers, small; the one to choose
    .gif    256 colours a frame, plays everywhere
    .mp4    VP9 where OpenCV has it (plays in browsers), else MPEG-4 part 2 (plays in video players)

The file appears whole or not at all.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .errors import UserError, WriteFailed
from .files import atomic_write

__all__ = ["FORMATS", "FPS", "write_video"]

FPS = 30.0
CODECS = ("vp09", "mp4v")
"""In order of choice. OpenCV's own builds carry no H.264 encoder."""


def write_video(path: str | os.PathLike[str], frames: Tensor, *, fps: float = FPS) -> None:
    """Write `frames`, repeated for ever where the format knows how.

    Args:
        path: its ending decides the format.
        frames: uint8 sRGB, [F, H, W, 3].
        fps: frames a second, above 0 and up to 240; .gif counts in hundredths of a second, at least two.

    Raises:
        UserError: an unknown ending, frames of another type or none, a rate out of range, no encoder.
        WriteFailed: the folder is not writable or the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: videos are written as {', '.join(FORMATS)}; choose one by the file's ending.")
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or 0 in frames.shape:
        raise UserError(
            f"{path}: frames are {frames.dtype} with shape {list(frames.shape)}; they must be uint8, [frames, H, W, 3]."
        )
    if not 0 < fps <= 240:
        raise UserError(f"{path}: {fps:g} frames a second; give a number above 0 and up to 240.")
    atomic_write(path, FORMATS[path.suffix.lower()](frames.cpu().numpy(), fps, path))


def _webp(frames: np.ndarray, fps: float, path: Path) -> bytes:
    return _animation(frames, "WEBP", _times(len(frames), fps, 1), quality=90, method=4)


def _gif(frames: np.ndarray, fps: float, path: Path) -> bytes:
    return _animation(frames, "GIF", [max(20, time) for time in _times(len(frames), fps, 10)], disposal=1)


def _animation(frames: np.ndarray, kind: str, times: list[int], **settings: int) -> bytes:
    first, *rest = (Image.fromarray(frame) for frame in frames)
    stream = io.BytesIO()
    first.save(stream, kind, save_all=True, append_images=rest, duration=times, loop=0, **settings)
    return stream.getvalue()


def _times(count: int, fps: float, unit: int) -> list[int]:
    """How long each frame is shown, milliseconds in multiples of `unit`, that sum up to what `fps` asks for."""
    ends = [round(1000 * k / fps / unit) * unit for k in range(count + 1)]
    return [after - before for before, after in pairwise(ends)]


def _mp4(frames: np.ndarray, fps: float, path: Path) -> bytes:
    import cv2  # heavy, and only this format needs it

    # half-size colour planes need even sides
    frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    height, width = frames.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "video.mp4")
        for codec in CODECS:
            writer = cv2.VideoWriter(target, cv2.VideoWriter.fourcc(*codec), fps, (width, height))
            if not writer.isOpened():
                continue
            for frame in frames:
                writer.write(np.ascontiguousarray(frame[..., ::-1]))
            writer.release()
            try:
                return Path(target).read_bytes()
            except OSError as error:
                raise WriteFailed(f"{path}: the encoder left no file ({error.strerror or error}).") from error
    raise UserError(f"{path}: this build of OpenCV has no encoder for .mp4. Write a .webp or .gif instead.")


FORMATS: dict[str, Callable[[np.ndarray, float, Path], bytes]] = {".webp": _webp, ".mp4": _mp4, ".gif": _gif}
"""Encoders by file ending."""
