"""A small self-check from end to end: it measures, judges, and notices what does not hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from viewsweep.metrics.selfcheck import QUICK, SelfCheck, run_selfcheck, verdict
from viewsweep.metrics.selfcheck.matrix import parse
from viewsweep.metrics.selfcheck.plan import CLEAN, Plan, tasks
from viewsweep.reports.selfcheck_page import write_selfcheck
from viewsweep.scenes.corruptions import CORRUPTIONS
from viewsweep.scenes.errors import UnknownName

TINY = replace(
    QUICK,
    subjects=("textured", "repetitive"),
    reference_seeds=2,
    size=24,
    levels=3,
    costly={},
    corruptions=("noise", "depth_scale", "exposure"),
)

HONEST = parse("""
             noise depth_scale exposure
warp_mse     5     .           o
scale_jitter b     4           o
""")
MISTAKEN = parse("""
             noise depth_scale exposure
warp_mse     b     .           .
scale_jitter 5     4           o
""")


def checked(monkeypatch: pytest.MonkeyPatch, matrix: object, workers: int = 1) -> SelfCheck:
    for module in (verdict, __import__("viewsweep.metrics.selfcheck.run", fromlist=["run"])):
        monkeypatch.setattr(module, "MATRIX", matrix)
    monkeypatch.setattr(verdict, "expectation", lambda metric, corruption: matrix[metric][corruption])  # type: ignore[index]
    return run_selfcheck(TINY, metrics=("warp_error", "depth_self_agreement"), workers=workers)


def test_true_promises_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check = checked(monkeypatch, HONEST)
    assert check.faults == []
    assert check.held >= 4
    noise = next(cell for cell in check.cells if (cell.metric, cell.corruption) == ("warp_mse", "noise"))
    assert (noise.tau, noise.auroc) == (1.0, 1.0)
    assert list(noise.means) == [0, 3, 4, 6]
    page = write_selfcheck(check, tmp_path / "matrix.html").read_text()
    assert "declarations hold" in page
    assert "warp_mse under noise: must fire from level 5; tau 1.00, AUROC 1.00" in page


def test_a_promise_that_does_not_hold_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check = checked(monkeypatch, MISTAKEN)
    (fault,) = check.faults
    assert fault.startswith("scale_jitter under noise: does not rise with severity (tau 0.00)")
    page = write_selfcheck(check, tmp_path / "matrix.html").read_text()
    assert "What does not hold" in page
    assert fault.split(":")[1].strip()[:20] in page


@pytest.mark.slow  # the bits of each metric under two processes are held by tests/metrics/test_two_processes.py
def test_two_processes_give_the_numbers_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = checked(monkeypatch, HONEST), checked(monkeypatch, HONEST, workers=2)
    assert replace(one, seconds=0.0) == replace(two, seconds=0.0)


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(UnknownName, match="warp_error"):
        run_selfcheck(TINY, metrics=("warp_eror",))


def test_plan_spreads_its_levels_and_draws_every_subject() -> None:
    plan = replace(TINY, levels=3)
    assert plan.chosen((1, 2, 3, 4, 5)) == [1, 3, 4]
    assert plan.chosen((1, 2, 3, 4, 5, 6)) == [2, 3, 5]
    assert replace(plan, levels=2).chosen((1, 2, 3, 4, 5)) == [2, 4]
    assert replace(plan, levels=99).chosen((1, 2, 3, 4, 5)) == [0, 1, 2, 3, 4]
    work = tasks(plan)
    assert len(work) == 2 * (len(plan.corruptions) + 1 + plan.reference_seeds)
    assert {task.corruption for task in work} == {CLEAN, *plan.corruptions}


def test_costly_metrics_run_only_where_the_plan_says() -> None:
    plan = Plan("x", ("plain", "thin"), 2, 1, 24, 8, 2, {"hold_out": (("frozen",), ("thin",))})
    asked = [
        (kind, corruption, seed)
        for kind in plan.subjects
        for corruption in (CLEAN, *CORRUPTIONS)
        for seed in (0, 1)
        if plan.measured("hold_out", kind, corruption, seed)
    ]
    assert asked == [("thin", CLEAN, 0), ("thin", "frozen", 0)]
    assert plan.measured("warp_error", "plain", "noise", 1)
