"""The one interface every method implements: requests in, scenes out.

A generator turns requests into scenes, in order. All randomness comes from the request's seed, so a
request gives the same scene alone, in any batch and on any worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from .cameras import Cameras
from .scene import Scene

__all__ = ["TASKS", "Generator", "GeneratorInfo", "Request", "scene_generator"]

TASKS = ("sweep", "scene", "motion", "inversion")
"""What a method can be asked for, see `GeneratorInfo`."""


@dataclass(frozen=True, eq=False)
class Request:
    """One scene to draw.

    Args:
        index: position in the protocol's list of scenes.
        seed: the only source of randomness for this scene.
        cameras: the views to draw, in this order.
        size: image height and width in pixels.
        label: class index asked for; None for unconditional methods and data.
        context: the views given to the generator (completion tasks); of its pixels, those of its mask.
        sample: which of the samples of one scene this is (completion tasks); they differ in `seed`.
    """

    index: int
    seed: int
    cameras: Cameras
    size: int
    label: int | None = None
    context: Scene | None = None
    sample: int = 0


@dataclass(frozen=True)
class GeneratorInfo:
    """What a method can do; recorded with its results.

    Args:
        name: the registered name, family-configuration.
        description: one sentence for people.
        version: changes whenever the same request would give another scene.
        has_depth: whether scenes carry depth.
        yaw_limit: largest azimuth off the front it was made for, radians; pi = full circle.
        native_size: image size it was trained at, or None where any size works.
        classes: names of the classes it can be asked for; empty = unconditional.
        weights_sha256: hash of the weights, or None for methods without any.
        details: further settings worth printing (steps, guidance ...).
        tasks: what it can be asked for: "sweep" (scenes from nothing but a seed), or completions of
            a context: "scene" (its other views), "motion" (the frame after), "inversion" (the scene
            of a frozen generator behind part of a picture).
    """

    name: str
    description: str
    version: str = "1"
    has_depth: bool = True
    yaw_limit: float = 3.141592653589793
    native_size: int | None = None
    classes: tuple[str, ...] = ()
    weights_sha256: str | None = None
    details: dict[str, str | int | float | bool] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("sweep",)


@runtime_checkable
class Generator(Protocol):
    """A method under test."""

    def info(self) -> GeneratorInfo:
        """What this generator is and can do."""
        ...

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request, in order; each carries its request's seed, label and cameras."""
        ...


def scene_generator(seed: int, stream: str) -> torch.Generator:
    """The random numbers of one purpose (`stream`) within the scene of `seed`.

    Separate streams keep a scene the same when one purpose starts to draw more numbers.
    """
    mixed = 0xCBF29CE484222325  # 64-bit FNV-1a: stable across Python versions, unlike hash()
    for byte in f"{stream}\0{seed}".encode():
        mixed = ((mixed ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return torch.Generator().manual_seed(mixed & 0x7FFFFFFFFFFFFFFF)
