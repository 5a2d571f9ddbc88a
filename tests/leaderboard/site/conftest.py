"""A site with everything on it, built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from viewsweep.leaderboard.site import build_site

from .made_board import sample_board


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of `sample_board`; do not change it."""
    out = tmp_path_factory.mktemp("site")
    build_site(sample_board(), out, base_url="https://example.org/board", repository="https://example.org/sources")
    return out
