"""A training is gone on with only from the very pictures it began with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from viewsweep.baselines.gan.folder_data import FolderPictures
from viewsweep.scenes.errors import UnreadableFile

SIDE = 4


def picture(path: Path, grey: int) -> None:
    """Uncompressed, so that all have one size on disk."""
    Image.fromarray(np.full((SIDE, SIDE, 3), grey, np.uint8)).save(path, format="bmp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        picture(tmp_path / f"{number}.bmp", 40 * number)
    return tmp_path


def identity(folder: Path) -> str:
    return FolderPictures(folder, SIDE).identity


def test_a_picture_replaced_by_one_of_equal_size_is_another_data_set(folder: Path) -> None:
    before, size = identity(folder), (folder / "1.bmp").stat().st_size
    picture(folder / "1.bmp", 41)
    assert (folder / "1.bmp").stat().st_size == size
    assert identity(folder) != before
    picture(folder / "1.bmp", 40)
    assert identity(folder) == before


def test_pictures_that_changed_places_are_another_data_set(folder: Path) -> None:
    before = identity(folder)
    picture(folder / "0.bmp", 40)
    picture(folder / "1.bmp", 0)
    assert identity(folder) != before


def test_a_picture_that_is_gone_is_named(folder: Path) -> None:
    pictures = FolderPictures(folder, SIDE)
    (folder / "2.bmp").unlink()
    with pytest.raises(UnreadableFile, match=r"2\.bmp: not readable"):
        assert pictures.identity
