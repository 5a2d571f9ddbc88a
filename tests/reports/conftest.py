"""A run directory to report on, made once, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .fake_run import make_run

METHODS = ("frozen", "ivid-small", "noise", "oracle")
WIDE_METHODS = ("blurred", "dfm-small", "frozen", "gan-small", "ivid-small", "noise", "oracle")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of eight small views by four methods; do not change it."""
    return make_run(tmp_path_factory.mktemp("run"), methods=METHODS, scenes=3, views=8, size=24)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scenes by seven methods, three of them competing, with every kind of metric id; do not change it."""
    folder = tmp_path_factory.mktemp("wide")
    return make_run(folder, methods=WIDE_METHODS, scenes=8, views=4, size=8, failed=False, wide=True)


@pytest.fixture
def run_dir(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the pristine run, free to be broken."""
    return Path(shutil.copytree(pristine, tmp_path / "run"))
