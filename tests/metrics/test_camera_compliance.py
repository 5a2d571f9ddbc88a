from __future__ import annotations

import math
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from viewsweep.metrics import reconstruction
from viewsweep.metrics.camera_compliance import CameraCompliance, compliance, rotation_angle_deg
from viewsweep.metrics.reconstruction import Reconstruction
from viewsweep.scenes import Cameras, Scene, sweep360, tabletop

from .analytic import frozen, static
from .textured import arc, textured, turned

CAMERAS = arc(10)
CLEAN = textured(CAMERAS, 128)
OFFSETS = torch.tensor([0.8, -1.2, 0.4, 1.0, -0.7, -0.3, 1.3, -1.1, 0.2, -0.6])
NAMES = list(CameraCompliance.definitions())
WORST = dict(zip(NAMES, (180.0, 180.0, 2.0, 0.0, 0.0, 1.5, 0.0), strict=True))


def measure(scene: Scene) -> dict[str, float]:
    metric = CameraCompliance()
    metric.update(scene, index=0)
    assert {result.status for result in metric.results().values()} == {"ok"}
    return {name: float(result.value or 0.0) for name, result in metric.results().items()}


def exact(true: Cameras, commanded: Cameras) -> dict[str, float]:
    """What a reconstruction without error would score."""
    found = Reconstruction(true.cam_to_world.numpy(), 1, 0.0, 2.0)
    return dict(zip(NAMES, compliance(found, commanded).mean(0).tolist(), strict=True))


def test_consistent_scene() -> None:
    found = measure(CLEAN)
    assert found["registration"] == found["models"] == 1.0
    assert found["rotation_error_deg"] < 0.5
    assert found["adjacent_rotation_error_deg"] < 0.5
    assert found["translation_error"] < 0.02
    assert found["reprojection_error_px"] < 0.5
    assert found["track_length"] > 3


def test_same_scene_gives_the_same_bits() -> None:
    few = CLEAN.select([0, 1, 2, 3])
    assert measure(few) == measure(replace(few))


@pytest.mark.parametrize("degrees", [1.0, 4.0])
def test_wrong_azimuth_is_recovered_within_a_tenth(degrees: float) -> None:
    scene, true = turned(CAMERAS, degrees * OFFSETS, 128)
    found, known = measure(scene), exact(true, CAMERAS)
    assert found["registration"] == 1.0
    assert found["adjacent_rotation_error_deg"] == pytest.approx(known["adjacent_rotation_error_deg"], rel=0.1)
    if degrees > 1:
        assert found["rotation_error_deg"] == pytest.approx(known["rotation_error_deg"], rel=0.1)
        assert found["translation_error"] == pytest.approx(known["translation_error"], rel=0.1)


def test_camera_slowed_by_a_quarter_is_recovered() -> None:
    scene, true = turned(CAMERAS, -0.25 * 10 * torch.arange(10), 128)
    found = measure(scene)["adjacent_rotation_error_deg"]
    assert found == pytest.approx(exact(true, CAMERAS)["adjacent_rotation_error_deg"], rel=0.1)
    assert found == pytest.approx(2.5 * math.cos(0.26), rel=0.1)  # turns about the vertical, seen at this pitch


@pytest.mark.parametrize(
    "corrupt",
    [frozen, static, lambda scene: replace(scene, rgb=torch.full_like(scene.rgb, 90))],
    ids=["frozen", "noise", "plain"],
)
def test_pictures_that_cannot_be_placed_are_worst(corrupt: Any) -> None:
    assert measure(corrupt(CLEAN.select([0, 1, 2, 3]))) == WORST


def test_views_that_cannot_be_placed_count() -> None:
    """Two of ten views show noise: theirs is the worst, the others' values hardly change."""
    rgb = CLEAN.rgb.clone()
    rgb[8:] = static(CLEAN).rgb[8:]
    metric = CameraCompliance()
    metric.update(replace(CLEAN, rgb=rgb), index=0)
    by_view = {row.view: row.value for row in metric.rows() if row.metric == "rotation_error_deg"}
    assert [by_view[view] for view in (8, 9)] == [180.0, 180.0]
    assert max(by_view[view] for view in range(8)) < 1.5
    assert metric.results()["registration"].value == pytest.approx(0.8)


def test_world_of_the_reconstruction_is_free() -> None:
    angle = 0.7
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1.0]])
    poses = CAMERAS.cam_to_world.numpy().copy()
    poses[:, :3, :3] = turn @ poses[:, :3, :3]
    poses[:, :3, 3] = 3.5 * poses[:, :3, 3] @ turn.T + np.array([1.0, -2.0, 5.0])
    values = compliance(Reconstruction(poses, 1, 0.2, 3.0), CAMERAS)
    torch.testing.assert_close(values[:, :3], torch.zeros(10, 3, dtype=torch.float64), atol=1e-9, rtol=0)
    assert values[:, 3:].mean(0).tolist() == pytest.approx([1.0, 1.0, 0.2, 3.0])


def test_missing_views_score_the_worst_with_their_turns() -> None:
    poses = CAMERAS.cam_to_world.numpy().copy()
    poses[9] = math.nan
    values = compliance(Reconstruction(poses, 2, 0.2, 3.0), CAMERAS)
    assert values[9, :4].tolist() == [180.0, 180.0, 2.0, 0.0]
    assert values[8, 1] == pytest.approx(90.0)  # one of its two turns
    assert float(values[:8, :3].max()) < 1e-9


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 0.3, 90.0, 179.9, 180.0])
def test_angles_are_exact_over_their_range(degrees: float) -> None:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    assert float(rotation_angle_deg(turn, np.eye(3))) == pytest.approx(degrees, rel=1e-6, abs=1e-9)


def test_crash_of_colmap_is_a_failure_of_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -6, b"", b"aborted"))
    assert measure(CLEAN) == WORST


@pytest.mark.parametrize("status", [-9, 3])
def test_a_child_that_was_killed_or_has_no_colmap_is_not(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], status, b"", b"why"))
    with pytest.raises(RuntimeError, match=f"COLMAP's process ended with status {status}: why"):
        measure(CLEAN)


def test_nothing_is_printed_or_left_behind(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    measure(CLEAN.select([0, 1, 2]))
    assert capfd.readouterr() == ("", "")
    assert os.listdir(tmp_path) == []


def test_missing_parts_are_named() -> None:
    for scene, reason in ((CLEAN.select([0]), "a single view"), (replace(CLEAN, cameras=None), "the cameras are")):
        metric = CameraCompliance()
        metric.update(scene, index=0)
        for result in metric.results().values():
            assert result.status == "not_run"
            assert (result.reason or "").startswith(f"scene 0: {reason}")


def test_bounds_hold_what_reconstruction_may_return() -> None:
    values = compliance(Reconstruction(np.full((10, 4, 4), np.nan), 0, math.nan, 0.0), CAMERAS)
    assert values.mean(0).tolist() == list(WORST.values())
    assert WORST["reprojection_error_px"] == reconstruction.ERROR


@pytest.mark.slow
@pytest.mark.parametrize("label", [1, 3, 7], ids=["chair", "house", "lamp"])
def test_tabletop_objects_register_and_give_their_turns(label: int) -> None:
    cameras = sweep360(24, math.radians(15))
    item = tabletop.sample(100 + label, label)
    clean = measure(item.render(cameras, 192))
    assert clean["registration"] > 0.9
    assert clean["adjacent_rotation_error_deg"] < 1.5
    shifts = 4 * torch.randn(24, generator=torch.Generator().manual_seed(0))
    true = Cameras.orbit(cameras.yaw + torch.deg2rad(shifts.double()), cameras.pitch)
    found = measure(replace(item.render(true, 192), cameras=cameras))
    assert found["adjacent_rotation_error_deg"] == pytest.approx(
        exact(true, cameras)["adjacent_rotation_error_deg"], rel=0.15
    )
