"""The embedded world's own renders are the ceiling of every metric, and cheats stay below it."""

from __future__ import annotations

import pytest
from viewsweep.metrics import GeometricShare, NonFlatness, WarpError
from viewsweep.scenes import Scene, sweep360, tabletop

from .analytic import frozen, static


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """One object of each class at the demo protocol's cameras."""
    return [tabletop.sample(1000, label).render(sweep360(24, 0.26), 64) for label in range(len(tabletop.CLASSES))]


def measure(scenes: list[Scene]) -> tuple[dict[str, float], list[float]]:
    """All values, and the geometric share of each scene."""
    metrics = [WarpError(), GeometricShare(), NonFlatness()]
    for metric in metrics:
        for index, scene in enumerate(scenes):
            metric.update(scene, index=index)
    found = {name: float(result.value or 0) for metric in metrics for name, result in metric.results().items()}
    return found, [row.value for row in metrics[1].rows() if (row.view, row.metric) == (-1, "geometric_share")]


def test_exact_renders_meet_the_bars(scenes: list[Scene]) -> None:
    found, shares = measure(scenes)
    assert found["geometric_share"] >= 0.97
    assert found["warp_psnr"] >= 28.0
    assert found["covisible"] >= 0.75
    assert found["nfs"] >= 15.0
    assert found["plane_residual"] >= 0.03
    assert len(shares) == len(tabletop.CLASSES)
    assert min(shares) >= 0.95


def test_frozen_view_and_noise_are_clearly_worse(scenes: list[Scene]) -> None:
    some = scenes[::3]
    honest, _ = measure(some)
    still, _ = measure([frozen(scene) for scene in some])
    noise, _ = measure([static(scene) for scene in some[:2]])
    assert still["warp_psnr"] < honest["warp_psnr"] - 6
    assert still["warp_mse"] > 5 * honest["warp_mse"]
    assert 1 - still["geometric_share"] > 10 * (1 - honest["geometric_share"])
    assert noise["warp_psnr"] < 1
    assert noise["geometric_share"] < 0.02
