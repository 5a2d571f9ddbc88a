"""Runs a tiny training that is killed again and again; started as a process of its own by `test_training`.

usage: killed_training.py OUT DATA KILL...

Each KILL is a number of the file the training writes and where in that write SIGKILL strikes: before
it, in the middle of it (the temporary file is there, the rename is not) or after it, e.g. 3-middle.
Every kill takes a fork of its own, which goes on from what the one before left; the last fork is left alone.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from viewsweep.baselines import resumable
from viewsweep.baselines.ivid import train as ivid
from viewsweep.baselines.ivid import training
from viewsweep.baselines.ivid.recipe import CONFIGS
from viewsweep.scenes import files

TINY = replace(CONFIGS["tiny"], views=20, pairs=20, first_steps=8, next_steps=8, branch=3)
MARKS = {"SAVE_EVERY": 4, "LOG_EVERY": 2}


def strike_at(number: int, where: str) -> None:
    """Have the `number`-th file written by `training` be the last."""
    write, written = files.atomic_write, iter(range(1, 1000))

    def die(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def deadly_write(path: Path, content: bytes | str) -> None:
        if next(written) != number:
            write(path, content)
            return
        if where == "before":
            die()
        if where == "middle":
            files.os.replace = die  # type: ignore[assignment]
        write(path, content)
        die()

    training.atomic_write = resumable.atomic_write = deadly_write


def main(out: Path, data: Path, kills: list[str]) -> None:
    torch.set_num_threads(1)  # nothing but this thread may be there when the process forks
    CONFIGS["tiny"] = TINY
    for name, value in MARKS.items():
        setattr(training, name, value)
    for kill in [*kills, ""]:
        child = os.fork()
        if child == 0:
            if kill:
                number, where = kill.split("-")
                strike_at(int(number), where)
            ivid.train("tiny", out, data=data, log=lambda line: None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != (-signal.SIGKILL if kill else 0):
            sys.exit(f"the training with kill '{kill}' ended with {code}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
