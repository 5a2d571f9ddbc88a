"""An entry against an evaluation of the same scenes: what agrees, what does not, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks.table import SceneTable
from .entry import Entry, MetricResult
from .tolerances import difference, rows_that_may_differ, tolerance

__all__ = ["Comparison", "compare_heads", "compare_metrics", "compare_tables"]

PARTS = ("value", "ci_low", "ci_high")

SAME_AZIMUTH_DEG = 1e-6
"""The same camera's azimuth, rounded on two machines."""


@dataclass(frozen=True)
class Comparison:
    """One thing an entry claims, beside what was found.

    Args:
        what: a metric id, a key of the entry, or `table` with a metric id.
        part: which part of it.
        claimed, found: both sides, for people.
        difference: relative, where both are numbers.
        tolerance: what is allowed.
        agrees: whether it is kept.
    """

    what: str
    part: str
    claimed: Any
    found: Any
    difference: float
    tolerance: float
    agrees: bool


def compare_heads(pairs: Iterable[tuple[str, Any, Any]]) -> list[Comparison]:
    """Things that are equal or are not: key, claim, finding."""
    return [
        Comparison(key, "", claimed, found, 0.0 if claimed == found else 1.0, 0.0, claimed == found)
        for key, claimed, found in pairs
    ]


def compare_metrics(
    entry: Entry, found: Mapping[str, Any], versions: Mapping[str, int], exact: bool
) -> list[Comparison]:
    """Every part of every metric.

    Args:
        found: results by metric id, as in ``results.json``.
        versions: of the metrics, by id.
        exact: whether numbers have to be equal to the last bit.
    """
    compared = []
    for name in dict.fromkeys([*entry.metrics, *found]):
        claimed, result = entry.metrics.get(name), found.get(name)
        if claimed is None or result is None:
            there = ("in the entry", "not there") if result is None else ("not there", "computed")
            compared.append(Comparison(name, "", *there, 1.0, 0.0, False))
        else:
            compared += _compare_result(name, claimed, result, versions[name], exact)
    return compared


def compare_tables(claimed: SceneTable, found: SceneTable, exact: bool) -> list[Comparison]:
    """The values of single scenes and views, by metric: nearly all have to be within its tolerance.

    Which scenes and views have a value is compared exactly, and so is where a view looks from.
    """
    theirs, ours = _by_metric(claimed), _by_metric(found)
    compared = []
    for name in dict.fromkeys([*theirs, *ours]):
        pair = theirs.get(name), ours.get(name)
        turned = _compare_azimuths(name, *pair, exact)
        compared += [_compare_rows(name, *pair, exact), *([] if turned is None else [turned])]
    return compared


def _compare_azimuths(name: str, claimed: _Rows | None, found: _Rows | None, exact: bool) -> Comparison | None:
    """The first azimuth that is another one; None where there is none."""
    if claimed is None or found is None or len(claimed.yaw_deg) != len(found.yaw_deg):
        return None  # said of the rows
    gaps = np.abs(claimed.yaw_deg - found.yaw_deg)
    gaps = np.minimum(gaps, 360.0 - gaps)  # -180 and 180 are one direction
    one_sided = np.isnan(claimed.yaw_deg) != np.isnan(found.yaw_deg)
    allowed = 0.0 if exact else SAME_AZIMUTH_DEG
    off = np.flatnonzero((gaps > allowed) | one_sided)
    if not len(off):
        return None
    pair = float(claimed.yaw_deg[off[0]]), float(found.yaw_deg[off[0]])
    return Comparison(f"table {name}", "yaw_deg", *pair, 1.0, 0.0, False)


def _compare_rows(name: str, claimed: _Rows | None, found: _Rows | None, exact: bool) -> Comparison:
    what = f"table {name}"
    if claimed is None or found is None or not np.array_equal(claimed.keys, found.keys):
        theirs, ours = (0 if side is None else len(side.values) for side in (claimed, found))
        return Comparison(what, "rows", theirs, ours, 1.0, 0.0, False)
    allowed, off = rows_that_may_differ(name, len(found.values), exact=exact)
    gaps = np.array([difference(*pair) for pair in zip(claimed.values.tolist(), found.values.tolist(), strict=True)])
    worst = int(gaps.argmax())
    kept = float(np.sort(gaps)[max(0, len(gaps) - 1 - off)])  # without the few that may be further off
    pair = float(claimed.values[worst]), float(found.values[worst])
    return Comparison(what, "values", *pair, kept, allowed, kept <= allowed)


def _compare_result(
    name: str, claimed: MetricResult, found: Mapping[str, Any], version: int, exact: bool
) -> list[Comparison]:
    allowed = tolerance(name, exact=exact)
    compared = []
    for part in ("version", "status", "n"):
        left, right = getattr(claimed, part), version if part == "version" else found[part]
        gap = difference(left, right) if part == "n" else float(left != right)
        # of matches, how many there are is itself searched for
        room = allowed if part == "n" else 0.0
        compared.append(Comparison(name, part, left, right, gap, room, gap <= room))
    for part in PARTS:
        left, right = getattr(claimed, part), found[part]
        gap = difference(left, right)
        compared.append(Comparison(name, part, left, right, gap, allowed, gap <= allowed))
    return compared


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of one metric: index, view, seed and label [4, N], azimuths [N] and values [N]."""

    keys: npt.NDArray[np.int64]
    yaw_deg: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]


def _by_metric(table: SceneTable) -> dict[str, _Rows]:
    keys = np.stack([table.index, table.view, table.seed, table.label])
    found = {}
    for code, name in enumerate(table.metrics):
        own = np.flatnonzero(table.metric == code)
        own = own[np.lexsort((table.view[own], table.index[own]))]
        found[name] = _Rows(keys[:, own], table.yaw_deg[own], table.value[own])
    return found
