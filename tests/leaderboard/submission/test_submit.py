"""An entry is written from a finished run, and only from one that is whole and of the protocol as it stands."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from viewsweep.benchmark import harness
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.cards import load_card
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.submit import Written, submit
from viewsweep.scenes.errors import UserError

from .finished_run import make_run, write_card, write_method, write_protocol

DAY = datetime.date(2025, 5, 1)


def test_the_entry_says_what_the_run_found(finished: Path, submitted: Written) -> None:
    entry = load_entry(submitted.entry)
    results = json.loads((finished / "results.json").read_text())
    own = results["methods"]["bright"]
    assert submitted.faults == []
    assert entry.protocol.name == "pebbles16"
    assert entry.protocol.hash == results["protocol"]["hash"]
    assert entry.method.details == {"gain": 1.1}
    assert {name: result.value for name, result in entry.metrics.items()} == {
        name: result["value"] for name, result in own["metrics"].items()
    }
    assert (entry.scenes.requested, entry.scenes.evaluated, entry.scenes.failed) == (3, 3, [])
    assert (entry.archive.scenes, entry.cost.views) == (3, 12)
    assert entry.cost.seconds is not None
    assert entry.command == "viewsweep run pebbles.yaml --methods bright.py"
    assert (entry.submitted, entry.division, entry.tier) == (DAY, "closed", "submitted")


def test_the_table_holds_the_rows_of_the_method_alone(finished: Path, submitted: Written) -> None:
    whole = pyarrow.parquet.read_table(finished / "per_scene.parquet").to_pandas()
    own = pyarrow.parquet.read_table(submitted.table).to_pandas()
    wanted = whole[whole["method"] == "bright"]
    assert len(own) == len(wanted) == load_entry(submitted.entry).per_scene.rows
    keys = ["metric", "index", "view"]
    left, right = (side.set_index(keys)["value"].sort_index() for side in (own, wanted))
    assert (left == right).all()


def test_the_protocol_of_ones_own_goes_along(submitted: Written, finished: Path) -> None:
    path = submitted.entry.parents[2] / "protocols" / "pebbles16.yaml"
    hashed = json.loads((finished / "run.json").read_text())["protocol"]["hash"]
    assert load_protocol(str(path)).hash == hashed


def test_equal_runs_give_equal_bytes(finished: Path, submitted: Written, tmp_path: Path) -> None:
    again = submit(
        finished,
        board=BoardFolder(tmp_path / "board"),
        card=submitted.card,
        archive=tmp_path / "scenes.tar",
        date=DAY,
    )
    for part in ("entry", "table", "card", "archive"):
        assert getattr(again, part).read_bytes() == getattr(submitted, part).read_bytes()


ENDED = {"status": "withdrawn", "date": "2025-06-01", "reason": "A fault in sampling.", "successor": None}
CHECKED = {"kind": "verified", "by": "Ada", "date": "2025-05-20", "viewsweep": "0.1.0"}


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_same_results_keep_their_day_their_checks_and_their_end(run: Path, board: Path) -> None:
    path = BoardFolder(board).entry("pebbles16", "bright")
    edit(path, attestations=[CHECKED], lifecycle=ENDED)
    before = load_entry(path)
    again = submit(run, board=BoardFolder(board))
    assert load_entry(path) == before
    assert (again.errors, len(again.notes)) == ([], 1)
    assert "The row stays withdrawn (A fault in sampling.)" in again.notes[0]
    submit(run, board=BoardFolder(board), archive_url="https://example.org/bright.tar")
    submit(run, board=BoardFolder(board))
    assert load_entry(path).archive.url == "https://example.org/bright.tar"
    with pytest.raises(UserError, match="was checked before"):
        submit(run, board=BoardFolder(board), date=datetime.date(2025, 5, 30))


def test_other_results_lose_their_checks_and_that_is_said(run: Path, board: Path) -> None:
    path = BoardFolder(board).entry("pebbles16", "bright")
    other = json.loads(path.read_text())["metrics"]
    other["nfs"]["n"] = 2
    edit(path, attestations=[CHECKED], lifecycle=ENDED, metrics=other)
    written = submit(run, board=BoardFolder(board))
    entry, today = load_entry(path), datetime.date.today()
    assert (entry.attestations, entry.lifecycle.status, entry.submitted) == ([], "withdrawn", today)
    assert written.errors == []
    said = " ".join(written.notes)
    assert "the checks of them were dropped: verified by Ada on 2025-05-20." in said
    assert f"Its day moves from 2025-06-01 to {today}" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"archive_url": "http://example.org/bright.tar"}, "this is no address"),
        ({"date": datetime.date(2999, 1, 1)}, "lies in the future"),
    ],
    ids=["address", "day"],
)
def test_what_no_board_takes_leaves_a_good_entry_alone(run: Path, board: Path, arguments: Any, said: str) -> None:
    before = {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=said):
        submit(run, board=BoardFolder(board), **arguments)
    assert {path: path.read_bytes() for path in board.rglob("*") if path.is_file()} == before


def test_a_fault_of_a_card_is_told_once(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = submit(run, board=BoardFolder(Path("leaderboard"))).faults
    told = [(fault.key, fault.message) for fault in faults]
    assert len(told) == len(set(told)) > 3
    assert {fault.path.partition(":")[0] for fault in faults} == {"leaderboard/methods/bright.yml"}


def test_the_only_competitor_is_meant_and_several_are_asked_about(run: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    assert submit(run, board=board).entry == board.entry("pebbles16", "bright")
    with pytest.raises(UserError, match="holds no results of 'dull'; it has bright, oracle"):
        submit(run, board=board, method="dull")
    named = submit(run, board=board, method="oracle")
    assert named.entry == board.entry("pebbles16", "oracle")


def test_several_competitors_have_to_be_told_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path, methods=("bright", "dim"))
    with pytest.raises(UserError, match=r"holds bright, dim\. Say which one to submit with --method"):
        submit(run, board=BoardFolder(tmp_path / "board"))


def test_a_new_method_gets_a_card_to_complete(run: Path, tmp_path: Path) -> None:
    written = submit(run, board=BoardFolder(tmp_path / "board"))
    text = written.card.read_text()
    assert written.skeleton
    assert "name: bright\n" in text
    assert "description: The world, too bright.\n" in text
    open_keys = {fault.key for fault in written.errors if fault.path.startswith(str(written.card))}
    assert open_keys >= {"title", "family", "authors", "licences.code", "training.data", "training.poses"}
    marked = [line for line in text.splitlines()[1:] if "FILL IN" in line]
    assert len(marked) == len(open_keys)
    again = submit(run, board=BoardFolder(tmp_path / "board"))  # which does not write over what was begun
    assert again.skeleton
    assert written.card.read_text() == text


def test_the_completed_card_is_kept_and_read(run: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    first = submit(run, board=board)
    card = write_card(tmp_path, division="open", conditions="Sees the truth.")
    shutil.copy(card, first.card)
    second = submit(run, board=board)
    assert second.errors == []
    assert load_entry(second.entry).division == "open"
    assert second.card.read_text() == card.read_text()


def test_a_card_of_another_method_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the card of 'dim', and the run has 'bright'"):
        submit(run, board=BoardFolder(tmp_path / "board"), card=write_card(tmp_path, "dim"))
    assert not (tmp_path / "board").exists()


def test_a_faulty_card_is_refused_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    card = write_card(tmp_path)
    card.write_text(card.read_text().replace("MIT", "[1, 2]"))
    with pytest.raises(UserError, match=r"licences\.code"):
        submit(run, board=BoardFolder(tmp_path / "board"), card=card)
    assert not (tmp_path / "board").exists()


def test_another_number_of_scenes_is_refused_by_name(tmp_path: Path) -> None:
    run = make_run(tmp_path, scenes=2)
    with pytest.raises(UserError, match=r"was run with --scenes 2; pebbles16 has 3 scenes.* without --scenes"):
        submit(run, board=BoardFolder(tmp_path / "board"))


def test_a_protocol_that_took_a_shipped_name_is_refused(tmp_path: Path) -> None:
    protocol = write_protocol(tmp_path, name="tabletop64-demo")
    harness.run(str(protocol), [str(write_method(tmp_path))], tmp_path / "run")
    with pytest.raises(UserError, match="give a protocol of your own another name"):
        submit(tmp_path / "run", board=BoardFolder(tmp_path / "board"))


def test_a_run_that_is_not_complete_is_refused(run: Path, tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    (run / "manifest.sha256").unlink()
    with pytest.raises(UserError, match="not complete"):
        submit(run, board=board)
    with pytest.raises(UserError, match="there is no run here"):
        submit(tmp_path / "nowhere", board=board)


@pytest.mark.parametrize(
    "name", ["results.json", "per_scene.parquet", "scenes/bright/00001.safetensors", "scenes/bright/00002.safetensors"]
)
def test_a_file_changed_after_the_run_is_named(run: Path, tmp_path: Path, name: str) -> None:
    path = run / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match=f"{name}: not as it was when the run was completed"):
        submit(run, board=BoardFolder(tmp_path / "board"))


def test_a_scene_that_vanished_is_named(run: Path, tmp_path: Path) -> None:
    (run / "scenes/bright/00001.safetensors").unlink()
    with pytest.raises(UserError, match=r"00001\.safetensors: not as it was"):
        submit(run, board=BoardFolder(tmp_path / "board"))


def test_another_protocol_of_that_name_on_the_board_is_refused(run: Path, board: Path) -> None:
    write_protocol(board, scenes=4).rename(board / "protocols" / "pebbles16.yaml")
    with pytest.raises(UserError, match="is another protocol"):
        submit(run, board=BoardFolder(board))


def test_the_card_of_the_board_is_read_by_its_loader(submitted: Written) -> None:
    assert load_card(submitted.card).name == "bright"
