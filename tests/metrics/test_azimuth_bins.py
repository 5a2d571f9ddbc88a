from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from viewsweep.metrics import FID, KID, Features, MetricResult, jackknife_interval
from viewsweep.metrics.azimuth_bins import BINS, AzimuthQuality, azimuth_bins

Rows = npt.NDArray[np.float64]

VIEWS = 24
CIRCLE = np.arange(VIEWS) * 15.0 - 180.0
SCENES = 16


def sweeps(seed: int, worse: float = 0.0, around: float = 180.0, scenes: int = SCENES, width: int = 3) -> Rows:
    """Features of sweeps [scenes * 24, width]; `worse` moves those of views near azimuth `around`."""
    rows = np.random.default_rng(seed).normal(size=(scenes, VIEWS, width))
    near = np.abs((CIRCLE - around + 180.0) % 360.0 - 180.0) <= 15.0
    return (rows + worse * near[None, :, None]).reshape(-1, width).astype(np.float32).astype(np.float64)


def features(rows: Rows, azimuth: Rows | None) -> Features:
    known = {} if azimuth is None else {"azimuth_deg": torch.from_numpy(azimuth)}
    return Features(torch.from_numpy(rows), torch.zeros(len(rows), 1), **known)


def metric(fake: Rows, real: Rows, fake_azimuth: Rows | None, real_azimuth: Rows | None) -> AzimuthQuality:
    made = AzimuthQuality()
    made.update(features(real, real_azimuth), real=True)
    made.update(features(fake, fake_azimuth), index=torch.arange(len(fake)) // (len(fake) // SCENES))
    return made


def round_about(fake: Rows, real: Rows) -> AzimuthQuality:
    return metric(fake, real, np.tile(CIRCLE, SCENES), np.tile(CIRCLE, len(real) // VIEWS))


def results(made: AzimuthQuality) -> dict[str, MetricResult]:
    return {name.split("[")[0]: result for name, result in made.results().items()}


REAL = sweeps(99, scenes=30)


def test_bins_are_centred_on_the_front() -> None:
    degrees = np.array([0.0, 22.4, 22.5, 45.0, 90.0, 179.0, -180.0, 157.6, -157.5, -157.6, -22.5, -22.6, -90.0])
    centres = [BINS[place] for place in azimuth_bins(degrees)]
    assert centres == [0, 0, 45, 45, 90, 180, 180, 180, -135, 180, 0, -45, -90]
    near = np.float32(22.5) + np.array([-1e-5, 1e-5])
    assert len(set(azimuth_bins(near))) == 1  # float32 noise at a border


@pytest.mark.parametrize(("stem", "kind"), [("kid", KID), ("fid", FID)])
def test_bin_is_the_distance_of_its_pictures(stem: str, kind: type[KID] | type[FID]) -> None:
    fake, azimuth = sweeps(1), np.tile(CIRCLE, SCENES)
    found = results(round_about(fake, REAL))
    for centre in BINS:
        place = BINS.index(centre)
        here, there = azimuth_bins(azimuth) == place, azimuth_bins(np.tile(CIRCLE, 30)) == place
        alone = kind()
        alone.update(features(REAL[there], None), real=True)
        alone.update(features(fake[here], None), index=(torch.arange(len(fake)) // VIEWS)[torch.from_numpy(here)])
        expected = next(iter(alone.results().values()))
        bin_result = found[f"{stem}_bin_{centre}"]
        assert (bin_result.value, bin_result.ci_low) == pytest.approx((expected.value, expected.ci_low), rel=1e-9)
        assert bin_result.n == SCENES * 3


@pytest.mark.parametrize("around", BINS)
def test_worst_side_is_found(around: int) -> None:
    made = round_about(sweeps(1, worse=2.0, around=around), REAL)
    found = results(made)
    assert made.worst_bin() == around
    assert found["kid_worst_bin"].value == found[f"kid_bin_{around}"].value
    assert found["fid_worst_bin"].value == found[f"fid_bin_{around}"].value


@pytest.mark.parametrize("stem", ["kid", "fid"])
def test_gaps_are_differences_from_the_front(stem: str) -> None:
    found = results(round_about(sweeps(1, worse=1.0, around=90.0), REAL))
    value = {centre: float(found[f"{stem}_bin_{centre}"].value or 0) for centre in BINS}
    side, back = found[f"{stem}_side_front_gap"], found[f"{stem}_back_front_gap"]
    assert side.value == pytest.approx((value[90] + value[-90]) / 2 - value[0], rel=1e-12)
    assert back.value == pytest.approx(value[180] - value[0], rel=1e-12)
    assert side.ci_low is not None
    assert side.ci_low > 0


def test_back_gap_grows_as_backs_get_worse() -> None:
    gaps = [results(round_about(sweeps(1, worse), REAL))["kid_back_front_gap"].value for worse in (0.0, 0.5, 1.0, 2.0)]
    assert gaps == sorted(gaps)  # type: ignore[type-var]


def test_jackknife_leaves_the_same_scenes_out_of_all_bins() -> None:
    fake, azimuth = sweeps(1, worse=1.0), np.tile(CIRCLE, SCENES)
    real_azimuth = np.tile(CIRCLE, 30)
    found = results(round_about(fake, REAL))
    deleted: dict[str, list[float]] = {"kid_worst_bin": [], "kid_side_front_gap": [], "fid_back_front_gap": []}
    for scene in range(SCENES):
        kept = np.arange(len(fake)) // VIEWS != scene
        made = AzimuthQuality()
        made.update(features(REAL, real_azimuth), real=True)
        index = torch.from_numpy((np.arange(len(fake)) // VIEWS)[kept])
        made.update(features(fake[kept], azimuth[kept]), index=index)
        for name, values in deleted.items():
            values.append(float(results(made)[name].value or 0))
    for name, values in deleted.items():
        expected = jackknife_interval(float(found[name].value or 0), values, [1] * SCENES)
        assert (found[name].ci_low, found[name].ci_high) == pytest.approx(expected, rel=1e-7)


def test_frontal_protocols_have_no_back_to_be_bad_at() -> None:
    azimuth = np.array([-60.0, -30.0, 0.0, 30.0, 60.0])
    fake = np.random.default_rng(0).normal(size=(SCENES * 5, 3))
    made = metric(fake, REAL, np.tile(azimuth, SCENES), np.tile(CIRCLE, 30))
    found = results(made)
    assert found["kid_worst_bin"].status == "ok"
    assert made.worst_bin() in (-45, 0, 45)
    assert found["kid_bin_180"].reason == "around 180 degrees: there are no generated pictures."
    assert found["kid_back_front_gap"].reason == "around 180 degrees: there are no generated pictures."
    assert found["kid_bin_180"].n == 0


def test_bin_that_cannot_be_measured_is_named_and_the_worst_not_told() -> None:
    front = np.abs(np.tile(CIRCLE, 30)) < 100.0
    made = metric(sweeps(1), REAL[front], np.tile(CIRCLE, SCENES), np.tile(CIRCLE, 30)[front])
    found = results(made)
    reason = "around 135 degrees: KID compares pairs of scenes; the reference set holds none."
    assert (found["kid_bin_135"].status, found["kid_bin_135"].reason) == ("not_run", reason)
    assert (found["kid_worst_bin"].status, found["kid_worst_bin"].reason) == ("failed", reason)
    assert made.worst_bin() is None
    assert found["kid_side_front_gap"].status == "ok"


def test_fid_needs_more_pictures_in_a_bin_than_dimensions() -> None:
    found = results(round_about(sweeps(1, width=60), sweeps(2, scenes=30, width=60)))
    assert found["kid_bin_0"].status == "ok"
    for name in ("fid_bin_0", "fid_worst_bin"):
        assert found[name].status == "not_run"
        assert found[name].reason == (
            "around 0 degrees: FID needs more than 60 generated pictures, the dimension of the features; there are 48."
        )


def test_unknown_azimuth_is_named() -> None:
    rows, azimuth = sweeps(1), np.tile(CIRCLE, SCENES)
    azimuth[5] = np.nan
    for result in results(metric(rows, REAL, azimuth, np.tile(CIRCLE, 30))).values():
        assert (result.status, result.n) == ("not_run", len(rows))
        assert result.reason == "the azimuth of 1 of 384 generated pictures is unknown."
    found = results(metric(rows, REAL, np.tile(CIRCLE, SCENES), None))
    assert found["kid_worst_bin"].reason == "the azimuth of 720 of 720 reference pictures is unknown."


def test_unrelated_pictures_are_measured_too() -> None:
    made = AzimuthQuality()
    made.update(features(REAL, np.tile(CIRCLE, 30)), real=True)
    made.update(features(sweeps(1), np.tile(CIRCLE, SCENES)))
    assert all(result.status == "ok" for result in made.results().values())


def test_equal_features_from_several_sides_have_one_order() -> None:
    """A frozen method draws the same picture for all cameras."""
    rows, azimuth = np.repeat(sweeps(1)[::VIEWS], VIEWS, axis=0), np.tile(CIRCLE, SCENES)
    order = np.random.default_rng(0).permutation(len(rows))
    scenes = torch.arange(len(rows)) // VIEWS
    found = []
    for some in (np.arange(len(rows)), order):
        made = AzimuthQuality()
        made.update(features(REAL, np.tile(CIRCLE, 30)), real=True)
        made.update(features(rows[some], azimuth[some]), index=scenes[torch.from_numpy(some)])
        found.append(made.results())
    assert found[0] == found[1]
