"""`frozen`: the cheat that ignores the camera and shows its first picture for ever.

Each picture is perfect and neighbours agree to the last bit, so image quality and plain frame
differences praise it; a metric that moves the camera with the depth must not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene

__all__ = ["Frozen"]


class Frozen:
    """The oracle's first view, picture and depth, repeated for every camera."""

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="frozen",
            description="A cheat: the first view repeated, whatever the camera.",
            classes=tuple(tabletop.CLASSES),
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            first = tabletop.sample(request.seed, request.label).render(request.cameras[0], request.size)
            still = first.select([0] * len(request.cameras))
            yield replace(still, cameras=request.cameras, label=request.label, seed=request.seed)
