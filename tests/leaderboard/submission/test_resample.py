"""Scenes drawn again are the archived ones, or the entry's method did not draw them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from viewsweep.leaderboard.attest import attest
from viewsweep.leaderboard.resample import resample
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.submit import Written
from viewsweep.scenes.errors import UserError

from .finished_run import write_method


def test_the_method_draws_its_scenes_again(submitted: Written, tmp_path: Path) -> None:
    method = write_method(tmp_path)
    found = resample(submitted.entry, scenes=submitted.archive, seeds=2, method=str(method), draw=0)
    assert found.passed
    assert found.largest_difference == 0.0
    assert len(found.scenes) == 2
    assert len({scene.seed for scene in found.scenes}) == 2


def test_scenes_of_other_seeds_are_found(submitted: Written, tmp_path: Path) -> None:
    method = write_method(tmp_path, shift=1)
    found = resample(submitted.entry, scenes=submitted.archive, seeds=9, method=str(method))
    assert [scene.index for scene in found.scenes] == [0, 1, 2]
    assert not found.passed
    assert not any(scene.agrees for scene in found.scenes)


def test_another_version_does_not_pass(submitted: Written, tmp_path: Path) -> None:
    method = write_method(tmp_path, version="2")
    found = resample(submitted.entry, scenes=submitted.archive, seeds=1, method=str(method))
    assert found.changed == ["version: the entry says 1, here it is 2"]
    assert not found.passed


def test_other_settings_do_not_pass(submitted: Written, board: Path, tmp_path: Path) -> None:
    path = board / "entries/pebbles16/bright.json"
    content = json.loads(path.read_text())
    content["method"]["details"] = {"gain": 1.2}
    path.write_text(json.dumps(content))
    found = resample(path, scenes=submitted.archive, seeds=1, method=str(write_method(tmp_path)))
    assert found.changed == ["gain: the entry says 1.2, here it is 1.1"]
    assert not found.passed


def test_a_method_that_fails_is_no_pass(submitted: Written, tmp_path: Path) -> None:
    method = write_method(tmp_path)
    method.write_text(method.read_text().replace("true = ", "raise RuntimeError('no luck')\n            true = "))
    found = resample(submitted.entry, scenes=submitted.archive, seeds=1, method=str(method))
    assert [scene.fault for scene in found.scenes] == ["RuntimeError: no luck"]
    assert not found.passed


def test_the_name_in_an_entry_never_runs_a_file(
    submitted: Written, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "was-run"
    (tmp_path / "mine.py").write_text(f"open({str(witness)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    path = board / "entries/pebbles16/bright.json"
    content = json.loads(path.read_text())
    content["method"]["name"] = "mine.py"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"There is no method named 'mine\.py' here"):
        resample(path, scenes=submitted.archive, seeds=1)
    assert not witness.exists()


def test_another_method_than_the_entrys_is_refused(submitted: Written, tmp_path: Path) -> None:
    method = write_method(tmp_path, "dim")
    with pytest.raises(UserError, match="is called 'dim', and the entry is of 'bright'"):
        resample(submitted.entry, scenes=submitted.archive, seeds=1, method=str(method))


def test_a_spot_check_is_recorded_with_its_seeds(submitted: Written, board: Path, tmp_path: Path) -> None:
    path = board / "entries/pebbles16/bright.json"
    found = resample(path, scenes=submitted.archive, seeds=2, method=str(write_method(tmp_path)))
    attest(path, "Max Muster", resampling=found)
    entry = load_entry(path)
    assert entry.tier == "spot-checked"
    assert entry.attestations[0].seeds == 2
