"""The self-check of completions: puzzles with known answers, cheats that do what they say, promises that hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.metrics import COMPLETION_METRICS, ModeCoverage, metric_classes
from viewsweep.metrics.selfcheck import COMPLETION_CHEATS, MATRIX, QUICK, SET_CORRUPTIONS, run_selfcheck
from viewsweep.metrics.selfcheck.completion_cheats import GRAIN, SAMPLES, Puzzle, completed
from viewsweep.metrics.selfcheck.completions import (
    WEIGHTS,
    CompletionTask,
    completion_tasks,
    measure_completions,
    motion_puzzle,
    views_puzzle,
)
from viewsweep.metrics.visibility import seen_by_context
from viewsweep.reports.selfcheck_page import write_selfcheck
from viewsweep.scenes import Scene
from viewsweep.scenes.corruptions import CORRUPTIONS

CHEATS = [name for name, cheat in COMPLETION_CHEATS.items() if not cheat.control]
IN_MOTION = ("mode_coverage", "flow_error")
TINY = replace(QUICK, subjects=(), corruptions=(), sets=())


@cache
def puzzle(kind: str) -> Puzzle:
    return views_puzzle(1) if kind == "views" else motion_puzzle(1)


def same(a: Scene, b: Scene) -> bool:
    parts: list[tuple[Tensor | None, Tensor | None]] = [(a.rgb, b.rgb), (a.flow, b.flow), (a.latent, b.latent)]
    return all(
        x is y or (x is not None and y is not None and torch.equal(x.nan_to_num(), y.nan_to_num())) for x, y in parts
    )


def rms(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).square().mean().sqrt())


def test_the_honest_completer_draws_each_mode_as_often_as_it_is_probable() -> None:
    thing = puzzle("views")
    nearest = [min(range(4), key=lambda m: rms(sample.rgb, thing.modes[m][1].rgb)) for sample in thing.honest]
    assert [nearest.count(mode) for mode in range(4)] == [round(weight * SAMPLES) for weight in WEIGHTS]
    for sample, mode in zip(thing.honest, nearest, strict=True):
        assert rms(sample.rgb, thing.modes[mode][1].rgb) == pytest.approx(GRAIN, rel=0.2)


def test_modes_differ_where_the_context_shows_nothing_and_only_there() -> None:
    thing = puzzle("views")
    seen = seen_by_context(thing.truth)
    assert seen is not None
    assert any(thing.truth is mode for _, mode in thing.modes)
    for k, (_, mode) in enumerate(thing.modes):
        for _, other in thing.modes[:k]:
            differs = (mode.rgb != other.rgb).any(-1)
            assert not bool(differs[seen].any())
            assert int(differs.sum()) > 100


@pytest.mark.parametrize("kind", ["views", "motion"])
@pytest.mark.parametrize("name", CHEATS)
def test_what_is_replaced_at_one_level_stays_replaced_at_the_next(name: str, kind: str) -> None:
    thing, cheat = puzzle(kind), COMPLETION_CHEATS[name]
    honest = completed(thing, name, 0.0)
    before: set[int] = set()
    last: Sequence[Scene] = honest
    for level in cheat.levels:
        samples = completed(thing, name, level)
        changed = {k for k in range(SAMPLES) if not same(samples[k], honest[k])}
        assert len(changed) == round(level * SAMPLES)
        assert before <= changed
        assert all(same(samples[k], last[k]) for k in before)
        before, last = changed, samples


def test_cheats_do_what_they_say() -> None:
    thing = puzzle("views")
    context = thing.truth.context
    assert context is not None
    every = {name: completed(thing, name, 1.0) for name in CHEATS}
    for name in CHEATS:
        assert same(every[name][0], every[name][1]) == (name not in ("random", "static"))
    mean = sum(weight * mode.rgb.float() for weight, mode in thing.modes)
    assert rms(every["mean_answer"][0].rgb, mean) < 1.2 * GRAIN  # type: ignore[arg-type]
    assert all(rms(view, context.rgb[0]) < 1.2 * GRAIN for view in every["copied_context"][0].rgb)
    assert rms(every["one_answer"][0].rgb, thing.truth.rgb) < 1.2 * GRAIN
    seen = seen_by_context(thing.truth)
    assert seen is not None
    kept = rms(every["static"][0].rgb[seen], every["mean_answer"][0].rgb[seen])
    assert kept < 2 * GRAIN < 20 * GRAIN < rms(every["static"][0].rgb[~seen], every["mean_answer"][0].rgb[~seen])
    assert rms(every["nearest"][0].rgb, thing.truth.rgb) > 5 * GRAIN
    still = completed(puzzle("motion"), "copied_context", 1.0)[0].flow
    assert still is not None
    assert float(still.abs().max()) < 0.3


def test_controls_are_as_good_as_before() -> None:
    thing = puzzle("views")
    turned = completed(thing, "shuffled", 1.0)
    assert not all(same(a, b) for a, b in zip(turned, thing.honest, strict=True))
    assert all(any(same(sample, other) for other in thing.honest) for sample in turned)
    again = completed(thing, "redrawn", 1.0)
    for sample in again:
        assert min(rms(sample.rgb, mode.rgb) for _, mode in thing.modes) < 1.2 * GRAIN


def test_matrix_declares_every_cheat_at_a_level_there_is_and_each_is_caught() -> None:
    ids = {name: kind for kind in COMPLETION_METRICS for name in kind.definitions()}
    rows = {name: cells for name, cells in MATRIX.items() if not cells.keys().isdisjoint(COMPLETION_CHEATS)}
    assert rows.keys() <= ids.keys()
    assert {ids[name] for name in rows} == {kind for kind in COMPLETION_METRICS if "weights" not in kind.needs}
    for cells in rows.values():
        assert cells.keys() == COMPLETION_CHEATS.keys()
        assert cells["shuffled"].kind == "silent"
        firing = {key for key, cell in cells.items() if cell.kind == "fires"}
        assert all(1 <= cells[key].level <= len(COMPLETION_CHEATS[key].levels) for key in firing)
    caught = {
        "mean_answer": ("diversity_contrast", "modes_hit", "best_psnr_unseen"),
        "copied_context": ("sample_psnr_seen", "modes_hit", "best_epe_moving"),
        "nearest": ("context_psnr", "sample_psnr_seen"),
        "random": ("diversity_seen", "context_psnr", "samples_on_mode"),
        "static": ("energy_unseen", "best_psnr_unseen", "modes_hit"),
        "one_answer": ("diversity_contrast", "modes_hit", "mode_distance"),
    }
    assert caught.keys() == set(CHEATS)
    for cheat, columns in caught.items():
        for name in columns:
            assert MATRIX[name][cheat].kind == "fires", (name, cheat)
    # and what no cheat that is good at it can be caught by
    assert MATRIX["context_psnr"]["copied_context"].kind == "blind"
    assert MATRIX["sample_psnr"]["mean_answer"].kind == "blind"
    assert MATRIX["best_psnr"]["one_answer"].kind == "blind"
    assert MATRIX["diversity_contrast"]["static"].kind == "blind"
    assert COMPLETION_CHEATS.keys().isdisjoint(CORRUPTIONS.keys() | SET_CORRUPTIONS.keys())


def test_puzzles_are_drawn_only_where_a_metric_asks_for_them() -> None:
    catalogue = metric_classes()
    assert completion_tasks(TINY.with_metrics(["vendi", "warp_error"]), catalogue) == []
    asked = completion_tasks(TINY.with_metrics(["latent_error"]), catalogue)
    assert asked == [CompletionTask(kind, number) for kind in ("views", "motion") for number in (0, 1)]
    found = measure_completions(TINY.with_metrics(["flow_error"]), CompletionTask("motion", 0), catalogue)
    assert {key for one in found for key in one.values} >= {"best_epe", "static_moved"}
    assert {one.level for one in found if one.corruption == "one_answer"} == {0, 3, 5}


def test_all_promises_hold(tmp_path: Path) -> None:
    names = [kind.name for kind in COMPLETION_METRICS if "weights" not in kind.needs]
    check = run_selfcheck(TINY, metrics=names, workers=1)
    assert check.faults == []
    assert check.unmeasured == {}
    assert check.held > 100
    page = write_selfcheck(check, tmp_path / "matrix.html").read_text()
    assert "Response matrix: completions" in page
    assert "nearest training example" in page


def test_a_bug_breaks_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes that are hit by whatever is nearest, however far."""
    measure = ModeCoverage._complete

    def everything_hits(self: ModeCoverage, samples: Sequence[Scene], truth: Scene, modes: object) -> object:
        measured = measure(self, samples, truth, modes)  # type: ignore[arg-type]
        return measured if isinstance(measured, int) else [1.0, *measured[1:]]

    monkeypatch.setattr(ModeCoverage, "_complete", everything_hits)
    small = replace(TINY, completions=("one_answer", "shuffled"), puzzles=1)
    faults = run_selfcheck(small, metrics=["mode_coverage"], workers=1).faults
    assert any(fault.startswith("modes_hit under one_answer") for fault in faults)
