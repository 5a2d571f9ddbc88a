"""Values between fixed anchors: 1 is a world drawn exactly, 0 is the worst of the known cheats.

    anchored = (value - floor) / (ceiling - floor)

with the oracle's value as ceiling and the worst cheat's as floor, so 1 is best whatever the unit and
the direction. Anchors are reference methods, never submissions: nobody's score moves because
somebody else joined the board. A value may lie outside [0, 1] and is then flagged; where ceiling and
floor coincide, or stand the wrong way round, there is no scale and no number.

`index` condenses several columns, as an option and never by default. Columns that measure the same
thing form a group; the index is the geometric mean over the groups of the geometric means of their
anchored values, cut to [0, 1]. Whoever fails one thing entirely has 0, however good the rest. It is
None unless every part is there.

The rule about cheats. A cheat breaks one thing and may be perfect in all others, where trained
methods are not, so a bare mean would praise it. Therefore: **a cheat that is worse than an honest
method in a group it breaks never stands above that method**. Its index is cut to the lowest of the
honest methods that beat it so, and a tie is listed behind them. Which groups a cheat breaks may be
told; else it is the one where it comes out weakest.

When it misleads. The rule knows the cheats by role. A method that cheats without saying so is held
by the columns alone: read them, not the index. Anchored values depend on which cheats were run.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["INDEX_GROUPS", "Anchored", "IndexRow", "anchored", "index", "worst_of"]

INDEX_GROUPS: Mapping[str, tuple[str, ...]] = {
    "warps": ("warp_psnr", "warp_zncc"),
    "geometry": ("geometric_share",),
    "cameras": ("rotation_error_deg",),
    "shape": ("nfs",),
    "pictures": ("fid",),
}
"""Groups of the optional index, by the stems of metric ids (``fid`` is ``fid[tabletop]`` as well)."""

SAME = 1e-12  # relative: anchors this close are equal but for rounding


@dataclass(frozen=True)
class Anchored:
    """One anchored value.

    Args:
        value: on the scale of the anchors, not cut; None where there is no scale.
        outside: whether it lies outside [0, 1].
        reason: one sentence where `value` is None.
    """

    value: float | None
    outside: bool = False
    reason: str | None = None

    @property
    def clipped(self) -> float | None:
        """The value cut to [0, 1]."""
        return None if self.value is None else min(1.0, max(0.0, self.value))


@dataclass(frozen=True)
class IndexRow:
    """The index of one method.

    Args:
        method: its name.
        value: in [0, 1]; None where a part is missing.
        groups: the value of each group, in [0, 1]; without those that are missing.
        cut: for a cheat, the honest method its index was cut to.
        reason: one sentence where `value` is None.
    """

    method: str
    value: float | None
    groups: Mapping[str, float]
    cut: str | None = None
    reason: str | None = None


def worst_of(values: Sequence[float], higher_is_better: bool) -> float:
    """The worst of some values."""
    if not values:
        raise ValueError("there is no worst of no values.")
    return min(values) if higher_is_better else max(values)


def anchored(value: float, ceiling: float, floor: float, *, higher_is_better: bool) -> Anchored:
    """A value on the scale from floor (0) to ceiling (1).

    Args:
        value: of some method.
        ceiling: of the oracle.
        floor: of the worst cheat.
        higher_is_better: direction of the metric; anchors that contradict it give no scale.

    Example:
        >>> anchored(12.0, ceiling=2.0, floor=42.0, higher_is_better=False).value
        0.75
    """
    if not all(math.isfinite(number) for number in (value, ceiling, floor)):
        raise ValueError(f"anchored values must be finite, not {value} between {floor} and {ceiling}.")
    room = ceiling - floor
    if abs(room) <= SAME * max(abs(ceiling), abs(floor)):
        return Anchored(None, reason=f"the oracle and the worst cheat both have {ceiling:g}: there is no scale.")
    if (room > 0) != higher_is_better:
        return Anchored(None, reason=f"the worst cheat ({floor:g}) is better than the oracle ({ceiling:g}).")
    scaled = (value - floor) / room
    return Anchored(scaled, not 0 <= scaled <= 1)


def index(
    columns: Mapping[str, Mapping[str, float | None]],
    directions: Mapping[str, bool],
    *,
    ceiling: str,
    cheats: Collection[str],
    groups: Mapping[str, Sequence[str]] = INDEX_GROUPS,
    breaks: Mapping[str, Collection[str]] | None = None,
) -> list[IndexRow]:
    """The optional index of every method, best first; see the module for its rule about cheats.

    Args:
        columns: metric id -> method -> value, None where it could not be computed.
        directions: metric id -> whether higher is better.
        ceiling: the method that is 1.
        cheats: the methods whose worst is 0.
        groups: group -> stems of metric ids.
        breaks: cheat -> the groups it breaks; cheats not listed break the group they are weakest in.

    Returns:
        One row for each method of any column; those without an index come last.

    Raises:
        ValueError: a stem that fits several columns, or a cheat said to break an unknown group.
    """
    chosen = {group: [_column(columns, stem) for stem in stems] for group, stems in groups.items()}
    unknown = {name for names in (breaks or {}).values() for name in names} - set(groups)
    if unknown:
        raise ValueError(f"no group is called {', '.join(sorted(unknown))}.")
    methods = sorted({method for values in columns.values() for method in values})
    rows = [_row(method, columns, directions, ceiling, cheats, chosen, groups) for method in methods]
    honest = [row for row in rows if row.method not in cheats and row.method != ceiling]
    rows = [_cut(row, honest, breaks) if row.method in cheats else row for row in rows]
    return sorted(rows, key=lambda row: (-(-1.0 if row.value is None else row.value), row.method in cheats, row.method))


def _column(columns: Mapping[str, object], stem: str) -> str | None:
    found = [name for name in columns if name.split("[")[0] == stem]
    if len(found) > 1:
        raise ValueError(f"{stem} may be {' or '.join(sorted(found))}; give one of them.")
    return found[0] if found else None


def _row(
    method: str,
    columns: Mapping[str, Mapping[str, float | None]],
    directions: Mapping[str, bool],
    ceiling: str,
    cheats: Collection[str],
    chosen: Mapping[str, Sequence[str | None]],
    stems: Mapping[str, Sequence[str]],
) -> IndexRow:
    values, missing = {}, []
    for group, names in chosen.items():
        parts = []
        for name, stem in zip(names, stems[group], strict=True):
            if name is None:
                missing.append(f"{stem} was not measured")
                continue
            part = _part(columns[name], method, ceiling, cheats, directions[name])
            if part.clipped is None:
                missing.append(f"{name}: {part.reason}")
            else:
                parts.append(part.clipped)
        if parts and len(parts) == len(names):
            values[group] = _geometric_mean(parts)
    if missing:
        return IndexRow(method, None, values, reason="; ".join(missing).rstrip(".") + ".")
    return IndexRow(method, _geometric_mean(list(values.values())), values)


def _part(
    values: Mapping[str, float | None], method: str, ceiling: str, cheats: Collection[str], higher: bool
) -> Anchored:
    value, top = values.get(method), values.get(ceiling)
    low = [own for cheat in cheats if (own := values.get(cheat)) is not None]
    if value is None:
        return Anchored(None, reason="it has no value")
    if top is None or not low:
        return Anchored(None, reason="the oracle or every cheat has no value")
    return anchored(value, top, worst_of(low, higher), higher_is_better=higher)


def _cut(row: IndexRow, honest: Sequence[IndexRow], breaks: Mapping[str, Collection[str]] | None) -> IndexRow:
    """A cheat's index, no higher than that of any honest method that beats it where it cheats."""
    if row.value is None:
        return row
    broken = (breaks or {}).get(row.method) or [min(row.groups, key=lambda group: (row.groups[group], group))]
    for rival in sorted(honest, key=lambda rival: (math.inf if rival.value is None else rival.value, rival.method)):
        beats = any(rival.groups.get(group, -1.0) > row.groups[group] for group in broken)
        if rival.value is not None and beats and rival.value < row.value:
            return IndexRow(row.method, rival.value, row.groups, cut=rival.method)
    return row


def _geometric_mean(values: Sequence[float]) -> float:
    if min(values) == 0:
        return 0.0
    return math.exp(math.fsum(map(math.log, values)) / len(values))
