"""A run that is killed and started again ends with the bits of one that was left alone.

The child is a real process and the signal a real SIGKILL. It comes from a fork server that imports
torch once, which is why killing it a dozen times takes seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from viewsweep.benchmark import harness

METHODS = ["oracle", "noise"]


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["viewsweep.benchmark.measuring", "viewsweep.metrics", "viewsweep.baselines.reference"]
    )
    return context


def start(server: ForkServerContext, protocol: Path, out: Path) -> multiprocessing.process.BaseProcess:
    process = server.Process(target=harness.run, args=(str(protocol), METHODS, out), kwargs={"batch_size": 2})
    process.start()
    return process


def kill_when(process: multiprocessing.process.BaseProcess, moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not moment() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    if process.is_alive():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert process.exitcode is not None


def test_killed_again_and_again_ends_like_one_left_alone(
    tmp_path: Path, tiny_file: Path, server: ForkServerContext
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    start(server, tiny_file, whole).join(120)
    moments: list[Callable[[], bool]] = [
        lambda: (broken / "run.json").exists(),
        lambda: (broken / "scenes/oracle/00000.safetensors").exists(),
        lambda: any((broken / "scenes/oracle").glob(".*.tmp")),
        lambda: (broken / "scenes/oracle/00002.safetensors").exists(),
        lambda: (broken / "scenes/noise/00001.safetensors").exists(),
        lambda: any((broken / ".cache").glob("*.json")),
        lambda: (broken / "results.json").exists(),
    ]
    killed = 0
    for moment in moments:
        process = start(server, tiny_file, broken)
        kill_when(process, moment)
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 4  # the last moments pass quickly; a child that was faster is no failure
    last = start(server, tiny_file, broken)
    last.join(120)
    assert last.exitcode == 0
    for name in ("results.json", "per_scene.parquet"):
        assert (whole / name).read_bytes() == (broken / name).read_bytes()
    for path in (whole / "scenes").rglob("*.safetensors"):
        assert path.read_bytes() == (broken / path.relative_to(whole)).read_bytes()
    assert not list(broken.rglob("*.tmp"))
    assert harness.status(broken)["state"] == "complete"
