"""Checkpoints that are programs: their tensors come out, and nothing of them runs."""

from __future__ import annotations

import builtins
import collections
import io
import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner
from viewsweep.baselines.gan import extract_pickle
from viewsweep.baselines.gan.extract_pickle import extract, worker_environment
from viewsweep.baselines.gan.inert_pickle import Placeholder, collect, load
from viewsweep.cli import app
from viewsweep.scenes.errors import UnreadableFile, UserError

WORKER = Path(extract_pickle.__file__).with_name("pickle_worker.py")


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def global_named(module: str, name: str) -> Any:
    """Something that pickles as `module.name`, which need not exist here."""
    made = type(name, (), {})
    made.__module__, made.__qualname__ = module, name
    return made


def pickled(value: Any, *invented: Any) -> bytes:
    """A pickle in which `invented` classes, which no module holds, are named all the same."""

    class Pickler(pickle._Pickler):
        def save_global(self, obj: Any, name: str | None = None) -> None:
            if obj in invented:
                self.write(pickle.GLOBAL + f"{obj.__module__}\n{obj.__qualname__}\n".encode())
                self.memoize(obj)
            else:
                super().save_global(obj, name)

    file = io.BytesIO()
    Pickler(file, 2).dump(value)
    return file.getvalue()


def persistent(class_name: str, source: str, state: dict[str, Any]) -> Any:
    """An object that asks for its class to be made from `source` and run."""
    rebuild = global_named("torch_utils.persistence", "_reconstruct_persistent_obj")
    record = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return rebuild, Call(rebuild, record)


def module_state(module: nn.Module) -> dict[str, Any]:
    return dict(module.__dict__)


# -- tensors -------------------------------------------------------------------------------------------


def test_persistent_network_gives_its_tensors_and_its_source_stays_text(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    source = f"open({str(sentinel)!r}, 'w')\nclass Generator: pass\ndef helper(): pass\n"
    inner = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    rebuild, generator = persistent("Generator", source, module_state(inner))
    file = tmp_path / "network.pkl"
    file.write_bytes(pickled({"G_ema": generator, "kwargs": {"side": 4}, "augment_pipe": None}, rebuild))
    lines: list[str] = []
    extract([file], tmp_path / "out", family="eg3d", trust_pickle=True, log=lines.append)
    tensors = load_file(tmp_path / "out" / "tensors.safetensors")
    assert set(tensors) == {f"G_ema.{name}" for name in inner.state_dict()}
    for name, value in inner.state_dict().items():
        assert torch.equal(tensors[f"G_ema.{name}"], value)
    found = json.loads((tmp_path / "out" / "found.json").read_text())
    assert found["sources"][0]["defines"] == ["Generator", "helper"]
    assert found["tensors"]["G_ema.0.weight"] == {"shape": [2, 3], "dtype": "float32"}
    assert found["classes"]["Generator"] == 1
    assert found["family"] == "eg3d"
    assert not sentinel.exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["found.json", "tensors.safetensors"]
    assert "1 pieces of source that were not run" in lines[0]


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "legacy"])
def test_whole_module_saved_by_torch(tmp_path: Path, new_format: bool) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 1, bias=False)))
    file = tmp_path / "generator.pth"
    torch.save({"model": module, "step": 3}, file, _use_new_zipfile_serialization=new_format)
    tensors = collect(load(file)).tensors
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "model.0.weight": (2, 3),
        "model.0.bias": (2,),
        "model.1.0.weight": (1, 2),
    }
    assert torch.equal(tensors["model.0.weight"], module[0].weight)


def test_containers_arrays_and_shared_tensors(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    content = collections.OrderedDict(
        a=[shared, shared[2:4]], b=np.arange(4, dtype=np.float32).reshape(2, 2), c=(torch.ones(2).half(), {"d": 3})
    )
    content["b.0"], content["text"] = torch.zeros(1), "no tensor"
    file = tmp_path / "plain.pkl"
    file.write_bytes(pickle.dumps(content))
    extract([file], tmp_path / "out", family="pigan", trust_pickle=True, log=lambda line: None)
    tensors = load_file(tmp_path / "out" / "tensors.safetensors")
    assert set(tensors) == {"a.0", "a.1", "b", "b.0", "c.0"}
    assert tensors["a.1"].tolist() == [2.0, 3.0]
    assert tensors["b"].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert tensors["c.0"].dtype == torch.float16


def test_objects_with_lists_and_slots_are_walked_and_circles_end() -> None:
    class Kind(Placeholder):
        name = "torch_ema.ExponentialMovingAverage"

    held = Kind()
    held.__setstate__({"shadow_params": [torch.ones(1), torch.zeros(2)], "self": held})
    slotted = Kind()
    slotted.__setstate__((None, {"weight": torch.ones(3)}))
    found = collect({"ema": held, "other": slotted})
    assert set(found.tensors) == {"ema.shadow_params.0", "ema.shadow_params.1", "other.weight"}
    assert found.classes == {"torch_ema.ExponentialMovingAverage": 2}


# -- malice --------------------------------------------------------------------------------------------


def attacks(sentinel: Path) -> dict[str, bytes]:
    write = f"open({str(sentinel)!r}, 'w').write('ran')"
    tensors = {"weight": torch.ones(2)}
    inner = io.BytesIO()
    torch.save({"x": Call(os.system, f"touch {sentinel}")}, inner)
    rebuild, generator = persistent("Generator", write, {"weight": torch.ones(1)})
    subclass = global_named("os", "system")
    return {
        "os.system": pickle.dumps({**tensors, "x": Call(os.system, f"touch {sentinel}")}),
        "builtins.eval": pickle.dumps({**tensors, "x": Call(builtins.eval, write)}),
        "builtins.exec": pickle.dumps({**tensors, "x": Call(builtins.exec, write)}),
        "protocol 0": pickle.dumps({**tensors, "x": Call(os.system, f"touch {sentinel}")}, 0),
        "getattr": pickle.dumps({**tensors, "x": Call(getattr, Call(__import__, "os"), "system")}),
        "import": pickle.dumps({**tensors, "x": Call(__import__, "antigravity")}),
        "Popen": pickle.dumps({**tensors, "x": Call(subprocess.Popen, ["touch", str(sentinel)])}),
        "file within": pickle.dumps({**tensors, "x": Call(torch.storage._load_from_bytes, inner.getvalue())}),
        "torch.load": pickle.dumps({**tensors, "x": Call(torch.load, str(sentinel))}),
        "embedded source": pickled({"G": generator}, rebuild),
        "new object": pickled({**tensors, "x": Call(subclass, f"touch {sentinel}")}, subclass),
        "encoding": pickle.dumps({**tensors, "x": Call(__import__("_codecs").encode, "a", "rot13")}),
    }


@pytest.mark.parametrize("attack", attacks(Path("x")))
def test_malice_never_runs(tmp_path: Path, attack: str) -> None:
    """In this very process, where nothing but the placeholders keeps it from running."""
    sentinel = tmp_path / "ran"
    file = tmp_path / "evil.pkl"
    file.write_bytes(attacks(sentinel)[attack])
    before = set(sys.modules)
    if attack in ("file within", "encoding"):
        with pytest.raises(pickle.UnpicklingError):
            load(file)
    else:
        assert len(collect(load(file)).tensors) == 1
    assert not sentinel.exists()
    assert "antigravity" not in set(sys.modules) - before


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "legacy"])
def test_malice_within_a_file_of_torch_never_runs(tmp_path: Path, new_format: bool) -> None:
    sentinel, file = tmp_path / "ran", tmp_path / "evil.pth"
    content = {"weight": torch.ones(2), "x": Call(os.system, f"touch {sentinel}")}
    torch.save(content, file, _use_new_zipfile_serialization=new_format)
    found = collect(load(file))
    assert set(found.tensors) == {"weight"}
    assert found.classes == {"posix.system": 1}
    assert not sentinel.exists()


# -- the process ---------------------------------------------------------------------------------------


def sealed(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`code` run as the worker would, were there a way to."""
    script = (
        "import importlib.util, sys; from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('worker', {str(WORKER)!r})\n"
        "worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)\n"
        f"cut = worker.cut_network()\nworker.seal(Path({str(folder)!r}), 100)\n{code}"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", script],
        env=worker_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_process_has_no_network_starts_nothing_and_writes_nowhere_else(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = sealed(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)", inside)
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert "refused" in sealed(f"import os; os.system('touch {tmp_path}/ran')", inside).stderr
    assert "not to be written" in sealed(f"open('{tmp_path}/ran', 'w')", inside).stderr
    assert not (tmp_path / "ran").exists()
    assert sealed(f"open('{inside}/fine', 'w').write('x')", inside).returncode == 0


def test_process_sees_no_secrets_and_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    assert "SOME_TOKEN" not in worker_environment(tmp_path)
    done = sealed("import os; print(sorted(os.environ)); x = bytearray(64 << 30)", tmp_path)
    assert "'PATH'" in done.stdout
    assert "SOME_TOKEN" not in done.stdout
    assert "MemoryError" in done.stderr


def test_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "slow.pkl"
    file.write_bytes(pickle.dumps({"weight": torch.ones(2)}))
    with pytest.raises(UnreadableFile, match="not taken apart within 0 seconds"):
        extract([file], tmp_path / "out", family="eg3d", trust_pickle=True, timeout=0.01)
    assert list((tmp_path / "out").iterdir()) == []


# -- refusals ------------------------------------------------------------------------------------------


def test_pickle_is_refused_without_the_flag(tmp_path: Path) -> None:
    file = tmp_path / "network.pkl"
    file.write_bytes(pickle.dumps({"weight": torch.ones(2), "x": Call(os.system, f"touch {tmp_path}/ran")}))
    done = CliRunner().invoke(app, ["convert", "eg3d", str(file), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "With --trust-pickle it is taken apart" in done.stderr
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, ["convert", "eg3d", str(file), "--out", str(tmp_path / "out"), "--trust-pickle"])
    assert done.exit_code == 0, done.output
    assert set(load_file(tmp_path / "out" / "tensors.safetensors")) == {"weight"}
    assert json.loads((tmp_path / "out" / "found.json").read_text())["classes"] == {"posix.system": 1}
    assert not (tmp_path / "ran").exists()


def test_relative_paths_are_taken_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "network.pkl").write_bytes(pickle.dumps({"weight": torch.ones(2)}))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["convert", "eg3d", "network.pkl", "--out", "taken/out", "--trust-pickle"])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "taken" / "out").iterdir()) == ["found.json", "tensors.safetensors"]


@pytest.mark.parametrize(
    ("complaint", "again"), [("EOFError: Ran out of input", True), ("MemoryError: ", False), ("Killed", False)]
)
def test_only_damaged_files_are_worth_another_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: str, again: bool
) -> None:
    (tmp_path / "network.pkl").write_bytes(b"")
    ended = subprocess.CompletedProcess([], 1, stderr=complaint.encode())
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **settings: ended)
    with pytest.raises(UnreadableFile) as caught:
        extract([tmp_path / "network.pkl"], tmp_path / "out", family="eg3d", trust_pickle=True)
    assert ("Download the file again" in str(caught.value)) is again


def test_options_of_other_converters_are_refused(tmp_path: Path) -> None:
    for arguments, reason in (
        (["pigan", "x.pth", "--half"], "--half is an option of `convert ivid`"),
        (["ivid", "x.pt", "--trust-pickle"], "ivid's checkpoints are plain tensors"),
    ):
        done = CliRunner().invoke(app, ["convert", *arguments, "--out", str(tmp_path / "out")])
        assert done.exit_code == 2
        assert reason in done.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps({"weight": torch.ones(200)})[:-300], r"cannot be taken apart \(UnpicklingError: .*truncated"),
        (pickle.dumps({"nothing": 1}), "holds no tensors"),
    ],
    ids=["truncated", "no tensors"],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "bad.pkl"
    file.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        extract([file], tmp_path / "out", family="eg3d", trust_pickle=True)
    assert list((tmp_path / "out").iterdir()) == []


def test_programs_and_missing_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "script.pt"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("constants.pkl", "data.pkl", "version"):
            archive.writestr(f"script/{name}", b"3\n" if name == "version" else pickle.dumps(()))
    with pytest.raises(ValueError, match="TorchScript archive"):
        load(file)
    with pytest.raises(UserError, match="there is no such file"):
        extract([tmp_path / "none.pkl"], tmp_path / "out", family="eg3d", trust_pickle=True)
    with pytest.raises(UserError, match="2 files: `convert eg3d` takes one"):
        extract([file, file], tmp_path / "out", family="eg3d", trust_pickle=True)
