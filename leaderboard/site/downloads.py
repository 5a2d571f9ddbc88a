"""The numbers of the board to take away: CSV, JSON, LaTeX, BibTeX. Same board, same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...reports.escapes import for_latex, for_spreadsheet
from ...reports.tables import Column
from ..board import Board
from ..entry import Entry
from .definitions import Meaning
from .tables import Cell, Row, Table

__all__ = ["bibtex", "csv_of", "data_json", "json_of", "latex_of"]

CSV_COLUMNS = (
    *("protocol", "version", "hash", "method", "role", "division", "tier", "status", "metric", "metric_version"),
    *("value", "ci_low", "ci_high", "n", "result", "reason", "rank"),
)
RECORD = re.compile(r"^(?=[ \t]*@\w+\s*\{)", re.MULTILINE)
KEY = re.compile(r"@\w+\s*\{\s*([^\s,}]+)")
COMMANDS = re.compile(r"@\s*(preamble|string|include)\b", re.IGNORECASE)


def csv_of(tables: Iterable[Table]) -> str:
    """One line an entry and metric, points of curves included; text that a spreadsheet would run is quoted off."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        ids = [column.definition.id for column in table.columns]
        for row in table.rows:
            cells = dict(zip(ids, row.cells, strict=True))
            for name in sorted(row.entry.metrics):
                writer.writerow([for_spreadsheet(value) for value in _line(row, name, cells.get(name))])
    return out.getvalue()


def json_of(tables: Iterable[Table], meanings: Mapping[str, Meaning]) -> str:
    """The entries of one protocol as they are, with roles, tiers and ranks, and what the metrics mean."""
    listed = list(tables)
    used = sorted({name for table in listed for row in table.rows for name in row.entry.metrics})
    return _dump(
        {
            "schema": "viewsweep.site-protocol/1",
            "protocol": listed[0].protocol if listed else None,
            "metrics": {name: _definition(meanings[name]) for name in used},
            "tables": [
                {"version": table.version, "hash": table.hash, "entries": [_row(table, row) for row in table.rows]}
                for table in listed
            ],
        }
    )


def data_json(board: Board, tables: Mapping[str, Sequence[Table]], meanings: Mapping[str, Meaning]) -> str:
    """The whole board in one file."""
    return _dump(
        {
            "schema": "viewsweep.site/1",
            "metrics": {name: _definition(meaning) for name, meaning in sorted(meanings.items())},
            "entries": [_row(table, row) for name in sorted(tables) for table in tables[name] for row in table.rows],
            "cards": {name: card.model_dump(mode="json") for name, card in sorted(board.cards.items())},
            "reported": {name: numbers.model_dump(mode="json") for name, numbers in sorted(board.reported.items())},
        }
    )


def latex_of(table: Table) -> str:
    """The headline columns as a booktabs table; bold is surely better than every other ranked method."""
    chosen = [(place, column) for place, column in enumerate(table.columns) if column.headline]
    heads = " & ".join(for_latex(column.definition.title) + _arrow(column) for _, column in chosen)
    lines = [
        f"% {table.protocol}, version {table.version}, hash {table.hash}",
        "% needs booktabs; intervals are 95 %; bold: surely better than every other ranked method of its division",
        r"\begin{tabular}{l" + "r" * len(chosen) + "}",
        r"\toprule",
        f"Method & {heads} \\\\",
    ]
    for group in table.groups:
        lines += [r"\midrule", rf"\multicolumn{{{len(chosen) + 1}}}{{l}}{{\emph{{{for_latex(group.title)}}}}} \\"]
        for row in group.rows:
            if row.state.status == "active":
                lines.append(" & ".join([for_latex(row.name), *(_tex_cell(row.cells[k]) for k, _ in chosen)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def bibtex(board: Board) -> str:
    """The citations of all cards, the first of each key; one with BibTeX commands is left to the reader's own eye.

    BibTeX refuses a file that gives a key twice, and takes keys that differ in case for the same.
    """
    found: dict[str, str] = {}
    for name, card in sorted(board.cards.items()):
        if card.citation is None:
            continue
        if COMMANDS.search(card.citation):
            found[f"% {name}"] = f"% {name}: its citation holds commands; see its page."
            continue
        for record in filter(None, map(str.strip, RECORD.split(card.citation))):
            key = KEY.match(record)
            found.setdefault(key[1].lower() if key else record, record)
    return "\n\n".join(found.values()) + "\n"


def _line(row: Row, name: str, cell: Cell | None) -> list[object]:
    entry, result = row.entry, row.entry.metrics[name]
    protocol = entry.protocol
    return [
        *(protocol.name, protocol.version, protocol.hash, row.name, row.role, entry.division, entry.tier),
        *(row.state.status, name, result.version, result.value, result.ci_low, result.ci_high, result.n),
        *(result.status, result.reason, cell.rank.replace("\N{EN DASH}", "-") if cell else ""),
    ]


def _row(table: Table, row: Row) -> dict[str, Any]:
    ranks = {
        column.definition.id: cell.rank.replace("\N{EN DASH}", "-")
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.rank
    }
    return _entry(row.entry) | {"role": row.role, "tier": row.entry.tier, "status": row.state.status, "ranks": ranks}


def _entry(entry: Entry) -> dict[str, Any]:
    return entry.model_dump(mode="json")


def _definition(meaning: Meaning) -> dict[str, Any]:
    own = meaning.definition
    return {
        "title": own.title,
        "unit": own.unit,
        "version": own.version,
        "higher_is_better": own.higher_is_better,
        "description": own.description,
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")) + "\n"


def _arrow(column: Column) -> str:
    return {"↑": r" $\uparrow$", "↓": r" $\downarrow$", "": ""}[column.arrow]


def _tex_cell(cell: Cell) -> str:
    if cell.value is None:
        return "--"
    value = rf"\textbf{{{for_latex(cell.text)}}}" if cell.best else for_latex(cell.text)
    return value + (rf" {{\scriptsize {for_latex(cell.interval)}}}" if cell.interval else "")
