"""Every method that comes with viewsweep has a card, and the card is about the weights that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import viewsweep
from viewsweep.benchmark.registry import BUILT_IN, UNSHIPPED
from viewsweep.benchmark.roles import role
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.cards import load_card, read_card, read_reported

BOARD = BoardFolder(Path(viewsweep.__file__).parent / "leaderboard")
SHIPPED = sorted(set(BUILT_IN) - UNSHIPPED)


def test_every_built_in_method_has_a_card() -> None:
    assert {path.stem for path in BOARD.cards()} >= set(BUILT_IN)


@pytest.mark.parametrize("path", BOARD.cards(), ids=lambda path: path.stem)
def test_cards_are_without_fault(path: Path) -> None:
    card, faults = read_card(path)
    assert faults == []
    assert card is not None
    assert card.name == path.stem
    assert (card.family == "reference") == (role(card.name) != "method")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_names_the_shipped_version_and_weights(name: str) -> None:
    card, info = load_card(BOARD.card(name)), viewsweep.load_method(name).info()
    assert card.version == info.version
    assert (None if card.weights is None else card.weights.sha256) == info.weights_sha256


@pytest.mark.parametrize("path", BOARD.entries(), ids=lambda path: path.stem)
def test_entries_were_drawn_with_the_settings_that_are_shipped(path: Path) -> None:
    drawn = json.loads(path.read_text(encoding="utf-8"))["method"]
    info = viewsweep.load_method(drawn["name"]).info()
    assert drawn["details"] == dict(info.details)
    assert (drawn["revision"], drawn["weights_sha256"]) == (info.version, info.weights_sha256)


@pytest.mark.parametrize("name", sorted(UNSHIPPED))
def test_a_card_of_weights_the_user_brings_names_none(name: str) -> None:
    assert load_card(BOARD.card(name)).weights is None


@pytest.mark.parametrize("path", BOARD.all_reported(), ids=lambda path: path.stem)
def test_reported_numbers_are_without_fault(path: Path) -> None:
    reported, faults = read_reported(path)
    assert faults == []
    assert reported is not None
    assert reported.name == path.stem
    assert (reported.evidence == "second-hand") == path.stem.endswith("-second-hand")
