"""From measurements to verdicts: every declared cell of the matrix, and every calibrated number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...scenes.corruptions import CORRUPTIONS
from .. import statistics
from .completion_cheats import COMPLETION_CHEATS
from .judge import auroc, kendall_tau, mean_effect
from .matrix import LOWERED, MATRIX, Expectation, expectation
from .set_corruptions import SET_CORRUPTIONS
from .table import Table, clean_levels

__all__ = ["CALIBRATED", "Calibration", "Cell", "calibrations", "judge"]

LEAST_TAU = 0.9
LEAST_AUROC = 0.95
LARGEST_MISS = 0.1

CALIBRATED: dict[str, tuple[str, float, float]] = {"scale_jitter": ("depth_scale", 0.0025, 0.04)}
"""Metric ids whose value *is* the injected level: corruption, and the range in which they promise it."""

EXACT = 1e-9
"""What a metric without any fault it must see may change under a control it must not mind."""


@dataclass(frozen=True)
class Cell:
    """One metric under one corruption.

    Args:
        metric, corruption: which.
        kind: what is declared (see `Expectation`).
        level: the declared detection level.
        means: mean value over subjects by level, 0 = clean.
        tau, auroc: see `judge`; the AUROC at the declared level, or the grossest where none is.
        effect: mean change of badness at that level; for controls the largest over levels.
        allowed: for a control, the effect it must stay below.
        ok: whether the declaration holds; None where nothing is declared or measured.
        reason: what is wrong, or why it was not judged.
    """

    metric: str
    corruption: str
    kind: str
    level: int
    means: dict[int, float]
    tau: float | None
    auroc: float | None
    effect: float | None
    allowed: float | None = None
    ok: bool | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Calibration:
    """A number in degrees or per cent against what was injected."""

    metric: str
    corruption: str
    injected: float
    measured: float

    @property
    def ok(self) -> bool:
        return abs(self.measured - self.injected) <= LARGEST_MISS * self.injected


def judge(
    table: Table, corruptions: Sequence[str] = (*CORRUPTIONS, *SET_CORRUPTIONS, *COMPLETION_CHEATS)
) -> list[Cell]:
    """A cell for every metric under every corruption for which the matrix has one."""
    cells = []
    for metric, declared in MATRIX.items():
        if metric not in table.values:
            continue
        # effects on sweeps and on sets of single pictures cannot be compared
        smallest = {of_sets: _smallest_detected(table, metric, of_sets) for of_sets in (False, True)}
        cells += [
            _cell(table, metric, corruption, smallest[corruption in SET_CORRUPTIONS])
            for corruption in corruptions
            if corruption in declared
        ]
    return cells


def calibrations(table: Table) -> list[Calibration]:
    """What unit-valued metrics read, against what was injected."""
    found = []
    for metric, (corruption, least, most) in CALIBRATED.items():
        for level, subjects in table.values.get(metric, {}).get(corruption, {}).items():
            injected = CORRUPTIONS[corruption].levels[level - 1]
            if least <= injected <= most:
                found.append(Calibration(metric, corruption, injected, statistics.mean(list(subjects.values()))))
    return found


def _cell(table: Table, metric: str, corruption: str, smallest: float | None) -> Cell:
    declared = expectation(metric, corruption)
    levels = _badness(table, metric, corruption, declared.spared)
    if len(levels) < 2:
        return Cell(metric, corruption, declared.kind, declared.level, {}, None, None, None, reason="not measured.")
    means = {level: statistics.mean(list(values.values())) for level, values in levels.items()}
    at = _judged_level(declared, list(levels))
    separated = auroc(list(levels[0].values()), list(levels[at].values()))
    worst = max(value for values in levels.values() for value in values.values())
    tau = kendall_tau([means[level] for level in sorted(means)], _worst(table, metric, worst))
    sign = _sign(table, metric)
    shown = {level: sign * value for level, value in means.items()}
    effect = _effect(levels, at)
    allowed, ok, reason = None, None, ""
    if declared.kind == "fires":
        faults = []
        if tau < LEAST_TAU:
            faults.append(f"does not rise with severity (tau {tau:.2f})")
        if separated < LEAST_AUROC:
            faults.append(f"does not tell level {at} from clean (AUROC {separated:.2f})")
        ok, reason = not faults, "; ".join(faults)
    elif declared.kind == "silent":
        effect = max((_effect(levels, level) for level in levels if level), key=abs)
        allowed = EXACT if smallest is None else smallest
        ok = abs(effect) <= allowed
        reason = "" if ok else f"changes by {effect:.3g}, more than {allowed:.3g}, the least effect it detects"
    return Cell(metric, corruption, declared.kind, declared.level, shown, tau, separated, effect, allowed, ok, reason)


def _smallest_detected(table: Table, metric: str, of_sets: bool) -> float | None:
    effects = []
    for corruption, declared in MATRIX[metric].items():
        if (corruption in SET_CORRUPTIONS) != of_sets:
            continue
        levels = _badness(table, metric, corruption, declared.spared)
        if declared.kind == "fires" and len(levels) > 1:
            effects.append(_effect(levels, _judged_level(declared, list(levels))))
    return min(effects, default=None)


def _judged_level(declared: Expectation, levels: list[int]) -> int:
    """The gentlest measured level at which the metric must fire; the grossest where none is declared."""
    beyond = [level for level in levels if level >= max(declared.level, 1)]
    return min(beyond) if beyond and declared.kind == "fires" else max(levels)


def _badness(
    table: Table, metric: str, corruption: str, spared: Sequence[str] = ()
) -> dict[int, dict[tuple[str, int], float]]:
    """By level, over the subjects measured at all levels but the kinds `spared`; higher is worse."""
    if corruption not in table.values[metric]:
        return {}
    levels = clean_levels(table, metric, corruption)
    common = set.intersection(*(set(values) for values in levels.values()))
    sign = _sign(table, metric)
    return {
        level: {subject: sign * values[subject] for subject in sorted(common) if subject[0] not in spared}
        for level, values in sorted(levels.items())
        if common
    }


def _effect(levels: Mapping[int, Mapping[tuple[str, int], float]], level: int) -> float:
    return mean_effect(list(levels[0].values()), list(levels[level].values()))


def _sign(table: Table, metric: str) -> float:
    return -1.0 if table.definitions[metric].higher_is_better or metric in LOWERED else 1.0


def _worst(table: Table, metric: str, seen: float) -> float:
    """The badness at which ties are saturation: the worst end of the metric's range, where it was reached."""
    if metric not in table.bounds:
        return math.inf
    low, high = table.bounds[metric]
    worst = -low if _sign(table, metric) < 0 else high
    return worst if seen >= worst - 1e-12 else math.inf
