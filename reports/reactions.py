"""What each metric of a run reacts to: the declared response matrix, as sentences and as a picture.

The declarations are those the self-check holds every metric to (`metrics.selfcheck.matrix`); the report does
not measure them again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..metrics.selfcheck import COMPLETION_CHEATS, MATRIX, SET_CORRUPTIONS, Expectation
from ..scenes.corruptions import CORRUPTIONS
from .svg import element, group, text_width
from .tables import Column

__all__ = ["Reaction", "matrices", "reaction"]

CELL_WIDTH, CELL_HEIGHT, GAP = 26.0, 18.0, 2.0
LABEL = 11.0
SLANT = 52  # degrees
LEVELS = 6  # the mildest level shows strongest

TITLES = {
    name: entry.title for known in (CORRUPTIONS, SET_CORRUPTIONS, COMPLETION_CHEATS) for name, entry in known.items()
}
BLOCKS: Mapping[str, Collection[str]] = {
    "Faults of a scene": CORRUPTIONS,
    "Faults of a set of pictures": SET_CORRUPTIONS,
    "Faults of completions": COMPLETION_CHEATS,
}


@dataclass(frozen=True)
class Reaction:
    """Titles of the faults that a metric reacts to, of those it must not react to, and of those it cannot see."""

    fires: tuple[str, ...]
    silent: tuple[str, ...]
    blind: tuple[str, ...]


def reaction(metric: str) -> Reaction | None:
    """What is declared of a metric; None where nothing is."""
    row = MATRIX.get(metric)
    if row is None:
        return None

    def titles(kind: str) -> tuple[str, ...]:
        return tuple(TITLES.get(name, name) for name, cell in row.items() if cell.kind == kind)

    return Reaction(titles("fires"), titles("silent"), titles("blind"))


def matrices(columns: Sequence[Column]) -> list[tuple[str, Markup]]:
    """The matrix of the metrics in `columns`, a picture for each kind of fault that one of them is judged by."""
    found = []
    for title, faults in BLOCKS.items():
        rows = {
            own.definition.title: {name: cell for name, cell in MATRIX[own.definition.id].items() if name in faults}
            for own in columns
            if own.definition.id in MATRIX
        }
        rows = {name: cells for name, cells in rows.items() if any(cell.kind == "fires" for cell in cells.values())}
        if rows:
            found.append((title, _picture(title, rows)))
    return found


def _picture(title: str, rows: Mapping[str, Mapping[str, Expectation]]) -> Markup:
    heads = list(dict.fromkeys(name for cells in rows.values() for name in cells))
    left = 10 + max(text_width(name, LABEL) for name in rows)
    longest = max(text_width(TITLES.get(name, name), LABEL) for name in heads)
    # slanted heads reach up by the sine of the slant and to the right by its cosine
    top, right = 14 + 0.79 * longest, 0.62 * longest
    parts = []
    for place, name in enumerate(heads):
        x = left + place * (CELL_WIDTH + GAP) + CELL_WIDTH / 2
        turn = f"rotate(-{SLANT} {x:.1f} {top - 6:.1f})"
        parts.append(element("text", TITLES.get(name, name), x=x, y=top - 6, transform=turn, class_="tick"))
    for line, (name, cells) in enumerate(rows.items()):
        y = top + line * (CELL_HEIGHT + GAP)
        parts.append(element("text", name, x=left - 8, y=y + CELL_HEIGHT / 2 + 4, text_anchor="end", class_="tick ink"))
        for place, fault in enumerate(heads):
            cell = cells.get(fault)
            if cell is not None and cell.kind != "open":
                parts.append(_cell(cell, name, fault, left + place * (CELL_WIDTH + GAP), y))
    width, height = left + len(heads) * (CELL_WIDTH + GAP) + right, top + len(rows) * (CELL_HEIGHT + GAP) + 4
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        role="img",
        aria_label=f"Declared response matrix: {title.lower()}",
        class_="chart matrix",
    )


def _cell(cell: Expectation, metric: str, fault: str, x: float, y: float) -> Markup:
    words = {
        "fires": f"reacts from level {cell.level} on",
        "silent": "must not react",
        "blind": "does not see it, by design",
    }[cell.kind]
    if cell.spared and cell.kind == "fires":
        words += f"; not held to it for {', '.join(cell.spared)} objects"
    parts = [element("title", f"{metric}, {TITLES.get(fault, fault)}: {words}")]
    style = f"fires level-{min(cell.level, LEVELS)}" if cell.kind == "fires" else cell.kind
    parts.append(element("rect", x=x, y=y, width=CELL_WIDTH, height=CELL_HEIGHT, rx=3))
    if cell.kind == "fires":
        text = element("text", str(cell.level), x=x + CELL_WIDTH / 2, y=y + CELL_HEIGHT / 2 + 3.8, text_anchor="middle")
        parts.append(text)
    elif cell.kind == "silent":
        parts.append(element("circle", cx=x + CELL_WIDTH / 2, cy=y + CELL_HEIGHT / 2, r=2.2))
    return group(parts, class_=style)
