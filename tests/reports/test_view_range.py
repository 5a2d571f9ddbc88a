"""The view-range table: methods by ranges, reasons where numbers are missing, and its place in the report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from viewsweep.metrics import ViewRange
from viewsweep.reports import write_report
from viewsweep.reports.curve_points import is_curve_point, views_by_metric
from viewsweep.reports.exporting import export_tables
from viewsweep.reports.numbers import NOTHING
from viewsweep.reports.rundir import read_run
from viewsweep.reports.tables import summarise
from viewsweep.reports.view_range import range_tables, yaw_range_deg


@pytest.fixture
def ranged(run_dir: Path) -> Path:
    """The fake run with numbers that rise by a hundredth a view; one of them is missing."""
    path = run_dir / "results.json"
    results: dict[str, Any] = json.loads(path.read_text())
    definitions = ViewRange.definitions("tabletop")
    results["metrics"] |= {name: entry.to_json() for name, entry in definitions.items()}
    for place, method in enumerate(results["methods"].values()):
        for name in definitions:
            value = place + int(name.split("_")[2].split("[")[0]) / 100
            found = {
                "value": value,
                "ci_low": value - 0.1,
                "ci_high": value + 0.1,
                "n": 3,
                "status": "ok",
                "reason": None,
            }
            method["metrics"][name] = found
    lost = {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "n": 3,
        "status": "not_run",
        "reason": "too <few> pictures.",
    }
    results["methods"]["noise"]["metrics"]["fid_views_1[tabletop]"] = lost
    path.write_text(json.dumps(results))
    return run_dir


def test_ranges_are_those_of_the_papers_table() -> None:
    assert [yaw_range_deg(views) for views in (1, 9, 15, 21, 27)] == [0.0, 17.2, 34.4, 51.6, 68.8]


def test_every_id_of_the_metric_is_a_point_and_nothing_else_is() -> None:
    names = list(ViewRange.definitions("tabletop"))
    assert all(is_curve_point(name) for name in names)
    found = views_by_metric([*names, "kid[tabletop]", "kid_bin_0[tabletop]", "psnr@30"])
    assert {base: sorted(points) for base, points in found.items()} == {
        f"{stem}[tabletop]": [1, 9, 15, 21, 27] for stem in ("kid", "fid", "is")
    }


def test_table_holds_methods_by_ranges(ranged: Path) -> None:
    tables = range_tables(read_run(ranged))
    assert [table.column.definition.title for table in tables] == ["FID", "KID", "Inception Score"]
    assert [table.column.arrow for table in tables] == ["↓", "↓", "↑"]
    table = tables[1]
    assert table.ranges == ((1, 0.0), (9, 17.2), (15, 34.4), (21, 51.6), (27, 68.8))
    assert [method.name for method, _ in table.rows] == ["oracle", "ivid-small", "frozen", "noise"]
    spread = [float(cells[4].text) - float(cells[0].text) for _, cells in table.rows]
    assert spread == pytest.approx([0.26] * 4)
    assert table.missing == ()


def test_missing_numbers_keep_their_reason(ranged: Path) -> None:
    table = range_tables(read_run(ranged))[0]
    assert table.missing == ("noise, 1 view: too <few> pictures.",)
    (cells,) = [cells for method, cells in table.rows if method.name == "noise"]
    assert (cells[0].text, cells[0].reason) == (NOTHING, "not run: too <few> pictures.")


def test_report_has_the_section_and_the_summary_has_not(ranged: Path, pristine: Path) -> None:
    page = write_report(ranged).read_text()
    assert 'href="#view-range"' in page
    assert "68.8°" in page
    assert "too &lt;few&gt; pictures." in page
    assert "KID against the range of yaw" in page
    assert not [own for own in summarise(read_run(ranged)).columns if "_views_" in own.definition.id]
    assert range_tables(read_run(pristine)) == []


def test_its_csv_holds_every_number_in_full(ranged: Path, tmp_path: Path) -> None:
    run = read_run(ranged)
    [path] = export_tables(run, tmp_path / "a.csv", "csv", ["range-fid-tabletop"])
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(path.read_text()))}
    name = "fid_views_9[tabletop]"
    for method in run.methods:
        outcome = method.outcome(name)
        assert [float(rows[method.name][f"{name}{part}"]) for part in ("", " low", " high", " n")] == [
            *(outcome.value, outcome.low, outcome.high, outcome.n)
        ]
    assert rows["noise"]["fid_views_1[tabletop]"] == ""
    assert rows["noise"]["fid_views_1[tabletop] reason"] == "not run: too <few> pictures."
