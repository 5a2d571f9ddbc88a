from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.loop_closure import LoopClosure
from viewsweep.metrics.warp_error import warp_errors
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import NAN, balls, drifting, frozen, noisy, static, switched

CLEAN = balls()


def measure(scene: Scene) -> tuple[float, float]:
    metric = LoopClosure()
    metric.update(scene, index=0)
    psnr, drop = (result.value for result in metric.results().values())
    assert psnr is not None
    assert drop is not None
    return psnr, drop


def test_consistent_scene_closes() -> None:
    psnr, drop = measure(CLEAN)
    assert psnr > 45
    assert drop < 2


def test_seam_is_the_warp_error_of_last_and_first() -> None:
    assert measure(CLEAN)[0] == pytest.approx(float(warp_errors(CLEAN, [(23, 0)])[:, 0].mean()), abs=1e-12)


@pytest.mark.parametrize("amounts", [(0.03, 0.1, 0.3, 1.0)])
def test_drift_opens_the_seam_and_grows(amounts: tuple[float, ...]) -> None:
    found = [measure(CLEAN)] + [measure(drifting(CLEAN, amount)) for amount in amounts]
    assert [psnr for psnr, _ in found] == sorted((psnr for psnr, _ in found), reverse=True)
    assert [drop for _, drop in found] == sorted(drop for _, drop in found)
    assert found[-1][1] > 15


def test_another_object_in_the_second_half_opens_the_seam() -> None:
    other = balls(solids=((-0.1, 0.1, 0.2, 0.25), (0.1, -0.1, -0.1, 0.3)))
    psnr, drop = measure(switched(CLEAN, other))
    assert psnr < 30
    assert drop > 15


def test_what_is_bad_everywhere_shows_in_the_seam_but_not_in_the_drop() -> None:
    psnr, drop = measure(frozen(CLEAN))
    assert psnr < 25
    assert drop < 1e-9
    psnr, drop = measure(noisy(CLEAN, 0.1))
    assert psnr < 25
    assert drop < 1


@pytest.mark.parametrize("empty", [False, True], ids=["noise for depth", "no surface"])
def test_seam_that_cannot_be_compared_scores_worst(empty: bool) -> None:
    assert CLEAN.depth is not None
    scene = replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN)) if empty else static(CLEAN)
    assert measure(scene) == (0.0, 60.0)


def test_path_that_returns_to_its_first_camera_is_compared_directly() -> None:
    cameras = Cameras.orbit(torch.linspace(0, 2 * math.pi, 13), torch.full((13,), 0.26))
    scene = balls(cameras, 32)
    assert measure(scene) == (60.0, 0.0)
    rgb = scene.rgb.clone()
    rgb[-1] = (rgb[-1].int() + 10).clamp(max=255).to(torch.uint8)
    psnr, drop = measure(replace(scene, rgb=rgb))
    assert psnr == pytest.approx(20 * math.log10(255 / 10), abs=0.2)
    assert drop > 5
    assert scene.depth is not None
    nothing = replace(scene, depth=torch.full_like(scene.depth, NAN))
    assert measure(nothing) == (0.0, 60.0)


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (CLEAN.select(list(range(9))), "the views do not close a circle"),
        (balls(sweep360(2), 16), "the views do not close a circle"),
        (CLEAN.select([0]), "a single view has no pair to compare"),
        (replace(CLEAN, depth=None), "there is no depth; a method that has it returns it from `generate`"),
        (replace(CLEAN, cameras=None), "the cameras are unknown"),
    ],
    ids=["arc", "two views", "one view", "no depth", "no cameras"],
)
def test_nothing_to_close_is_said(scene: Scene, reason: str) -> None:
    metric = LoopClosure()
    metric.update(scene, index=0)
    for result in metric.results().values():
        assert (result.status, result.reason) == ("not_run", f"scene 0: {reason}")
