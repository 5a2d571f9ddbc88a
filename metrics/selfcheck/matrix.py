"""The declared response matrix: what each metric must see, and what it must not.

One row a metric id, one column a corruption. A cell is

    1..9   fires: badness rises with severity, and subjects at this level of the corruption (and
           beyond) are told from clean ones; letters behind it name kinds of subjects on which it
           cannot: s symmetric (turned, they look the same), p plain (nothing to compare)
    b      blind: no claim that it sees this, by design; the report shows what it does see
    o      must not fire: any change stays below that of the gentlest corruption it detects
    .      not judged: neither promised nor forbidden

Levels are those of `scenes.corruptions`, counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MATRIX", "Expectation", "expectation"]

Kind = Literal["fires", "blind", "silent", "open"]


@dataclass(frozen=True)
class Expectation:
    """What a metric is held to under one corruption.

    Args:
        kind: fires, blind, silent (must not fire) or open (not judged).
        level: from which level on it must tell corrupted from clean; fires only.
        spared: kinds of subjects it is not held to; fires only.
    """

    kind: Kind
    level: int = 0
    spared: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {"b": "blind", "o": "silent", ".": "open"}
SPARED = {"s": "symmetric", "p": "plain", "t": "thin", "r": "repetitive"}

TABLE = """
"""


def parse(text: str) -> dict[str, dict[str, Expectation]]:
    """A matrix from its text: a head line of corruption names, then an id and a cell for each."""
    lines = [line.split() for line in text.strip().splitlines()]
    if not lines:
        return {}
    head = lines[0]
    matrix = {}
    for name, *cells in lines[1:]:
        if len(cells) != len(head):
            raise ValueError(f"{name} has {len(cells)} cells for {len(head)} corruptions.")
        matrix[name] = {corruption: _expectation(cell) for corruption, cell in zip(head, cells, strict=True)}
    return matrix


def _expectation(cell: str) -> Expectation:
    if cell[0].isdigit():
        return Expectation("fires", int(cell[0]), tuple(SPARED[letter] for letter in cell[1:]))
    return Expectation(KINDS[cell])


MATRIX = parse(TABLE)


def expectation(metric: str, corruption: str) -> Expectation:
    """What is declared; `open` where nothing is."""
    return MATRIX.get(metric, {}).get(corruption, Expectation("open"))
