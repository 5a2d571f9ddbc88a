from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from viewsweep.metrics import keypoints
from viewsweep.metrics.keypoints import detect, frame_size, grey_pictures, match_views, solid_ground
from viewsweep.metrics.reconstruction import mutual_matches, quantised
from viewsweep.scenes import Scene

from .textured import arc, textured

SCENE = textured(arc(3), 96)


def test_small_pictures_are_enlarged_and_large_ones_reduced() -> None:
    wide = Scene(torch.zeros(1, 20, 30, 3, dtype=torch.uint8))
    assert frame_size(wide) == (256, 384)
    assert grey_pictures(wide).shape == solid_ground(wide).shape == (1, 256, 384)
    assert frame_size(Scene(torch.zeros(1, 512, 512, 3, dtype=torch.uint8))) == (256, 256)


def test_enlarging_moves_nothing() -> None:
    spot = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    spot[0, 20, 40] = 255
    row, column = (int(place) for place in np.unravel_index(grey_pictures(Scene(spot))[0].argmax(), (256, 256)))
    assert (row // 4, column // 4) == (20, 40)


def test_keypoints_lie_on_the_object() -> None:
    for view, ground in zip(detect(SCENE), solid_ground(SCENE), strict=True):
        assert len(view.points) > 50
        column, row = view.points.astype(int).T
        assert ground[row, column].all()
    assert solid_ground(SCENE).mean() == pytest.approx(float(SCENE.foreground.double().mean()), abs=0.01)


def test_without_depth_alpha_decides_and_without_both_everything_counts() -> None:
    bare = replace(SCENE, depth=None)
    assert solid_ground(bare).all()
    masked = replace(bare, alpha=SCENE.foreground.to(torch.uint8) * 255)
    assert np.array_equal(solid_ground(masked), solid_ground(SCENE))


def test_a_blank_view_has_no_keypoints() -> None:
    blank = replace(SCENE, rgb=torch.full_like(SCENE.rgb, 90))
    assert [len(view.points) for view in detect(blank)] == [0, 0, 0]
    assert [len(points) for points, _ in match_views(blank, [(0, 1)])] == [0]


def test_a_view_matches_itself_and_swapping_views_swaps_the_points() -> None:
    (itself,) = match_views(SCENE, [(0, 0)])
    assert np.array_equal(*itself)
    there, back = match_views(SCENE, [(0, 1), (1, 0)])
    assert sorted(map(tuple, np.hstack(there))) == sorted(map(tuple, np.hstack(back[::-1])))


def test_views_are_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, calls = replace(SCENE), []
    monkeypatch.setattr(keypoints, "detect", lambda scene: calls.append(1) or detect(scene))
    match_views(scene, [(0, 1)])
    match_views(scene, [(0, 1), (1, 2)])
    assert len(calls) == 1


def test_opencv_keeps_its_threads() -> None:
    before = cv2.getNumThreads()
    detect(SCENE)
    assert cv2.getNumThreads() == before


def test_fast_matching_equals_loops() -> None:
    random = np.random.default_rng(0)
    base = random.random((30, 128)).astype(np.float32)
    blur = np.linspace(0, 6, 30, dtype=np.float32)[:, None] * random.random((30, 128)).astype(np.float32)
    a, b = quantised(base), quantised((base + blur)[::-1])
    found = list(zip(*(part.tolist() for part in mutual_matches(a, b, 0.9)), strict=True))
    assert found == _naive(a.astype(np.float64), b.astype(np.float64), 0.9)
    assert 3 < len(found) < 30


def test_reconstruction_runs_without_the_package() -> None:
    """The child process must not spend seconds on importing torch."""
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); print([m for m in ('torch', 'viewsweep') if m in sys.modules])"
    )
    path = keypoints.__file__.replace("keypoints", "reconstruction")
    assert subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True).stdout == "[]\n"


def _naive(a: np.ndarray, b: np.ndarray, ratio: float) -> list[tuple[int, int]]:
    found = []
    for i in range(len(a)):
        there = [float(((a[i] - row) ** 2).sum()) for row in b]
        j = there.index(min(there))
        back = [float(((b[j] - row) ** 2).sum()) for row in a]
        clear = all(min(list_) < ratio**2 * sorted(list_)[1] for list_ in (there, back))
        if back.index(min(back)) == i and clear:
            found.append((i, j))
    return found
