"""A run directory to report on, made once, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .fake_run import make_run

METHODS = ("frozen", "ivid-small", "noise", "oracle")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of eight small views by four methods; do not change it."""
    return make_run(tmp_path_factory.mktemp("run"), methods=METHODS, scenes=3, views=8, size=24)


@pytest.fixture
def run_dir(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the pristine run, free to be broken."""
    return Path(shutil.copytree(pristine, tmp_path / "run"))
