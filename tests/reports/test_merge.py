"""Runs of one protocol become one report; runs of two never share a column."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from viewsweep.reports import write_report
from viewsweep.reports.merge import read_runs
from viewsweep.scenes.errors import UserError

from .fake_run import make_run


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs with oracle and noise in both, each with a method of its own, and `ivid-small` in both."""
    folder = tmp_path_factory.mktemp("pair")
    options = {"scenes": 3, "views": 4, "size": 12, "failed": False}
    one = make_run(folder / "one", methods=("oracle", "ivid-small", "gan-small", "noise"), **options)
    two = make_run(folder / "two", methods=("oracle", "ivid-small", "dfm-small", "noise"), **options)
    return one, two


def change(run: Path, method: str, metric: str, value: float) -> None:
    results = json.loads((run / "results.json").read_text())
    results["methods"][method]["metrics"][metric]["value"] = value
    (run / "results.json").write_text(json.dumps(results))


def test_methods_stand_side_by_side_and_equal_ones_once(pair: tuple[Path, Path]) -> None:
    run = read_runs(pair)
    names = [method.name for method in run.methods]
    assert names == ["oracle", "dfm-small", "gan-small", "ivid-small", "noise"]
    assert set(run.rows["method"]) == set(names)
    assert not run.rows.duplicated(["method", "metric", "index", "view"]).any()
    assert run.scene("dfm-small", 0) is not None
    assert run.scene("gan-small", 0) is not None
    assert run.scene_path("dfm-small", 0).is_relative_to(pair[1])
    assert run.scene_path("gan-small", 0).is_relative_to(pair[0])


def test_the_same_method_with_other_results_keeps_both_rows(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "retrained"))
    change(other, "ivid-small", "warp_psnr", 31.0)
    run = read_runs([pair[0], other])
    names = [method.name for method in run.methods if method.role == "method"]
    assert names == ["dfm-small", "gan-small", "ivid-small (one)", "ivid-small (retrained)"]
    assert run.scene_path("ivid-small (retrained)", 2) == other / "scenes" / "ivid-small" / "00002.safetensors"
    rows = run.rows.groupby("method").size()
    assert rows["ivid-small (one)"] == rows["ivid-small (retrained)"]
    page = write_report([pair[0], other], out=tmp_path / "both.html").read_text()
    assert "ivid-small (retrained)" in page
    assert "Put together from 2 runs of one protocol." in page
    assert page.count('<div class="command">') == 2


def test_a_cheat_under_another_name_stays_a_cheat(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "again"))
    change(other, "noise", "warp_psnr", 99.0)
    run = read_runs([pair[0], other])
    assert {m.name: m.role for m in run.methods}["noise (again)"] == "cheat"


def test_other_protocols_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "other"))
    results = json.loads((other / "results.json").read_text())
    results["protocol"] |= {"name": "spheres64", "hash": "ab" * 32}
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(UserError, match=r"spheres64 abababababab.*ellipsoids64-demo 3f7ac0d93f7a.*never put into one"):
        read_runs([pair[0], other])
    with pytest.raises(UserError, match="never put into one"):
        write_report([pair[0], other], out=tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


def test_other_versions_of_a_metric_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "newer"))
    results = json.loads((other / "results.json").read_text())
    results["metrics"]["warp_psnr"]["version"] = 2
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(UserError, match="warp_psnr is version 2, 1 in another run"):
        read_runs([pair[0], other])


def test_one_run_twice_is_a_slip(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="named twice"):
        read_runs([pair[0], pair[0] / ".." / "one"])
    with pytest.raises(UserError, match="no run to show"):
        read_runs([])


def test_a_run_without_values_of_scenes_can_join(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair[1], tmp_path / "bare"))
    (other / "per_scene.parquet").unlink()
    run = read_runs([pair[0], other])
    assert "dfm-small" in [method.name for method in run.methods]
    assert isinstance(run.rows, pd.DataFrame)
    assert "dfm-small" not in set(run.rows["method"])


def test_the_same_runs_give_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    first = write_report(pair, out=tmp_path / "a.html").read_bytes()
    assert write_report(pair, out=tmp_path / "b.html").read_bytes() == first
