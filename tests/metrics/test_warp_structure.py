from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.warp_error import WarpError, clear_of_edges
from viewsweep.metrics.warp_structure import WarpStructure, luma, warp_structures, window_side
from viewsweep.metrics.warping import Surfaces, warp
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import (
    NAN,
    balls,
    disobedient,
    drifting,
    flickering,
    frozen,
    noisy,
    plane,
    shifted,
    static,
    wobbled,
)

CLEAN = balls()


def measure(scene: Scene) -> dict[str, float]:
    metric = WarpStructure()
    metric.update(scene, index=0)
    return {name: float(result.value) for name, result in metric.results().items() if result.value is not None}


def zncc(scene: Scene) -> float:
    return measure(scene)["warp_zncc"]


def test_consistent_scene_correlates() -> None:
    found = measure(CLEAN)
    assert found["warp_zncc"] > 0.995
    assert found["warp_zncc@60"] > 0.99
    assert found["textured"] > 0.99


@pytest.mark.parametrize(
    ("corrupt", "last"),
    [
        (lambda level: noisy(CLEAN, [0.01, 0.03, 0.1][level]), 0.6),
        (lambda level: wobbled(CLEAN, [0.005, 0.01, 0.03][level]), 0.9),
        (lambda level: shifted(CLEAN, [0.5, 1.0, 3.0][level]), 0.9),
        (lambda level: disobedient(balls, sweep360(24, 0.26), [1.0, 3.0, 9.0][level]), 0.95),
    ],
    ids=["noise", "geometry wobbles", "picture is bent", "disobeys the camera"],
)
def test_each_corruption_shows_and_grows(corrupt: Callable[[int], Scene], last: float) -> None:
    found = [zncc(CLEAN)] + [zncc(corrupt(level)) for level in range(3)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < last


def test_frozen_view_is_bad_and_worse_from_further_away() -> None:
    found = measure(frozen(CLEAN))
    assert found["warp_zncc"] < 0.95
    assert found["warp_zncc@60"] < 0


def test_drift_shows_at_sixty_degrees_better_than_between_neighbours() -> None:
    clean, found = measure(CLEAN), measure(drifting(CLEAN, 1.0))
    near, far = (clean[name] - found[name] for name in ("warp_zncc", "warp_zncc@60"))
    assert far > 0.03
    assert far > 3 * near


@pytest.mark.parametrize(("gain", "offset"), [(2, 0), (1, 9), (2, 5)])
def test_exposure_of_single_views_changes_nothing(gain: int, offset: int) -> None:
    dim = replace(CLEAN, rgb=CLEAN.rgb // 2)  # room for twice as much, to the bit
    adjusted = dim.rgb.clone()
    adjusted[::2] = adjusted[::2] * gain + offset
    pairs = [(0, 1), (5, 6)]
    exposed, plain = warp_structures(replace(dim, rgb=adjusted), pairs), warp_structures(dim, pairs)
    torch.testing.assert_close(exposed, plain, rtol=0, atol=1e-9)


def test_flicker_that_ruins_the_colours_is_nearly_invisible() -> None:
    flicker = flickering(replace(CLEAN, rgb=CLEAN.rgb // 2), 0.2)
    assert zncc(flicker) > 0.99
    error = WarpError()
    error.update(flicker, index=0)
    assert float(error.compute()) < 30


def test_noise_for_depth_scores_the_worst_value() -> None:
    assert measure(static(CLEAN))["warp_zncc"] == -1.0


def test_no_surface_scores_the_worst_value() -> None:
    found = measure(replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN)))  # type: ignore[arg-type]
    assert found["warp_zncc"] == -1.0
    assert found["textured"] == 0.0


def test_plain_object_earns_nothing_and_says_why() -> None:
    found = measure(replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 77)))
    assert (found["warp_zncc"], found["textured"]) == (0.0, 0.0)


def test_texture_against_none_does_not_agree() -> None:
    rgb = CLEAN.rgb.clone()
    rgb[1] = 77
    values = warp_structures(replace(CLEAN, rgb=rgb), [(0, 1)])
    assert values[0].tolist() == pytest.approx([0.0, 1.0], abs=0.01)  # the target has texture, the source has none
    assert values[1].tolist() == [0.0, 0.0]


def test_same_camera_twice_agrees_to_the_last_digit() -> None:
    scene = plane(Cameras.orbit([0.2, 0.2], [0.1, 0.1]), 48)
    assert warp_structures(scene, [(0, 1)])[:, 0].tolist() == pytest.approx([1.0, 1.0], abs=1e-9)


def test_values_of_a_pair_do_not_depend_on_the_others() -> None:
    pairs = [(0, 1), (7, 9), (3, 4)]
    together = warp_structures(CLEAN, pairs)
    alone = torch.cat([warp_structures(CLEAN, [pair]) for pair in reversed(pairs)])
    assert torch.equal(together, alone.reshape(3, 2, 2).flip(0).reshape(6, 2))


def test_single_view_has_no_pair() -> None:
    metric = WarpStructure()
    metric.update(CLEAN.select([0]), index=0)
    assert metric.results()["warp_zncc"].reason == "scene 0: a single view has no pair to compare"


@pytest.mark.parametrize(("height", "side"), [(24, 7), (64, 7), (192, 7), (256, 7), (330, 9), (512, 13), (1024, 27)])
def test_windows_grow_with_the_picture_but_never_shrink(height: int, side: int) -> None:
    assert window_side(height) == side


@pytest.mark.parametrize(("size", "height"), [(28, 28), (56, 330)], ids=["7 pixels", "9 pixels"])
def test_fast_equals_loops(size: int, height: int) -> None:
    views = sweep360(24, 0.26)[[0, 1]]
    scene = noisy(wobbled(balls(views, size), 0.002), 0.02)
    assert scene.depth is not None
    # larger windows belong to taller pictures: empty rows are added below
    tall = torch.nn.functional.pad(scene.rgb.movedim(-1, 1), (0, 0, 0, height - size)).movedim(1, -1)
    depth = torch.nn.functional.pad(scene.depth, (0, 0, 0, height - size), value=NAN)
    stretch = torch.tensor([[1.0], [size / height], [1.0]])
    scene = Scene(tall, Cameras(views.cam_to_world, views.intrinsics * stretch), depth)
    fast = warp_structures(scene, [(0, 1)])
    slow = [_naive(scene, 0, 1), _naive(scene, 1, 0)]
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=1e-9)


def _naive(scene: Scene, i: int, j: int) -> tuple[float, float]:
    """The definition, window by window."""
    surfaces, half = Surfaces(scene), window_side(scene.size[0]) // 2
    carried = warp(surfaces, torch.tensor([i]), torch.tensor([j]))
    compared = (carried.agrees(0.01) & clear_of_edges(surfaces)[[i]])[0]
    height, width = scene.size
    target, source = luma(scene)[i].numpy(), np.full((height, width), NAN)
    shown = surfaces.sample(luma(scene), carried.found.footprints)[0]
    source.reshape(-1)[surfaces.pixel[i][compared].numpy()] = shown[compared].numpy()
    least = 0.05 * float(target[np.isfinite(source)].std())
    found, windows = [], 0
    for y, x in np.argwhere(np.isfinite(source)):
        window = (slice(max(y - half, 0), y + half + 1), slice(max(x - half, 0), x + half + 1))
        there = np.isfinite(source[window])
        if there.sum() < 0.5 * (2 * half + 1) ** 2:
            continue
        windows += 1
        if target[window][there].std() >= least:
            found.append(float(np.corrcoef(target[window][there], source[window][there])[0, 1]))
    return float(np.mean(found)), len(found) / windows
