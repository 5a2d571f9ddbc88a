"""Pictures and depth maps from outside: read without trust, brought to one size.

What a file cannot give is refused with its path in the message; nothing is guessed.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from torch import Tensor

from .errors import UnreadableFile, UserError
from .files import atomic_write

__all__ = [
    "SUFFIXES",
    "Picture",
    "inside",
    "natural",
    "nearest",
    "picture_size",
    "read_depth",
    "read_picture",
    "write_png",
]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")  # decoders that may see a file from outside


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Args:
        rgb: uint8 sRGB, [H, W, 3]; transparent pixels are laid over white.
        alpha: coverage, uint8, [H, W]; None where the file has no transparency.
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def middle(self) -> tuple[float, float, int]:
        """Left, top and side of the largest centred square, pixels; halves where sides differ by an odd number."""
        width, height = self.size
        side = min(width, height)
        return (width - side) / 2, (height - side) / 2, side

    def square(self, size: int) -> Picture:
        """The largest centred square, resized by LANCZOS to `size` x `size`."""
        left, top, side = self.middle
        box = (left, top, left + side, top + side)

        def resize(channel: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            return np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.LANCZOS, box=box))

        return Picture(resize(self.rgb), None if self.alpha is None else resize(self.alpha))


def read_picture(path: Path, *, upright: bool = False) -> Picture:
    """Decode a picture of 8 or 16 bits, grey or colour, with or without transparency.

    Args:
        upright: turn the picture as its EXIF orientation says. Wrong for pictures with calibrated
            cameras: COLMAP and nerfstudio work on the pixels as they are stored.

    Raises:
        UnreadableFile: missing, truncated, of another format, or larger than Pillow's limit.
    """
    image = _open(path)
    if upright:
        image = _turned(image)
    if image.mode in ("I;16", "I;16L", "I;16B"):
        grey = (np.asarray(image).astype(np.float32) / 257 + 0.5).astype(np.uint8)
        return Picture(np.repeat(grey[..., None], 3, -1))
    if image.mode in ("I", "F"):
        raise UnreadableFile(f"{path}: a picture of mode {image.mode}; pictures have 8 or 16 bits a channel.")
    if not image.has_transparency_data:
        return Picture(np.asarray(image.convert("RGB")))
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    rgb = Image.alpha_composite(white, layered).convert("RGB")
    return Picture(np.asarray(rgb), np.asarray(layered.getchannel("A")))


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as stored, from the file's header.

    Raises:
        UnreadableFile: as `read_picture`.
    """
    return _open(path, decode=False).size


def read_depth(path: Path, unit: float) -> npt.NDArray[np.float32]:
    """A depth map, float32, [H, W]: a 16-bit picture or a ``.npy`` array, times `unit`.

    0 and everything that is not finite and positive becomes NaN: no surface.

    Raises:
        UnreadableFile: missing, truncated, not one channel, or only 8 bits deep.
    """
    if path.suffix.lower() == ".npy":
        try:
            stored = np.load(path, mmap_mode="r", allow_pickle=False)  # a header may promise more than the file has
            values = np.array(stored, dtype=np.float64)
        except Exception as error:  # a damaged header makes numpy's parser raise all sorts
            raise UnreadableFile(f"{path}: not a readable depth map ({_reason(error)}).") from error
    else:
        image = _open(path)
        if image.mode not in ("I;16", "I;16L", "I;16B", "I", "F"):
            raise UnreadableFile(f"{path}: a depth map of mode {image.mode}; it must have one channel of 16 bits.")
        values = np.asarray(image).astype(np.float64)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2 or not values.size:
        raise UnreadableFile(f"{path}: a depth map of shape {list(values.shape)}; it must be [H, W].")
    with np.errstate(over="ignore"):  # beyond float32's range there is no surface either
        depth = (values * unit).astype(np.float32)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    return depth


def write_png(path: Path, rgb: Tensor) -> None:
    """Write one image, uint8 [H, W, 3].

    Raises:
        WriteFailed: disk full or folder not writable.
    """
    buffer = io.BytesIO()
    Image.fromarray(rgb.cpu().numpy()).save(buffer, format="PNG")
    atomic_write(path, buffer.getvalue())


def nearest(
    values: npt.NDArray[Any], box: tuple[float, float, float, float], size: tuple[int, int]
) -> npt.NDArray[Any]:
    """`values` [H, W] in `box` (left, top, right, bottom) at `size` (width, height), by the nearest pixel.

    Depth is never mixed: between two surfaces there is none. Pixel centres meet pixel centres, which
    ``cv2.INTER_NEAREST`` does not grant.
    """
    left, top, right, bottom = box
    columns = left + (np.arange(size[0]) + 0.5) * (right - left) / size[0]
    rows = top + (np.arange(size[1]) + 0.5) * (bottom - top) / size[1]
    last = np.array(values.shape[:2]) - 1
    picked: npt.NDArray[Any] = values[
        np.minimum(np.floor(rows).astype(int), last[0])[:, None], np.minimum(np.floor(columns).astype(int), last[1])
    ]
    return picked


def inside(folder: Path, name: str) -> Path:
    """The path of the file that a file from outside calls `name`, which must lie in `folder`.

    Raises:
        UserError: the name is absolute or climbs out of the folder.
    """
    plain = PurePosixPath(os.path.normpath(name.replace("\\", "/")))
    if plain.is_absolute() or ".." in plain.parts or "\0" in name or re.match("[A-Za-z]:", name):
        raise UserError(f"{folder}: '{name}' leads out of this folder. Give names relative to it.")
    return folder / plain


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorting key that puts r_2 before r_10."""
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]


def _open(path: Path, *, decode: bool = True) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata is no reason to refuse a picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if not decode:
                    return image
                image.load()
                if image.format == "PNG":  # Pillow does not miss the end of a PNG file, nor its check sums
                    with Image.open(path, formats=("PNG",)) as again:
                        again.verify()
                return image.copy()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableFile(f"{path}: too large to be opened safely ({error})") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise UnreadableFile(f"{path}: not a readable picture ({_reason(error)}).") from error


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says; as it is stored where that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata is no reason to refuse a picture, and is parsed without much care
        return image


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(error).split(", path=")[0].removesuffix(".") or type(error).__name__
