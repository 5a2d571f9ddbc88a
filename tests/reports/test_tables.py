"""The summary: who is best, what is missing, how nested records become lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from viewsweep.metrics import ALL_METRICS, COMPLETION_METRICS
from viewsweep.metrics.feeding import definitions_of
from viewsweep.reports.curve_points import is_curve_point
from viewsweep.reports.rundir import read_run
from viewsweep.reports.tables import FAMILIES, Cell, Summary, flatten, ordered_metrics, summarise


def edit(run_dir: Path, method: str, metric: str, **changes: Any) -> None:
    path = run_dir / "results.json"
    results = json.loads(path.read_text())
    results["methods"].setdefault(method, results["methods"]["oracle"])["metrics"][metric] |= changes
    path.write_text(json.dumps(results))


def cell(summary: Summary, method: str, metric: str) -> Cell:
    place = [column.definition.id for column in summary.columns].index(metric)
    rows = [row for group in summary.groups for row in group.rows]
    return next(row.cells[place] for row in rows if row.method.name == method)


def test_ceiling_comes_first_and_cheats_last(pristine: Path) -> None:
    summary = summarise(read_run(pristine))
    assert [(g.role, [row.method.name for row in g.rows]) for g in summary.groups] == [
        ("ceiling", ["oracle"]),
        ("method", ["ivid-small"]),
        ("cheat", ["frozen", "noise"]),
    ]


def test_a_cheat_that_leads_is_not_marked_best(run_dir: Path) -> None:
    edit(run_dir, "frozen", "warp_psnr", value=99.0)
    summary = summarise(read_run(run_dir))
    assert not cell(summary, "frozen", "warp_psnr").best
    assert not cell(summary, "oracle", "warp_psnr").best
    assert not cell(summary, "ivid-small", "warp_psnr").best  # alone: it has beaten nobody


def test_only_a_sure_lead_is_marked(wide: Path) -> None:
    """The best number of a column is no winner while the difference may be luck."""
    summary = summarise(read_run(wide))
    marked = {}
    for place, own in enumerate(summary.columns):
        rows = [row for group in summary.groups for row in group.rows]
        ranks = {row.method.name: row.cells[place].rank for row in rows if row.cells[place].rank}
        best = [row.method.name for row in rows if row.cells[place].best]
        assert best == [name for name, rank in ranks.items() if rank == "1"]
        marked[own.definition.id] = best
    assert marked["warp_zncc"] == ["ivid-small"]
    assert marked["is[tabletop]"] == []  # the highest value, yet the intervals touch
    assert any(not cell(summary, m, "is[tabletop]").best for m in ("gan-small", "ivid-small"))


def test_a_better_method_that_lost_scenes_leaves_no_winner(wide: Path, tmp_path: Path) -> None:
    results = json.loads((wide / "results.json").read_text())
    results["methods"]["gan-small"]["scenes"] |= {"evaluated": 7, "failed": [{"index": 3, "reason": "lost."}]}
    results["methods"]["gan-small"]["metrics"]["warp_zncc"]["value"] = 2.0
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "per_scene.parquet").symlink_to(wide / "per_scene.parquet")
    summary = summarise(read_run(tmp_path))
    assert cell(summary, "ivid-small", "warp_zncc").rank == "1"
    assert not cell(summary, "ivid-small", "warp_zncc").best


def test_a_metric_without_direction_has_no_winner(pristine: Path) -> None:
    summary = summarise(read_run(pristine))
    assert not any(cell(summary, m, "covisible").best for m in ("oracle", "ivid-small", "frozen"))


def test_missing_numbers_are_dashes_with_one_note_a_reason(pristine: Path) -> None:
    summary = summarise(read_run(pristine))
    fid = cell(summary, "oracle", "fid[tabletop]")
    assert fid.text == "\N{EN DASH}"
    assert fid.reason.startswith("not run: needs at least 257 pictures")
    assert [(note.number, note.status, note.where) for note in summary.notes] == [
        (1, "not run", ("Fréchet distance, all methods",)),
        (2, "failed", ("Non-flatness, frozen",)),
    ]


def test_a_metric_that_a_method_lacks_is_not_run(run_dir: Path) -> None:
    path = run_dir / "results.json"
    results = json.loads(path.read_text())
    del results["methods"]["noise"]["metrics"]["nfs"]
    path.write_text(json.dumps(results))
    found = cell(summarise(read_run(run_dir)), "noise", "nfs")
    assert found.text == "\N{EN DASH}"
    assert "not in the results" in found.reason


def test_a_value_that_is_no_number_is_a_failure(run_dir: Path) -> None:
    edit(run_dir, "noise", "nfs", value=float("nan"))
    assert cell(summarise(read_run(run_dir)), "noise", "nfs").text == "\N{EN DASH}"


def test_columns_are_grouped_by_family_and_unknown_metrics_come_last(pristine: Path) -> None:
    run = read_run(pristine)
    definitions = {"zeta": run.definitions["nfs"], **run.definitions}
    assert ordered_metrics(definitions) == [
        "fid[tabletop]",
        "class_accuracy[tabletop]",
        "warp_psnr",
        "covisible",
        "geometric_share",
        "nfs",
        "zeta",
    ]
    assert summarise(run).families == [("Pictures", 2), ("Consistency", 3), ("Shape", 1)]


def test_every_metric_of_ours_belongs_to_a_family() -> None:
    """Only metrics that others bring stand under "Further", where each counts as a headline."""
    known = [stem for stems in FAMILIES.values() for stem in stems.headline + stems.more]
    assert len(known) == len(set(known))
    ids = {name for metric in (*ALL_METRICS, *COMPLETION_METRICS) for name in definitions_of(metric, "tabletop")}
    assert {name for name in ids if not is_curve_point(name) and name.split("[")[0] not in known} == set()


def test_few_headlines_share_one_table(pristine: Path) -> None:
    [part] = summarise(read_run(pristine)).parts
    assert part.title == ""
    assert len(part.table.columns) == 6
    assert part.hidden == frozenset()


def test_many_metrics_are_parted_by_family_and_secondary_ones_folded(wide: Path) -> None:
    summary = summarise(read_run(wide))
    assert [part.title for part in summary.parts] == [
        *("Pictures", "Consistency", "Cameras", "Shape", "Against the truth")
    ]
    seen: list[str] = []
    for part in summary.parts:
        for place, own in enumerate(part.table.columns):
            seen.append(own.definition.id)
            for group in part.table.groups:
                for row in group.rows:
                    assert row.cells[place] == cell(summary, row.method.name, own.definition.id)
    assert sorted(seen) == sorted(own.definition.id for own in summary.columns)
    pictures = summary.parts[0]
    shown = [own.definition.id for own in pictures.table.columns if own.definition.id not in pictures.hidden]
    assert shown == ["fid[tabletop]", "kid[tabletop]", "is[tabletop]", "class_accuracy[tabletop]"]
    assert "kid_worst_bin[tabletop]" in pictures.hidden


def test_points_of_curves_are_in_no_table(wide: Path) -> None:
    run = read_run(wide)
    assert "warp_psnr@30" in run.definitions
    names = [own.definition.id for own in summarise(run).columns]
    assert not any("@" in name or "_bin_-" in name for name in names)


def test_only_competing_methods_have_ranks(wide: Path) -> None:
    summary = summarise(read_run(wide))
    ranks = {m: cell(summary, m, "warp_zncc").rank for m in ("oracle", "ivid-small", "gan-small", "dfm-small", "noise")}
    assert ranks["oracle"] == ranks["noise"] == ""
    assert ranks["ivid-small"] == "1"
    dash = "\N{EN DASH}"
    assert cell(summary, "gan-small", "is[tabletop]").rank == f"1{dash}3"  # of sets: by intervals
    assert cell(summary, "gan-small", "covisible").rank == ""  # no direction
    assert cell(summary, "gan-small", "recall[tabletop]").rank != ""  # hidden columns are ranked as well


def test_a_method_that_lost_scenes_is_not_ranked(wide: Path, tmp_path: Path) -> None:
    results = json.loads((wide / "results.json").read_text())
    results["methods"]["gan-small"]["scenes"] |= {"evaluated": 7, "failed": [{"index": 3, "reason": "lost."}]}
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "per_scene.parquet").symlink_to(wide / "per_scene.parquet")
    summary = summarise(read_run(tmp_path))
    assert cell(summary, "gan-small", "warp_zncc").rank == ""
    assert cell(summary, "ivid-small", "warp_zncc").rank == "1"
    assert cell(summary, "dfm-small", "warp_zncc").rank == "2"


def test_scenes_that_cannot_be_paired_leave_no_rank(wide: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").symlink_to(wide / "results.json")
    rows = pd.read_parquet(wide / "per_scene.parquet")
    rows[~((rows["method"] == "dfm-small") & (rows["index"] == 2))].to_parquet(tmp_path / "per_scene.parquet")
    assert cell(summarise(read_run(tmp_path)), "ivid-small", "warp_zncc").rank == ""


def test_without_values_of_scenes_intervals_rank(wide: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").symlink_to(wide / "results.json")
    assert cell(summarise(read_run(tmp_path)), "ivid-small", "kid[tabletop]").rank == "1\N{EN DASH}2"


def test_flatten_names_every_leaf_once() -> None:
    nested = {
        "sweep": {"views": 24, "pitch": None},
        "flags": [True, False],
        "metrics": [{"id": "nfs", "version": 1}, {"id": "fid", "version": 2}],
        "none": [],
    }
    assert flatten(nested) == [
        (("sweep", "views"), "24"),
        (("sweep", "pitch"), "\N{EN DASH}"),
        (("flags",), "yes, no"),
        (("metrics",), "nfs version 1, fid version 2"),
        (("none",), "none"),
    ]
