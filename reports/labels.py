"""Names beside the marks of a chart, where they cover neither marks, nor intervals, nor one another.

Each name in turn takes the free place nearest to its mark; where none is free, the one that covers least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .svg import text_width

__all__ = ["Box", "Label", "place_labels"]

ASCENT, DESCENT = 0.8, 0.25  # of letters, by their size
STEPS = (0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5)  # lines up or down from the mark


@dataclass(frozen=True)
class Box:
    """A rectangle that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> float:
        """How much of the two overlaps, by area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


@dataclass(frozen=True)
class Label:
    """Where a name starts or, `at_end`, ends; `baseline` is its height, `far` asks for a line to the mark."""

    x: float
    baseline: float
    at_end: bool
    far: bool


def place_labels(
    marks: Mapping[str, tuple[float, float]], taken: Sequence[Box], size: float, frame: Box, gap: float = 8.0
) -> dict[str, Label]:
    """A place for each name of `marks`.

    Args:
        marks: the middle of each name's mark.
        taken: what names must not cover: marks and intervals, those of other names too.
        size: of the letters.
        frame: where names may stand.
        gap: least distance of a name from the middle of its mark, along the line.

    Example:
        >>> frame = Box(0, 0, 100, 100)
        >>> place_labels({"a": (50.0, 50.0)}, [Box(45, 45, 90, 55)], 10.0, frame, gap=8.0)["a"].at_end
        True
    """
    held = list(taken)
    found = {}
    for name, (x, y) in marks.items():
        width = text_width(name, size)
        options: list[tuple[bool, float, float, int, Label, Box]] = []
        for step in STEPS:
            baseline = y + 0.34 * size + step * (size + 1)
            for distance in (gap, 2.5 * gap, 4.5 * gap):
                for at_end in (False, True):
                    left = x - distance - width if at_end else x + distance
                    box = Box(left, baseline - ASCENT * size, left + width, baseline + DESCENT * size)
                    inside = frame.left <= box.left and box.right <= frame.right
                    inside = inside and frame.top <= box.top and box.bottom <= frame.bottom
                    covered = sum(box.covers(other) for other in held)
                    away = 1.6 * abs(step) * size + distance
                    label = Label(box.right if at_end else box.left, baseline, at_end, away > 2 * gap)
                    options.append((not inside, covered, away, len(options), label, box))
        *_, best, box = min(options, key=lambda option: option[:4])
        found[name] = best
        held.append(box)
    return found
