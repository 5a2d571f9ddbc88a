"""Every file in ``broken/`` breaks a valid board in one way, and exactly the faults it names are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner
from viewsweep.cli import app
from viewsweep.leaderboard.faults import Fault
from viewsweep.leaderboard.validate import validate

from .break_board import break_board
from .good_board import TODAY

RECIPES = sorted((Path(__file__).parent / "broken").glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    recipe: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert recipe["about"]
    assert recipe["faults"]
    return recipe


def found_and_wanted(faults: list[Fault], wanted: list[dict[str, str]], root: Path) -> tuple[set[Any], set[Any]]:
    """Errors as (path, key), each with the wanted one it fits, so that a difference reads well."""
    found = {(fault.path.removeprefix(f"{root}/"), fault.key) for fault in faults if fault.severity == "error"}
    return found, {(fault["path"], fault.get("key", "")) for fault in wanted}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_broken_board_is_refused_for_its_reason(path: Path, board: Path) -> None:
    recipe = load(path)
    faults = validate(break_board(board, recipe), today=TODAY)
    root = board.parent if "archive" in recipe else board
    found, wanted = found_and_wanted(faults, recipe["faults"], root)
    assert found == wanted, "\n".join(map(str, faults))
    for fault in recipe["faults"]:
        said = [
            each
            for each in faults
            if each.path.removeprefix(f"{root}/") == fault["path"]
            and each.key == fault.get("key", "")
            and fault["says"] in each.message
        ]
        assert said, f"{fault['says']!r} in none of:\n" + "\n".join(map(str, faults))
        assert all(each.hint for each in said)


def test_there_are_enough_of_them() -> None:
    assert len(RECIPES) >= 30


@pytest.mark.parametrize("name", ["entry-more-scenes-than-archive", "card-script-tag"])
def test_the_verb_refuses_them_too(name: str, board: Path) -> None:
    recipe = load(Path(__file__).parent / "broken" / f"{name}.yml")
    ended = CliRunner().invoke(app, ["validate", str(break_board(board, recipe))])
    assert ended.exit_code == 3
    assert ended.stdout.splitlines()[-1].startswith("Not valid: ")
