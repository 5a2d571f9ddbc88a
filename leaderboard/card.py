"""`MethodCard`: what a method is, as it lies in ``leaderboard/methods/<method>.yml``; and numbers from papers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..benchmark.strict_yaml import StrictModel
from .entry import Day, Division, Lifecycle, Line, Name, Number, Sha256, Size, Text, Url

__all__ = ["CARD_VERSION", "MethodCard", "Reported", "ReportedNumber"]

CARD_VERSION = 1

BibTex = Annotated[str, StringConstraints(max_length=4_000, pattern=r"^\s*@\w+\{")]


class Licences(StrictModel):
    """Of code, weights and training data each; SPDX names where there are such."""

    code: Line
    weights: Line
    training_data: Line


class Weights(StrictModel):
    """The weights that drew the scenes."""

    sha256: Sha256
    bytes: Size | None = None
    url: Url | None = None


class Training(StrictModel):
    """What a method learnt from.

    Args:
        data: data sets.
        supervision: beyond the pictures themselves.
        poses: what it knew of cameras.
        cost: in words, such as ``8 V100 for 5 days``.
    """

    data: list[Line] = Field(max_length=50)
    supervision: list[Literal["none", "poses", "depth", "3d", "multi-view", "labels", "text"]] = Field(max_length=7)
    poses: Literal["none", "prior", "known", "estimated"]
    cost: Line = ""


class MethodCard(StrictModel):
    """A method, for people.

    Args:
        family: such as ``diffusion``, ``gan``, ``reference``.
        conditions: how it departs from the protocols' data and conditions; required in the open division.
        limits: known ones.
        reported: the board's numbers from papers (names in ``reported/``) that are of the same method.
    """

    schema_version: Literal[1]
    name: Name
    title: Line
    version: Line
    family: Name
    description: Text
    authors: list[Line] = Field(min_length=1, max_length=100)
    paper: Url | None = None
    code: Url | None = None
    weights: Weights | None = None
    licences: Licences
    training: Training
    division: Division = "closed"
    conditions: Text = ""
    resolution: Annotated[int, Field(ge=1, le=65_536)] | None = None
    parameters: Size | None = None
    limits: list[Text] = Field(default_factory=list, max_length=50)
    citation: BibTex | None = None
    reported: list[Name] = Field(default_factory=list, max_length=20)
    lifecycle: Lifecycle = Lifecycle()


class ReportedNumber(StrictModel):
    """One number as somebody else gave it.

    Args:
        conditions: of that measurement: data, resolution, how many pictures, which views.
    """

    metric: Line
    value: Number
    dataset: Line
    conditions: Text


class Reported(StrictModel):
    """Numbers from a paper, in ``leaderboard/reported/<name>.yml``: shown beside the board, never ranked with it.

    Args:
        evidence: `authors`: in the method's own paper; `second-hand`: measured by somebody else's.
        source: where the numbers stand (table, page).
    """

    schema_version: Literal[1]
    name: Name
    title: Line
    evidence: Literal["authors", "second-hand"]
    source: Text
    url: Url
    read: Day
    numbers: list[ReportedNumber] = Field(min_length=1, max_length=200)
