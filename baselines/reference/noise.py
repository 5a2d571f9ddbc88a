"""`noise`: the floor; uniform noise for pictures and for depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request, scene_generator
from ...scenes.scene import Scene

__all__ = ["Noise"]

OBJECT_RADIUS = 0.5  # tabletop objects stay within it


class Noise:
    """Independent uniform noise in every view; depth within the range an object can have there."""

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="noise",
            description="The floor: uniform noise for pictures and for depth.",
            classes=tuple(tabletop.CLASSES),
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            shape = (len(request.cameras), request.size, request.size)
            pixels, heights = (scene_generator(request.seed, f"noise.{part}") for part in ("rgb", "depth"))
            rgb = torch.randint(0, 256, (*shape, 3), generator=pixels, dtype=torch.uint8)
            distance = request.cameras.positions.norm(dim=1).float()[:, None, None]
            depth = distance + OBJECT_RADIUS * (2 * torch.rand(shape, generator=heights) - 1)
            yield Scene(
                rgb=rgb,
                cameras=request.cameras,
                depth=depth.clamp(min=1e-3),  # a camera inside the object has nothing in front of it
                label=request.label,
                seed=request.seed,
            )
