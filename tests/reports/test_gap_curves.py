"""Curves over the angle between views, and over bins of azimuth: all from the results, nothing lost."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from viewsweep.reports import write_report
from viewsweep.reports.curve_points import bins_by_metric, gaps_by_metric, is_curve_point
from viewsweep.reports.curves import bin_curves
from viewsweep.reports.gap_curves import gap_chart, gap_curves
from viewsweep.reports.rundir import read_run


def svg_of(folder: Path, metric: str) -> ElementTree.Element:
    run = read_run(folder)
    own, curves, _ = next(entry for entry in gap_curves(run) if entry[0].definition.id == metric)
    return ElementTree.fromstring(gap_chart(run, own, curves))


def classes(svg: ElementTree.Element, word: str) -> list[str]:
    """Methods' styles of all paths of one kind."""
    found = [node.attrib.get("class", "") for node in svg.iter("path")]
    return [text for text in found if word in text.split()]


def with_results(wide: Path, folder: Path, change: dict[str, Any]) -> Path:
    """A copy of the results in which some (method, id) are something else."""
    results = json.loads((wide / "results.json").read_text())
    for (method, name), outcome in change.items():
        results["methods"][method]["metrics"][name] |= outcome
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("warp_psnr@30", True),
        ("warp_psnr@loop", True),
        ("kid_bin_0[tabletop]", True),
        ("fid_bin_-135", True),
        ("kid_worst_bin[tabletop]", False),
        ("warp_psnr", False),
    ],
)
def test_points_are_told_from_metrics(name: str, point: bool) -> None:
    assert is_curve_point(name) is point


def test_numbered_bins_start_in_front() -> None:
    bins = bins_by_metric(f"kid_bin_{place}[tabletop]" for place in range(8))["kid[tabletop]"]
    assert sorted(bins) == [-180.0, -135.0, -90.0, -45.0, 0.0, 45.0, 90.0, 135.0]
    assert bins[0.0] == "kid_bin_0[tabletop]"
    assert bins[-90.0] == "kid_bin_6[tabletop]"


def test_unknown_gaps_are_left_alone() -> None:
    assert gaps_by_metric(["a@15", "a@loop", "a@far", "b"]) == {"a": {"15": "a@15", "loop": "a@loop"}}


def test_values_stand_at_their_angles(wide: Path) -> None:
    run = read_run(wide)
    found = {own.definition.id: (curves, missing) for own, curves, missing in gap_curves(run)}
    assert list(found) == ["warp_psnr", "covisible", "geometric_share", "warp_zncc", "sed"]
    curves, missing = found["warp_psnr"]
    oracle = next(curve for curve in curves if curve.method == "oracle")
    expected = next(method for method in run.methods if method.name == "oracle")
    assert list(oracle.points) == [15.0, 30.0, 60.0, 90.0]
    assert oracle.points[30.0] == expected.outcome("warp_psnr@30")
    assert oracle.loop == expected.outcome("warp_psnr@loop")
    assert missing == ["noise: scene 0: warp_psnr@90 has nothing to compare."]


def test_the_chart_draws_every_method_in_its_colours(wide: Path) -> None:
    svg = svg_of(wide, "warp_psnr")
    texts = [node.text for node in svg.iter("text")]
    assert {"oracle", "ivid-small", "noise", "15°", "90°", "closing", "the circle"} <= set(texts)
    assert len(classes(svg, "line")) == len(classes(svg, "band")) == len(classes(svg, "seam")) == 7
    assert sum("is-cheat" in style for style in classes(svg, "line")) == 3
    assert sum("is-ceiling" in style for style in classes(svg, "line")) == 1
    assert "style" not in {name for node in svg.iter() for name in node.attrib}


def test_a_missing_angle_parts_the_line(wide: Path, tmp_path: Path) -> None:
    lost = {"value": None, "ci_low": None, "ci_high": None, "status": "failed", "reason": "lost."}
    svg = svg_of(with_results(wide, tmp_path, {("ivid-small", "warp_psnr@30"): lost}), "warp_psnr")
    lines = [node.attrib["d"] for node in svg.iter("path") if "hue-2" in node.attrib["class"].split()]
    own = [style for style in classes(svg, "line") if "hue-2" in style]
    assert len(own) == 2
    assert lines


def test_without_intervals_there_is_no_band(wide: Path, tmp_path: Path) -> None:
    bare = {"ci_low": None, "ci_high": None}
    change = {("ivid-small", f"sed@{gap}"): bare for gap in ("15", "30", "60", "90", "loop")}
    svg = svg_of(with_results(wide, tmp_path, change), "sed")
    assert len(classes(svg, "line")) == 7
    assert len(classes(svg, "band")) == len(classes(svg, "whisker")) == 6


def test_angles_no_method_was_measured_at_are_not_missing(wide: Path, tmp_path: Path) -> None:
    lost = {"value": None, "ci_low": None, "ci_high": None, "status": "not_run", "reason": "never so far apart."}
    methods = [method.name for method in read_run(wide).methods]
    run = read_run(with_results(wide, tmp_path, {(m, f"sed@{gap}"): lost for m in methods for gap in ("15", "90")}))
    _, curves, missing = next(entry for entry in gap_curves(run) if entry[0].definition.id == "sed")
    assert missing == []
    assert all(list(curve.points) == [30.0, 60.0] for curve in curves)


def test_a_metric_with_a_seam_alone_can_be_drawn(wide: Path, tmp_path: Path) -> None:
    lost = {"value": None, "ci_low": None, "ci_high": None, "status": "not_run", "reason": "never so far apart."}
    methods = [method.name for method in read_run(wide).methods]
    gaps = ("15", "30", "60", "90")
    svg = svg_of(with_results(wide, tmp_path, {(m, f"sed@{gap}"): lost for m in methods for gap in gaps}), "sed")
    assert classes(svg, "line") == []
    assert len(classes(svg, "seam")) == 7


def test_runs_without_angles_have_no_such_section(pristine: Path) -> None:
    assert gap_curves(read_run(pristine)) == []
    page = write_report(pristine).read_text(encoding="utf-8")
    assert "angle between views" not in page
    assert 'href="#angles"' not in page


def test_bins_of_azimuth_become_a_curve(wide: Path) -> None:
    run = read_run(wide)
    [(own, curves)] = bin_curves(run)
    assert own.definition.title == "KID by azimuth"
    oracle = next(curve for curve in curves if curve.method == "oracle")
    assert oracle.azimuth.tolist() == [-180.0, -135.0, -90.0, -45.0, 0.0, 45.0, 90.0, 135.0]
    results = json.loads((wide / "results.json").read_text())["methods"]["oracle"]["metrics"]
    assert oracle.mean[4] == results["kid_bin_0[tabletop]"]["value"]
    assert oracle.low is not None
    assert oracle.low[0] == results["kid_bin_-180[tabletop]"]["ci_low"]
