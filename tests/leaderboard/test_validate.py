"""`validate` on whole boards: what is valid passes, what changed is compared, and the verb ends as it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.cli import app
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.cards import load_card, load_reported
from viewsweep.leaderboard.entry import Entry
from viewsweep.leaderboard.expectation import find_protocol
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.validate import read_board, validate
from viewsweep.scenes.errors import UnknownName, UserError

from .break_board import break_board
from .good_board import METHOD, PROTOCOL, TODAY

ENTRY = f"entries/{PROTOCOL}/{METHOD}.json"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)])


def edit(board: Path, **values: object) -> None:
    break_board(board, {"edit": [{"file": ENTRY, "set": values}]})


def test_a_valid_board_has_no_faults_and_neither_have_its_files(pristine_board: Path) -> None:
    assert validate(pristine_board, today=TODAY) == []
    files = [path for path in sorted(pristine_board.rglob("*")) if path.suffix in (".json", ".yml")]
    assert len(files) == 7
    for path in files:
        assert validate(path, today=TODAY) == []
    for path in sorted(pristine_board.parent.glob("*.tar")):
        assert validate(path) == []


def test_a_valid_board_is_read_in_the_order_of_tables(pristine_board: Path) -> None:
    board = read_board(pristine_board)
    assert list(board.entries) == [
        ("tiny", "oracle"),
        ("tiny", METHOD),
        ("tiny-completion", "oracle"),
        ("tiny-completion", METHOD),
    ]
    assert list(board.cards) == ["oracle", METHOD]
    assert list(board.reported) == ["paper-method"]
    assert board.entries["tiny", METHOD] == load_entry(pristine_board / ENTRY)
    assert board.cards[METHOD] == load_card(BoardFolder(pristine_board).card(METHOD))
    assert board.reported["paper-method"] == load_reported(BoardFolder(pristine_board).reported("paper-method"))
    assert board.entries["tiny", METHOD].tier == "submitted"


def test_a_faulty_board_is_not_read_and_all_its_faults_are_named(board: Path) -> None:
    edit(board, **{"division": "open", "scenes.split": "train"})
    with pytest.raises(UserError) as caught:
        read_board(board)
    assert "division" in str(caught.value)
    assert "scenes.split" in str(caught.value)


def test_warnings_keep_no_board_from_being_read(board: Path) -> None:
    edit(board, **{"method.revision": "2"})
    (warning,) = validate(board, today=TODAY)
    assert warning.severity == "warning"
    assert warning.key == "method.revision"
    assert read_board(board).entries


def test_faults_of_many_files_come_together(board: Path) -> None:
    edit(board, division="open")
    break_board(board, {"edit": [{"file": "methods/oracle.yml", "set": {"description": "<b>"}}]})
    break_board(board, {"write": [{"file": "reported/paper-method.yml", "text": "- a"}]})
    paths = {fault.path.removeprefix(f"{board}/") for fault in validate(board, today=TODAY)}
    assert paths >= {ENTRY, "methods/oracle.yml", "reported/paper-method.yml"}


def test_a_withdrawn_row_may_rest_on_an_older_protocol(board: Path) -> None:
    ended = {"status": "withdrawn", "date": "2026-03-01", "reason": "A fault in sampling."}
    edit(board, **{"protocol.version": 1, "protocol.hash": "0" * 64, "lifecycle": ended})
    (warning,) = validate(board / ENTRY, today=TODAY)
    assert warning.severity == "warning"
    assert "older version" in warning.message


def test_a_shipped_protocol_is_found_without_a_file_and_a_path_is_no_name(tmp_path: Path) -> None:
    assert find_protocol("tabletop64", None).hash == load_protocol("tabletop64").hash
    outside = tmp_path / "evil.yaml"
    outside.write_text("name: evil")
    for name in ("evil.yaml", "../evil", str(outside)):
        with pytest.raises(UnknownName):
            find_protocol(name, tmp_path / "board")


def test_the_pictures_of_a_protocol_are_part_of_its_hash(board: Path) -> None:
    own = load_protocol(str(board / "protocols" / "tiny.yaml"))
    pictures = "cd" * 32
    edit(board, **{"protocol.pictures": pictures})
    assert [fault.key for fault in validate(board / ENTRY, today=TODAY)] == ["protocol.hash"]
    edit(board, **{"protocol.hash": own.hash_with(pictures)})
    assert validate(board / ENTRY, today=TODAY) == []


# A board and what it was before


def compare(board: Path, previous: Path, *, maintainer: bool = False) -> list[tuple[str, str, str]]:
    faults = validate(board, previous=previous, maintainer=maintainer, today=TODAY)
    return [(fault.severity, fault.path.removeprefix(f"{board}/"), fault.key) for fault in faults]


def test_nothing_changed_is_no_fault(board: Path, pristine_board: Path) -> None:
    assert compare(board, pristine_board) == []


def test_a_new_row_is_no_fault(board: Path, pristine_board: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(pristine_board, tmp_path / "older"))
    for suffix in (".json", ".parquet"):
        (older / ENTRY).with_suffix(suffix).unlink()
    assert compare(board, older) == []


def test_a_row_may_not_vanish(board: Path, pristine_board: Path) -> None:
    for suffix in (".json", ".parquet"):
        (board / ENTRY).with_suffix(suffix).unlink()
    assert compare(board, pristine_board) == [("error", ENTRY, "")]


def test_reported_numbers_may_not_vanish(board: Path, pristine_board: Path) -> None:
    (board / "reported" / "paper-method.yml").unlink()
    assert compare(board, pristine_board) == [("error", "reported/paper-method.yml", "")]


def test_a_row_may_be_withdrawn_and_its_return_is_pointed_out(board: Path, pristine_board: Path) -> None:
    ended = {"status": "withdrawn", "date": "2026-03-01", "reason": "A fault in sampling."}
    edit(board, lifecycle=ended)
    assert compare(board, pristine_board) == []
    assert compare_other_way(board, pristine_board) == [("warning", ENTRY, "lifecycle.status")]


def compare_other_way(board: Path, pristine: Path) -> list[tuple[str, str, str]]:
    return [(severity, path.removeprefix(f"{pristine}/"), key) for severity, path, key in compare(pristine, board)]


ATTESTED = {"kind": "verified", "by": "Ada", "date": "2026-03-01", "viewsweep": "0.1.0"}


def test_only_a_maintainer_makes_a_row_verified(board: Path, pristine_board: Path, tmp_path: Path) -> None:
    edit(board, attestations=[ATTESTED])
    assert compare(board, pristine_board) == [("error", ENTRY, "attestations")]
    assert compare(board, pristine_board, maintainer=True) == [("warning", ENTRY, "attestations")]
    assert call(board, "--previous", pristine_board).exit_code == 3
    assert call(board, "--previous", pristine_board, "--maintainer").exit_code == 0
    older = Path(shutil.copytree(board, tmp_path / "older"))
    assert compare(board, older) == []
    edit(board, attestations=[ATTESTED | {"by": "Somebody else"}])
    assert compare(board, older) == [("error", ENTRY, "attestations")]


def test_a_new_row_does_not_come_verified(board: Path, pristine_board: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(pristine_board, tmp_path / "older"))
    for suffix in (".json", ".parquet"):
        (older / ENTRY).with_suffix(suffix).unlink()
    edit(board, attestations=[ATTESTED])
    assert compare(board, older) == [("error", ENTRY, "attestations")]


def test_a_maintainer_without_a_board_before_is_told(board: Path) -> None:
    with pytest.raises(UserError, match="--maintainer belongs to --previous"):
        validate(board, maintainer=True)


def test_another_cost_is_pointed_out(board: Path, pristine_board: Path) -> None:
    edit(board, **{"cost.seconds": 1.0})
    assert compare(board, pristine_board) == [("warning", ENTRY, "cost")]


def test_no_check_outlives_the_numbers_it_was_made_of(board: Path, tmp_path: Path) -> None:
    edit(board, attestations=[ATTESTED])
    older = Path(shutil.copytree(board, tmp_path / "older"))
    edit(board, **{"metrics.is[tabletop].n": 5})
    assert compare(board, older) == [("error", ENTRY, "attestations"), ("warning", ENTRY, "metrics")]


def test_boards_are_compared_with_boards(board: Path) -> None:
    with pytest.raises(UserError, match="two folders"):
        validate(board / ENTRY, previous=board)


# The verb


def test_the_verb_says_that_a_board_is_valid(pristine_board: Path) -> None:
    ended = call(pristine_board)
    assert ended.exit_code == 0
    assert ended.stdout == f"Valid: no faults in {pristine_board}.\n"


def test_the_verb_ends_with_3_and_says_so_last(board: Path) -> None:
    edit(board, **{"division": "open", "scenes.split": "train"})
    ended = call(board)
    assert ended.exit_code == 3
    assert len(ended.stdout.splitlines()) == 3
    assert ended.stdout.splitlines()[-1] == f"Not valid: 2 errors, 0 warnings in {board}."
    record = json.loads(call(board, "--json").stdout)
    assert record["valid"] is False
    assert {fault["key"] for fault in record["faults"]} == {"division", "scenes.split"}
    assert all(fault["hint"] and fault["path"] == str(board / ENTRY) for fault in record["faults"])
    lines = call(board, "--annotations").stdout.splitlines()
    assert all(line.startswith(f"::error file={board / ENTRY},line=1,title=") for line in lines[:-1])


def test_the_verb_compares_with_a_board_before(board: Path, pristine_board: Path) -> None:
    for suffix in (".json", ".parquet"):
        (board / ENTRY).with_suffix(suffix).unlink()
    assert call(board).exit_code == 0
    assert call(board, "--previous", pristine_board).exit_code == 3


@pytest.mark.parametrize("name", ["nothing", "a.txt"])
def test_what_is_nothing_of_a_board_is_a_user_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    ended = call(tmp_path / name)
    assert ended.exit_code == 2
    assert str(tmp_path / name) in ended.stderr


def test_a_folder_that_is_no_board_is_a_fault(tmp_path: Path) -> None:
    assert call(tmp_path).exit_code == 3


def test_the_schema_of_an_entry_takes_days_as_text_only(pristine_board: Path) -> None:
    content = json.loads((pristine_board / ENTRY).read_text())
    for day in (0, 1.5, "2026-02-01T00:00:00", "01.02.2026", True):
        with pytest.raises(ValueError, match="submitted"):
            Entry.model_validate(content | {"submitted": day})
