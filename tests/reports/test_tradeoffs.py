"""Trade-offs: who is on the front follows from the values, and nobody who does not compete."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from viewsweep.reports.labels import Box, place_labels
from viewsweep.reports.reactions import matrices, reaction
from viewsweep.reports.rundir import RunFiles, read_run
from viewsweep.reports.svg import text_width
from viewsweep.reports.tables import summarise
from viewsweep.reports.tradeoffs import Axis, front, tradeoffs


def axis(run: RunFiles, values: dict[str, float], *, higher: bool) -> Axis:
    return Axis("x", "X", "", higher, {name: (value, None, None) for name, value in values.items()})


def test_the_front_is_who_nobody_beats(wide: Path) -> None:
    run = read_run(wide)
    quality = {"dfm-small": 1.0, "gan-small": 2.0, "ivid-small": 3.0, "noise": 99.0, "oracle": 99.0}
    cost = {"dfm-small": 5.0, "gan-small": 5.0, "ivid-small": 50.0, "noise": 0.0, "oracle": 0.0}
    good, cheap = axis(run, quality, higher=True), axis(run, cost, higher=False)
    assert front(run, [good, cheap]) == ("gan-small", "ivid-small")
    assert front(run, [good]) == ("ivid-small",)
    assert front(run, [cheap]) == ("dfm-small", "gan-small")  # equals do not beat each other
    assert front(run, [good, axis(run, {"gan-small": 1.0}, higher=True)]) == ("gan-small",)  # who has both values


def test_pairs_of_quality_consistency_and_cost_are_drawn(wide: Path) -> None:
    found, undominated = tradeoffs(read_run(wide))
    assert [entry.name for entry in found] == ["quality-consistency", "quality-cost", "consistency-cost"]
    assert set(undominated) <= {"dfm-small", "gan-small", "ivid-small"}
    for entry in found:
        assert entry.chart.count("<circle") == 7
        assert set(entry.front) <= set(undominated)


def test_no_name_stands_on_an_interval_or_on_another_name(wide: Path) -> None:
    for entry in tradeoffs(read_run(wide))[0]:
        root = ElementTree.fromstring(entry.chart)
        names = [_box(text) for text in root.iter("text") if "label" in text.attrib["class"]]
        lines = [
            [tuple(map(float, point.split())) for point in mark.attrib["d"].strip("M").split("L")]
            for mark in root.iter("path")
            if "whisker" in mark.attrib["class"]
        ]
        assert len(names) == 7
        assert lines
        for place, box in enumerate(names):
            for (left, top), (right, bottom) in lines:
                upper, lower = sorted((top, bottom))
                line = Box(min(left, right) - 0.5, upper - 0.5, max(left, right) + 0.5, lower + 0.5)
                assert box.covers(line) == 0
            assert not any(box.covers(other) for other in names[:place])


def _box(text: ElementTree.Element) -> Box:
    x, y, wide = float(text.attrib["x"]), float(text.attrib["y"]), text_width(text.text or "", 11.0)
    left = x - wide if text.attrib["text-anchor"] == "end" else x
    return Box(left, y - 8, left + wide, y + 2)


def test_names_move_only_as_far_as_they_must() -> None:
    frame = Box(0, 0, 200, 100)
    alone = place_labels({"a": (100.0, 50.0)}, [], 10.0, frame)["a"]
    assert (alone.at_end, alone.far, alone.x) == (False, False, 108.0)
    at_the_edge = place_labels({"a": (198.0, 50.0)}, [], 10.0, frame)["a"]
    assert (at_the_edge.at_end, at_the_edge.far) == (True, False)
    crowd = dict.fromkeys("abcdef", (100.0, 50.0))
    found = place_labels(crowd, [], 10.0, frame)
    assert len({(label.x, label.baseline) for label in found.values()}) == len(crowd)


def test_without_costs_and_without_a_second_method_there_is_less(wide: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").symlink_to(wide / "results.json")
    found, undominated = tradeoffs(read_run(tmp_path))
    assert [entry.name for entry in found] == ["quality-consistency"]
    assert undominated == ()
    results = json.loads((wide / "results.json").read_text())
    results["methods"] = {"noise": results["methods"]["noise"]}
    (tmp_path / "results.json").unlink()
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert tradeoffs(read_run(tmp_path)) == ([], ())


def test_metrics_say_what_they_react_to(wide: Path) -> None:
    found = reaction("warp_psnr")
    assert found is not None
    assert found.fires
    assert found.silent
    assert not set(found.fires) & set(found.silent)
    assert reaction("an_id_that_nobody_declared") is None
    drawn = dict(matrices(list(summarise(read_run(wide)).columns)))
    assert list(drawn) == ["Faults of a scene", "Faults of a set of pictures"]
    assert ">Warp PSNR<" in drawn["Faults of a scene"]


@pytest.mark.parametrize("metric", ["kid[tabletop]", "best_psnr"])
def test_reactions_are_told_by_titles(metric: str) -> None:
    found = reaction(metric)
    assert found is not None
    assert not any("_" in title for title in found.fires)
