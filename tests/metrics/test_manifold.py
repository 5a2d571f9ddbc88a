from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import prdc  # type: ignore[import-untyped]
import pytest
import torch
from viewsweep.metrics import Features, MetricResult, jackknife_interval
from viewsweep.metrics.manifold import PrecisionRecall, manifold_scores

Rows = npt.NDArray[np.float64]


def points(count: int, seed: int, width: int = 6, shift: float = 0.0, spread: float = 1.0) -> Rows:
    values = spread * np.random.default_rng(seed).normal(size=(count, width)) + shift
    return values.astype(np.float32).astype(np.float64)


def features(values: Rows, azimuth: Rows | None = None) -> Features:
    known = {} if azimuth is None else {"azimuth_deg": torch.from_numpy(azimuth)}
    return Features(torch.from_numpy(values), torch.zeros(len(values), 1), **known)


def measured(fake: Rows, real: Rows, scenes: Any = None, azimuth: Rows | None = None) -> dict[str, MetricResult]:
    metric = PrecisionRecall()
    metric.update(features(real), real=True)
    metric.update(features(fake, azimuth), index=None if scenes is None else torch.as_tensor(scenes))
    return {name.split("[")[0]: result for name, result in metric.results().items()}


def values(found: dict[str, MetricResult]) -> dict[str, float | None]:
    return {name: result.value for name, result in found.items()}


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(
    ("fake", "real"),
    [
        (points(60, 0), points(60, 1)),
        (points(80, 0, shift=0.8), points(50, 1)),
        (points(60, 0, spread=0.3), points(60, 1)),
        (points(60, 0, shift=100.0), points(60, 1, shift=100.5)),
        (points(60, 0, shift=9.0), points(60, 1)),
        (np.vstack([points(40, 1), points(20, 2)]), points(60, 1)),
    ],
    ids=["same", "shifted", "collapsed", "far from 0", "apart", "copies"],
)
def test_scores_are_those_of_prdc(fake: Rows, real: Rows, k: int) -> None:
    assert vars(manifold_scores(real, fake, k)) == prdc.compute_prdc(real, fake, k)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = manifold_scores(points(50, 0), points(40, 1))
    monkeypatch.setattr("viewsweep.metrics.manifold.BLOCK", 7)
    assert manifold_scores(points(50, 0), points(40, 1)) == whole


def test_known_scores_of_extremes() -> None:
    real = points(200, 0)
    same = manifold_scores(real, points(200, 1))
    assert same.density == pytest.approx(1.0, abs=0.15)
    assert min(same.precision, same.recall, same.coverage) > 0.85
    assert vars(manifold_scores(real, points(200, 1, shift=50.0))) == dict.fromkeys(vars(same), 0.0)


def test_collapse_costs_recall_and_coverage_alone_and_noise_precision() -> None:
    real = points(300, 0)
    scores = [manifold_scores(real, points(300, 1, spread=spread)) for spread in (1.0, 0.6, 0.3, 0.1)]
    assert [score.recall for score in scores] == sorted((score.recall for score in scores), reverse=True)
    assert scores[-1].coverage < 0.2 < 0.9 < scores[-1].precision
    noisy = [manifold_scores(real, points(300, 1, spread=spread)).precision for spread in (1.0, 1.5, 2.0, 4.0)]
    assert noisy == sorted(noisy, reverse=True)


def test_sibling_views_are_no_neighbours() -> None:
    objects, real = points(40, 0), points(40, 1)
    views = np.repeat(objects, 8, axis=0) + 1e-3 * points(320, 2)
    scenes, azimuth = np.repeat(np.arange(40), 8), np.tile(np.arange(8) * 45.0 - 180.0, 40)
    together, alone = measured(views, real, scenes, azimuth), measured(views, real)
    assert together["recall"].n == 40
    for name, value in vars(manifold_scores(real, objects)).items():
        assert together[name].value == pytest.approx(value, abs=0.03)
    assert manifold_scores(real, views).recall < 0.5 * float(together["recall"].value or 0)  # what siblings would do
    assert alone["recall"].n == 40  # cut to the reference's size


def test_view_of_a_scene_follows_from_its_index_whatever_was_drawn() -> None:
    """Two methods that differ in one view of the circle only differ where that view is the chosen one."""
    scenes, azimuth = np.repeat(np.arange(12), 4), np.tile([-180.0, -90.0, 0.0, 90.0], 12)
    fake, real, changed = points(48, 0), points(12, 1), 0
    before = values(measured(fake, real, scenes, azimuth))
    for view in range(4):
        other = fake.copy()
        other[view::4] += 40.0
        precision = measured(other, real, scenes, azimuth)["precision"].value
        lost = (float(before["precision"] or 0) - float(precision or 0)) * 12
        changed += round(lost)
    assert changed == round(float(before["precision"] or 0) * 12)  # every scene shows one view, and one only


def test_order_of_pictures_changes_no_bit() -> None:
    scenes, azimuth = np.repeat(np.arange(12), 4), np.tile([-180.0, -90.0, 0.0, 90.0], 12)
    fake, real, order = points(48, 0), points(30, 1), np.random.default_rng(3).permutation(48)
    assert measured(fake, real, scenes, azimuth) == measured(
        fake[order], real[::-1].copy(), scenes[order], azimuth[order]
    )


def test_jackknife_leaves_out_what_it_says() -> None:
    fake, real = points(12, 0, shift=0.3), points(12, 1)
    found = measured(fake, real, np.arange(12))
    deleted = [vars(manifold_scores(real, np.delete(fake, scene, 0))) for scene in range(12)]
    for name, top in (("precision", 1.0), ("recall", 1.0), ("density", np.inf), ("coverage", 1.0)):
        value = float(found[name].value or 0)
        expected = jackknife_interval(value, [scores[name] for scores in deleted], [1] * 12, bounds=(0.0, top))
        assert (found[name].ci_low, found[name].ci_high) == pytest.approx(expected, rel=1e-9)


def test_too_few_scenes_are_refused() -> None:
    for result in measured(points(40, 0), points(30, 1), np.arange(40) // 8).values():
        assert result.status == "not_run"
        assert result.reason == "balls of 5 neighbours need at least 6 generated scenes; there are 5."
    assert measured(points(9, 0), points(3, 1))["precision"].reason == (
        "balls of 5 neighbours need at least 6 reference scenes; there are 3."
    )
    six = measured(points(6, 0), points(9, 1))["precision"]
    assert (six.status, six.ci_low) == ("ok", None)  # five are too few to leave one out


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (points(9, 0), points(9, 0)[:, :2], r"got \[9, 6\], \[9, 2\]"),
        (points(5, 0), points(9, 0), r"more than k = 5 rows; got \[5, 6\], \[9, 6\]"),
        (points(9, 0) * np.nan, points(9, 0), "must be finite"),
    ],
)
def test_unfit_points_are_refused(real: Rows, fake: Rows, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        manifold_scores(real, fake)
