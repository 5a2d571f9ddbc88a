"""The shipped GANs keep the rules that `viewsweep check-method` asks of everybody's methods."""

from __future__ import annotations

import pytest
import torch
from viewsweep.benchmark.conformance import check_conformance


@pytest.mark.parametrize(("method", "size"), [("pigan-small", 32), ("eg3d-small", 64)])
def test_shipped_gans_keep_the_rules(method: str, size: int) -> None:
    """One that renders every pixel, and the one whose depth is enlarged."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        checks = check_conformance(method, quick=True, size=size)
    finally:
        torch.set_num_threads(threads)
    assert {check.name: check.message for check in checks if check.verdict != "ok"} == {}
    assert len(checks) == 13
