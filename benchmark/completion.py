"""Completion: a method is given part of a scene and asked, several times, for what the whole may be.

A protocol with a `completion:` part asks for each true scene K = `samples` times. All K requests
carry the same context and differ in their seed alone:

    scene      some views of the sweep are given, all of them are asked for
    motion     a picture is given, the picture of a moment later is asked for, and the flow to it
    inversion  part of a picture that a frozen generator drew is given, that generator's sweep asked for

Request n * K + k is sample k of true scene n.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ..scenes.generator import scene_generator
from .strict_yaml import StrictModel

__all__ = ["HIDDEN", "Completion", "FrozenGenerator", "Task", "given_part", "sample_seed"]

Task = Literal["scene", "motion", "inversion"]

HIDDEN = 128
"""The grey that stands where a context hides its picture."""

FIRST_SAMPLE_SEED = 1 << 52


class FrozenGenerator(StrictModel):
    """The generator whose scenes are completed; other weights are another protocol.

    Args:
        method: its registered name.
        sha256: of its weights, as its `info()` says.
    """

    method: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Completion(StrictModel):
    """What is given, what is asked for, and how often.

    Args:
        task: see above.
        samples: K, how often each scene is asked for.
        context: the views of the sweep that are given.
        shown: `half` hides one half of each given picture; see `given_part`.
        frozen: of task `inversion`: whose scenes.
    """

    task: Task
    samples: int = Field(ge=1, le=1000)
    context: list[int] = Field(default=[0], min_length=1)
    shown: Literal["all", "half"] = "all"
    frozen: FrozenGenerator | None = None

    @model_validator(mode="after")
    def _parts_fit_the_task(self) -> Completion:
        if min(self.context) < 0 or len(set(self.context)) != len(self.context):
            raise ValueError(f"context: {self.context} must be different views, counted from 0")
        if self.task == "motion" and self.context != [0]:
            raise ValueError("context: motion is given the one picture before; leave this key out")
        if (self.task == "inversion") != (self.frozen is not None):
            raise ValueError("frozen: names the generator of task `inversion`, and of no other task")
        return self


def sample_seed(seed: int, sample: int) -> int:
    """The seed of request number `sample` for the true scene of `seed`.

    The first 52 bits of the random stream "completion sample <sample>" of that scene, above 2^52: never
    the seed of a world's scene, so that a method cannot draw the truth by taking its seed for one,
    and exact in a float64, as which some readers of JSON take numbers.
    """
    bits = torch.randint(0, FIRST_SAMPLE_SEED, (), generator=scene_generator(seed, f"completion sample {sample}"))
    return FIRST_SAMPLE_SEED + int(bits)


def given_part(shown: Literal["all", "half"], seed: int, views: int, size: int) -> Tensor:
    """Which pixels of a context are given, bool, [views, size, size].

    `half` gives the left, right, upper or lower half, the same of all views: one of the four, drawn
    from the seed of the true scene. Of an odd size the given part is the smaller one.
    """
    mask = torch.ones(views, size, size, dtype=torch.bool)
    if shown == "half":
        side = int(torch.randint(4, (), generator=scene_generator(seed, "completion half")))
        near, far = slice(None, size - size // 2), slice(size // 2, None)
        hidden = [(slice(None), far), (slice(None), near), (far, slice(None)), (near, slice(None))][side]
        mask[(slice(None), *hidden)] = False
    return mask
