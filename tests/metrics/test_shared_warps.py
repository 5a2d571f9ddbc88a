from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics import shared_warps
from viewsweep.metrics.depth_self_agreement import depth_agreement
from viewsweep.metrics.geometric_share import geometric_shares
from viewsweep.metrics.shared_warps import shared
from viewsweep.metrics.warp_error import warp_errors
from viewsweep.metrics.warp_structure import warp_structures
from viewsweep.scenes import Scene, sweep360

from .analytic import balls, noisy, wobbled

PAIRS = [(0, 1), (1, 2), (0, 2)]
MEASURES = (warp_errors, warp_structures, geometric_shares, depth_agreement)


def scene(seed: int = 0) -> Scene:
    return wobbled(balls(sweep360(12, 0.26)[:3], 32), 0.003, seed)


def test_metrics_get_the_same_warps() -> None:
    given = scene()
    first = [crossing.warp for crossing in shared(given).crossings(PAIRS)]
    again = [crossing.warp for crossing in shared(given).crossings(PAIRS)]
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_sharing_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    given = scene()
    together = [measure(given, PAIRS) for measure in MEASURES]
    monkeypatch.setattr(shared_warps, "MAXIMUM_BYTES", 0)  # too large to be kept
    for measure, expected in zip(MEASURES, together, strict=True):
        fresh = replace(given, depth=given.depth.clone())  # type: ignore[union-attr]
        assert torch.equal(measure(fresh, PAIRS), expected)
    assert shared(given)._held == ((), [])


def test_warping_fewer_at_once_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [measure(scene(), PAIRS) for measure in MEASURES]
    monkeypatch.setattr("viewsweep.metrics.warping.CHUNK", 1)
    for measure, values in zip(MEASURES, expected, strict=True):
        assert torch.equal(measure(scene(), PAIRS), values)


def test_other_colours_share_the_geometry_and_keep_their_own_values() -> None:
    given = scene()
    clean = warp_errors(given, PAIRS)
    other = noisy(given, 0.1)
    assert shared(other) is shared(given)
    assert not torch.equal(warp_errors(other, PAIRS), clean)


def test_other_depth_or_cameras_do_not() -> None:
    given = scene()
    held = shared(given)
    assert shared(scene(1)) is not held
    assert given.cameras is not None
    assert shared(replace(given, cameras=given.cameras[[0, 2, 1]])) is not held


def test_depth_changed_in_place_is_seen() -> None:
    given = scene()
    before = geometric_shares(given, PAIRS)
    assert given.depth is not None
    given.depth[1] *= 1.02
    assert not torch.equal(geometric_shares(given, PAIRS), before)


def test_nothing_outlives_its_scene() -> None:
    given = scene()
    warps = weakref.ref(shared(given))
    assert warps() is not None
    del given
    gc.collect()
    assert warps() is None


def test_few_pairs_do_not_push_out_many() -> None:
    given = scene()
    many = next(shared(given).crossings(PAIRS))
    list(shared(given).crossings(PAIRS))
    list(shared(given).crossings(PAIRS[:1]))
    assert next(shared(given).crossings(PAIRS)) is next(shared(given).crossings(PAIRS))
    assert many.targets.tolist()[:2] == [0, 1]


def test_scene_without_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="Warping needs a scene with depth and cameras"):
        shared(replace(scene(), depth=None))
