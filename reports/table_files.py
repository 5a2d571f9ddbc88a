"""A table of plain values, and how it is written as CSV, LaTeX or Markdown.

CSV holds every number in full, with interval, count and rank in columns of their own; LaTeX and Markdown hold
what is read: value and interval as the report prints them, the sure winner in bold.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .escapes import for_latex, for_spreadsheet
from .numbers import NOTHING

__all__ = ["FORMATS", "PlainTable", "Value", "slug", "to_csv", "to_latex", "to_markdown"]

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
