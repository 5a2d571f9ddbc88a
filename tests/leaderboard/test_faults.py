"""How faults are shown: to people, to programs, and beside the lines of a pull request."""

from __future__ import annotations

import json

import pytest
from viewsweep.leaderboard.faults import Fault, annotate, exit_code, faults_json, render, shown

ERROR = Fault.error("methods/x.yml:7", "weights.sha256", "missing", "add the value printed by viewsweep submit")
WARNING = Fault.warning("entries/p/x.json", "", "the numbers changed", "make sure that this is meant")


def test_a_fault_says_where_what_and_how_to_mend_it() -> None:
    wanted = "methods/x.yml:7: weights.sha256: missing; add the value printed by viewsweep submit."
    assert str(ERROR) == wanted


@pytest.mark.parametrize(
    ("faults", "code", "last"),
    [
        ([], 0, "Valid: no faults in board."),
        ([WARNING], 0, "Valid: no errors, 1 warning in board."),
        ([ERROR], 3, "Not valid: 1 error, 0 warnings in board."),
        ([WARNING, ERROR, ERROR], 3, "Not valid: 2 errors, 1 warning in board."),
    ],
)
def test_the_last_line_agrees_with_the_exit_code(faults: list[Fault], code: int, last: str) -> None:
    assert exit_code(faults) == code
    for text in (render(faults, "board"), annotate(faults, "board")):
        lines = text.splitlines()
        assert lines[-1] == last
        assert len(lines) == len(faults) + 1
    record = faults_json(faults, "board")
    assert record["valid"] is (code == 0)
    assert record["verdict"] == last
    assert len(record["faults"]) == len(faults)
    json.dumps(record, allow_nan=False)


def test_errors_come_first_and_lines_count_as_numbers() -> None:
    early, late = (Fault.error(f"a.yml:{line}", "", "x", "y") for line in (9, 10))
    text = render([WARNING, late, early], "board").splitlines()
    assert [line.split(" ")[1].rstrip(":") for line in text[:3]] == ["a.yml:9", "a.yml:10", "entries/p/x.json"]


def test_annotations_name_file_and_line() -> None:
    assert annotate([ERROR], "board").splitlines()[0] == (
        "::error file=methods/x.yml,line=7,title=weights.sha256::missing; add the value printed by viewsweep submit."
    )


def test_a_hostile_fault_stays_on_its_line() -> None:
    """A line break would begin a command of the runner, an escape sequence one of the terminal."""
    evil = Fault.error("a,b:c\n::set-env::x", "k\r\n::add-mask::y,z", "50%\n::stop-commands::\x1b[2J\u202e", "h\u2028")
    for text in (render([evil], "board\n::x"), annotate([evil], "board\n::x")):
        assert len(text.splitlines()) == 2
        assert all(line.isprintable() for line in text.splitlines())
    line = annotate([evil], "board").splitlines()[0]
    assert "\n" not in line
    assert line.count("::error ") == 1
    assert "50%25" in line
    assert "title=k\\r\\n%3A%3Aadd-mask%3A%3Ay%2Cz::" in line


def test_foreign_values_are_cut_and_escaped() -> None:
    assert shown("a\x1b") == "'a\\x1b'"
    assert len(shown("x" * 10_000)) < 100
    assert shown(10**5000) == "an integer of over 100 digits"
    assert shown(1.5) == "1.5"
