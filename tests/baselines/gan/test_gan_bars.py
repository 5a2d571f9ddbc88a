"""The shipped GANs are as good as promised: bars that their entries on the board must clear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import viewsweep

BOARD = Path(viewsweep.__file__).parent / "leaderboard" / "entries" / "tabletop64"

NOISE_FID = 144.0
"""`fid[tabletop]` of the method `noise`, which has no entry: measured on 128 scenes of tabletop64, 24 views each."""

GANS = ("pigan-small", "epigraf-small", "eg3d-small")
STRICTLY_3D = ("pigan-small", "epigraf-small")


def value(method: str, metric: str) -> float:
    found = json.loads((BOARD / f"{method}.json").read_text(encoding="utf-8"))["metrics"][metric]
    assert found["status"] == "ok", f"{method}: {metric} is {found['status']}: {found['reason']}"
    return float(found["value"])


@pytest.mark.parametrize("method", GANS)
def test_pictures_lie_far_nearer_to_real_ones_than_noise(method: str) -> None:
    assert value(method, "fid[tabletop]") <= 0.15 * NOISE_FID


@pytest.mark.parametrize("method", GANS)
@pytest.mark.parametrize("metric", ["precision[tabletop]", "coverage[tabletop]"])
def test_pictures_are_plausible_and_varied(method: str, metric: str) -> None:
    assert value(method, metric) >= 0.4


@pytest.mark.parametrize("method", STRICTLY_3D)
def test_shapes_are_solid(method: str) -> None:
    assert value(method, "nfs") >= 0.4 * value("oracle", "nfs")


@pytest.mark.parametrize("method", STRICTLY_3D)
def test_neighbouring_views_show_one_surface(method: str) -> None:
    """At 15 degrees, the step between the 24 views of the circle."""
    assert value(method, "geometric_share@15") >= 0.85
