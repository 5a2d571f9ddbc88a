"""What most cheats share: the oracle's scene with one fault of `scenes.corruptions` at one strength."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...scenes import tabletop
from ...scenes.corruptions import CORRUPTIONS
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene

__all__ = ["Corrupted"]


class Corrupted:
    """A cheat made from a corruption; subclasses say which.

    Attributes:
        name: of the method.
        description: one sentence.
        corruption: key in `CORRUPTIONS`.
        level: how bad.
    """

    name: str
    description: str
    corruption: str
    level: float

    def info(self) -> GeneratorInfo:
        unit = CORRUPTIONS[self.corruption].unit
        return GeneratorInfo(
            name=self.name,
            description=self.description,
            classes=tuple(tabletop.CLASSES),
            details={"corruption": self.corruption, "level": self.level, "unit": unit},
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            thing = tabletop.sample(request.seed, request.label)
            clean = thing.render(request.cameras, request.size)
            scene = CORRUPTIONS[self.corruption].apply(thing, clean, self.level)
            yield replace(scene, label=request.label)  # as asked for, also where the seed chose the class
