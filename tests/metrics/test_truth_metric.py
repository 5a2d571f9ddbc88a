"""What all metrics against the true views promise: order, merging, pickling, and which truth they accept."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from viewsweep.metrics.chamfer import Chamfer
from viewsweep.metrics.depth_accuracy import DepthAccuracy
from viewsweep.metrics.depth_agreement import DepthAgreement
from viewsweep.metrics.lpips_distance import LPIPS, CovisibleLPIPS, PairedLPIPS
from viewsweep.metrics.paired import PairedQuality
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import balls, noisy, scaled

TRUTH = [balls(sweep360(4, 0.1 + 0.05 * k), 32) for k in range(4)]
SCENES = [noisy(scaled(truth, 0.01, seed), 0.05, seed) for seed, truth in enumerate(TRUTH)]
NETWORK = LPIPS()  # random weights do for bookkeeping

KINDS: list[tuple[str, Callable[[], Any]]] = [
    ("paired", PairedQuality),
    ("depth_accuracy", DepthAccuracy),
    ("paired_lpips", lambda: PairedLPIPS(network=NETWORK)),
    ("covisible_lpips", lambda: CovisibleLPIPS(network=NETWORK)),
    ("depth_agreement", DepthAgreement),
    ("chamfer", Chamfer),
]
each_metric = pytest.mark.parametrize("make", [make for _, make in KINDS], ids=[name for name, _ in KINDS])
against_truth = pytest.mark.parametrize("make", [make for _, make in KINDS[:3]], ids=[name for name, _ in KINDS[:3]])


def fed(metric: Any, indices: Sequence[int] = range(4)) -> Any:
    for index in indices:
        extra = {"truth": (TRUTH[index],), "estimate": (TRUTH[index].depth,)}
        metric.update(SCENES[index], index, *next((extra[need] for need in extra if need in metric.needs), ()))
    return metric


def everything(metric: Any) -> str:
    return json.dumps({name: result.to_json() for name, result in metric.results().items()}) + repr(metric.rows())


@each_metric
def test_order_and_merging_change_no_bit(make: Callable[[], Any]) -> None:
    whole = everything(fed(make()))
    assert everything(fed(make(), [2, 0, 3, 1])) == whole
    half = fed(make(), [3, 0])
    half.merge_state(fed(make(), [2, 1]))
    assert everything(half) == whole


@each_metric
def test_survives_pickling_and_goes_on(make: Callable[[], Any]) -> None:
    again = pickle.loads(pickle.dumps(fed(make(), [0, 1])))
    assert everything(fed(again, [2, 3])) == everything(fed(make()))


@each_metric
def test_declares_its_ids_and_forgets_on_reset(make: Callable[[], Any]) -> None:
    metric = fed(make())
    assert list(metric.results()) == list(metric.definitions())
    headline = next(iter(metric.definitions().values()))
    assert (headline.unit, headline.higher_is_better) == (metric.unit, metric.higher_is_better)
    assert float(metric.compute()) == metric.results()[headline.id].value
    for name, entry in metric.definitions().items():
        assert (entry.id, entry.version) == (name, metric.version)
        assert entry.description.endswith(".")
    metric.reset()
    assert {result.status for result in metric.results().values()} == {"not_run"}


@against_truth
def test_no_truth_is_a_reason_not_a_number(make: Callable[[], Any]) -> None:
    metric = make()
    metric.update(SCENES[0], 0, None)
    for result in metric.results().values():
        assert (result.status, result.reason) == ("not_run", "scene 0: the true views are not known")
    fed(metric, [1, 2])
    for result in metric.results().values():
        assert (result.status, result.n) == ("failed", 3)


@against_truth
def test_truth_of_another_size_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="Scene 5 has 4 views of 32x32 pixels, its truth has 4 views of 16x16 pixels"):
        make().update(SCENES[0], 5, balls(TRUTH[0].cameras, 16))
    with pytest.raises(ValueError, match="its truth has 3 views"):
        make().update(SCENES[0], 5, TRUTH[0].select([0, 1, 2]))


@against_truth
def test_truth_from_other_cameras_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"Scene 3, view 0: the camera's position is not .*\(0.0, 0.\d+, .*truth at"):
        make().update(SCENES[0], 3, replace(TRUTH[0], cameras=TRUTH[1].cameras))
    cameras = TRUTH[0].cameras
    assert cameras is not None
    turned, zoomed = cameras.cam_to_world.clone(), cameras.intrinsics.clone()
    turned[2, :3, :2] *= -1  # half a turn about the optical axis
    zoomed[1, 0, 0] *= 1.1
    for other, what in (
        (Cameras(turned, zoomed), "view 2: the camera's rotation"),
        (Cameras(cameras.cam_to_world, zoomed), "view 1: the camera's intrinsics"),
    ):
        with pytest.raises(ValueError, match=what):
            make().update(SCENES[0], 3, replace(TRUTH[0], cameras=other))


@against_truth
def test_cameras_from_a_float32_file_fit(make: Callable[[], Any]) -> None:
    cameras = TRUTH[0].cameras
    assert cameras is not None
    rounded = Cameras(cameras.cam_to_world.float(), cameras.intrinsics.float())
    metric = make()
    metric.update(replace(SCENES[0], cameras=rounded), 0, TRUTH[0])
    assert next(iter(metric.results().values())).status == "ok"


@against_truth
def test_views_report_their_azimuth(make: Callable[[], Any]) -> None:
    metric = fed(make(), [0])
    headline = next(iter(metric.definitions()))
    rows = [row for row in metric.rows() if row.metric == headline]
    assert [row.view for row in rows] == [-1, 0, 1, 2, 3]
    assert [row.yaw_deg for row in rows[1:]] == pytest.approx([0, 90, -180, -90], abs=1e-9)
    assert rows[0].value == pytest.approx(sum(row.value for row in rows[1:]) / 4)


def test_pictures_alone_need_no_cameras() -> None:
    metric = PairedQuality()
    metric.update(Scene(SCENES[0].rgb), 0, Scene(TRUTH[0].rgb))
    known = fed(PairedQuality(), [0])
    assert metric.results() == known.results()
    assert all(torch.isnan(torch.tensor(row.yaw_deg)) for row in metric.rows())
