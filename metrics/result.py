"""What a metric hands back: a value with its interval, or the reason why there is none.

A result is one of three things, never a bare number:

    ok        a finite value, its 95 % interval where the sample allows one, and the sample count
    failed    some of the input was there, but the number would be wrong without the rest
    not_run   what the metric needs is not there at all

`failed` and `not_run` carry a sentence for people and no value; nothing is ever 0 or NaN instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

__all__ = ["Definition", "MetricResult", "Row", "Status"]

Status = Literal["ok", "failed", "not_run"]


@dataclass(frozen=True)
class MetricResult:
    """One number of one method, or why it is missing.

    Args:
        value: the number; None unless `status` is ok.
        ci_low, ci_high: 95 % interval; both None where one unit alone was measured.
        n: sample count: scenes, or images for the metrics of sets (FID, KID, IS).
        status: ok, failed or not_run.
        reason: one sentence for people; None exactly when `status` is ok.

    Raises:
        ValueError: a value without ok, ok without a value, numbers that are not finite, an
            interval that is half or upside down, a missing reason.
    """

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    status: Status
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status is {self.status!r}; it must be one of {', '.join(get_args(Status))}.")
        if (self.status == "ok") != (self.value is not None):
            raise ValueError(f"status is {self.status} but value is {self.value}; exactly ok results carry a value.")
        if (self.status == "ok") == bool(self.reason):
            raise ValueError(f"status is {self.status} but reason is {self.reason!r}; all but ok results carry one.")
        numbers = [number for number in (self.value, self.ci_low, self.ci_high) if number is not None]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"a result must be finite, not {numbers}.")
        if len(numbers) == 2 or (len(numbers) == 3 and not numbers[1] <= numbers[0] <= numbers[2]):
            raise ValueError(f"the interval [{self.ci_low}, {self.ci_high}] does not enclose the value {self.value}.")

    @classmethod
    def ok(cls, value: float, interval: tuple[float, float] | None, n: int) -> MetricResult:
        """A measured value; `interval` is None where the sample allows none."""
        low, high = interval or (None, None)
        return cls(value, low, high, n, "ok")

    @classmethod
    def failed(cls, reason: str, n: int = 0) -> MetricResult:
        """Measured in part, so that the number would be wrong."""
        return cls(None, None, None, n, "failed", reason)

    @classmethod
    def not_run(cls, reason: str, n: int = 0) -> MetricResult:
        """What the metric needs is not there."""
        return cls(None, None, None, n, "not_run", reason)

    def to_json(self) -> dict[str, float | int | str | None]:
        """The six keys of results.json; floats are finite or null."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> MetricResult:
        """The inverse of `to_json`; raises ValueError where a key is missing or makes no sense."""
        names = ("value", "ci_low", "ci_high", "n", "status", "reason")
        missing = [name for name in names if name not in entry]
        if missing:
            raise ValueError(f"a metric result lacks {', '.join(missing)}.")
        value, low, high = (None if entry[name] is None else float(entry[name]) for name in names[:3])
        return cls(value, low, high, int(entry["n"]), cast("Status", entry["status"]), entry["reason"])


@dataclass(frozen=True)
class Definition:
    """What a metric id stands for, as printed in reports.

    Args:
        id: unique name, with the feature network in brackets where there is one.
        title: a few words for a column head.
        version: changes whenever the same scenes would give another number.
        unit: of the value; empty where it has none.
        higher_is_better: None where the number only helps to read others.
        description: one or two sentences: what is measured, range, what the extremes mean.
    """

    id: str
    title: str
    version: int
    unit: str
    higher_is_better: bool | None
    description: str

    def to_json(self) -> dict[str, str | int | bool | None]:
        """Everything but the id, which is the key in results.json."""
        entry = asdict(self)
        del entry["id"]
        return entry


@dataclass(frozen=True)
class Row:
    """One line of the per-scene table.

    Args:
        index: the scene's position in the protocol.
        metric: metric id.
        view: view index, or -1 for the whole scene.
        yaw_deg: azimuth of the view, degrees in [-180, 180); NaN for the whole scene.
        value: what was measured, finite.
    """

    index: int
    metric: str
    view: int
    yaw_deg: float
    value: float
