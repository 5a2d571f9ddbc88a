"""Names above pictures that stand side by side, in Pillow's own font, so that every machine draws them alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["captions"]

SMALLEST, LARGEST = 9, 22
INK, GROUND = (23, 25, 29), (255, 255, 255)
MARGIN = 2  # pixels left free at each side of a name


def captions(names: Sequence[str], width: int) -> NDArray[np.uint8]:
    """A strip [H, width * len(names), 3] with each name in the middle of its `width` pixels.

    Letters grow with the pictures. A name too long for its place is parted at its hyphens, and what does
    not fit even so loses its middle: the ends of names tell methods apart.
    """
    size = min(LARGEST, max(SMALLEST, width // 9))
    font = ImageFont.load_default(size)
    parted = [_lines(name, width - 2 * MARGIN, font) for name in names]
    step = round(size * 1.25)
    height = step * max(map(len, parted)) + 2 * MARGIN
    strip = Image.new("RGB", (width * len(names), height), GROUND)
    pen = ImageDraw.Draw(strip)
    for place, lines in enumerate(parted):
        for line, text in enumerate(lines, start=max(map(len, parted)) - len(lines)):  # close to the picture
            left = width * place + (width - font.getlength(text)) / 2
            pen.text((left, MARGIN + step * (line + 0.5)), text, fill=INK, font=font, anchor="lm")
    return np.asarray(strip)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _lines(name: str, room: float, font: Font) -> list[str]:
    lines: list[str] = []
    for part in name.replace("-", "-\n").replace(" ", " \n").split("\n"):
        if lines and font.getlength(lines[-1] + part) <= room:
            lines[-1] += part
        else:
            lines.append(part)
    return [_fitting(line.strip(), room, font) for line in lines]


def _fitting(text: str, room: float, font: Font) -> str:
    kept = len(text)
    shown = text
    while font.getlength(shown) > room and kept > 2:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown
