"""`oracle`: renders the world itself; the ceiling of every metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene

__all__ = ["Oracle", "render_request"]


class Oracle:
    """The tabletop object of the request's seed and label, rendered at its cameras."""

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="oracle",
            description="Renders the tabletop world itself: the ceiling of every metric.",
            classes=tuple(tabletop.CLASSES),
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            yield render_request(request)


def render_request(request: Request) -> Scene:
    """What the oracle answers to `request`."""
    scene = tabletop.sample(request.seed, request.label).render(request.cameras, request.size)
    # a request without a label lets the seed choose the class; the scene then carries no label either
    return replace(scene, label=request.label)
