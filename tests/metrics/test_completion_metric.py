"""What every metric of completion promises, whatever it measures."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from viewsweep.metrics import COMPLETION_METRICS, CompletionMetric, metric_classes
from viewsweep.metrics.completion_metric import best_mean_gain
from viewsweep.scenes import Scene

from .completions import everything, moving, noisy, truth

METRICS = [kind for kind in COMPLETION_METRICS if "weights" not in kind.needs]  # the other: test_completion_perceptual
SCENES, SAMPLES, VIEWS = 5, 3, 3
MOTION = {"flow_error", "mode_coverage"}

each_metric = pytest.mark.parametrize("kind", METRICS, ids=[kind.name for kind in METRICS])


@cache
def of_scene(kind: type[CompletionMetric], index: int) -> tuple[list[Scene], Scene, tuple[tuple[float, Scene], ...]]:
    """Samples, truth and modes of one scene."""
    if kind.name in MOTION:
        modes = tuple((0.5, moving(flow)) for flow in ((3.0, 0.0), (-3.0, 0.5)))
        samples = [moving((3.0 * (-1) ** k, 0.1 * index)) for k in range(SAMPLES)]
        return samples, modes[0][1], modes
    true = replace(truth(index, VIEWS), latent=torch.full((4,), float(index)))
    samples = [replace(noisy(true, 10.0 * k, seed=index), latent=torch.full((4,), 0.3 * k)) for k in range(SAMPLES)]
    return samples, true, ()


def fed(kind: type[CompletionMetric], indices: Sequence[int] = range(SCENES), metric: Any = None) -> Any:
    metric = metric or kind()
    for index in indices:
        samples, true, modes = of_scene(kind, index)
        metric.update(samples, index, true, modes)
    return metric


@each_metric
def test_declares_what_it_is(kind: type[CompletionMetric]) -> None:
    assert metric_classes()[kind.name] is kind
    assert {"truth", "samples"} <= kind.needs
    definitions = kind.definitions()
    results = fed(kind).results()
    assert list(results) == list(definitions)
    assert len(kind._bounds) == len(kind._ids)
    assert kind._of_best <= set(definitions)
    for name, entry in definitions.items():
        assert name == entry.id
        assert "@" not in name  # which reports take for a point of a curve
        assert entry.title
        assert entry.version == kind.version
        assert entry.description.endswith(".")
        assert results[name].status == "ok"
        assert results[name].n == SCENES
    headline = next(iter(definitions.values()))
    assert (headline.unit, headline.higher_is_better) == (kind.unit, kind.higher_is_better)


@each_metric
def test_headline_is_what_compute_gives(kind: type[CompletionMetric]) -> None:
    metric = fed(kind)
    assert float(metric.compute()) == next(iter(metric.results().values())).value


@each_metric
def test_before_any_scene_it_says_so(kind: type[CompletionMetric]) -> None:
    assert {result.status for result in kind().results().values()} == {"not_run"}
    assert kind().rows() == []


@each_metric
def test_order_merging_pickling_and_repeats_change_no_bit(kind: type[CompletionMetric]) -> None:
    whole = everything(fed(kind))
    assert everything(fed(kind, [3, 1, 4, 0, 2])) == whole
    assert everything(fed(kind, [0, 1, 2, 3, 4, 2])) == whole
    half: Any = fed(kind, [4, 0])
    half.merge_state(fed(kind, [3, 1, 2]))
    assert everything(half) == whole
    assert everything(fed(kind, [2, 3, 4], pickle.loads(pickle.dumps(fed(kind, [0, 1]))))) == whole
    metric = fed(kind)
    metric.reset()
    assert {result.status for result in metric.results().values()} == {"not_run"}


@each_metric
@pytest.mark.parametrize("split", [([4, 0], [1, 3, 2]), ([], [2, 1, 0, 3, 4])], ids=["both", "other"])
def test_gathering_from_two_workers_is_the_whole(
    kind: type[CompletionMetric], split: tuple[list[int], list[int]]
) -> None:
    here, there = fed(kind, split[0]), fed(kind, split[1])
    state = itertools.cycle(here.metric_state)

    def gather(own: torch.Tensor, group: Any = None) -> list[torch.Tensor]:
        name = next(state)
        other = torch.cat([there._empty_states()[name], *there.metric_state[name]])
        assert (own.dtype, own.shape[1:]) == (other.dtype, other.shape[1:])  # or a real gather would hang
        return [own, other]

    here.dist_sync_fn, here.distributed_available_fn = gather, lambda: True
    assert everything(here) == everything(fed(kind))


@each_metric
def test_order_of_samples_does_not_matter(kind: type[CompletionMetric]) -> None:
    turned = kind()
    for index in range(SCENES):
        samples, true, modes = of_scene(kind, index)
        turned.update(samples[::-1], index, true, modes)
    for name, result in fed(kind).results().items():
        assert turned.results()[name].value == pytest.approx(result.value, abs=1e-12)


@each_metric
def test_every_scene_has_a_row_and_their_mean_is_the_value(kind: type[CompletionMetric]) -> None:
    metric = fed(kind)
    rows = metric.rows()
    for name, result in metric.results().items():
        own = [row for row in rows if row.metric == name]
        assert [row.index for row in own] == list(range(SCENES))
        assert sum(row.value for row in own) / SCENES == pytest.approx(result.value)
        assert {row.view for row in own} == {-1}


@each_metric
def test_unequal_numbers_of_samples_fail_where_it_matters(kind: type[CompletionMetric]) -> None:
    metric = fed(kind, [0, 1, 2])
    samples, true, modes = of_scene(kind, 3)
    metric.update(samples[:2], 3, true, modes)
    for name, result in metric.results().items():
        assert result.status == ("failed" if name in kind._of_best else "ok")
        if result.status == "failed":
            assert result.reason == "scene 3 came with 2 samples, scene 0 with 3; the best of more is better."


@each_metric
def test_what_cannot_be_compared_is_refused(kind: type[CompletionMetric]) -> None:
    samples, true, modes = of_scene(kind, 0)
    with pytest.raises(ValueError, match="scene 7 came without samples"):
        kind().update([], 7, true, modes)
    larger = replace(samples[1], rgb=samples[1].rgb.repeat(1, 2, 2, 1), depth=None, flow=None, cameras=None)
    with pytest.raises(ValueError, match="Scene 7 has"):
        kind().update([samples[0], larger], 7, true, modes)


@each_metric
def test_without_truth_there_is_a_reason(kind: type[CompletionMetric]) -> None:
    metric = kind()
    metric.update(of_scene(kind, 0)[0], 0, None)
    assert {result.reason for result in metric.results().values()} == {"scene 0: the true views are not known"}


def test_best_mean_and_gain() -> None:
    assert best_mean_gain([1.0, 4.0, 1.0], higher=True) == (4.0, 2.0, 2.0)
    assert best_mean_gain([1.0, 4.0, 1.0], higher=False) == (1.0, 2.0, 1.0)
    assert best_mean_gain([0.1] * 3, higher=True)[2] == 0.0
