"""Curves against azimuth: means, bands, bins and the seam at the back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from viewsweep.reports.curves import azimuth_curves, chart
from viewsweep.reports.distributions import extremes, scene_values, strip_plot
from viewsweep.reports.rundir import read_run
from viewsweep.reports.svg import nice_ticks, spread
from viewsweep.reports.tables import summarise


def table(values: np.ndarray, yaws: np.ndarray | None = None) -> pd.DataFrame:
    """Rows of one method for values [scenes, views]."""
    scenes, views = values.shape
    yaws = np.arange(views) * (360 / views) - 180 if yaws is None else yaws
    return pd.DataFrame(
        {
            "method": "m",
            "index": np.repeat(np.arange(scenes), views),
            "seed": 0,
            "label": -1,
            "metric": "psnr",
            "view": np.tile(np.arange(views), scenes),
            "yaw_deg": np.tile(yaws, scenes) if yaws.ndim == 1 else yaws.ravel(),
            "value": values.ravel(),
        }
    )


def naive_means(rows: pd.DataFrame) -> dict[float, float]:
    """Mean over scenes of each scene's mean in a bin, by loops."""
    means = {}
    for yaw in sorted(set(rows["yaw_deg"])):
        votes = []
        for index in sorted(set(rows["index"])):
            own = rows[(rows["yaw_deg"] == yaw) & (rows["index"] == index)]["value"].dropna()
            if len(own):
                votes.append(sum(own) / len(own))
        if votes:
            means[yaw] = sum(votes) / len(votes)
    return means


def test_means_give_every_scene_one_vote() -> None:
    values = np.random.default_rng(1).normal(size=(5, 8))
    values[2, 3] = np.nan
    rows = pd.concat([table(values), table(values[:1] + 9)])  # scene 0 comes twice in every bin
    [curve] = azimuth_curves(rows, "psnr")
    expected = naive_means(rows)
    assert curve.azimuth.tolist() == list(expected)
    np.testing.assert_allclose(curve.mean, list(expected.values()))


def test_the_band_is_near_the_normal_interval_of_the_mean() -> None:
    values = np.random.default_rng(2).normal(size=(400, 4))
    [curve] = azimuth_curves(table(values), "psnr")
    assert curve.low is not None
    assert curve.high is not None
    error = values.std(axis=0) / np.sqrt(len(values))
    np.testing.assert_allclose(curve.high - curve.mean, 1.96 * error, rtol=0.15)
    np.testing.assert_allclose(curve.mean - curve.low, 1.96 * error, rtol=0.15)


def test_one_scene_has_no_band() -> None:
    [curve] = azimuth_curves(table(np.ones((1, 8))), "psnr")
    assert curve.low is None
    assert curve.scenes == 1


def test_scattered_azimuths_fall_into_bins_of_fifteen_degrees() -> None:
    yaws = np.random.default_rng(3).uniform(-180, 180, (20, 40))
    [curve] = azimuth_curves(table(np.ones((20, 40)), yaws), "psnr")
    assert curve.azimuth.tolist() == [-172.5 + 15 * place for place in range(24)]


def test_plus_and_minus_180_are_one_place() -> None:
    [curve] = azimuth_curves(table(np.ones((2, 2)), np.array([180.0, -179.99])), "psnr")
    assert curve.azimuth.tolist() == [-180.0]


def test_charts_are_valid_xml_and_label_every_method(pristine: Path) -> None:
    run = read_run(pristine)
    column = next(c for c in summarise(run).columns if c.definition.id == "warp_psnr")
    svg = ElementTree.fromstring(chart(run, column, azimuth_curves(run.rows, "warp_psnr")))
    texts = [node.text for node in svg.iter("text")]
    assert {"oracle", "ivid-small", "frozen", "noise"} <= set(texts)
    assert "style" not in {name for node in svg.iter() for name in node.attrib}  # the page's policy forbids it


def test_strip_plots_have_a_dot_a_scene(pristine: Path) -> None:
    run = read_run(pristine)
    column = next(c for c in summarise(run).columns if c.definition.id == "nfs")
    svg = ElementTree.fromstring(strip_plot(run, column, scene_values(run.rows, "nfs")))
    dots = [node.attrib["d"].count("h0") for node in svg.iter("path") if node.attrib["class"].startswith("dots")]
    assert dots == [3, 2, 3, 3]


def test_extremes_follow_the_direction_of_the_metric(pristine: Path) -> None:
    run = read_run(pristine)
    column = next(c for c in summarise(run).columns if c.definition.id == "warp_psnr")
    values = scene_values(run.rows, "warp_psnr")
    found = {extreme.method: extreme for extreme in extremes(run, column, values)}
    own = values[values["method"] == "oracle"].set_index("index")["value"]
    best, worst = found["oracle"].best, found["oracle"].worst
    assert (best.place, best.number) == (own.idxmax(), own.max())
    assert (worst.place, worst.number) == (own.idxmin(), own.min())
    assert f"scene {own.idxmax()} " in f"{best.scene} "


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1.0, ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        (-1.0, 31.0, ["0", "10", "20", "30"]),
        (0.0012, 0.0018, ["0.0012", "0.0014", "0.0016", "0.0018"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in nice_ticks(low, high, 4)] == texts


def test_labels_are_moved_apart_within_bounds() -> None:
    assert spread([50.0, 51.0, 10.0], 10, 0, 55) == [45.0, 55.0, 10.0]
    assert spread([5.0] * 6, 10, 0, 25) == [0, 5, 10, 15, 20, 25]
    assert spread([], 10, 0, 5) == []
