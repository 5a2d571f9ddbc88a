"""Normal noise from one generator a scene, so that batches do not mix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...scenes.generator import scene_generator

__all__ = ["SceneNoise"]


class SceneNoise:
    """The noise of one purpose in N scenes.

    Drawn on the CPU, where generators give the same numbers on every machine, then moved.

    Args:
        seeds: of the scenes, [N].
        stream: the purpose; each has its own numbers.
        shape: of one scene's noise.
        device: where the noise is wanted.
    """

    def __init__(self, seeds: Sequence[int], stream: str, shape: tuple[int, ...], device: torch.device) -> None:
        self.generators = [scene_generator(seed, stream) for seed in seeds]
        self.shape, self.device = shape, device

    def draw(self) -> Tensor:
        """Fresh noise, [N, *shape]."""
        return torch.stack([torch.randn(self.shape, generator=g) for g in self.generators]).to(self.device)

    def choose(self, count: int) -> Tensor:
        """One of `count` for each scene, int64, [N], on the CPU."""
        return torch.cat([torch.randint(count, (1,), generator=g) for g in self.generators])
