"""The worked example of docs/dfm.md does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import viewsweep

PAGE = Path(viewsweep.__file__).parent / "docs" / "dfm.md"


def test_the_example_of_a_problem_of_ones_own() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    problem, use = blocks
    lines = [line for line in problem.split("class ", 1)[1].splitlines() if line.strip()]
    assert len(lines) <= 20, "the page promises twenty lines"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        names: dict[str, Any] = {"print": lambda *_: None}
        exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    finally:
        torch.set_num_threads(threads)
    hands = names["hands"]
    assert float(hands[:, 1].max()) < -0.3  # all point to where they cannot be seen
    assert float(hands[:, 0].std()) > 0.2  # and not to one place
    assert "sample(" in use
    shown = names["clocks"](torch.tensor([0.5] * 20)).context
    seen = names["sample"](names["clock"], shown, {}, range(20), names["Sampling"](steps=20)).signal["hand"]
    told = torch.tensor([torch.tensor(0.5).sin(), torch.tensor(0.5).cos()])
    assert float((seen @ told).min()) > 0.9  # what can be seen is known
