"""Files of every version that was ever published are read; files of versions to come are refused in friendship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from viewsweep.leaderboard.cards import read_card, read_reported
from viewsweep.leaderboard.faults import Fault
from viewsweep.leaderboard.migrations import CARD_MIGRATIONS, ENTRY_MIGRATIONS, Migrated, Migrations
from viewsweep.leaderboard.strict_json import read_entry

HISTORY = Path(__file__).parent / "history"
"""One file of each kind and version, as it was written then; never changed, only added to."""


@pytest.fixture
def steps() -> Migrations:
    """Three versions: `speed` became `cost.seconds`, then a list of places became a mapping."""
    known = Migrations("thing", 3)

    @known.update_to(2)
    def update_to_2(content: dict[str, Any]) -> dict[str, Any]:
        content["cost"] = {"seconds": content.pop("speed")}
        return content

    @known.update_to(3)
    def update_to_3(content: dict[str, Any]) -> dict[str, Any]:
        content["places"] = dict.fromkeys(content["places"], True)
        return content

    return known


def test_an_old_file_walks_through_every_version(steps: Migrations) -> None:
    old = {"schema_version": 1, "speed": 3.5, "places": ["a", "b"]}
    kept = {"schema_version": 1, "speed": 3.5, "places": ["a", "b"]}
    found = steps.migrate(old, "x.json")
    wanted = {"schema_version": 3, "cost": {"seconds": 3.5}, "places": {"a": True, "b": True}}
    assert found == Migrated(wanted, 1)
    assert old == kept


def test_a_file_between_walks_the_rest(steps: Migrations) -> None:
    found = steps.migrate({"schema_version": 2, "cost": {}, "places": []}, "x.json")
    assert found == Migrated({"schema_version": 3, "cost": {}, "places": {}}, 2)


def test_a_current_file_is_left_alone(steps: Migrations) -> None:
    assert steps.migrate({"schema_version": 3, "a": 1}, "x.json") == Migrated({"schema_version": 3, "a": 1}, 3)


def test_a_missing_step_is_an_error(steps: Migrations) -> None:
    del steps.steps[2]
    assert steps.missing == [2]
    found = steps.migrate({"schema_version": 1}, "x.json")
    assert isinstance(found, Fault)
    assert "no step leads to version 2" in found.message


def test_a_newer_file_is_refused_in_friendship(steps: Migrations) -> None:
    found = steps.migrate({"schema_version": 4}, "x.json")
    assert isinstance(found, Fault)
    assert "version 4 is newer than 3" in found.message
    assert "update viewsweep" in found.hint


@pytest.mark.parametrize("version", [None, 0, -1, True, "1", 1.0, [1], 10**400])
def test_what_is_no_version_is_refused(steps: Migrations, version: Any) -> None:
    found = steps.migrate({"schema_version": version}, "x.json")
    assert isinstance(found, Fault)
    assert found.key == "schema_version"
    assert str(found).isprintable()


def test_a_step_is_registered_once_and_under_its_name(steps: Migrations) -> None:
    with pytest.raises(ValueError, match="two steps"):
        steps.update_to(2)(steps.steps[2])
    with pytest.raises(ValueError, match="named update_to_2"):
        steps.update_to(4)(steps.steps[2])


@pytest.mark.parametrize("known", [ENTRY_MIGRATIONS, CARD_MIGRATIONS], ids=lambda known: known.kind)
def test_no_step_is_missing(known: Migrations) -> None:
    assert known.missing == []


@pytest.mark.parametrize("version", range(1, ENTRY_MIGRATIONS.current + 1))
def test_entries_of_every_version_are_read(version: int) -> None:
    entry, faults = read_entry(HISTORY / f"entry-{version}.json")
    assert faults == []
    assert entry is not None
    assert entry.schema_version == ENTRY_MIGRATIONS.current
    assert entry.method.name == "warper-small"
    assert entry.metrics["warp_psnr"].value == 20.25
    assert entry.tier == "spot-checked"


@pytest.mark.parametrize("version", range(1, CARD_MIGRATIONS.current + 1))
def test_cards_of_every_version_are_read(version: int) -> None:
    card, faults = read_card(HISTORY / f"card-{version}.yml")
    assert faults == []
    assert card is not None
    assert card.licences.code == "Apache-2.0"
    reported, faults = read_reported(HISTORY / f"reported-{version}.yml")
    assert faults == []
    assert reported is not None
    assert reported.numbers[0].value == 12.5
