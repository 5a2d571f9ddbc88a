from __future__ import annotations
from pathlib import Path
from viewsweep.leaderboard.validate import read_board, validate
from .good_board import TODAY

def test_the_good_board_has_no_faults(board: Path) -> None:
    assert [str(x) for x in validate(board, today=TODAY)] == []
    for path in sorted(board.rglob("*.*")):
        if path.suffix in (".json", ".yml"):
            assert validate(path, today=TODAY) == []
