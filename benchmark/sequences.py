"""Which sequences and which of their frames a protocol takes of a data set of posed videos.

`frames` stands where other protocols have a sweep: the cameras are those of the video, so they come with the data,
and a protocol alone knows how many views there are but not where. `sequences` says which videos. The scenes
of a protocol are the first ones that can be used, in the order of the data set's own list:

    re10k   ids of a split in the order of ``<split>_ids.txt``, or by name
    co3d    categories in the order given, in each the sequences of a set list by name
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from ..scenes.cameras import Cameras
from ..scenes.errors import UserError
from .strict_yaml import StrictModel

__all__ = ["Co3dSequences", "FramesOfVideo", "Re10kSequences", "Sequences"]

Index = Annotated[int, Field(ge=0, le=100_000)]


class FramesOfVideo(StrictModel):
    """Frames of each sequence, counted from 0.

    Args:
        frames: those that are asked for, ascending. The ones that are given are among them, so that a scene
            can be held against what it was made from.
        unit: of lengths. `source`: as the data set has it, which is arbitrary; `median_depth`: such that the
            median z-depth of the sequence is 1.6.

    The world of each scene is turned and moved so that the camera of the given view stands at (0, 0, 1.6) and looks
    at the origin (see `posed_sequence.context_world`).
    """

    shared: ClassVar[bool] = False

    kind: Literal["frames"]
    frames: list[Index] = Field(min_length=1, max_length=256)
    unit: Literal["source", "median_depth"] = "source"

    @field_validator("frames")
    @classmethod
    def _ascend(cls, frames: list[int]) -> list[int]:
        if any(one >= other for one, other in pairwise(frames)):
            raise ValueError("frames must ascend, each named once")
        return frames

    @property
    def length(self) -> int:
        """How many frames a sequence must have."""
        return self.frames[-1] + 1

    def cameras(self, seed: int | None = None) -> Cameras:
        """Never known without the data."""
        raise UserError("The cameras of a `frames` sweep come with the data; give its folder with --data.")


class Re10kSequences(StrictModel):
    """Sequences of a split of RealEstate10K."""

    split: Literal["train", "test"] = "test"


class Co3dSequences(StrictModel):
    """Sequences of a part of a set list of CO3D.

    Args:
        categories: names of their folders.
        subset: which set list.
        part: which of its three parts; frames are those listed there, by frame number.
        each: how many sequences of each category at most.
    """

    categories: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]] = Field(min_length=1, max_length=64)
    subset: str = Field(default="fewview_dev", pattern=r"^[a-z][a-z0-9_]{0,63}$")
    part: Literal["train", "val", "test"] = "val"
    each: int = Field(default=10, ge=1, le=10_000)

    @model_validator(mode="after")
    def _once(self) -> Co3dSequences:
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("categories: each must be named once")
        return self


def _kind(value: Any) -> str:
    has = "categories" in value if isinstance(value, dict) else isinstance(value, Co3dSequences)
    return "co3d" if has else "re10k"


Sequences = Annotated[
    Annotated[Re10kSequences, Tag("re10k")] | Annotated[Co3dSequences, Tag("co3d")], Discriminator(_kind)
]
"""Part of a protocol; which of the two it is follows from whether it names categories."""
