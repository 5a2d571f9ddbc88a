from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.metrics.features import Features, extract
from viewsweep.metrics.janus import Janus, JanusPixels, facing, janus_excess
from viewsweep.metrics.result import MetricResult
from viewsweep.metrics.tabletop_network import load_tabletop_network
from viewsweep.scenes import Cameras, Scene, sweep360, tabletop

from .analytic import balls

CLEAN = balls()


def pasted(rgb: Tensor, mirrored: bool) -> Tensor:
    """The back third of 24 views replaced by the views of the front: at 180 - yaw, or at yaw - 180."""
    made = rgb.clone()
    for view in range(8, 17):
        made[view] = rgb[(12 - view) % 24 if mirrored else view - 12]
    return made


def pixels(scene: Scene) -> float:
    metric = JanusPixels()
    metric.update(scene, 0)
    return float(metric.compute())


def on_circle(angles: Tensor) -> Features:
    """Features whose first two numbers lie on a circle; the rest is common to all pictures."""
    angles = angles.float()
    rows = torch.stack([angles.cos(), angles.sin(), torch.full_like(angles, 50.0)], 1)
    return Features(rows, torch.zeros(len(rows), 1))


def named(features: Features, views: int = 24) -> float:
    metric = Janus()
    metric.update(Scene(torch.zeros(views, 2, 2, 3, dtype=torch.uint8), sweep360(views)), 0, features)
    return float(metric.compute())


def test_views_that_turn_once_have_the_opposite_behind() -> None:
    # front and back opposite (-1), the sides at right angles (0), whatever all pictures have in common;
    # off the front the view at 180 - yaw is a little nearer: up to cos(2 * 60 degrees)
    yaw = torch.deg2rad(torch.arange(24) * 15.0)
    expected = sum(float(-torch.cos(torch.deg2rad(torch.tensor(2.0 * angle)))) for angle in (-30, -15, 0, 15, 30)) / 5
    assert named(on_circle(yaw)) == pytest.approx(expected, abs=1e-4)


def test_views_that_turn_twice_have_two_fronts() -> None:
    assert named(on_circle(2 * torch.deg2rad(torch.arange(24) * 15.0))) == pytest.approx(2.0, abs=1e-4)


def test_views_that_are_all_one_score_zero() -> None:
    assert named(on_circle(torch.zeros(24))) == 0.0
    frozen = replace(CLEAN, rgb=CLEAN.rgb[:1].expand_as(CLEAN.rgb).contiguous())
    assert pixels(frozen) == pytest.approx(0.0, abs=1e-12)
    assert pixels(replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 9))) == 0.0


@pytest.mark.parametrize("mirrored", [True, False])
def test_pasted_front_shows_in_the_pixels(mirrored: bool) -> None:
    assert pixels(replace(CLEAN, rgb=pasted(CLEAN.rgb, mirrored))) > pixels(CLEAN) + 0.5


def test_mirrored_pictures_are_recognised() -> None:
    rgb = CLEAN.rgb.clone()
    for view in range(8, 17):
        rgb[view] = CLEAN.rgb[(12 - view) % 24].flip(1)
    assert pixels(replace(CLEAN, rgb=rgb)) == pytest.approx(
        pixels(replace(CLEAN, rgb=pasted(CLEAN.rgb, True))), abs=0.2
    )


def test_pasted_front_is_told_from_tabletop_objects() -> None:
    """Five classes here; 50 objects of all ten give an AUROC of 1.00 and 0.99."""
    network = load_tabletop_network()
    clean: dict[str, list[float]] = {"network": [], "pixels": []}
    bad: dict[str, list[float]] = {"network": [], "pixels": []}
    cameras = sweep360(24, 0.26)
    shown = sorted({(base + turn) % 24 for base in range(0, 24, 6) for turn in range(-2, 3)})
    for label in (0, 1, 5, 6, 8):
        drawn = tabletop.sample(label, label=label).render(cameras[shown], 32).rgb
        rgb = torch.zeros(24, 32, 32, 3, dtype=torch.uint8)
        rgb[shown] = drawn
        for held, pictures in ((clean, rgb), (bad, pasted(rgb, True))):
            scene = Scene(pictures[shown], cameras[shown])
            metric = Janus()
            metric.update(scene, 0, extract(network, scene.rgb))
            held["network"].append(float(metric.compute()))
            held["pixels"].append(pixels(scene))
    for kind in ("network", "pixels"):
        c, b = torch.tensor(clean[kind]), torch.tensor(bad[kind])
        assert bool((b > c).all())
        assert float((b[:, None] > c).double().mean()) >= 0.95
    assert min(bad["network"]) > 0.5


def test_views_facing_the_front() -> None:
    found = facing(sweep360(24, 0.2))
    assert [(entry.front, entry.backs, entry.sides) for entry in found] == [
        (0, (12,), (18, 6)),
        (1, (11, 13), (19, 7)),
        (2, (10, 14), (20, 8)),
        (22, (10, 14), (16, 4)),
        (23, (11, 13), (17, 5)),
    ]
    assert [entry.front for entry in facing(sweep360(4))] == [0]
    tilted = Cameras.orbit([0.0, 1.57, 3.14, -1.57], [0.0, 0.0, 0.5, 0.0])  # the view across looks from above
    assert facing(tilted) == []


def test_order_of_views_changes_nothing() -> None:
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0)).tolist()
    assert pixels(CLEAN.select(order)) == pytest.approx(pixels(CLEAN), abs=1e-12)


def test_rows_name_the_front_views() -> None:
    metric = JanusPixels()
    metric.update(CLEAN, 3)
    rows = metric.rows()
    assert [row.view for row in rows] == [-1, 0, 1, 2, 22, 23]
    assert [row.yaw_deg for row in rows[1:]] == pytest.approx([0.0, 15.0, 30.0, -30.0, -15.0])


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (CLEAN.select([0, 1, 2]), "no two views are that far apart"),
        (CLEAN.select([0]), "no two views are that far apart"),
        (replace(CLEAN, cameras=None), "the cameras are unknown"),
    ],
    ids=["arc", "one view", "no cameras"],
)
def test_without_views_across_it_is_not_run(scene: Scene, reason: str) -> None:
    metric, network = JanusPixels(), Janus()
    metric.update(scene, 0)
    network.update(scene, 0, on_circle(torch.zeros(scene.views)))
    for result in [*metric.results().values(), *network.results().values()]:
        assert (result.status, result.reason) == ("not_run", f"scene 0: {reason}")


def test_misuse_is_explained() -> None:
    with pytest.raises(ValueError, match="features of 3 pictures for a scene of 24 views"):
        Janus().update(CLEAN, 0, on_circle(torch.zeros(3)))


def test_id_carries_the_network() -> None:
    assert list(Janus("inception").results()) == list(Janus.definitions("inception")) == ["janus[inception]"]


def test_excess_over_the_oracle() -> None:
    found = janus_excess(MetricResult.ok(1.0, (0.7, 1.4), 9), MetricResult.ok(-0.5, (-0.8, -0.1), 8))
    assert found.value == 1.5
    assert found.n == 8
    assert (found.ci_low, found.ci_high) == pytest.approx((1.5 - 0.5, 1.5 + 0.5))
    assert janus_excess(MetricResult.ok(1.0, None, 1), MetricResult.ok(0.5, (0.4, 0.6), 8)).ci_low is None
    missing = janus_excess(MetricResult.ok(1.0, None, 1), MetricResult.not_run("no scene was given."))
    assert (missing.status, missing.reason) == ("not_run", "the oracle has no value: no scene was given.")
