"""The run directory: probing, starting over, the manifest."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pytest
from viewsweep.benchmark.run_directory import RunDirectory
from viewsweep.scenes.errors import UnreadableFile, UserError, WriteFailed


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "deep" / "run")


def test_probe_creates_the_folder_and_leaves_it_empty(run: RunDirectory) -> None:
    run.probe()
    assert list(run.path.iterdir()) == []


def test_probe_refuses_a_folder_of_other_things(run: RunDirectory) -> None:
    run.path.mkdir(parents=True)
    (run.path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"holds other files \(thesis\.tex\) and no run"):
        run.probe()


def test_probe_refuses_a_file_in_the_way(run: RunDirectory) -> None:
    run.path.parent.mkdir()
    run.path.touch()
    with pytest.raises(WriteFailed, match="cannot be written"):
        run.probe()


def test_manifest_holds_the_hash_of_every_file(run: RunDirectory) -> None:
    run.probe()
    run.method_folder("oracle").mkdir(parents=True)
    for path in (run.results_json, run.scene_file("oracle", 0), run.log_file, run.path / ".lock"):
        path.write_text(path.name)
    run.write_manifest()
    lines = [line.split("  ") for line in run.manifest.read_text().splitlines()]
    assert [name for _, name in lines] == ["results.json", "scenes/oracle/00000.safetensors"]
    for digest, name in lines:
        assert digest == hashlib.sha256((run.path / name).read_bytes()).hexdigest()


def test_starting_over_spares_scenes_from_elsewhere(run: RunDirectory) -> None:
    run.probe()
    for method in ("ours", "theirs"):
        run.method_folder(method).mkdir(parents=True)
        run.scene_file(method, 0).touch()
    (run.method_folder("ours") / "method.json").touch()
    (run.method_folder("ours") / "notes.txt").touch()
    run.results_json.touch()
    run.start_over([], everything=True)
    left = sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file())
    assert left == ["scenes/ours/notes.txt", "scenes/theirs/00000.safetensors"]


@pytest.mark.parametrize("deleted", range(8))
def test_starting_over_can_be_cut_short_anywhere(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, deleted: int
) -> None:
    run.probe()
    run.method_folder("ours").mkdir(parents=True)
    record = run.method_folder("ours") / "method.json"
    for path in (record, run.scene_file("ours", 0), run.scene_file("ours", 1), run.results_json, run.manifest):
        path.touch()
    unlink, left = Path.unlink, [None] * deleted

    def until_killed(path: Path, missing_ok: bool = False) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", until_killed)
        with contextlib.suppress(KeyboardInterrupt):
            run.start_over(["ours"], everything=False)
    scenes = list(run.method_folder("ours").glob("*.safetensors"))
    assert record.exists() or not scenes  # without the record nobody would dare to delete them
    assert not run.manifest.exists() or len(scenes) == 2
    run.start_over(["ours"], everything=False)
    assert list(run.method_folder("ours").iterdir()) == []


def test_leftovers_of_the_killed_are_cleared(run: RunDirectory) -> None:
    run.probe()
    run.method_folder("oracle").mkdir(parents=True)
    leftover = run.method_folder("oracle") / ".00000.safetensors.x1.tmp"
    leftover.touch()
    run.tidy()
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "not readable"), ('{"schema": "viewsweep.run/9"}', "schema is 'viewsweep.run/9'"), ("[]", "schema is None")],
)
def test_damaged_or_newer_run_json_is_refused(run: RunDirectory, text: str, fault: str) -> None:
    run.probe()
    run.run_json.write_text(text)
    with pytest.raises(UnreadableFile, match=fault):
        run.read_run()


def test_log_gathers_one_line_an_event(run: RunDirectory) -> None:
    run.probe()
    run.log("first", index=1)
    run.log("second", path=Path("x"))
    assert len(run.log_file.read_text().splitlines()) == 2
    assert os.linesep.join(run.log_file.read_text().splitlines()).count('"event"') == 2
