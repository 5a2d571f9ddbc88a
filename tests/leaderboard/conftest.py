"""A valid board, made once, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .good_board import make_board

# the same examples everywhere and always: a failure in CI is a failure at home
settings.register_profile(
    "viewsweep",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("viewsweep")


@pytest.fixture(scope="session")
def pristine_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods under two protocols, with cards, tables and archives beside it; do not change it."""
    return make_board(tmp_path_factory.mktemp("good") / "board")


@pytest.fixture
def board(pristine_board: Path, tmp_path: Path) -> Path:
    """A copy of the valid board, free to be broken; its archives are left where they are."""
    return Path(shutil.copytree(pristine_board, tmp_path / "board"))
