"""`possible`: answers with one of the motions that could have come, each as often as it is likely.

A draw from the posterior itself: the ceiling of variety and of modes covered, where `truth` is that of
accuracy. No guess is better than it in what it covers, and none of its samples need be the true one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch

from ...scenes import tabletop
from ...scenes.errors import UserError
from ...scenes.generator import GeneratorInfo, Request, scene_generator
from ...scenes.scene import Scene
from ...scenes.tabletop import clips
from .completed_worlds import WorldFinder, context_of

__all__ = ["Possible"]


class Possible:
    """What may follow a picture of a tabletop clip; of other worlds nobody knows all that is possible."""

    def __init__(self) -> None:
        self._finder = WorldFinder("possible")

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="possible",
            description="One of the possible motions, each as often as it is likely: the ceiling of variety.",
            has_depth=False,
            classes=tuple(tabletop.CLASSES),
            tasks=("motion",),
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request, its motion drawn by the request's seed.

        Raises:
            UserError: a context of no clip.
        """
        weights = torch.tensor([motion.weight for motion in clips.MOTIONS])
        for request in requests:
            if self._finder.of(request) != "motion":
                raise UserError(f"possible, scene {request.index}: only of tabletop's clips all motions are known.")
            motion = int(torch.multinomial(weights, 1, generator=scene_generator(request.seed, "possible")))
            seed = context_of(request, "possible").seed or 0
            truth = _truth(seed, request.label, motion, request.size)
            yield replace(truth, label=request.label, seed=request.seed, context=None)


@lru_cache(maxsize=len(clips.MOTIONS))
def _truth(seed: int, label: int | None, motion: int, size: int) -> Scene:
    """What follows by one motion; the samples of a scene come one after another and share it."""
    return clips.sample(seed, label, motion).truth(size)
