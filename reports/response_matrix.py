"""The response matrix of a self-check as a picture: a row a metric, a column a corruption.

Each cell holds the metric's mean value against severity, clean at the left, scaled to the cell; under a
control it must not mind, to the change it is allowed. Its colour says what was declared and whether it
holds, a title says the numbers. What was declared but not measured is only outlined.
"""

from __future__ import annotations

from collections.abc import Collection

from markupsafe import Markup

from ..metrics.selfcheck import Cell, SelfCheck
from .svg import element, group, path, text_width

__all__ = ["matrix_svg"]

CELL_WIDTH, CELL_HEIGHT, GAP = 38.0, 24.0, 3.0
INSET = 4.0
LABEL = 11.0
SLANT = 48  # degrees

STYLES = """
.rm text { font: 400 11px Inter, ui-sans-serif, system-ui, sans-serif; fill: var(--ink, #17191d) }
.rm .fires rect { fill: var(--accent-soft, #e8effc) } .rm .fires path { stroke: var(--accent, #1f5fd0) }
.rm .silent rect { fill: var(--sunk, #f3f3ef) } .rm .silent path { stroke: var(--soft, #565b64) }
.rm .blind rect, .rm .open rect { fill: none; stroke: var(--line, #e3e3dd) }
.rm .unmeasured rect { fill: none; stroke: var(--line-strong, #c9c9c1); stroke-dasharray: 2 3 }
.rm .blind path, .rm .open path { stroke: var(--line-strong, #c9c9c1) }
.rm .broken rect { fill: var(--warn-soft, #fdf3e2); stroke: var(--warn, #8a4b00); stroke-width: 1.5 }
.rm .broken path { stroke: var(--warn, #8a4b00) }
.rm path { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round }
"""


def matrix_svg(check: SelfCheck, corruptions: Collection[str] | None = None) -> Markup:
    """The matrix, or its columns of these `corruptions`, with rows and columns in the order of the declarations."""
    cells = [cell for cell in check.cells if corruptions is None or cell.corruption in corruptions]
    rows = list(dict.fromkeys(cell.metric for cell in cells))
    columns = list(dict.fromkeys(cell.corruption for cell in cells))
    held = {(cell.metric, cell.corruption): cell for cell in cells}
    titles = check.titles
    left = 12 + max((text_width(titles.get(row, row), LABEL) for row in rows), default=0.0)
    # slanted heads reach up by the sine of the slant and to the right by its cosine
    longest = max((text_width(titles.get(column, column), LABEL) for column in columns), default=0.0)
    top, right = 14 + 0.75 * longest, 0.68 * longest
    width, height = left + len(columns) * (CELL_WIDTH + GAP) + right, top + len(rows) * (CELL_HEIGHT + GAP) + 4
    parts = [element("style", Markup(STYLES))]
    for k, column in enumerate(columns):
        x = left + k * (CELL_WIDTH + GAP) + CELL_WIDTH / 2
        turn = f"rotate(-{SLANT} {x:.1f} {top - 8:.1f})"
        parts.append(element("text", titles.get(column, column), x=x, y=top - 8, transform=turn))
    for j, row in enumerate(rows):
        y = top + j * (CELL_HEIGHT + GAP)
        parts.append(element("text", titles.get(row, row), x=left - 10, y=y + CELL_HEIGHT / 2 + 4, text_anchor="end"))
        for k, column in enumerate(columns):
            if (row, column) in held:
                parts.append(_cell(held[row, column], left + k * (CELL_WIDTH + GAP), y))
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        aria_label="Response matrix: metrics against corruptions",
        class_="rm",
    )


def describe(cell: Cell) -> str:
    """One cell in words."""
    declared = {
        "fires": f"must fire from level {cell.level}",
        "blind": "blind by design",
        "silent": "must not fire",
        "open": "not judged",
    }[cell.kind]
    numbers = [f"{name} {value:.2f}" for name, value in (("tau", cell.tau), ("AUROC", cell.auroc)) if value is not None]
    return f"{cell.metric} under {cell.corruption}: {declared}; {', '.join(numbers) or 'not measured'}" + (
        f"; {cell.reason}" if cell.reason else ""
    )


def _cell(cell: Cell, x: float, y: float) -> Markup:
    state = "broken" if cell.ok is False else cell.kind
    if not cell.means and cell.kind in ("fires", "silent"):
        state = "unmeasured"
    box = element("rect", x=x, y=y, width=CELL_WIDTH, height=CELL_HEIGHT, rx=4)
    return group([element("title", describe(cell)), box, *_line(cell, x, y)], class_=state)


def _line(cell: Cell, x: float, y: float) -> list[Markup]:
    means = list(cell.means.values())
    if len(means) < 2:
        return []
    if cell.kind == "silent" and cell.allowed:
        low, high = means[0] - cell.allowed, means[0] + cell.allowed
    else:
        low, high = min(means), max(means)
    inner_width, inner_height = CELL_WIDTH - 2 * INSET, CELL_HEIGHT - 2 * INSET
    points = []
    for k, value in enumerate(means):
        share = min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5
        points.append((x + INSET + inner_width * k / (len(means) - 1), y + CELL_HEIGHT - INSET - inner_height * share))
    return [element("path", d=path(points))]
