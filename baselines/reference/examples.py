"""Training objects to compare a context with, for the reference methods that go by resemblance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...scenes import tabletop
from ...scenes.cameras import Cameras
from ...scenes.scene import Scene
from .completed_worlds import given

__all__ = ["CANDIDATES", "by_resemblance", "example", "views_of_examples"]

CANDIDATES = 200


def example(number: int) -> tabletop.TabletopObject:
    """Candidate `number`: an object of the training split, all classes in turn."""
    return tabletop.sample(tabletop.TRAIN_SEEDS[number], number % len(tabletop.CLASSES))


def views_of_examples(cameras: Cameras, size: int) -> Tensor:
    """The first candidates, one from each camera: uint8 [len(cameras), size, size, 3]."""
    pictures = torch.empty(len(cameras), size, size, 3, dtype=torch.uint8)
    objects = [example(number) for number in range(len(cameras))]
    for places, rgb, _ in tabletop.render_views(objects, cameras, size):
        pictures[places] = rgb
    return pictures


def by_resemblance(pictures: Tensor, context: Scene) -> Sequence[int]:
    """Numbers of `pictures` uint8 [N, H, W, 3], the nearest to the context's first view first.

    Nearness is the mean square difference over the pixels that are given.
    """
    mask = given(context)[0]
    apart = (pictures[:, mask].float() - context.rgb[0][mask].float()).square().flatten(1).mean(1)
    found: list[int] = torch.argsort(apart, stable=True).tolist()
    return found
