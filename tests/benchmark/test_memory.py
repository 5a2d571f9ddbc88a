from __future__ import annotations

import numpy as np
import pytest
from viewsweep.benchmark import memory
from viewsweep.benchmark.memory import FORGET, PeakMemory

SIZE = 200 << 20


def test_what_was_let_go_again_counts() -> None:
    peak = PeakMemory("cpu")
    before = peak.measured()
    block = np.ones(SIZE, dtype=np.uint8)
    del block
    after = peak.measured()
    assert before is not None
    assert after is not None
    assert after - before > 0.9 * SIZE


@pytest.mark.skipif(not FORGET.exists(), reason="only Linux can forget an earlier peak")
def test_an_earlier_peak_is_forgotten() -> None:
    block = np.ones(SIZE, dtype=np.uint8)
    high = PeakMemory("cpu").measured()
    del block
    low = PeakMemory("cpu").measured()
    assert high is not None
    assert low is not None
    assert high - low > 0.9 * SIZE


def test_other_systems_tell_the_peak_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "STATUS", FORGET.parent / "no such file")
    found = PeakMemory("cpu").measured()
    assert found is not None
    assert found > 10 << 20
