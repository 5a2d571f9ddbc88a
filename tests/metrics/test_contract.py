"""What every metric promises, whatever it measures."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from viewsweep.metrics import (
    ALL_METRICS,
    COMPLETION_METRICS,
    FID,
    KID,
    CameraCompliance,
    Chamfer,
    ClassAccuracy,
    DepthAgreement,
    DepthSelfAgreement,
    Features,
    GeometricShare,
    NonFlatness,
    ReconstructionHoldOut,
    SetMetric,
    ViewRange,
    ViewsweepMetric,
    WarpError,
    WarpStructure,
    feeding,
    metric_classes,
)
from viewsweep.scenes import Scene, ViewsweepError, grid_3x9, sweep360

from .analytic import balls, scaled

VIEWS = 24
SCENES = [replace(scaled(balls(sweep360(VIEWS, 0.2), 24), 0.004, seed), label=seed % 3) for seed in range(6)]
METRICS = [metric for metric in ALL_METRICS if "weights" not in metric.needs]  # the others: test_lpips_distance
IDS = [metric.name for metric in METRICS]
SCENE_METRICS = [WarpError, WarpStructure, GeometricShare, DepthSelfAgreement, Chamfer, NonFlatness]
COSTLY = (CameraCompliance, ReconstructionHoldOut)

each_metric = pytest.mark.parametrize("kind", METRICS, ids=IDS)
each_scene_metric = pytest.mark.parametrize("kind", SCENE_METRICS, ids=[metric.name for metric in SCENE_METRICS])


def pictures(count: int, seed: int) -> Features:
    """Features of `count` pictures, their cameras going round in steps of 15 degrees."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(count, 3, generator=generator)
    logits = torch.randn(count, 4, generator=generator)
    azimuth = (15.0 * torch.arange(count) + 180) % 360 - 180
    return Features(embedding, logits.log_softmax(1), 1 + torch.rand(count, generator=generator), azimuth)


def seen(index: int) -> Features:
    return pictures(VIEWS, index)


def seen_by_grid(index: int) -> Features:
    """The same in the 27 views that the view range is measured in."""
    found, grid = pictures(27, index), grid_3x9()
    return replace(found, azimuth_deg=torch.rad2deg(grid.yaw), pitch_deg=torch.rad2deg(grid.pitch))


def reference() -> Features:
    return pictures(48, 99)


def feed(metric: Any, indices: Sequence[int]) -> Any:
    for index in indices:
        if isinstance(metric, COSTLY):
            once = measured(type(metric), index)
            for name in metric._empty_states():
                getattr(metric, name).extend(getattr(once, name))
            metric._update_count += 1
        elif isinstance(metric, DepthAgreement):
            metric.update(SCENES[index], index, SCENES[index - 1].depth)
        elif isinstance(metric, ViewRange):
            metric.update(seen_by_grid(index), index=index)
        else:
            feeding.feed(metric, SCENES[index], index, seen(index), SCENES[0])
    return metric


@cache
def measured(kind: Any, index: int) -> Any:
    metric = kind()
    metric.update(SCENES[index].select(list(range(0, VIEWS, 6))), index)
    return metric


def made(kind: type[ViewsweepMetric], indices: Sequence[int] = range(6)) -> Any:
    metric: Any = kind()
    if isinstance(metric, SetMetric):
        metric.update(reference(), real=True)
    return feed(metric, indices)


def everything(metric: Any) -> str:
    """Results and rows to the last bit."""
    results = {name: result.to_json() for name, result in metric.results().items()}
    return json.dumps(results) + repr(metric.rows())


@each_metric
def test_declares_what_it_is(kind: type[ViewsweepMetric]) -> None:
    assert metric_classes()[kind.name] is kind
    assert kind.needs <= {"rgb", "depth", "cameras", "reference", "label", "truth", "weights", "estimate", "classes"}
    definitions = kind.definitions()  # type: ignore[attr-defined]
    assert list(made(kind).results()) == list(definitions)
    for name, entry in definitions.items():
        assert name == entry.id
        assert entry.title
        assert entry.version == kind.version
        assert entry.description.endswith(".")
    headline = next(iter(definitions.values()))
    assert (headline.unit, headline.higher_is_better) == (kind.unit, kind.higher_is_better)


def test_names_and_ids_are_unique() -> None:
    every = (*ALL_METRICS, *COMPLETION_METRICS)
    assert len(metric_classes()) == len(every)
    ids = [name for kind in every for name in kind.definitions()]  # type: ignore[attr-defined]
    assert len(ids) == len(set(ids))


@each_metric
def test_headline_is_what_compute_gives(kind: type[ViewsweepMetric]) -> None:
    metric = made(kind)
    headline = next(iter(metric.results().values()))
    assert headline.status == "ok"
    assert float(metric.compute()) == headline.value
    assert metric.compute().dtype == torch.float64


@each_metric
def test_before_any_scene_it_says_so(kind: type[ViewsweepMetric]) -> None:
    metric: Any = kind()
    for result in metric.results().values():
        assert result.status == "not_run"
        assert result.reason
    assert metric.rows() == []


@each_metric
def test_order_of_scenes_changes_no_bit(kind: type[ViewsweepMetric]) -> None:
    assert everything(made(kind, [4, 1, 5, 0, 3, 2])) == everything(made(kind))


@each_metric
def test_merged_halves_are_the_whole_to_the_bit(kind: type[ViewsweepMetric]) -> None:
    half: Any = made(kind, [5, 0, 3])
    half.merge_state(feed(kind(), [2, 4, 1]))
    assert everything(half) == everything(made(kind))


@each_metric
def test_survives_pickling_and_goes_on(kind: type[ViewsweepMetric]) -> None:
    again = pickle.loads(pickle.dumps(made(kind, [0, 1, 2])))
    assert everything(feed(again, [3, 4, 5])) == everything(made(kind))


@each_metric
def test_reset_forgets_everything(kind: type[ViewsweepMetric]) -> None:
    metric = made(kind)
    metric.reset()
    assert all(result.status == "not_run" for result in metric.results().values())


@each_metric
def test_asking_does_not_change_the_answer(kind: type[ViewsweepMetric]) -> None:
    metric = made(kind, [0, 1, 2])
    metric.results(), metric.rows()
    assert everything(feed(metric, [3, 4, 5])) == everything(made(kind))


@each_scene_metric
def test_scene_given_twice_counts_once(kind: type[ViewsweepMetric]) -> None:
    assert everything(made(kind, [0, 1, 2, 1])) == everything(made(kind, [0, 1, 2]))


@each_scene_metric
def test_two_scenes_of_one_index_are_refused(kind: Callable[[], Any]) -> None:
    metric = kind()
    metric.update(SCENES[0], index=3)
    metric.update(SCENES[1], index=3)
    with pytest.raises(ValueError, match=r"Scene 3 was given to \w+ twice, with different content"):
        metric.results()


@each_scene_metric
def test_one_scene_has_a_value_and_no_interval(kind: type[ViewsweepMetric]) -> None:
    for result in made(kind, [2]).results().values():
        assert result.status == "ok"
        assert (result.n, result.ci_low, result.ci_high) == (1, None, None)


@each_scene_metric
@pytest.mark.parametrize(
    ("missing", "reason"), [("depth", "there is no depth"), ("cameras", "the cameras are unknown")]
)
def test_missing_input_is_named(kind: Callable[[], Any], missing: str, reason: str) -> None:
    metric = kind()
    metric.update(_without(SCENES[0], missing), index=0)
    for result in metric.results().values():
        assert result.status == "not_run"
        assert result.reason is not None
        assert result.reason.startswith(f"scene 0: {reason}")


@each_scene_metric
def test_input_missing_in_part_fails_instead_of_averaging_the_rest(kind: Callable[[], Any]) -> None:
    metric = kind()
    for index, scene in enumerate(SCENES):
        metric.update(_without(scene, "depth") if index in (2, 4) else scene, index=index)
    for result in metric.results().values():
        assert (result.status, result.n) == ("failed", 6)
        assert result.reason == (
            "2 of 6 scenes could not be measured; 2 scenes (first: 2): "
            "there is no depth; a method that has it returns it from `generate`"
        )


@pytest.mark.parametrize("kind", [WarpError, GeometricShare])
def test_single_view_has_no_pair(kind: Callable[[], Any]) -> None:
    metric = kind()
    metric.update(SCENES[0].select([0]), index=0)
    assert next(iter(metric.results().values())).reason == "scene 0: a single view has no pair to compare"


def test_compute_raises_the_reason() -> None:
    metric = WarpError()
    metric.update(_without(SCENES[0], "depth"), index=0)
    with pytest.raises(ViewsweepError, match="warp_psnr: scene 0: there is no depth"):
        metric.compute()


@pytest.mark.parametrize("kind", [FID, KID])
def test_no_reference_is_named(kind: Callable[[], Any]) -> None:
    for result in feed(kind(), range(6)).results().values():
        assert result.reason == "no reference pictures were given."
        assert result.n == 6 * VIEWS


@pytest.mark.parametrize("kind", [FID, KID])
def test_batches_of_a_scene_change_no_bit(kind: Callable[[], Any]) -> None:
    metric = kind()
    metric.update(reference()[25:], real=True)
    metric.update(reference()[:25], real=True)
    for index in (3, 0, 5):
        metric.update(seen(index)[2:], index=index)
    for index in (5, 1, 2, 4, 3, 0):
        metric.update(seen(index)[:2] if index in (0, 3, 5) else seen(index), index=index)
    assert everything(metric) == everything(made(kind))


def test_scene_indices_must_fit_the_pictures() -> None:
    with pytest.raises(ValueError, match=r"index has shape \[2\] for 24 pictures"):
        FID().update(seen(0), index=torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="cannot be negative"):
        FID().update(seen(0), index=-3)


def test_class_accuracy_names_missing_labels() -> None:
    metric = ClassAccuracy()
    metric.update(replace(SCENES[0], label=None), 0, seen(0))
    assert metric.results()["class_accuracy[tabletop]"].status == "not_run"


@each_metric
@pytest.mark.parametrize(
    "split", [([5, 0, 3], [2, 4, 1]), ([2, 1, 0, 3, 5, 4], []), ([], [2, 1, 0, 3, 5, 4])], ids=["both", "one", "other"]
)
def test_gathering_from_two_workers_is_the_whole(
    kind: type[ViewsweepMetric], split: tuple[list[int], list[int]]
) -> None:
    here, there = made(kind, split[0]), feed(kind(), split[1])
    state = itertools.cycle(here.metric_state)

    def gather(own: torch.Tensor, group: Any = None) -> list[torch.Tensor]:
        name = next(state)
        other = torch.cat([there._empty_states()[name], *there.metric_state[name]])
        assert (own.dtype, own.shape[1:]) == (other.dtype, other.shape[1:])  # or a real gather would hang
        return [own, other]

    here.dist_sync_fn, here.distributed_available_fn = gather, lambda: True
    assert everything(here) == everything(made(kind))
    if here.update_called:  # else torchmetrics warns, for it does not look at the other workers
        assert float(here.compute()) == float(made(kind).compute())


def _without(scene: Scene, part: str) -> Scene:
    return replace(scene, depth=None) if part == "depth" else replace(scene, cameras=None)
