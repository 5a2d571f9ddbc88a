"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import viewsweep
import yaml
from typer.testing import CliRunner, Result
from viewsweep.cli import app

TINY = {
    "schema": "viewsweep.protocol/1",
    "name": "tiny",
    "version": 1,
    "dataset": "tabletop",
    "size": 16,
    "scenes": 2,
    "sweep": {"kind": "sweep360", "views": 3},
    "labels": "cyclic",
    "metrics": {"warp_error": 1},
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("VIEWSWEEP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY, sort_keys=False))
    return str(path)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fresh(code: str) -> str:
    """The output of `code` in a new interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_command_line_is_imported_without_torch() -> None:
    code = (
        "import sys, viewsweep.cli; print([name for name in ('torch', 'numpy', 'rich.table') if name in sys.modules])"
    )
    assert fresh(code) == "[]\n"


def test_package_is_imported_without_torch_and_finds_its_parts_late() -> None:
    code = (
        "import sys, viewsweep; print('torch' in sys.modules); viewsweep.scenes.Cameras; print('torch' in sys.modules)"
    )
    assert fresh(code) == "False\nTrue\n"


def test_help_answers_at_once() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "viewsweep.cli", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5  # of processor time, which other processes do not change much


def test_public_names() -> None:
    for name in viewsweep.__all__:
        assert getattr(viewsweep, name) is not None
    with pytest.raises(AttributeError, match="module 'viewsweep' has no attribute 'nonsense'"):
        viewsweep.nonsense  # noqa: B018  the access is the test


def test_verbs_come_in_the_order_of_the_work() -> None:
    verbs = ["doctor", "list", "show", "fetch", "prepare", "train", "convert", "check-method", "import", "sample"]
    verbs += ["evaluate", "run", "status", "report", "export", "selfcheck", "submit", "validate", "verify"]
    text = call("--help").output
    assert [word for word in re.findall(r"^\W*([\w-]+)", text, re.MULTILINE) if word in verbs] == verbs


def test_version() -> None:
    assert call("--version").stdout == f"viewsweep {viewsweep.__version__}\n"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("methods", "oracle"), ("protocols", "tabletop64-demo"), ("metrics", "warp_psnr"), ("classes", "mug")],
)
def test_list(kind: str, name: str) -> None:
    assert re.search(rf"^{name} ", call("list", kind).stdout, re.MULTILINE)
    assert name in json.loads(call("list", kind, "--json").stdout)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tabletop64", "protocol"), ("frozen", "method"), ("warp_error", "metric"), ("fid[tabletop]", "metric")],
)
def test_show(name: str, kind: str) -> None:
    assert list(json.loads(call("show", name, "--json").stdout)) == [kind]
    assert call("show", name).stdout.startswith(f"{kind}:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "orcle"], "Error: There is no protocol, method or metric named 'orcle'. Did you mean oracle"),
        (["list", "method"], "Error: There is no kind of thing named 'method'. Did you mean methods?"),
        (["run", "tabletop64-dmo"], "Error: There is no protocol named 'tabletop64-dmo'. Did you mean tabletop64-demo"),
        (["run", "tabletop64", "--methods", "orcle"], "Error: There is no method named 'orcle'. Did you mean oracle"),
        (["sample", "tabletop64", "--device", "cuda"], "Error: --device cuda: torch finds no usable GPU here."),
        (["sample", "tabletop64", "--batch-size", "0"], "Error: --batch-size 0: at least one scene at a time."),
        (["status", "nowhere"], "Error: nowhere: there is no run here. Start one with `viewsweep run`."),
        (["evaluate", "nowhere"], "Error: nowhere: there are no scenes to evaluate."),
        (["report", "nowhere"], "Error: nowhere: there is no such folder."),
        (["train", "ivdi", "--out", "x"], "Error: There is no training named 'ivdi'. Did you mean ivid?"),
        (
            ["import", "colamp", "x", "--out", "y"],
            "Error: There is no kind of import named 'colamp'. Did you mean colmap?",
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_ends_with_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_broken_protocol_is_told_with_its_line(tiny: str) -> None:
    Path(tiny).write_text(Path(tiny).read_text().replace("  views: 3", "  views: ["))
    result = call("run", tiny)
    assert result.exit_code == 2
    assert re.match(rf"Error: {re.escape(tiny)}:\d+: not valid YAML", result.stderr)


def test_run_status_report_and_a_second_run(tiny: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = call("run", tiny, "--methods", "oracle,noise", "--out", out)
    assert result.exit_code == 0, result.stderr
    assert f"Report: {out / 'report.html'}" in result.stdout
    assert "warp_psnr" in result.stdout
    assert "sample oracle: 2/2" in result.stderr
    assert f"{out}: complete" in call("status", out).stdout
    assert json.loads(call("status", out, "--json").stdout)["methods"]["oracle"]["scenes"] == 2
    again = call("run", tiny, "--methods", "oracle,noise", "--out", out, "--json")
    assert again.stderr == "Nothing was left to do.\n"
    assert json.loads(again.stdout)["methods"].keys() == {"oracle", "noise"}
    assert call("report", out).stdout == f"Report: {out / 'report.html'}\n"


def test_environment_gives_way_to_the_command_line(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEWSWEEP_METHODS", "noise")
    monkeypatch.setenv("VIEWSWEEP_SCENES", "1")
    monkeypatch.setenv("VIEWSWEEP_OUT", str(tmp_path / "environment"))
    assert call("sample", tiny, "--scenes", "2", "-q").exit_code == 0
    assert len(list((tmp_path / "environment" / "scenes" / "noise").glob("*.safetensors"))) == 2


def test_default_out_is_named_after_the_protocol(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("sample", tiny, "--methods", "noise").stdout == f"Scenes: {Path('runs/tiny/scenes')}\n"


def test_unreadable_scene_is_named_and_exit_code_is_2(tiny: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    call("sample", tiny, "--methods", "noise", "--out", out)
    os.truncate(out / "scenes" / "noise" / "00001.safetensors", 99)
    result = call("evaluate", out, "-q")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {out}/scenes/noise/00001.safetensors: not a readable scene file")
    assert result.stderr.endswith("Everything else was evaluated.\n")
    assert "1/2" in result.stdout


def test_scene_that_cannot_be_drawn_gives_exit_code_3(tiny: str, tmp_path: Path) -> None:
    method = tmp_path / "half.py"
    method.write_text(
        "from viewsweep.baselines.reference import Noise\n"
        "from viewsweep.scenes import GeneratorInfo\n"
        "class Half(Noise):\n"
        "    def info(self):\n"
        "        return GeneratorInfo('half', 'Fails on every second scene.')\n"
        "    def generate(self, requests):\n"
        "        for request in requests:\n"
        "            if request.index % 2:\n"
        "                raise ValueError('odd')\n"
        "            yield from super().generate([request])\n"
    )
    result = call("run", tiny, "--methods", method, "--out", tmp_path / "run", "-q", "--no-report")
    assert result.exit_code == 3
    assert result.stderr == "Error: Done, but without some scenes. half: scene 1: ValueError: odd\n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("depth=torch.full_like(scene.depth, torch.inf)", "depth of view 0 is infinite or not positive"),
        ("cameras=Cameras(2 * scene.cameras.cam_to_world, scene.cameras.intrinsics)", "Camera 0: the upper left 3x3"),
        ("cameras=None", "it has no cameras"),
    ],
    ids=["infinite depth", "no rotation", "no cameras"],
)
def test_scene_that_breaks_a_rule_gives_exit_code_2(tiny: str, tmp_path: Path, change: str, reason: str) -> None:
    method = tmp_path / "rogue.py"
    method.write_text(
        "from dataclasses import replace\n"
        "import torch\n"
        "from viewsweep.baselines.reference import Noise\n"
        "from viewsweep.scenes import Cameras, GeneratorInfo\n"
        "class Rogue(Noise):\n"
        "    def info(self):\n"
        "        return GeneratorInfo('rogue', 'Breaks a rule.')\n"
        "    def generate(self, requests):\n"
        "        for scene in super().generate(requests):\n"
        f"            yield replace(scene, {change})\n"
    )
    out = tmp_path / "run"
    for verb in (["run", tiny, "--methods", f"noise,{method}", "--out", out], ["evaluate", out]):
        result = call(*verb, "-q")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: rogue: scene 0: {reason}")
        assert result.stderr.endswith("(1 more.) Everything else was evaluated.\n")
        assert "0/2" in result.stdout
        assert "2/2" in result.stdout


def test_doctor_looks_at_everything() -> None:
    checks = json.loads(call("doctor", "--json").stdout)
    assert {check["name"] for check in checks} >= {"python", "torch", "gpu", "packages", "disk"}
    assert {check["verdict"] for check in checks} <= {"ok", "note", "fault"}


def test_doctor_ends_with_3_where_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewsweep.benchmark.doctor._packages", lambda: ("fault", "missing: jinja2."))
    result = call("doctor")
    assert result.exit_code == 3
    assert "✗ packages: missing: jinja2." in result.stdout


def test_train_hands_everything_to_the_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def trainer(
        config: str, out: Path, *, steps: int | None, device: str, data: Path | None, log: Callable[[str], None]
    ) -> None:
        seen.update(config=config, out=out, steps=steps, device=device, data=data)
        log("step 1")

    monkeypatch.setattr("viewsweep.metrics.train_network.train", trainer)
    result = call("train", "tabletop-network", "--out", tmp_path / "x", "--steps", "5")
    assert result.exit_code == 0, result.output
    assert seen == {"config": "small", "out": tmp_path / "x", "steps": 5, "device": "cpu", "data": None}
    assert result.stderr == "step 1\n"


def test_pictures_are_imported_and_the_unreadable_named(tmp_path: Path) -> None:
    from PIL import Image

    source, out = tmp_path / "pictures", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 20), "teal").save(source / name)
    assert call("import", "images", source, "--out", out, "--size", "16").stdout.startswith(f"{out}: 2 scenes")
    os.truncate(source / "b.png", 60)
    result = call("import", "images", source, "--out", out, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["scenes"] == 1
    assert "b.png" in result.stderr


def test_scenes_are_exported_as_a_video(tmp_path: Path) -> None:
    from viewsweep.scenes import save_scene, sweep360, tabletop

    file = tmp_path / "scene.safetensors"
    save_scene(file, tabletop.sample(0).render(sweep360(3, 0.2), 16))
    for more in ([], ["--fusion", "swing", "--frames", "2"]):
        done = call("export", str(file), "--out", str(tmp_path / "a.webp"), *more)
        assert done.exit_code == 0
        assert str(file) in done.output
        (tmp_path / "a.webp").unlink()
    lost = call("export", str(file), "--out", str(tmp_path / "a.webp"), "--fusion", "loop")
    assert lost.exit_code == 2
    assert "There is no trajectory named 'loop'" in lost.output


def test_bug_shows_its_traceback_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(name: str) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("viewsweep.benchmark.harness.status", bug)
    result = call("status", "x")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_interrupt_ends_with_130(tiny: str, tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\n"
        "from viewsweep.baselines.reference import Noise\n"
        "from viewsweep.scenes import GeneratorInfo\n"
        "class Slow(Noise):\n"
        "    def info(self):\n"
        "        return GeneratorInfo('slow', 'Takes its time.')\n"
        "    def generate(self, requests):\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "        yield from super().generate(requests)\n"
    )
    arguments = ["run", tiny, "--methods", str(slow), "--out", str(tmp_path / "run"), "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "viewsweep.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint == "Interrupted; everything finished is kept. Run the same command again to go on.\n"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "cancelled"
