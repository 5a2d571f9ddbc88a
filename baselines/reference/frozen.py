"""`frozen`: the cheat that ignores the camera and shows its first picture for ever.

Each picture is perfect and neighbours agree to the last bit, so image quality and plain frame
differences praise it; a metric that moves the camera with the depth must not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

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

            def repeat(part: Tensor | None, views: int = len(request.cameras)) -> Tensor | None:
                return None if part is None else part.expand(views, *part.shape[1:]).contiguous()

            yield Scene(
                rgb=first.rgb.expand(len(request.cameras), *first.rgb.shape[1:]).contiguous(),
                cameras=request.cameras,
                depth=repeat(first.depth),
                alpha=repeat(first.alpha),
                normals=repeat(first.normals),
                label=request.label,
                seed=request.seed,
            )
