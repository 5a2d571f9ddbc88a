"""The view-range metric: rows that compare, sweeps that are refused, no influence of order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from viewsweep.metrics import KID, Features, MetricResult, ViewRange, frechet_distance_from_features
from viewsweep.metrics.base import azimuth_deg
from viewsweep.metrics.view_range import ROWS
from viewsweep.scenes import Cameras, grid_3x9, sweep360

WIDTH, CLASSES = 3, 4


def features(cameras: Cameras | None, seed: int, *, shift: Sequence[float] | None = None) -> Features:
    """Random features of one picture a camera, moved by `shift` in each view."""
    count = 27 if cameras is None else len(cameras)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, WIDTH, generator=generator)
    if shift is not None:
        rows = rows + torch.tensor(shift)[:, None]
    logs = torch.randn(count, CLASSES, generator=generator).log_softmax(1)
    if cameras is None:
        return Features(rows, logs)
    azimuth, pitch = torch.tensor(azimuth_deg(cameras.yaw)), torch.rad2deg(cameras.pitch)
    return Features(rows, logs, torch.ones(count), azimuth, pitch)


def measured(
    scenes: int = 12, cameras: Cameras | None = None, shift: Sequence[float] | None = None, *, posed: bool = True
) -> dict[str, MetricResult]:
    cameras = grid_3x9() if cameras is None else cameras
    metric = ViewRange()
    for seed in range(200, 240):
        metric.update(features(grid_3x9() if posed else None, seed), real=True)
    for index in range(scenes):
        metric.update(features(cameras, index, shift=shift), index=index)
    return metric.results()


def values(results: dict[str, MetricResult], stem: str) -> list[float]:
    found = [results[f"{stem}_views_{views}[tabletop]"].value for views in sorted(ROWS)]
    assert None not in found
    return [float(value) for value in found if value is not None]


def test_rows_rise_with_pictures_that_get_worse_to_the_side() -> None:
    worse = (3 * grid_3x9().yaw.abs()).tolist()
    results = measured(24, shift=worse)
    assert values(results, "kid") == sorted(values(results, "kid"))
    assert values(results, "fid") == sorted(values(results, "fid"))
    assert all(result.n == 24 for result in results.values())


def test_equally_good_views_give_equal_rows_within_their_intervals() -> None:
    results = measured(40)
    for views in ROWS:
        result = results[f"kid_views_{views}[tabletop]"]
        assert result.ci_low is not None
        assert result.ci_high is not None
        assert result.ci_low < 0 < result.ci_high


def test_first_row_is_the_distance_of_front_views_alone() -> None:
    results = measured(12, posed=False)
    fronts = np.stack([features(grid_3x9(), index).embedding[0].numpy() for index in range(12)])
    reals = np.concatenate([features(None, seed).embedding.numpy() for seed in range(200, 240)])
    expected = frechet_distance_from_features(fronts, reals)
    assert results["fid_views_1[tabletop]"].value == pytest.approx(expected, rel=1e-9)


def test_kid_of_the_front_is_that_of_the_metric_kid() -> None:
    front, kid = grid_3x9()[:1], KID()
    for seed in range(200, 240):
        kid.update(features(None, seed), real=True)
    for index in range(12):
        kid.update(features(grid_3x9(), index)[:1], index=index)
    assert len(front) == 1
    ours, theirs = measured(12, posed=False)["kid_views_1[tabletop]"], kid.results()["kid[tabletop]"]
    assert ours.value == pytest.approx(theirs.value, rel=1e-9)
    assert (ours.ci_low, ours.ci_high) == (pytest.approx(theirs.ci_low), pytest.approx(theirs.ci_high))


def test_posed_reference_pictures_are_compared_view_by_view() -> None:
    """Front views that look like nobody's side views are still perfect front views."""
    moved = (5 * grid_3x9().yaw.abs()).tolist()
    metric = ViewRange()
    for seed in range(200, 240):
        metric.update(features(grid_3x9(), seed, shift=moved), real=True)
    for index in range(24):
        metric.update(features(grid_3x9(), index, shift=moved), index=index)
    for views in ROWS:
        result = metric.results()[f"kid_views_{views}[tabletop]"]
        assert result.ci_low is not None
        assert result.ci_low < 0


def test_moments_of_all_pictures_stand_in_for_the_sample() -> None:
    metric = ViewRange()
    metric.update(features(None, 1), real=True)
    for index in range(12):
        metric.update(features(grid_3x9(), index), index=index)
    before = metric.results()
    metric.refer((np.full(WIDTH, 10.0), np.eye(WIDTH)))
    after = metric.results()
    assert (after["fid_views_9[tabletop]"].value or 0) > 200 > (before["fid_views_9[tabletop]"].value or 0)
    assert after["kid_views_9[tabletop]"] == before["kid_views_9[tabletop]"]


def test_order_of_views_and_scenes_changes_no_bit() -> None:
    metric, shuffled = ViewRange(), torch.randperm(27, generator=torch.Generator().manual_seed(0))
    for seed in range(239, 199, -1):
        metric.update(features(grid_3x9(), seed), real=True)
    for index in (7, 3, 11, 0, 1, 2, 4, 5, 6, 8, 9, 10):
        metric.update(features(grid_3x9(), index)[shuffled], index=index)
    assert metric.results() == measured(12)


def test_a_prefix_has_the_rows_it_holds() -> None:
    results = measured(12, grid_3x9()[:15])
    assert {name for name, result in results.items() if result.status == "ok"} == {
        f"{stem}_views_{views}[tabletop]" for stem in ("kid", "fid", "is") for views in (1, 9, 15)
    }
    assert results["kid_views_21[tabletop]"].reason == (
        "the sweeps do not hold all of the first 21 views of the 3x9 order."
    )


def test_other_sweeps_are_refused_with_a_reason() -> None:
    for result in measured(3, sweep360(27)).values():
        assert result.status == "not_run"
        assert result.reason is not None
        assert result.reason.startswith("78 of 81 pictures were taken from elsewhere; this metric needs the 27 views")


def test_unknown_cameras_are_refused_with_a_reason() -> None:
    metric = ViewRange()
    metric.update(features(None, 1), real=True)
    metric.update(features(None, 2), index=0)
    assert str(next(iter(metric.results().values())).reason).startswith("27 of 27 pictures have no known camera;")


def test_scenes_that_lack_views_fail_the_rows_that_need_them() -> None:
    metric = ViewRange()
    metric.update(features(None, 1), real=True)
    for index in range(6):
        metric.update(features(grid_3x9()[: 9 if index == 4 else 27], index), index=index)
    results = metric.results()
    assert results["kid_views_9[tabletop]"].status == "ok"
    assert results["kid_views_15[tabletop]"].status == "failed"
    assert results["kid_views_15[tabletop]"].reason == (
        "1 of 6 scenes lack some of the first 15 views of the 3x9 order."
    )


def test_two_pictures_of_one_view_are_refused() -> None:
    metric = ViewRange()
    metric.update(features(None, 1), real=True)
    metric.update(features(grid_3x9()[[0, 0]], 0), index=0)
    assert next(iter(metric.results().values())).reason == "a scene holds two pictures of one view."


def test_few_scenes_give_reasons_instead_of_numbers() -> None:
    results = measured(1)
    assert "KID compares pairs of scenes" in str(results["kid_views_27[tabletop]"].reason)
    assert "FID needs more than 3 generated pictures" in str(results["fid_views_27[tabletop]"].reason)


def test_network_without_classes_has_no_score() -> None:
    metric = ViewRange("dinov2-vitl14")
    for seed in range(6):
        given = features(grid_3x9(), seed)
        bare = Features(given.embedding, torch.zeros(27, 0), given.sharpness, given.azimuth_deg, given.pitch_deg)
        metric.update(bare, real=seed > 4, index=None if seed > 4 else seed)
    results = metric.results()
    assert results["kid_views_27[dinov2-vitl14]"].status == "ok"
    assert "names no classes" in str(results["is_views_27[dinov2-vitl14]"].reason)
