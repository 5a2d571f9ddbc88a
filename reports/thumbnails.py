"""Small pictures of single scenes, all of a method in one sheet, for lists of the best and the worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open

from .distributions import Extreme
from .rundir import RunFiles
from .sprites import Pictures, Sheet, picture_sheet

__all__ = ["Thumbnails", "thumbnails"]

TILE = 72
BYTES_A_TILE = 1_300
TOTAL_BYTES = 400_000


@dataclass(frozen=True)
class Thumbnails:
    """The first views of some scenes of a method; `tiles` says which tile of the sheet shows a scene."""

    method: str
    sheet: Sheet
    tiles: Mapping[int, int]


def thumbnails(run: RunFiles, ends: Iterable[Extreme]) -> dict[str, Thumbnails]:
    """Pictures of all scenes in `ends`, by method; a scene that cannot be read has none."""
    wanted: dict[str, set[int]] = {}
    for extreme in ends:
        wanted.setdefault(extreme.method, set()).update((extreme.best.index, extreme.worst.index))
    limit = min(BYTES_A_TILE, TOTAL_BYTES // max(1, sum(map(len, wanted.values()))))
    found = {}
    for method, indices in wanted.items():
        pictures = {
            index: picture for index in sorted(indices) if (picture := _first_view(run, method, index)) is not None
        }
        if pictures:
            sheet = picture_sheet(np.stack(list(pictures.values())), limit * len(pictures))
            found[method] = Thumbnails(method, sheet, {index: place for place, index in enumerate(pictures)})
    return found


def _first_view(run: RunFiles, method: str, index: int) -> Pictures | None:
    """The first view as a small square, read without the rest of its file."""
    path = run.scene_path(method, index)
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="numpy") as file:
            rgb = file.get_slice("rgb")
            shape = rgb.get_shape()
            if len(shape) != 4 or shape[3] != 3 or 0 in shape or rgb.get_dtype() != "U8":
                return None
            view = np.asarray(rgb[0])
    except (OSError, SafetensorError, ValueError):
        return None
    height, width = view.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(view[top : top + side, left : left + side]))
    return np.asarray(square.resize((TILE, TILE), Image.Resampling.LANCZOS))
