"""One process at a time: the second is told who is there, and the dead hold nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from viewsweep.benchmark.lock import hold, holder
from viewsweep.scenes.errors import RunLocked

HOLD = """
import sys, time
from pathlib import Path
from viewsweep.benchmark.lock import hold
with hold(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that holds `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_process_is_told_who_and_since_when_and_the_killed_hold_nothing(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    try:
        with pytest.raises(RunLocked) as caught, hold(tmp_path, "run"):
            pass
        assert f"process {other.pid} on " in str(caught.value)
        assert "(run) holds it since 20" in str(caught.value)
        assert caught.value.exit_code == 2
        assert str(other.pid) in (holder(tmp_path) or "")
    finally:
        os.kill(other.pid, signal.SIGKILL)
        other.communicate()
    assert holder(tmp_path) is None
    with hold(tmp_path, "run"):
        assert (tmp_path / ".holder.json").exists()
    assert not (tmp_path / ".holder.json").exists()


def test_nobody_holds_an_untouched_folder(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), hold(tmp_path, "run"):
        raise RuntimeError
    assert holder(tmp_path) is None
