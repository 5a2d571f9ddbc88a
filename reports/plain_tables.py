"""Every table of a report as rows of plain values, to be written as CSV, LaTeX or Markdown.

CSV holds every number in full, with interval, count and rank in columns of their own; LaTeX and Markdown hold
what is read: value and interval as the report prints them, the sure winner in bold.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .comparing import differences, sides, standings
from .distributions import extremes, scene_values
from .escapes import for_latex, for_spreadsheet
from .numbers import NOTHING
from .provenance import costs
from .ranks import competitors
from .rundir import RunFiles
from .tables import Summary, Table, summarise
from .view_range import range_tables

__all__ = ["FORMATS", "PlainTable", "plain_tables"]

Value = str | float | int | None


@dataclass(frozen=True)
class PlainTable:
    """A table without layout.

    Args:
        name: for a file, such as ``results-pictures``.
        title: for a caption.
        head, rows: what is read; `bold` are cells (row, column) to be printed so.
        exact_head, exact_rows: the same with every number in full; empty where that is no different.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    bold: frozenset[tuple[int, int]] = frozenset()
    exact_head: tuple[str, ...] = ()
    exact_rows: tuple[tuple[Value, ...], ...] = ()


def plain_tables(run: RunFiles) -> list[PlainTable]:
    """All tables of the report of a run that hold anything."""
    summary = summarise(run)
    found = [_results(part.title or "Results", part.table, part.hidden) for part in summary.parts]
    found += _comparisons(run)
    found += _ranges(run)
    found += _extremes(run, summary)
    lost = tuple((m.name, run.called(failure.index), failure.reason) for m in run.methods for failure in m.failed)
    found.append(PlainTable("failures", "Failures", ("Method", "Scene", "Reason"), lost))
    found.append(_costs(run))
    return [table for table in found if table.rows]


def _results(title: str, table: Table, hidden: frozenset[str]) -> PlainTable:
    shown = [place for place, own in enumerate(table.columns) if own.definition.id not in hidden]
    heads, bold, exact = ["Method"], set(), []
    rows: list[tuple[Value, ...]] = []
    for place in shown:
        own = table.columns[place]
        heads.append(
            " ".join(part for part in (own.definition.title, f"({own.unit})" * bool(own.unit), own.arrow) if part)
        )
    for group in table.groups:
        for row in group.rows:
            line: list[Value] = [row.method.name]
            for place in shown:
                cell = row.cells[place]
                if cell.best:
                    bold.add((len(rows), len(line)))
                line.append(f"{cell.text} {cell.interval}".strip())
            rows.append(tuple(line))
            full: list[Value] = [row.method.name, group.role]
            for cell in row.cells:
                full += [cell.value, cell.low, cell.high, cell.n, cell.rank.replace("\N{EN DASH}", " to "), cell.reason]
            exact.append(tuple(full))
    names = [own.definition.id for own in table.columns]
    exact_head = ["method", "role"]
    for name in names:
        exact_head += [name, *(f"{name} {part}" for part in ("low", "high", "n", "rank", "reason"))]
    name = "results" if title == "Results" else f"results-{slug(title)}"
    return PlainTable(name, title, tuple(heads), tuple(rows), frozenset(bold), tuple(exact_head), tuple(exact))


def _comparisons(run: RunFiles) -> list[PlainTable]:
    if len(competitors(run)) < 2:
        return []
    found, _ = differences(run, sides(run), headlines=False)
    rows = tuple((d.column.definition.title, d.pair.first, d.pair.second, d.size, d.chance, d.verdict) for d in found)
    exact = tuple(
        (
            *(d.column.definition.id, d.pair.first, d.pair.second, d.pair.difference, d.pair.low, d.pair.high),
            *(d.pair.p, d.pair.p_holm, d.pair.improvement, d.pair.cliffs_delta, d.pair.better),
        )
        for d in found
    )
    exact_head = (
        *("metric", "first", "second", "difference", "low", "high"),
        *("p", "p_holm", "improvement", "cliffs_delta", "better"),
    )
    head = ("Metric", "First", "Second", "First less second", "p, corrected", "Verdict")
    won = tuple((s.first, s.second, len(s.better_on), s.compared_on, ", ".join(s.better_on)) for s in standings(found))
    return [
        PlainTable("differences", "Differences", head, rows, frozenset(), exact_head, exact),
        PlainTable("standings", "Who is surely better", ("Method", "Better than", "On", "Of", "Metrics"), won),
    ]


def _ranges(run: RunFiles) -> list[PlainTable]:
    found = []
    for table in range_tables(run):
        head = ("Method", *(f"{degrees:g}° ({views} views)" for views, degrees in table.ranges))
        rows = tuple((m.name, *(f"{c.text} {c.interval}".strip() for c in cells)) for m, cells in table.rows)
        own = table.column.definition
        found.append(PlainTable(f"range-{slug(own.id)}", f"{own.title} over the range of views", head, rows))
    return found


def _extremes(run: RunFiles, summary: Summary) -> list[PlainTable]:
    rows = []
    for own in summary.columns:
        values = scene_values(run.scene_rows, own.definition.id)
        for end in extremes(run, own, values):
            rows.append((own.definition.title, end.method, end.best.text, end.worst.text))
    title = "Best and worst scenes"
    return [PlainTable("best-and-worst-scenes", title, ("Metric", "Method", "Best", "Worst"), tuple(rows))]


def _costs(run: RunFiles) -> PlainTable:
    found = costs(run)
    counted = "sample" if run.samples > 1 else "scene"
    rows = tuple((cost.method.name, cost.total, cost.each, cost.memory) for cost in found)
    exact = tuple(
        (cost.method.name, cost.method.seconds, cost.seconds, cost.method.peak_memory_bytes) for cost in found
    )
    return PlainTable(
        "time-and-memory",
        "Time and memory",
        ("Method", "Drawing took", f"A {counted}", "Memory, at most"),
        rows,
        frozenset(),
        ("method", "seconds", f"seconds_per_{counted}", "peak_memory_bytes"),
        exact,
    )


def slug(text: str) -> str:
    """A text as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def to_csv(table: PlainTable) -> str:
    """RFC 4180; a text that a spreadsheet would take for a formula is kept a text by an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([for_spreadsheet(cell) for cell in table.exact_head or table.head])
    for row in table.exact_rows or table.rows:
        writer.writerow([for_spreadsheet(cell) for cell in row])
    return stream.getvalue()


def to_latex(table: PlainTable) -> str:
    """A ``tabular`` with the rules of booktabs, in a ``table`` with the title as its caption."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_latex(table.title)}}}",
        f"\\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        "\\toprule",
        " & ".join(map(_latex, table.head)) + r" \\",
        "\\midrule",
    ]
    for y, row in enumerate(table.rows):
        cells = [_latex(cell) for cell in row]
        cells = [f"\\textbf{{{cell}}}" if (y, x) in table.bold else cell for x, cell in enumerate(cells)]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _latex(value: Value) -> str:
    return for_latex(_shown(value))


def to_markdown(table: PlainTable) -> str:
    """A table with pipes, numbers to the right."""
    lines = [
        "| " + " | ".join(map(_markdown, table.head)) + " |",
        "| :-- |" + " --: |" * (len(table.head) - 1),
    ]
    for y, row in enumerate(table.rows):
        cells = [_markdown(cell) for cell in row]
        cells = [f"**{cell}**" if (y, x) in table.bold else cell for x, cell in enumerate(cells)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _markdown(value: Value) -> str:
    text = re.sub(r"([\\`*_|\[\]<>])", r"\\\1", _shown(value))
    return " ".join(text.split())


def _shown(value: Value) -> str:
    return NOTHING if value is None or value == "" else str(value)


FORMATS: Mapping[str, tuple[str, Callable[[PlainTable], str]]] = {
    "csv": (".csv", to_csv),
    "latex": (".tex", to_latex),
    "markdown": (".md", to_markdown),
}
"""Ending and writer of each format."""
