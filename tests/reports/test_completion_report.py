"""Reports of completions: samples are no scenes, in words as in what is resampled and compared."""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.metrics import compare
from viewsweep.reports import write_report
from viewsweep.reports.completion_pictures import completions, flow_colours, spread
from viewsweep.reports.ranks import column_ranks
from viewsweep.reports.rundir import read_run
from viewsweep.reports.turntables import exhibits, pick_scenes
from viewsweep.scenes.scene import Scene, load_scene, save_scene

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


def test_spread_is_the_standard_deviation() -> None:
    still = np.full((1, 2, 2, 3), 51, np.uint8)
    assert np.array_equal(spread([still, still]), np.zeros((1, 2, 2)))
    other = still.copy()
    other[0, 0, 0] = 153
    found = spread([still, other])
    assert found[0, 0, 0] == pytest.approx(0.2, abs=1e-6)  # 51 to 153 of 255 is 0.4 apart
    assert found[0, 1, 1] == 0


def test_flow_has_a_colour_a_direction() -> None:
    flow = np.array([[[[2.0, 0.0], [0.0, 2.0], [0.0, 0.0], [np.nan, np.nan], [9.0, 0.0]]]], np.float32)
    colours = flow_colours(flow, 2.0)[0, 0].astype(int)
    assert colours[0].tolist() == [255, 0, 0, 255]  # to the right
    assert colours[1, 1] == 255  # down
    assert colours[1, 0] < 200
    assert colours[2].tolist() == [255, 255, 255, 255]
    assert colours[3].tolist() == [0, 0, 0, 0]
    assert colours[4].tolist() == colours[0].tolist()  # longer than the scale


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of two samples each, half a picture given, by the truth and a method that draws other things."""
    place = make_run(
        tmp_path_factory.mktemp("completed"), methods=("truth", "dfm-small"), scenes=4, views=4, size=16, failed=False
    )
    record = json.loads((place / "run.json").read_text())
    record["protocol"]["completion"] = {"task": "scene", "samples": 2}
    (place / "run.json").write_text(json.dumps(record))
    for number in range(4):
        true = load_scene(place / f"scenes/truth/{number // 2 * 2:05d}.safetensors")
        assert true.cameras is not None
        mask = torch.ones(1, 16, 16, dtype=torch.bool)
        mask[:, :, 8:] = False
        context = Scene(true.rgb[:1], true.cameras[[0]], mask=mask)
        save_scene(place / f"scenes/truth/{number:05d}.safetensors", replace(true, context=context))
        path = place / f"scenes/dfm-small/{number:05d}.safetensors"
        save_scene(path, replace(load_scene(path), context=context))
    return place


def test_context_truth_samples_and_spread_are_shown(completed: Path) -> None:
    """This protocol is none of ours, so that the truth comes from the reference that hands it in."""
    run = read_run(completed)
    scenes = completions(run, pick_scenes(run, 6))
    assert [scene.title for scene in scenes] == ["Scene 0, chair", "Scene 1, mug"]
    assert [strip.title for strip in scenes[0].strips] == ["Given (1 view)", "Truth", "Seen by the context"]
    assert [strip.sheet.tiles for strip in scenes[0].strips] == [1, 4, 4]
    names = {entry.method: [strip.title for strip in entry.strips] for entry in scenes[0].methods}
    assert names == {name: ["Sample 0", "Sample 1", "Spread"] for name in ("truth", "dfm-small")}
    page = write_report(completed).read_text()
    assert page == write_report(completed).read_text()
    assert page.count('class="completed"') == 2
    assert "drew, 2 times from the same context" in " ".join(page.split())


def test_the_hidden_part_of_a_context_is_not_shown(completed: Path) -> None:
    run = read_run(completed)
    [given, *_] = completions(run, [0])[0].strips
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(given.sheet.uri.split(",", 1)[1]))))
    assert (picture[:, :8, 3] == 255).all()
    assert (picture[:, 8:, 3] < 255).all()
    assert len(np.unique(picture[:, 8:].reshape(-1, 4), axis=0)) == 1


def test_missing_samples_are_counted_and_the_rest_shown(completed: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(completed, tmp_path / "run"))
    (place / "scenes/dfm-small/00001.safetensors").unlink()
    entry = completions(read_run(place), [0])[0].methods[1]
    assert entry.reason == "1 of 2 samples were not drawn or cannot be read."
    assert [strip.title for strip in entry.strips] == ["Sample 0"]


def test_without_a_truth_the_reason_stands_there(folder: Path) -> None:
    scene = completions(read_run(folder), [0])[0]
    assert "its protocol is not one this version knows" in scene.reason
    assert str(folder) not in scene.reason
    assert all(strip.title != "Truth" for strip in scene.strips)


def test_sweeps_have_no_such_section(pristine: Path) -> None:
    assert completions(read_run(pristine), [0]) == []
