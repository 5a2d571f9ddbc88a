"""Entries of protocols that compare with a folder of real pictures: which pictures these were belongs to the entry."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result
from viewsweep.benchmark import harness
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.cli import app
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.submit import Written, submit
from viewsweep.leaderboard.validate import validate
from viewsweep.leaderboard.verify import verify
from viewsweep.scenes.errors import UserError

from .finished_run import write_card, write_method, write_protocol

DAY = datetime.date(2025, 5, 1)


def pictures(folder: Path, seed: int) -> Path:
    folder.mkdir()
    for index in range(8):
        pixels = np.random.default_rng(100 * seed + index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("with-pictures")


@pytest.fixture(scope="module")
def reals(folder: Path) -> Path:
    return pictures(folder / "reals", 1)


@pytest.fixture(scope="module")
def entered(folder: Path, reals: Path) -> Written:
    """A submission of a run that was compared with `reals`; do not change it."""
    protocol = write_protocol(
        folder,
        dataset="images",
        classes=10,
        reference={"kind": "folder"},
        features=load_protocol("tabletop64").content["features"],
        metrics={"kid": 1, "warp_error": 1},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIEWSWEEP_CACHE", str(folder / "cache"))
        harness.run(str(protocol), [str(write_method(folder))], folder / "run", data=reals, command="viewsweep run")
        board, archive = BoardFolder(folder / "board"), folder / "bright-scenes.tar"
        return submit(folder / "run", board=board, card=write_card(folder), archive=archive, date=DAY)


def called(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_entry_names_its_pictures_and_is_without_fault(entered: Written) -> None:
    entry = load_entry(entered.entry)
    assert entered.faults == []
    assert entry.protocol.pictures is not None
    assert entry.protocol.hash == load_protocol(
        str(entered.entry.parents[2] / "protocols" / "pebbles16.yaml")
    ).hash_with(entry.protocol.pictures)
    assert validate(entered.entry) == []


def test_it_holds_against_the_same_pictures(entered: Written, reals: Path, tmp_path: Path) -> None:
    assert verify(entered.entry, scenes=entered.archive, data=reals, exact=True).passed
    moved = shutil.copytree(reals, tmp_path / "elsewhere")  # the pictures count, not where they lie
    result = called("verify", entered.entry, "--scenes", entered.archive, "--data", moved)
    assert result.exit_code == 0, result.output


def test_other_pictures_are_found_out(entered: Written, tmp_path: Path) -> None:
    others = pictures(tmp_path / "others", 2)
    found = verify(entered.entry, scenes=entered.archive, data=others)
    differing = {comparison.what for comparison in found.differing}
    assert {"protocol.hash", "kid[tabletop]"} <= differing
    assert "warp_psnr" not in differing  # looks at no reference
    assert called("verify", entered.entry, "--scenes", entered.archive, "--data", others).exit_code == 3


def test_without_the_pictures_it_is_said_what_is_missing(entered: Written, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pebbles16 compares with real pictures.*--data"):
        verify(entered.entry, scenes=entered.archive)
    empty = tmp_path / "empty"
    empty.mkdir()
    result = called("verify", entered.entry, "--scenes", entered.archive, "--data", empty)
    assert result.exit_code == 2
    assert "empty" in result.stderr
