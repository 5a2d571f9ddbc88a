"""`Entry`: what a method reached under one protocol, as it lies in ``leaderboard/entries/<protocol>/<method>.json``.

The numbers of an entry can be computed again from the scenes it names by hash. What an entry is trusted with (its
tier) follows from the checks recorded in it; those are recorded by whoever maintains the board, and a request that
brings some of its own is refused (`checks.kept`). What sampling took is the submitter's word alone.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from ..benchmark.strict_yaml import StrictModel

__all__ = [
    "ENTRY_VERSION",
    "Attestation",
    "Division",
    "Entry",
    "FileRecord",
    "Lifecycle",
    "MetricResult",
    "Tier",
]

ENTRY_VERSION = 1

Tier = Literal["verified", "spot-checked", "submitted", "reported"]
Division = Literal["closed", "open"]

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Line = Annotated[str, StringConstraints(max_length=500)]
Text = Annotated[str, StringConstraints(max_length=4_000)]
URL = r"^https://[^\s\"'<>]{1,480}$"
Url = Annotated[str, StringConstraints(pattern=URL)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Size = Annotated[int, Field(ge=0, le=1_000_000_000_000_000)]
"""Bytes, or parameters of a network: both pass a thousand million easily."""


def _iso_day(value: Any) -> Any:
    """Text as in JSON, or what YAML made of it; no seconds since 1970, and no time of day."""
    if type(value) is datetime.date or (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError("write a day as 2026-01-31")


Day = Annotated[datetime.date, Field(strict=False), BeforeValidator(_iso_day)]


class MetricResult(StrictModel):
    """One number with its 95 % interval, or why there is none."""

    version: Annotated[int, Field(ge=1)]
    value: Number | None
    ci_low: Number | None = None
    ci_high: Number | None = None
    n: Count = 0
    status: Literal["ok", "failed", "not_run"]
    reason: Text | None = None


class ProtocolRecord(StrictModel):
    """Which protocol; numbers under different hashes never share a column.

    Args:
        pictures: sha256 of the real pictures or videos, where the protocol takes them from a folder; part of `hash`.
    """

    name: Name
    version: Annotated[int, Field(ge=1)]
    hash: Sha256
    pictures: Sha256 | None = None


class MethodRecord(StrictModel):
    """Which state of the method drew the scenes.

    Args:
        revision: the method's own version.
        weights_sha256: None where it has no weights.
        details: what else it says of itself, as in ``run.json``.
    """

    name: Name
    revision: Line
    weights_sha256: Sha256 | None = None
    details: dict[Line, Any] = Field(default_factory=dict)


class FailedScene(StrictModel):
    """A scene without a result."""

    index: Count
    reason: Text


class Scenes(StrictModel):
    """How many scenes (samples, in completion) were asked for and how many were measured, and their seeds."""

    requested: Count
    evaluated: Count
    failed: list[FailedScene] = Field(default_factory=list, max_length=10_000)
    split: Line
    seeds_sha256: Sha256
    """Of the scenes' seeds in order of their index, one a line."""


class FileRecord(StrictModel):
    """A file by its content; `url` where others can fetch it."""

    sha256: Sha256
    bytes: Size
    url: Url | None = None


class Archive(FileRecord):
    """The archive of the scenes that were measured."""

    scenes: Count


class PerScene(FileRecord):
    """The table of values behind the results, which lies beside the entry as ``<method>.parquet``."""

    rows: Count


class Cost(StrictModel):
    """What sampling took, as the run recorded it; of all this only `views` can be found again from the scenes.

    Args:
        seconds: wall time for all scenes.
        views: pictures drawn.
        peak_memory_bytes: of the process, where it was recorded.
    """

    seconds: Number | None = None
    views: Count = 0
    peak_memory_bytes: Size | None = None

    @property
    def seconds_per_view(self) -> float | None:
        return None if self.seconds is None or not self.views else self.seconds / self.views


class Attestation(StrictModel):
    """A check that somebody who maintains the board made, and how it ended.

    Args:
        kind: `verified`: all metrics recomputed from the archive; `spot-checked`: some seeds drawn again.
        by: who.
        seeds: how many seeds were drawn again (`spot-checked`).
        largest_difference: relative, over all that was compared.
    """

    kind: Literal["verified", "spot-checked"]
    by: Line
    date: Day
    viewsweep: Line
    seeds: Count = 0
    largest_difference: Number = 0.0


class Lifecycle(StrictModel):
    """Whether an entry still stands; what is withdrawn or superseded stays readable, with date and reason."""

    status: Literal["active", "superseded", "withdrawn"] = "active"
    date: Day | None = None
    successor: Name | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.status != "active" and (self.date is None or not self.reason):
            raise ValueError(f"an entry that is {self.status} needs a date and a reason.")
        return self


class Entry(StrictModel):
    """One row of the board.

    Args:
        division: `closed`: the protocol's data and conditions; `open`: anything else, said in the method's card.
        metrics: by id, as in ``results.json``.
        environment: of the run, as in ``run.json``.
        command: what makes the run again.
    """

    schema_version: Literal[1]
    protocol: ProtocolRecord
    method: MethodRecord
    division: Division
    submitted: Day
    scenes: Scenes
    metrics: dict[Line, MetricResult] = Field(min_length=1, max_length=500)
    per_scene: PerScene
    archive: Archive
    cost: Cost
    environment: dict[Line, Any] = Field(default_factory=dict)
    viewsweep: Line
    command: Text
    attestations: list[Attestation] = Field(default_factory=list, max_length=100)
    lifecycle: Lifecycle = Lifecycle()

    @property
    def tier(self) -> Tier:
        """The highest check recorded: verified, spot-checked, or else submitted."""
        kinds = {attestation.kind for attestation in self.attestations}
        return "verified" if "verified" in kinds else "spot-checked" if "spot-checked" in kinds else "submitted"
