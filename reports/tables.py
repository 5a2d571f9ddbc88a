"""The summary: methods by metrics, with intervals, sample counts, and reasons for what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .numbers import NOTHING, decimals_for, format_number
from .rundir import Definition, Method, Outcome, RunFiles

__all__ = ["Cell", "Column", "Group", "Note", "Row", "Summary", "flatten", "ordered_metrics", "summarise"]

FAMILIES = {
    "Pictures": ("fid", "kid", "is", "precision", "recall", "class_accuracy"),
    "Consistency": ("warp_psnr", "warp_mse", "covisible", "geometric_share"),
    "Shape": ("nfs", "plane_residual"),
}
"""Headings of neighbouring columns, by the stem of the metric's id; the rest goes under FURTHER."""

FURTHER = "Further"

ROLE_TITLES = {
    "ceiling": "Ceiling",
    "method": "Methods",
    "cheat": "Cheats",
}


@dataclass(frozen=True)
class Column:
    """One metric: `arrow` is up, down or empty; `decimals` hold for all its cells."""

    definition: Definition
    family: str
    decimals: int

    @property
    def arrow(self) -> str:
        return {True: "↑", False: "↓", None: ""}[self.definition.higher_is_better]

    @property
    def direction(self) -> str:
        words = {True: "higher is better", False: "lower is better", None: "neither direction is better"}
        return words[self.definition.higher_is_better]

    @property
    def unit(self) -> str:
        return "" if self.definition.unit in ("", "1") else self.definition.unit


@dataclass(frozen=True)
class Cell:
    """What stands at a crossing; `text` is a dash and `note` points to its reason without a number."""

    text: str
    interval: str = ""
    n: int = 0
    best: bool = False
    note: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    method: Method
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one heading: the ceiling, the methods that compete, the cheats."""

    role: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Note:
    """Why some cells hold no number."""

    number: int
    status: str
    reason: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    notes: tuple[Note, ...]

    @property
    def families(self) -> list[tuple[str, int]]:
        """Headings above the columns, each with the number of columns it spans."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.family:
                spans[-1] = (column.family, spans[-1][1] + 1)
            else:
                spans.append((column.family, 1))
        return spans


def summarise(run: RunFiles) -> Summary:
    """The summary table of a run.

    The best value of a column is sought among competing methods alone: neither the ceiling nor
    a cheat can win, and a metric without a direction has no winner.
    """
    columns = tuple(_column(run, name) for name in ordered_metrics(run.definitions))
    best = {column.definition.id: _best(run, column.definition) for column in columns}
    notes: dict[tuple[str, str], tuple[int, dict[str, list[str]]]] = {}
    rows = []
    for method in run.methods:
        cells = []
        for column in columns:
            outcome = method.outcome(column.definition.id)
            number = _note(notes, method, column, outcome)
            cells.append(_cell(outcome, column, number, method.name in best[column.definition.id]))
        rows.append(Row(method, tuple(cells)))
    groups = []
    for role, title in ROLE_TITLES.items():
        members = tuple(row for row in rows if row.method.role == role)
        if members:
            groups.append(Group(role, title, members))
    listed = tuple(
        Note(number, *key, tuple(_place(title, names, len(run.methods)) for title, names in where.items()))
        for key, (number, where) in notes.items()
    )
    return Summary(columns, tuple(groups), listed)


def ordered_metrics(definitions: Mapping[str, Definition]) -> list[str]:
    """Metric ids, family by family; within a family in the order of `FAMILIES`, then by id."""
    order = {stem: place for place, stem in enumerate(stem for stems in FAMILIES.values() for stem in stems)}
    return sorted(definitions, key=lambda name: (order.get(_stem(name), len(order)), name))


def flatten(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Nested JSON as lines of a table: ((key, key ...), text); a list of plain values takes one line."""
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in flatten(inner, (*path, str(key)))]
    if isinstance(value, list | tuple):
        if any(
            (isinstance(inner, Mapping) and not _is_flat(inner)) or isinstance(inner, list | tuple) for inner in value
        ):
            return [line for place, inner in enumerate(value) for line in flatten(inner, (*path, str(place + 1)))]
        return [(path, ", ".join(_plain(inner) for inner in value) or "none")]
    return [(path, _plain(value))]


def _plain(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(
            str(inner) if key in ("id", "name") else f"{key} {_plain(inner)}" for key, inner in value.items()
        )
    return str(value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(inner, Mapping | list | tuple) for inner in value.values())


def _stem(name: str) -> str:
    return name.split("[")[0]


def _column(run: RunFiles, name: str) -> Column:
    outcomes = [method.outcome(name) for method in run.methods]
    family = next((title for title, stems in FAMILIES.items() if _stem(name) in stems), FURTHER)
    decimals = decimals_for((outcome.value, outcome.half_width) for outcome in outcomes if outcome.value is not None)
    return Column(run.definitions[name], family, decimals)


def _best(run: RunFiles, definition: Definition) -> set[str]:
    """Names of the competing methods with the best value; several when they are equal."""
    if definition.higher_is_better is None:
        return set()
    values = {
        method.name: outcome.value
        for method in run.methods
        if method.role == "method" and (outcome := method.outcome(definition.id)).value is not None
    }
    if not values:
        return set()
    record = (max if definition.higher_is_better else min)(values.values())
    return {name for name, value in values.items() if value == record}


def _cell(outcome: Outcome, column: Column, note: int | None, best: bool) -> Cell:
    if outcome.value is None:
        return Cell(NOTHING, note=note, reason=f"{_status(outcome)}: {outcome.reason}")
    interval = ""
    if outcome.low is not None and outcome.high is not None:
        low, high = (format_number(bound, column.decimals) for bound in (outcome.low, outcome.high))
        interval = f"[{low}, {high}]"
    return Cell(format_number(outcome.value, column.decimals), interval, outcome.n, best)


def _status(outcome: Outcome) -> str:
    return {"failed": "failed", "not_run": "not run"}.get(outcome.status, outcome.status)


def _note(
    notes: dict[tuple[str, str], tuple[int, dict[str, list[str]]]], method: Method, column: Column, outcome: Outcome
) -> int | None:
    if outcome.value is not None:
        return None
    number, where = notes.setdefault((_status(outcome), outcome.reason), (len(notes) + 1, {}))
    where.setdefault(column.definition.title, []).append(method.name)
    return number


def _place(title: str, names: list[str], methods: int) -> str:
    everyone = len(names) == methods > 1
    return f"{title}, {'all methods' if everyone else ', '.join(names)}"
