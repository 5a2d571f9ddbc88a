"""`run_selfcheck`: draw, measure, judge; the one call behind `viewsweep selfcheck`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...scenes.corruptions import CORRUPTIONS
from ...scenes.errors import UnknownName
from .collect import collect, metric_table
from .completion_cheats import COMPLETION_CHEATS
from .matrix import MATRIX
from .plan import FULL, Plan
from .set_corruptions import SET_CORRUPTIONS
from .verdict import Calibration, Cell, calibrations, judge

__all__ = ["SelfCheck", "run_selfcheck"]

SCHEMA = "viewsweep.selfcheck/1"


@dataclass(frozen=True)
class SelfCheck:
    """What a self-check found.

    Args:
        plan: what was drawn and measured.
        cells: every declared metric under every corruption.
        calibrations: readings of metrics in units that were injected.
        titles: of metric ids and corruptions, for people.
        unmeasured: declared ids without a value, and why.
        seconds: wall time.
    """

    plan: Plan
    cells: list[Cell]
    calibrations: list[Calibration]
    titles: dict[str, str]
    unmeasured: dict[str, str]
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What does not hold, a sentence each."""
        broken = [f"{cell.metric} under {cell.corruption}: {cell.reason}." for cell in self.cells if cell.ok is False]
        off = [
            f"{one.metric} under {one.corruption}: reads {one.measured:.3g} where {one.injected:g} was injected."
            for one in self.calibrations
            if not one.ok
        ]
        return broken + off

    @property
    def held(self) -> int:
        """How many declarations were tested and hold."""
        return sum(cell.ok is True for cell in self.cells) + sum(one.ok for one in self.calibrations)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "plan": asdict(self.plan),
            "held": self.held,
            "faults": self.faults,
            "cells": [cell.to_json() for cell in self.cells],
            "calibrations": [asdict(one) | {"ok": one.ok} for one in self.calibrations],
            "unmeasured": self.unmeasured,
            "seconds": round(self.seconds, 1),
        }


def run_selfcheck(
    plan: Plan = FULL,
    *,
    metrics: Sequence[str] = (),
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SelfCheck:
    """Prove on this machine that each metric sees what it claims to see.

    Args:
        plan: what to draw and measure; `QUICK` takes minutes instead of half an hour.
        metrics: stems of the metrics to check; all without.
        workers: processes; as many as there are cores without. The numbers do not depend on it.
        progress: called with the tasks done and their total.

    Raises:
        UnknownName: nobody wrote such a metric.
    """
    from .. import metric_classes

    catalogue: dict[str, type[Any]] = metric_classes()
    for name in metrics:
        if name not in catalogue:
            raise UnknownName("metric", name, catalogue)
    plan = plan.with_metrics(metrics)
    start = time.monotonic()
    found, rendered = collect(plan, catalogue, workers=workers, progress=progress)
    table = metric_table(plan, found, rendered, catalogue)
    titles = {name: entry.title for name, entry in table.definitions.items()}
    for known in (CORRUPTIONS, SET_CORRUPTIONS, COMPLETION_CHEATS):
        titles |= {name: corruption.title for name, corruption in known.items()}
    unmeasured = {name: table.reasons[name] for name in MATRIX if name in table.reasons}
    cells = judge(table, (*plan.corruptions, *plan.sets, *plan.completions))
    return SelfCheck(plan, cells, calibrations(table), titles, unmeasured, time.monotonic() - start)
