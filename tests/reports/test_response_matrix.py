"""The picture of the response matrix tells what holds, what does not, and what was never measured."""

from __future__ import annotations

import re

from viewsweep.metrics.selfcheck import QUICK, Cell, SelfCheck
from viewsweep.reports.response_matrix import matrix_svg

FIRES = Cell("zncc", "noise", "fires", 2, {0: 1.0, 1: 0.8, 2: 0.1}, 1.0, 1.0, 0.9, ok=True)
NEVER = Cell("zncc", "wobble", "fires", 2, {}, None, None, None, reason="not measured.")
BROKEN = Cell("zncc", "hue", "fires", 2, {0: 1.0, 1: 1.0}, 0.0, 0.5, 0.0, ok=False, reason="does not rise")
SILENT = Cell("zncc", "exposure", "silent", 0, {0: 1.0, 1: 0.75}, -1.0, 0.6, 0.25, allowed=0.5, ok=True)


def states(*cells: Cell) -> list[str]:
    svg = matrix_svg(SelfCheck(QUICK, list(cells), [], {}, {}, 1.0))
    return re.findall(r'<g class="(\w+)">', svg)


def test_what_was_not_measured_does_not_look_like_a_promise_kept() -> None:
    assert states(FIRES, NEVER, BROKEN, SILENT) == ["fires", "unmeasured", "broken", "silent"]


def test_a_control_is_drawn_against_what_it_is_allowed() -> None:
    svg = matrix_svg(SelfCheck(QUICK, [SILENT], [], {}, {}, 1.0))
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", svg)]
    top = float(re.search(r'<rect x="[\d.]+" y="([\d.]+)"', svg).group(1))  # type: ignore[union-attr]
    # 16 units of height stand for -0.5 to 0.5: clean in the middle, a fall of 0.25 a quarter below
    assert [round(y - top, 1) for y in heights] == [12.0, 16.0]


def test_a_cell_says_its_numbers() -> None:
    svg = matrix_svg(SelfCheck(QUICK, [FIRES], [], {}, {}, 1.0))
    assert "zncc under noise: must fire from level 2; tau 1.00, AUROC 1.00" in svg
