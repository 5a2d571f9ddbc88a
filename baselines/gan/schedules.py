"""Quantities that change while a GAN trains, and when.

Steps are counted from 1; a fade holds its last value for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Fade", "Stage", "stage_at", "top_share"]


@dataclass(frozen=True)
class Fade:
    """A number that goes in a straight line from `start` to `end`.

    Args:
        start: value before the first step.
        end: value from step `until` on.
        until: 0 = `end` from the beginning.
    """

    start: float
    end: float
    until: int

    def at(self, step: int) -> float:
        """The value at `step`."""
        if step >= self.until:
            return self.end
        return self.start + (self.end - self.start) * step / self.until


class Stage(NamedTuple):
    """A stretch of training at one picture size (progressive growing, as in pi-GAN).

    Args:
        until: its last step.
        size: height and width of the pictures.
        batch: pictures a step.
        fade: steps during which the discriminator's newest resolution is faded in.
    """

    until: int
    size: int
    batch: int
    fade: int = 0


def stage_at(stages: Sequence[Stage], step: int) -> tuple[Stage, float]:
    """The stage `step` lies in, the last one for later steps, and the faded-in share of its resolution, (0, 1]."""
    begin = 0
    for stage in stages:
        if step <= stage.until:
            break
        begin = stage.until
    else:
        stage, begin = stages[-1], stages[-2].until if len(stages) > 1 else 0
    share = min(1.0, (step - begin) / stage.fade) if stage.fade else 1.0
    return stage, share


def top_share(step: int, *, decay: float, every: int, least: float) -> float:
    """Share of the pictures that teach the generator: `decay` to the power step / every, not below `least`."""
    return float(max(decay ** (step / every), least))
