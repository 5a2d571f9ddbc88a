"""Reports of completions: samples are no scenes, in words as in what is resampled and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from viewsweep.metrics import compare
from viewsweep.reports import write_report
from viewsweep.reports.ranks import column_ranks
from viewsweep.reports.rundir import read_run
from viewsweep.reports.turntables import exhibits, pick_scenes

from .fake_run import make_run

SAMPLES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes of three samples each by three methods."""
    place = tmp_path_factory.mktemp("completion")
    make_run(place, methods=("noise", "ivid-small", "dfm-small"), scenes=12, views=2, size=8, failed=False)
    record = json.loads((place / "run.json").read_text())
    record["protocol"]["completion"] = {"task": "scene", "samples": SAMPLES}
    (place / "run.json").write_text(json.dumps(record))
    return place


def test_rows_take_the_samples_of_a_scene_together(folder: Path) -> None:
    run = read_run(folder)
    assert run.samples == SAMPLES
    whole = run.rows[(run.rows["metric"] == "warp_psnr") & (run.rows["view"] == -1) & (run.rows["method"] == "noise")]
    found = run.scene_rows
    own = found[(found["metric"] == "warp_psnr") & (found["view"] == -1) & (found["method"] == "noise")]
    assert own["index"].tolist() == [0, 3, 6, 9]
    assert own["value"].tolist() == pytest.approx(whole["value"].to_numpy().reshape(4, SAMPLES).mean(1).tolist())
    assert own["seed"].tolist() == whole["seed"].tolist()[::SAMPLES]
    assert list(found.columns) == list(run.rows.columns)


def test_methods_are_compared_over_scenes_not_samples(folder: Path) -> None:
    run = read_run(folder)
    by_sample = compare(run.rows, "warp_psnr", ["dfm-small", "ivid-small"], True).pairs[0]
    by_scene = compare(run.scene_rows, "warp_psnr", ["dfm-small", "ivid-small"], True).pairs[0]
    assert by_scene.difference == pytest.approx(by_sample.difference)
    assert by_scene.p >= 2 / 2**4 > by_sample.p  # four scenes cannot be surer than that
    ranks = column_ranks(run, run.definitions["warp_psnr"])
    assert {str(rank) for rank in ranks.values()} == {"1-2"}


def test_first_samples_stand_for_their_scenes(folder: Path) -> None:
    run = read_run(folder)
    picked = pick_scenes(run, 6)
    assert picked == [0, 3, 6, 9]
    shown, _ = exhibits(run, picked)
    assert [exhibit.number for exhibit in shown] == ["0", "1", "2", "3"]
    assert shown[1].title.startswith("Scene 1")


def test_page_counts_scenes_and_samples(folder: Path) -> None:
    page = write_report(folder).read_text()
    assert "3 methods drew 3 samples each of the same 4 scenes" in page
    assert "3 a scene" in page
    assert "12 samples" in page


def test_lost_samples_are_named(folder: Path, tmp_path: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    results["methods"]["noise"]["scenes"]["failed"] = [{"index": 7, "reason": "out of ideas"}]
    for name in ("run.json", "per_scene.parquet"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert "<td>2, sample 1</td>" in write_report(tmp_path).read_text()


def test_other_runs_are_as_before(pristine: Path) -> None:
    run = read_run(pristine)
    assert run.samples == 1
    assert run.scene_rows is run.rows
    assert run.called(7) == "7"
