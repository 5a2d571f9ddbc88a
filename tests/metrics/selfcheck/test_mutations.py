"""A bug put into a metric on purpose: the self-check must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.metrics import GeometricShare, WarpError, non_flatness
from viewsweep.metrics.selfcheck import QUICK, run_selfcheck
from viewsweep.scenes import Scene

PLAN = replace(
    QUICK, subjects=("textured", "thin"), reference_seeds=0, corruptions=("depth_scale", "frozen", "billboard")
)
Compare = Callable[[object, Scene, list[tuple[int, int]]], Tensor]


def everything_agrees(original: Compare) -> Compare:
    """A threshold that is far too loose."""
    return lambda self, scene, pairs: torch.ones_like(original(self, scene, pairs))


def nothing_is_warped(original: Compare) -> Compare:
    """The first camera taken for all of them."""

    def compare(self: object, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        assert scene.cameras is not None
        return original(self, replace(scene, cameras=scene.cameras[[0] * scene.views]), pairs)

    return compare


@pytest.mark.parametrize(
    ("kind", "bug"),
    [
        pytest.param(GeometricShare, everything_agrees, id="loose", marks=pytest.mark.slow),
        pytest.param(WarpError, nothing_is_warped, id="unwarped"),
    ],
)
def test_a_bug_breaks_promises(
    kind: type[GeometricShare | WarpError], bug: Callable[[Compare], Compare], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_selfcheck(PLAN, metrics=[kind.name], workers=1).faults == []
    monkeypatch.setattr(kind, "_compare", bug(kind._compare))
    faults = run_selfcheck(PLAN, metrics=[kind.name], workers=1).faults
    assert any("frozen" in fault for fault in faults)


def test_ranks_in_place_of_relief_break_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, corruptions=("billboard", "exposure"))
    assert run_selfcheck(plan, metrics=["non_flatness"], workers=1).faults == []
    monkeypatch.setattr(non_flatness, "relief", lambda depth, uv: np.linspace(0.0, 1.0, len(depth)))
    faults = run_selfcheck(plan, metrics=["non_flatness"], workers=1).faults
    assert any("nfs under billboard" in fault for fault in faults)
