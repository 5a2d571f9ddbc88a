"""`Table`: every value a self-check measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..result import Definition
from .plan import CLEAN

__all__ = ["Subject", "Table", "clean_levels"]

Subject = tuple[str, int]


@dataclass
class Table:
    """Every value: metric id, then corruption, then level (0 = clean), then subject.

    For metrics of sets the "subjects" are the sets without one group of scenes each, as in the jackknife.
    Clean values are those of the corruption `CLEAN`, or a corruption's own level 0 where it has one.

    Args:
        values: the table.
        definitions: of all ids that were measured.
        bounds: range of each id, where the metric states one.
        reasons: why an id has no values at all, where none was measured.
    """

    values: dict[str, dict[str, dict[int, dict[Subject, float]]]]
    definitions: dict[str, Definition]
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def clean_levels(table: Table, key: str, corruption: str) -> dict[int, dict[Subject, float]]:
    """The values of `key` by level of `corruption`, the clean ones as level 0."""
    own = table.values[key][corruption]
    return own if 0 in own else {0: table.values[key][CLEAN][0], **own}
