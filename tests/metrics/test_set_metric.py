"""What the set metrics promise together; `test_contract` asks more of each."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from viewsweep.metrics import FID, KID, Features, InceptionScore, SetMetric
from viewsweep.metrics.azimuth_bins import AzimuthQuality
from viewsweep.metrics.manifold import PrecisionRecall
from viewsweep.metrics.set_metric import Pictures
from viewsweep.metrics.sharpness import SharpnessRatio
from viewsweep.metrics.vendi import Vendi

VIEWS = 24
KINDS: list[Any] = [FID, KID, InceptionScore, PrecisionRecall, Vendi, AzimuthQuality, SharpnessRatio]

each = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def seen(index: int, count: int = VIEWS) -> Features:
    generator = torch.Generator().manual_seed(index)
    return Features(
        torch.randn(count, 3, generator=generator),
        torch.randn(count, 4, generator=generator).log_softmax(1),
        torch.rand(count, generator=generator) + 0.1,
        (torch.arange(count) * 15.0) % 360.0 - 180.0,
    )


def fed(kind: Any, indices: tuple[int, ...], batch: int = VIEWS) -> Any:
    metric = kind()
    for index in indices:
        for part in range(0, VIEWS, batch):
            metric.update(seen(index)[part : part + batch], index=index)
    return metric


def made(kind: Any, indices: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6), batch: int = VIEWS) -> Any:
    metric = fed(kind, indices, batch)
    metric.update(seen(99, 72), real=True)
    return metric


def bits(metric: Any) -> str:
    return json.dumps({name: result.to_json() for name, result in metric.results().items()})


@each
def test_every_number_is_there(kind: Any) -> None:
    assert issubclass(kind, SetMetric)
    assert all(result.status == "ok" for result in made(kind).results().values())
    first, entry = next(iter(kind.definitions("inception").items()))
    assert (entry.unit, entry.higher_is_better, entry.version) == (kind.unit, kind.higher_is_better, kind.version)
    assert float(made(kind).compute()) == next(iter(made(kind).results().values())).value
    assert next(iter(kind("inception").results())) == first


@each
def test_order_and_batches_change_no_bit(kind: Any) -> None:
    expected = bits(made(kind))
    assert bits(made(kind, (6, 2, 0, 5, 4, 1, 3), batch=7)) == expected
    assert bits(made(kind, batch=1)) == expected


@each
def test_merged_halves_and_pickled_metrics_are_the_whole(kind: Any) -> None:
    half = made(kind, (5, 0, 3))
    half.merge_state(fed(kind, (2, 4, 1, 6)))
    assert bits(pickle.loads(pickle.dumps(half))) == bits(made(kind))


@each
def test_rounding_of_another_processor_changes_the_last_digits_only(kind: Any) -> None:
    """Seeded draws of pictures must not depend on the bits of features."""

    def rounded(index: int, count: int = VIEWS) -> Features:
        exact, generator = seen(index, count), torch.Generator().manual_seed(1000 + index)
        change = 1 + 1e-6 * torch.rand(exact.embedding.shape, generator=generator)
        return replace(exact, embedding=exact.embedding * change)

    other = kind()
    for index in range(7):
        other.update(rounded(index), index=index)
    other.update(rounded(99, 600), real=True)
    same = fed(kind, tuple(range(7)))
    same.update(seen(99, 600), real=True)
    found = other.results()
    for name, result in same.results().items():
        for ours, theirs in ((result.value, found[name].value), (result.ci_low, found[name].ci_low)):
            assert (ours is None) == (theirs is None), name
            assert ours is None or ours == pytest.approx(theirs, rel=1e-3, abs=1e-4), name


@each
def test_nothing_given_is_said(kind: Any) -> None:
    assert {result.reason for result in kind().results().values()} == {"no generated pictures were given."}
    if "reference" in kind.needs:
        found = fed(kind, (0, 1)).results().values()
        assert {result.reason for result in found} == {"no reference pictures were given."}


def test_network_stands_in_every_id_that_depends_on_it() -> None:
    ids = [name for kind in KINDS for name in kind.definitions("inception")]
    assert len(ids) == len(set(ids)) == 33
    assert [name for name in ids if not name.endswith("[inception]")] == ["sharpness_ratio", "sharpness_error"]


def test_density_and_gaps_rank_nobody() -> None:
    """Blur crowds pictures where real ones are densest, and equally bad sides have no gap."""
    told = {name: entry.higher_is_better for kind in KINDS for name, entry in kind.definitions("x").items()}
    neutral = {name.split("[")[0] for name, better in told.items() if better is None}
    gaps = {f"{stem}_{side}_front_gap" for stem in ("kid", "fid") for side in ("side", "back")}
    assert neutral == {"kid_subsets", "density", "sharpness_ratio", *gaps}


def test_views_of_many_scenes_spread_over_the_circle() -> None:
    unit = np.repeat(np.arange(240), VIEWS)
    azimuth = np.tile(np.arange(VIEWS) * 15.0 - 180.0, 240)
    pictures = Pictures(np.zeros((len(unit), 1)), unit, unit, azimuth)
    chosen = pictures.one_per_scene()
    assert len(chosen) == chosen.units == 240
    counts = np.unique(chosen.azimuth_deg, return_counts=True)[1]
    assert (len(counts), counts.min() >= 9, counts.max() <= 11) == (VIEWS, True, True)
    assert set(pictures.one_per_scene(frontal=True).azimuth_deg) == {0.0}
