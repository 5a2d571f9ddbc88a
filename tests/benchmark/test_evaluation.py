"""From scenes on disk to results: everything counted, nothing silently left out."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from viewsweep.benchmark import harness
from viewsweep.benchmark.protocol import Protocol
from viewsweep.metrics import WarpError
from viewsweep.scenes import Scene, save_scene, sweep360
from viewsweep.scenes.errors import UserError


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())  # type: ignore[no-any-return]


def pictures(folder: Path, count: int, **parts: Any) -> None:
    """`count` imported scenes of two views."""
    place = folder / "scenes" / "imported"
    place.mkdir(parents=True)
    for index in range(count):
        rgb = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(index))
        save_scene(place / f"{index:05d}.safetensors", Scene(rgb, **parts))


def test_results_have_the_promised_form(tmp_path: Path, with_sets: Protocol) -> None:
    harness.run(with_sets, ["oracle", "noise"], tmp_path / "run")
    found = results(tmp_path / "run")
    assert found["schema"] == "viewsweep.results/1"
    assert found["protocol"] == {"name": "tiny", "version": 1, "hash": with_sets.hash}
    assert list(found["methods"]) == ["noise", "oracle"]
    named = [key for key in found["metrics"] if "@" not in key]
    ids = ["fid[tabletop]", "kid[tabletop]", "kid_subsets[tabletop]", "is[tabletop]", "class_accuracy[tabletop]"]
    assert named == [*ids, "warp_psnr", "warp_mse", "covisible"]
    assert [key for key in found["metrics"] if key.startswith("warp_psnr")][-1] == "warp_psnr@loop"
    assert set(found["metrics"]["warp_psnr"]) == {"title", "version", "unit", "higher_is_better", "description"}
    for method in found["methods"].values():
        assert method["scenes"] == {"requested": 3, "evaluated": 3, "failed": []}
        assert set(method["metrics"]) == set(found["metrics"])
        for result in method["metrics"].values():
            assert set(result) == {"value", "ci_low", "ci_high", "n", "status", "reason"}
            assert (result["value"] is None) == (result["status"] != "ok")
            assert result["value"] is not None or result["reason"]
    assert found["methods"]["oracle"]["metrics"]["warp_psnr"]["status"] == "ok"
    assert found["methods"]["oracle"]["metrics"]["fid[tabletop]"]["status"] == "ok"


def test_rows_hold_the_values_behind_the_numbers(tmp_path: Path, with_sets: Protocol) -> None:
    harness.run(with_sets, ["oracle"], tmp_path)
    rows = pd.read_parquet(tmp_path / "per_scene.parquet")
    assert list(rows.columns) == ["method", "index", "seed", "label", "metric", "view", "yaw_deg", "value"]
    assert list(rows.seed.unique()) == [request.seed for request in with_sets.requests()]
    whole = rows[(rows.metric == "warp_psnr") & (rows.view == -1)]
    assert list(whole["index"]) == [0, 1, 2]
    assert whole.yaw_deg.isna().all()
    value = results(tmp_path)["methods"]["oracle"]["metrics"]["warp_psnr"]["value"]
    assert math.isclose(whole.value.mean(), value, rel_tol=1e-9)
    views = rows[(rows.metric == "warp_psnr") & (rows.view >= 0)]
    assert views.yaw_deg.between(-180, 180, inclusive="left").all()
    assert rows.equals(rows.sort_values(["method", "metric", "index", "view"], ignore_index=True))


def test_set_metrics_measure_every_picture_once(tmp_path: Path, with_sets: Protocol) -> None:
    harness.run(with_sets, ["oracle"], tmp_path)
    found = results(tmp_path)["methods"]["oracle"]["metrics"]
    assert found["fid[tabletop]"]["n"] == 12
    assert found["class_accuracy[tabletop]"]["n"] == 3


def test_unreadable_scene_is_named_counted_and_the_rest_evaluated(tmp_path: Path, tiny: Protocol) -> None:
    harness.sample(tiny, ["oracle"], tmp_path)
    path = tmp_path / "scenes" / "oracle" / "00001.safetensors"
    os.truncate(path, 1000)
    outcome = harness.evaluate(tmp_path)
    assert len(outcome.unreadable) == 1
    assert outcome.unreadable[0].startswith(f"{path}: not a readable scene file")
    method = results(tmp_path)["methods"]["oracle"]
    assert (method["scenes"]["requested"], method["scenes"]["evaluated"]) == (3, 2)
    (failure,) = method["scenes"]["failed"]
    assert failure["index"] == 1
    assert failure["reason"].startswith("scenes/oracle/00001.safetensors: not a readable")
    assert method["metrics"]["warp_psnr"]["n"] == 2


def test_missing_scene_is_counted(tmp_path: Path, tiny: Protocol) -> None:
    harness.sample(tiny, ["oracle"], tmp_path)
    (tmp_path / "scenes" / "oracle" / "00002.safetensors").unlink()
    outcome = harness.evaluate(tmp_path)
    assert outcome.failures == ["oracle: scene 2: it was not drawn; run `viewsweep sample` again"]
    assert outcome.unreadable == []


def test_scene_of_another_request_is_no_answer(tmp_path: Path, tiny: Protocol) -> None:
    harness.sample(tiny, ["oracle"], tmp_path)
    folder = tmp_path / "scenes" / "oracle"
    (folder / "00002.safetensors").write_bytes((folder / "00001.safetensors").read_bytes())
    assert "it is of seed 2000001; asked for was 2000002" in harness.evaluate(tmp_path).unreadable[0]


def test_without_any_scene_every_number_has_failed(tmp_path: Path, tiny: Protocol) -> None:
    harness.sample(tiny, ["oracle"], tmp_path)
    for path in (tmp_path / "scenes" / "oracle").glob("*.safetensors"):
        path.write_bytes(b"")
    harness.evaluate(tmp_path)
    for result in results(tmp_path)["methods"]["oracle"]["metrics"].values():
        assert (result["status"], result["reason"]) == ("failed", "none of 3 scenes could be drawn or read.")


@pytest.mark.usefixtures("network")
def test_pictures_without_cameras_get_what_can_be_computed(tmp_path: Path) -> None:
    pictures(tmp_path, 8)
    harness.evaluate(tmp_path)
    found = results(tmp_path)
    assert found["protocol"] == {"name": None, "version": None, "hash": None}
    metrics = found["methods"]["imported"]["metrics"]
    assert metrics["is[tabletop]"]["status"] == "ok"
    assert metrics["fid[tabletop]"]["status"] == "not_run"
    assert metrics["fid[tabletop]"]["reason"] == "there is no reference set; a protocol names one."
    assert "there is no depth" in metrics["warp_psnr"]["reason"]
    assert "no class was asked for" in metrics["class_accuracy[tabletop]"]["reason"]
    assert json.loads((tmp_path / "run.json").read_text())["protocol"] is None


@pytest.mark.usefixtures("network")
def test_posed_depth_from_elsewhere_is_compared(tmp_path: Path) -> None:
    pictures(tmp_path, 2, cameras=sweep360(2, 0.2), depth=torch.full((2, 16, 16), 1.6))
    harness.evaluate(tmp_path)
    assert results(tmp_path)["methods"]["imported"]["metrics"]["nfs"]["status"] == "ok"


@pytest.mark.usefixtures("network")
def test_scenes_with_other_names_are_numbered_in_order(tmp_path: Path) -> None:
    pictures(tmp_path, 2)
    folder = tmp_path / "scenes" / "imported"
    (folder / "00000.safetensors").rename(folder / "room.safetensors")
    (folder / "00001.safetensors").rename(folder / "attic.safetensors")
    os.truncate(folder / "attic.safetensors", 10)
    harness.evaluate(tmp_path)
    (failure,) = results(tmp_path)["methods"]["imported"]["scenes"]["failed"]
    assert failure["index"] == 0
    assert "attic" in failure["reason"]


def test_nothing_to_evaluate_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there are no scenes to evaluate\. They are looked for in .*/scenes/<method>"):
        harness.evaluate(tmp_path)


def test_missing_weights_leave_the_other_metrics_alone(
    tmp_path: Path, with_sets: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise UserError("the weights are missing.")

    monkeypatch.setattr("viewsweep.metrics.tabletop_network.load_tabletop_network", missing)
    harness.run(with_sets, ["oracle"], tmp_path)
    metrics = results(tmp_path)["methods"]["oracle"]["metrics"]
    assert (metrics["fid[tabletop]"]["status"], metrics["fid[tabletop]"]["reason"]) == (
        "not_run",
        "the weights are missing.",
    )
    assert metrics["warp_psnr"]["status"] == "ok"


def test_other_weights_than_the_protocol_asks_for_are_not_used(
    tmp_path: Path, with_sets: Protocol, network: Any
) -> None:
    network.sha256 = "f" * 64
    harness.run(with_sets, ["oracle"], tmp_path)
    reason = results(tmp_path)["methods"]["oracle"]["metrics"]["is[tabletop]"]["reason"]
    assert reason.endswith("installed is ffffffffffff, whose numbers cannot be compared.")


def test_other_metric_version_is_not_run(tmp_path: Path, tiny: Protocol) -> None:
    protocol = Protocol.model_validate({**tiny.content, "metrics": {"warp_error": 99, "geometric_share": 1}})
    harness.run(protocol, ["oracle"], tmp_path)
    metrics = results(tmp_path)["methods"]["oracle"]["metrics"]
    assert metrics["warp_mse"]["reason"].startswith("the protocol asks for version 99; this viewsweep has")
    assert metrics["geometric_share"]["status"] == "ok"


def test_unknown_metric_is_refused_before_anything_is_drawn(tmp_path: Path, tiny: Protocol) -> None:
    protocol = Protocol.model_validate({**tiny.content, "metrics": {"warp_eror": 1}})
    with pytest.raises(UserError, match=r"no metric named 'warp_eror'. Did you mean warp_error"):
        harness.run(protocol, ["oracle"], tmp_path)
    assert not (tmp_path / "scenes").exists()


def test_metric_that_breaks_fails_alone(tmp_path: Path, tiny: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    update: Callable[..., None] = WarpError.update

    def breaks(self: WarpError, scene: Scene, index: int) -> None:
        if index == 1:
            raise ZeroDivisionError("a bug")
        update(self, scene, index)

    monkeypatch.setattr(WarpError, "update", breaks)
    harness.run(tiny, ["oracle"], tmp_path)
    metrics = results(tmp_path)["methods"]["oracle"]["metrics"]
    assert metrics["warp_psnr"]["status"] == "failed"
    assert metrics["warp_psnr"]["reason"] == "scene 1: ZeroDivisionError: a bug"
    assert metrics["geometric_share"]["status"] == "ok"


def test_a_costly_metric_is_measured_on_the_first_scenes_only(tmp_path: Path, tiny: Protocol) -> None:
    metrics = {"warp_error": {"version": 1, "scenes": 2}, "geometric_share": 1}
    protocol = Protocol.model_validate({**tiny.content, "metrics": metrics})
    harness.run(protocol, ["oracle"], tmp_path)
    found = results(tmp_path)["methods"]["oracle"]["metrics"]
    assert (found["warp_psnr"]["n"], found["geometric_share"]["n"]) == (2, 3)
    rows = pd.read_parquet(tmp_path / "per_scene.parquet")
    assert set(rows[rows.metric == "warp_psnr"]["index"]) == {0, 1}


def test_true_views_are_those_of_the_world(tmp_path: Path, tiny: Protocol) -> None:
    metrics = {"paired": 1, "depth_accuracy": 1}
    protocol = Protocol.model_validate({**tiny.content, "metrics": metrics, "truth": "world"})
    harness.run(protocol, ["oracle", "noise"], tmp_path)
    methods = results(tmp_path)["methods"]
    assert methods["oracle"]["metrics"]["psnr"]["value"] > 60
    assert methods["oracle"]["metrics"]["abs_rel"]["value"] == 0.0
    assert methods["noise"]["metrics"]["psnr"]["value"] < 15


def test_without_true_views_paired_metrics_say_so(tmp_path: Path, tiny: Protocol) -> None:
    protocol = Protocol.model_validate({**tiny.content, "metrics": {"paired": 1}})
    harness.run(protocol, ["oracle"], tmp_path)
    entry = results(tmp_path)["methods"]["oracle"]["metrics"]["psnr"]
    assert (entry["status"], entry["value"]) == ("not_run", None)
    assert "protocol with `truth`" in entry["reason"]
