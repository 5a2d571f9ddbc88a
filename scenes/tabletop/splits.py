"""Which seeds are for training, for reference and for testing, and the views they are seen from.

The splits are disjoint ranges of seeds, so no object of one is ever seen in another. Training data
are single views of objects whose pose is not given to anyone; posed multi-view pictures exist only
for the oracle and the test split.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..cameras import Cameras
from ..errors import UserError
from ..generator import scene_generator
from ..sweeps import FOV, RADIUS
from .classes import CLASSES
from .world import TabletopObject, render_batch, sample

__all__ = [
    "REFERENCE_SEEDS",
    "TEST_SEEDS",
    "TRAIN_SEEDS",
    "VALIDATION_SEEDS",
    "reference_images",
    "reference_views",
    "render_views",
    "train_cameras",
]

TRAIN_SEEDS = range(1_000_000)
REFERENCE_SEEDS = range(1_000_000, 2_000_000)
TEST_SEEDS = range(2_000_000, 3_000_000)
VALIDATION_SEEDS = range(3_000_000, 4_000_000)

FRONTAL_SHARE = 0.5
FRONTAL_STD = 0.6
PITCH_MEAN, PITCH_STD, PITCH_RANGE = 0.24, 0.1, (-0.05, 0.6)
BATCH = 64  # pictures traced together; a compromise between overhead and cache


def train_cameras(seeds: Sequence[int], *, frontal_share: float = FRONTAL_SHARE) -> Cameras:
    """The one camera each training object is seen from.

    Half of the yaws (`frontal_share`) are N(0, 0.6 rad) about the front, the others uniform over
    the circle; pitch is N(0.24, 0.1) rad, clipped to [-0.05, 0.6].
    """
    yaws, pitches = [], []
    for seed in seeds:
        generator = scene_generator(seed, "tabletop.view")
        choice, turn = torch.rand(2, generator=generator, dtype=torch.float64)
        normal = torch.randn(2, generator=generator, dtype=torch.float64)
        yaws.append(FRONTAL_STD * normal[0] if choice < frontal_share else (2 * turn - 1) * torch.pi)
        pitches.append((PITCH_MEAN + PITCH_STD * normal[1]).clamp(*PITCH_RANGE))
    return Cameras.orbit(torch.stack(yaws), torch.stack(pitches), radius=RADIUS, fov=FOV)


def render_views(
    objects: Sequence[TabletopObject], cameras: Cameras, size: int
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """One picture an object, traced class by class in batches.

    Yields:
        positions in `objects`, rgb uint8 [n, H, W, 3], z-depth float32 [n, H, W] (NaN = none).
    """
    by_class: dict[int, list[int]] = {}
    for position, entry in enumerate(objects):
        by_class.setdefault(entry.label, []).append(position)
    for positions in by_class.values():
        for first in range(0, len(positions), BATCH):
            chosen = positions[first : first + BATCH]
            rgb, depth, _, _ = render_batch([objects[i] for i in chosen], cameras[chosen], size)
            yield chosen, rgb, depth


def reference_views(count: int, views: int) -> list[int]:
    """Which of `views` cameras each reference picture is seen by, [count]."""
    # a class must not always meet the same views: step through all of them, once per round of classes
    stride = next(step for step in itertools.count(7, 2) if math.gcd(step, views) == 1)
    return [(i // len(CLASSES) * stride + i % len(CLASSES) * 5) % views for i in range(count)]


def reference_images(count: int, size: int, cameras: Cameras) -> Tensor:
    """Pictures of the reference split, uint8 [count, size, size, 3].

    Object i is REFERENCE_SEEDS[i] of class i mod 10 seen by one of `cameras`, so that classes and
    views appear equally often and no two pictures share an object.

    Args:
        count: number of pictures, at most a million.
        size: height and width, pixels.
        cameras: the views the evaluated pictures are taken from.
    """
    if not 0 < count <= len(REFERENCE_SEEDS):
        raise UserError(f"{count} reference images asked for; there are 1 to {len(REFERENCE_SEEDS)}.")
    objects = [sample(REFERENCE_SEEDS[i], i % len(CLASSES)) for i in range(count)]
    view = reference_views(count, len(cameras))
    images = torch.empty(count, size, size, 3, dtype=torch.uint8)
    for positions, rgb, _ in render_views(objects, cameras[view], size):
        images[positions] = rgb
    return images
