"""One finished run for all tests of submissions, and a submission of it."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.submit import Written, submit

from .finished_run import make_run, write_card

DAY = datetime.date(2025, 5, 1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run with one method of one's own and the ceiling; do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("finished")
        patch.setenv("VIEWSWEEP_CACHE", str(folder / "cache"))
        return make_run(folder, methods=("bright", "oracle"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run, free to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(scope="session")
def submitted(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The run submitted to a board of its own; do not change it."""
    folder = tmp_path_factory.mktemp("submitted")
    return submit(
        finished,
        board=BoardFolder(folder / "board"),
        card=write_card(folder),
        archive=folder / "bright-scenes.tar",
        date=DAY,
    )


@pytest.fixture
def board(submitted: Written, tmp_path: Path) -> Path:
    """A copy of that board, free to be changed."""
    return Path(shutil.copytree(submitted.entry.parents[2], tmp_path / "board"))
