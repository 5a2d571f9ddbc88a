"""The whole way, twice: what is done is kept, what differs is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from viewsweep.benchmark import harness
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol
from viewsweep.scenes.errors import UserError

OWN = """
from viewsweep.baselines.reference import Noise
from viewsweep.scenes import GeneratorInfo

class Mine(Noise):
    def info(self):
        return GeneratorInfo("{name}", "Noise under another name.", version="{version}")
"""


def write_report(directory: Path) -> Path:
    path = directory / "report.html"
    path.write_text("<p>report</p>")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Everything but the log, which tells of each call."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("log.jsonl", ".lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def own_method(folder: Path, name: str = "mine", version: str = "1") -> str:
    path = folder / "mine.py"
    path.write_text(OWN.format(name=name, version=version))
    return str(path)


def test_run_leaves_everything_promised(tmp_path: Path, tiny: Protocol) -> None:
    outcome = harness.run(tiny, ["oracle", "noise"], tmp_path / "run", report=write_report, command="viewsweep run ...")
    run = tmp_path / "run"
    record = json.loads((run / "run.json").read_text())
    assert record["schema"] == "viewsweep.run/1"
    assert record["status"] == "complete"
    assert record["protocol"]["hash"] == tiny.hash
    assert list(record["methods"]) == ["oracle", "noise"]
    assert record["methods"]["oracle"]["info"]["name"] == "oracle"
    assert record["methods"]["oracle"]["seconds"] > 0
    assert record["methods"]["oracle"]["peak_memory_bytes"] > 10 << 20
    assert record["command"] == "viewsweep run ..."
    assert record["environment"]["packages"]["torch"]
    assert outcome.report == run / "report.html"
    assert not outcome.idle
    for line in (run / "manifest.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((run / name).read_bytes()).hexdigest() == digest


def test_second_run_changes_no_byte_and_computes_nothing(
    tmp_path: Path, tiny: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.run(tiny, ["oracle", "noise"], tmp_path, report=write_report)
    before = contents(tmp_path)

    def never(*arguments: Any, **options: Any) -> None:
        raise AssertionError("there was nothing left to do")

    monkeypatch.setattr("viewsweep.benchmark.evaluation.Measurement", never)
    monkeypatch.setattr("viewsweep.baselines.reference.oracle.Oracle.info", never)
    outcome = harness.run(tiny, ["oracle", "noise"], tmp_path, report=never)
    assert outcome.idle
    assert outcome.report == tmp_path / "report.html"
    assert contents(tmp_path) == before


def test_another_method_joins_the_ones_that_are_there(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, ["oracle"], tmp_path)
    alone = json.loads((tmp_path / "results.json").read_text())["methods"]["oracle"]
    harness.run(tiny, ["noise"], tmp_path)
    found = json.loads((tmp_path / "results.json").read_text())["methods"]
    assert list(found) == ["noise", "oracle"]
    assert found["oracle"] == alone


def test_stages_one_by_one_end_like_the_whole(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, ["oracle", "noise"], tmp_path / "whole")
    for method in ("noise", "oracle"):
        harness.sample(tiny, [method], tmp_path / "steps", batch_size=1)
    assert harness.status(tmp_path / "steps")["state"] == "sampled"
    harness.evaluate(tmp_path / "steps")
    assert harness.status(tmp_path / "steps")["state"] == "complete"
    for name in ("results.json", "per_scene.parquet"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "steps" / name).read_bytes()


def test_other_protocol_in_the_same_folder_is_refused_and_fresh_starts_over(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, ["noise"], tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"holds a run of tiny with 3 scenes .*asked for is tiny with 2 scenes"):
        harness.run(tiny, ["noise"], tmp_path, scenes=2)
    assert contents(tmp_path) == before
    harness.run(tiny, ["noise"], tmp_path, scenes=2, fresh=True)
    assert sorted(path.name for path in (tmp_path / "scenes" / "noise").glob("*.safetensors")) == [
        "00000.safetensors",
        "00001.safetensors",
    ]
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["protocol"]["overrides"] == {"scenes": {"declared": 3, "used": 2}}


def test_method_of_your_own(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, [own_method(tmp_path), "noise"], tmp_path / "run")
    found = json.loads((tmp_path / "run" / "results.json").read_text())["methods"]
    assert found["mine"] == found["noise"]


def test_changed_method_stops_and_fresh_draws_anew(tmp_path: Path, tiny: Protocol) -> None:
    run = tmp_path / "run"
    harness.run(tiny, [own_method(tmp_path)], run)
    before = contents(run)
    changed = own_method(tmp_path, version="2")
    with pytest.raises(UserError, match="mine: the method has changed since its scenes were drawn"):
        harness.run(tiny, [changed], run)
    after = contents(run)
    assert {name for name in before if before[name] != after.get(name)} <= {"run.json", "manifest.sha256"}
    harness.run(tiny, [changed], run, fresh=True)
    assert json.loads((run / "run.json").read_text())["methods"]["mine"]["info"]["version"] == "2"


def test_two_methods_of_one_name_are_refused(tmp_path: Path, tiny: Protocol) -> None:
    first = own_method(tmp_path)
    (tmp_path / "other").mkdir()
    second = own_method(tmp_path / "other")
    with pytest.raises(UserError, match=r"Two methods are named 'mine': .*mine\.py and .*other/mine\.py"):
        harness.run(tiny, [first, second], tmp_path / "run")


def test_wrong_names_leave_no_folder(tmp_path: Path, tiny: Protocol) -> None:
    for protocol, methods in ((tiny, ["oracel"]), ("tiyn", ["oracle"]), (tiny, [])):
        with pytest.raises(UserError):
            harness.run(protocol, methods, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_report_that_fails_is_recorded_and_the_results_stay(tmp_path: Path, tiny: Protocol) -> None:
    def broken(directory: Path) -> Path:
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        harness.run(tiny, ["noise"], tmp_path, report=broken)
    found = harness.status(tmp_path)
    assert (found["state"], found["reason"]) == ("failed", "RuntimeError: no ink")
    assert found["results"]
    assert not found["committed"]
    assert harness.run(tiny, ["noise"], tmp_path, report=write_report).report
    assert harness.status(tmp_path)["state"] == "complete"


def test_interrupt_is_recorded(tmp_path: Path, tiny: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("viewsweep.baselines.reference.noise.Noise.generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        harness.run(tiny, ["noise"], tmp_path)
    assert harness.status(tmp_path)["state"] == "cancelled"


def test_status_counts_scenes_and_failures(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, ["noise"], tmp_path)
    found = harness.status(tmp_path)
    assert found["state"] == "complete"
    assert found["committed"]
    assert found["holder"] is None
    noise = found["methods"]["noise"]
    assert (noise["scenes"], noise["requested"], noise["failed"]) == (3, 3, {})


def test_status_of_nothing_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run here"):
        harness.status(tmp_path)


def test_report_alone_needs_results_and_renews_the_manifest(tmp_path: Path, tiny: Protocol) -> None:
    with pytest.raises(UserError, match=r"there is no results\.json yet"):
        harness.report(tmp_path, write_report)
    harness.run(tiny, ["noise"], tmp_path)
    harness.report(tmp_path, write_report)
    assert "report.html" in (tmp_path / "manifest.sha256").read_text()


def test_report_of_a_run_that_was_cut_short_is_no_commitment(tmp_path: Path, tiny: Protocol) -> None:
    harness.run(tiny, ["noise"], tmp_path, report=write_report)
    record = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(record | {"status": "started"}))
    harness.report(tmp_path, write_report)
    assert not harness.status(tmp_path)["committed"]


def test_command_tells_every_step_once(tmp_path: Path, tiny: Protocol) -> None:
    def command() -> str:
        return str(json.loads((tmp_path / "run.json").read_text())["command"])

    harness.sample(tiny, ["noise"], tmp_path, command="viewsweep sample")
    harness.evaluate(tmp_path, command="viewsweep evaluate")
    assert command() == "viewsweep sample && viewsweep evaluate"
    for method in ("oracle", "frozen", "frozen"):
        harness.run(tiny, [method], tmp_path, command=f"viewsweep run {method}")
    (tmp_path / "scenes" / "oracle" / "00000.safetensors").unlink()
    harness.run(tiny, ["oracle"], tmp_path, command="viewsweep run oracle")
    assert command() == "viewsweep sample && viewsweep evaluate && viewsweep run oracle && viewsweep run frozen"
    harness.run(tiny, ["noise"], tmp_path, command="viewsweep run --fresh", fresh=True)
    assert command() == "viewsweep run --fresh"


def test_evaluation_that_changes_numbers_renews_the_report(tmp_path: Path, tiny: Protocol) -> None:
    written: list[Path] = []

    def counting(directory: Path) -> Path:
        written.append(directory)
        return write_report(directory)

    harness.sample(tiny, ["noise"], tmp_path)
    harness.evaluate(tmp_path, report=counting)
    assert written == []  # there was none, and none was asked for
    harness.run(tiny, ["noise"], tmp_path, report=counting)
    harness.evaluate(tmp_path, report=counting)
    assert len(written) == 1
    (tmp_path / "scenes" / "noise" / "00001.safetensors").unlink()
    assert harness.evaluate(tmp_path, report=counting).report == tmp_path / "report.html"
    assert len(written) == 2


def test_scenes_that_were_not_drawn_for_the_protocol_are_left_out_aloud(tmp_path: Path, tiny: Protocol) -> None:
    class Heard(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    said: list[str] = []
    harness.run(tiny, ["noise"], tmp_path)
    (tmp_path / "scenes" / "noise").rename(tmp_path / "scenes" / "brought")
    (tmp_path / "scenes" / "brought" / "method.json").unlink()
    with pytest.raises(UserError, match="scenes: brought: not drawn for tiny, whose run this is"):
        harness.evaluate(tmp_path)
    harness.run(tiny, ["noise"], tmp_path)
    assert list((harness.evaluate(tmp_path, progress=Heard()).results or {})["methods"]) == ["noise"]
    assert [message.split(": ")[:2] for message in said] == [[str(tmp_path / "scenes" / "brought"), "left out"]]
