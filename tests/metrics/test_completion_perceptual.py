from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.completion_perceptual import CompletionFeatures, CompletionLPIPS, feature_maps
from viewsweep.metrics.lpips_distance import LPIPS, PairedLPIPS
from viewsweep.metrics.tabletop_network import load_tabletop_network
from viewsweep.metrics.visibility import seen_by_context

from .completions import noisy, truth, values

NAME = "sample_feature_distance[tabletop]"


def distance(sample, true, name=NAME):  # type: ignore[no-untyped-def]
    metric = CompletionFeatures()
    metric.update([sample], 0, true)
    return values(metric)[name]


def test_identical_pictures_are_at_distance_zero_and_worse_ones_farther() -> None:
    true = truth(size=64)
    found = [distance(noisy(true, amount), true) for amount in (0.0, 2.0, 8.0, 32.0, 128.0)]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert 0.3 < found[-1] < 1.0


@pytest.mark.parametrize("size", [16, 32, 64, 100])
def test_pictures_of_any_size_are_compared(size: int) -> None:
    true = truth(size=size)
    seen = seen_by_context(true)
    assert seen is not None
    inside = noisy(true, 60.0, where=seen)
    near, far = (distance(inside, true, f"sample_feature_distance_{part}[tabletop]") for part in ("seen", "unseen"))
    assert near > 2 * far > 0  # features reach beyond their place


def test_the_whole_is_the_mean_of_its_parts() -> None:
    true = truth(size=64)
    sample = noisy(true, 20.0)
    seen = seen_by_context(true)
    assert seen is not None
    share = float(seen.double().mean())
    whole, inside, outside = (
        distance(sample, true, f"sample_feature_distance{part}[tabletop]") for part in ("", "_seen", "_unseen")
    )
    assert share * inside + (1 - share) * outside == pytest.approx(whole, rel=1e-6)


def test_maps_have_unit_length_or_none() -> None:
    for maps, places in zip(feature_maps(load_tabletop_network(), truth(size=64).rgb), (32, 16, 8), strict=True):
        assert maps.shape[2:] == (places, places)
        length = maps.norm(dim=1)
        assert bool(((length - 1).abs() < 1e-5).logical_or(length == 0).all())


def test_the_nearest_sample_counts_as_best() -> None:
    true = truth()
    metric = CompletionFeatures()
    metric.update([noisy(true, 40.0), noisy(true, 5.0), noisy(true, 20.0)], 0, true)
    assert values(metric)["best_feature_distance[tabletop]"] == distance(noisy(true, 5.0), true)


def test_lpips_of_the_whole_is_that_of_pairs_and_its_parts_lie_round_it() -> None:
    network = LPIPS()
    true = truth(views=3)
    sample = noisy(true, 30.0)
    metric, paired = CompletionLPIPS(network=network), PairedLPIPS(network=network)
    metric.update([sample, true], 0, true)
    paired.update(sample, 0, true)
    found = values(metric)
    assert found["best_lpips"] == found["best_lpips_seen"] == 0.0
    assert found["sample_lpips"] == pytest.approx(values(paired)["lpips"] / 2)  # type: ignore[operator]
    assert found["sample_lpips_seen"] > 0 < found["sample_lpips_unseen"]  # type: ignore[operator]
    assert values(pickle.loads(pickle.dumps(metric))) == found


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    metric = CompletionLPIPS(path=tmp_path / "nowhere.pth")
    metric.update([truth()], 0, truth())
    result = metric.results()["best_lpips"]
    assert result.status == "not_run"
    assert "nowhere.pth" in str(result.reason)
    small = CompletionLPIPS(network=LPIPS())
    tiny = truth(size=16)
    small.update([tiny], 0, tiny)
    assert "smaller than LPIPS takes" in str(small.results()["best_lpips"].reason)


def test_without_depth_the_whole_is_measured() -> None:
    bare = replace(truth(), depth=None)
    metric = CompletionFeatures()
    metric.update([noisy(bare, 9.0)], 0, bare)
    results = metric.results()
    assert results[NAME].status == "ok"
    assert results["best_feature_distance_seen[tabletop]"].status == "not_run"
    assert torch.isfinite(torch.tensor(results[NAME].value))
