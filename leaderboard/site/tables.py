"""The entries of a protocol as tables: one a protocol hash, with the ranks that intervals leave open.

Who is ranked: active entries of competing methods that measured every scene, in each division for
itself. Within a column they must rest on equally many scenes or pictures, of the same version of the
metric; an entry that differs from most others there keeps its value and loses its rank, so that a
single small submission cannot take everybody's ranks away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...benchmark.roles import Role
from ...metrics.ranking import RankRange
from ...reports.curve_points import is_curve_point
from ...reports.numbers import NOTHING, decimals_for, format_number
from ...reports.rundir import Outcome
from ...reports.tables import FAMILIES, FURTHER, Column, ordered_metrics
from ..board import Board
from ..card import MethodCard
from ..entry import Entry, Lifecycle, MetricResult
from .definitions import Meaning
from .ranks import interval_ranks

__all__ = ["Cell", "Group", "Row", "Table", "columns_of", "lifecycle", "protocol_tables"]

TITLES = {
    "ceiling": "Ceiling, for reference",
    "closed": "Closed division",
    "open": "Open division",
    "cheat": "Cheats, for reference",
}
STATUS = {"failed": "failed", "not_run": "not run", "ok": "ok"}
ABSENT = "not in this entry"


@dataclass(frozen=True)
class Cell:
    """What stands at a crossing; without a `value`, `text` is a dash and `reason` says why.

    Args:
        rank: "1", or the range that the intervals leave open, such as "1-3" with an en dash; empty where nothing
            is ranked.
        best: surely better than every other ranked method.
        leads: no ranked method is surely better.
    """

    text: str
    value: float | None = None
    interval: str = ""
    n: int = 0
    rank: str = ""
    best: bool = False
    leads: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One entry; `cells` in the order of the table's columns."""

    entry: Entry
    card: MethodCard | None
    role: Role
    state: Lifecycle
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        return self.entry.method.name

    @property
    def title(self) -> str:
        return self.card.title if self.card else self.name

    @property
    def family(self) -> str:
        return self.card.family if self.card else "unknown"

    @property
    def lost(self) -> int:
        """Scenes that were asked for and not measured."""
        return max(self.entry.scenes.requested - self.entry.scenes.evaluated, len(self.entry.scenes.failed))

    @property
    def unranked(self) -> str:
        """Why the entry has no rank, or nothing where it may have one."""
        if self.role != "method":
            return "a reference, not a competitor"
        if self.state.status != "active":
            return self.state.status
        return f"lost {self.lost} of {self.entry.scenes.requested} scenes" if self.lost else ""


@dataclass(frozen=True)
class Group:
    """Rows under one heading: ceiling, closed, open or cheat."""

    key: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """All entries under one protocol hash."""

    protocol: str
    version: int
    hash: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]

    @property
    def rows(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows]

    @property
    def headlines(self) -> list[Column]:
        return [column for column in self.columns if column.headline]

    def place(self, metric: str) -> int:
        """The number of a metric's column."""
        return [column.definition.id for column in self.columns].index(metric)


def protocol_tables(board: Board, meanings: Mapping[str, Meaning]) -> dict[str, list[Table]]:
    """The tables of each protocol, the newest version first.

    Of one version with several hashes (a run on fewer scenes is one) the hash with the most entries comes first.
    """
    found: dict[str, list[Table]] = {}
    for protocol in board.protocols:
        by_hash: dict[tuple[int, str], list[Entry]] = {}
        for method in board.methods(protocol):
            entry = board.entries[protocol, method]
            by_hash.setdefault((entry.protocol.version, entry.protocol.hash), []).append(entry)
        order = sorted(by_hash, key=lambda key: (-key[0], -len(by_hash[key]), key[1]))
        found[protocol] = [_table(board, protocol, key, by_hash[key], meanings) for key in order]
    return found


def columns_of(
    ids: Iterable[str], values: Mapping[str, Sequence[Outcome]], meanings: Mapping[str, Meaning]
) -> list[Column]:
    """The columns of metric ids in the order of reports, with as many decimals as their values support."""
    columns = []
    for name in ordered_metrics({name: meanings[name].definition for name in ids}):
        stem = name.split("[")[0]
        family = next((title for title, stems in FAMILIES.items() if stem in stems.headline + stems.more), FURTHER)
        known = meanings[name].metric is not None
        headline = stem in FAMILIES[family].headline if family in FAMILIES else known
        decimals = decimals_for((o.value, o.half_width) for o in values.get(name, ()) if o.value is not None)
        columns.append(Column(meanings[name].definition, family, decimals, headline))
    return columns


def lifecycle(entry: Entry, card: MethodCard | None) -> Lifecycle:
    """Of the entry, or of its method where the entry itself is active."""
    return card.lifecycle if card and entry.lifecycle.status == "active" else entry.lifecycle


def _table(
    board: Board, protocol: str, key: tuple[int, str], entries: list[Entry], meanings: Mapping[str, Meaning]
) -> Table:
    ids = sorted({name for entry in entries for name in entry.metrics if not is_curve_point(name)})
    outcomes = {name: [_outcome(entry.metrics[name]) for entry in entries if name in entry.metrics] for name in ids}
    columns = columns_of(ids, outcomes, meanings)
    bare = [_bare_row(board, entry) for entry in entries]
    ranks = {
        (division, column.definition.id): _ranks(
            [row for row in bare if row.entry.division == division and not row.unranked], column
        )
        for division in ("closed", "open")
        for column in columns
    }
    groups: dict[str, list[Row]] = {key: [] for key in TITLES}
    for row in bare:
        division = row.entry.division
        cells = tuple(
            _cell(
                row.entry.metrics.get(column.definition.id), column, ranks[division, column.definition.id].get(row.name)
            )
            for column in columns
        )
        group = division if row.role == "method" else row.role
        groups[group].append(Row(row.entry, row.card, row.role, row.state, cells))
    filled = tuple(Group(key, TITLES[key], tuple(rows)) for key, rows in groups.items() if rows)
    return Table(protocol, *key, tuple(columns), filled)


def _bare_row(board: Board, entry: Entry) -> Row:
    name = entry.method.name
    card = board.cards.get(name)
    return Row(entry, card, board.role(name), lifecycle(entry, card), ())


def _ranks(rows: list[Row], column: Column) -> dict[str, RankRange]:
    higher = column.definition.higher_is_better
    if higher is None:
        return {}
    found = {row.name: row.entry.metrics.get(column.definition.id) for row in rows}
    fit = {
        name: (result, (result.value, result.ci_low, result.ci_high))
        for name, result in found.items()
        if result is not None
        and result.value is not None
        and result.ci_low is not None
        and result.ci_high is not None
        and result.ci_low <= result.value <= result.ci_high
    }
    if not fit:
        return {}
    counts = Counter((result.version, result.n) for result, _ in fit.values())
    common = max(counts, key=lambda basis: (counts[basis], basis))
    return interval_ranks(
        {name: numbers for name, (result, numbers) in fit.items() if (result.version, result.n) == common}, higher
    )


def _outcome(result: MetricResult) -> Outcome:
    return Outcome(result.value, result.ci_low, result.ci_high, result.n, result.status, result.reason or "")


def _cell(result: MetricResult | None, column: Column, rank: RankRange | None) -> Cell:
    if result is None:
        return Cell(NOTHING, reason=ABSENT)
    if result.value is None:
        return Cell(NOTHING, reason=f"{STATUS[result.status]}: {result.reason or 'no reason was given.'}")
    interval = ""
    if result.ci_low is not None and result.ci_high is not None:
        low, high = (format_number(bound, column.decimals) for bound in (result.ci_low, result.ci_high))
        interval = f"[{low}, {high}]"
    return Cell(
        format_number(result.value, column.decimals),
        result.value,
        interval,
        result.n,
        "" if rank is None else str(rank).replace("-", "\N{EN DASH}"),
        rank is not None and rank.worst == 1,
        rank is not None and rank.best == 1,
    )
