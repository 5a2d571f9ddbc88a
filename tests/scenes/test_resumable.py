"""Folders filled piece by piece are gone on with, and never overwritten with something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from viewsweep.baselines.dfm.data import prepare_pictures
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.resumable import mark_done, pieces_done

WANTED = {"schema": "test/1", "size": 8, "seeds": (0, 4)}


def test_work_is_gone_on_with(tmp_path: Path) -> None:
    record = tmp_path / "dataset.json"
    assert pieces_done(record, WANTED) == 0
    mark_done(record, WANTED, 3)
    assert pieces_done(record, WANTED) == 3


def test_other_data_is_named_and_kept(tmp_path: Path) -> None:
    record = tmp_path / "dataset.json"
    mark_done(record, WANTED, 3)
    before = record.read_bytes()
    with pytest.raises(UserError, match="size is 8, not 16") as raised:
        pieces_done(record, {**WANTED, "size": 16})
    assert str(tmp_path) in str(raised.value)
    assert "--data" in str(raised.value.hint)
    assert record.read_bytes() == before
    assert pieces_done(record, {**WANTED, "size": 16}, replace=True) == 0


def test_what_has_just_begun_is_kept_too(tmp_path: Path) -> None:
    """Before its first piece is whole, another training must not begin there."""
    record = tmp_path / "dataset.json"
    pieces_done(record, WANTED)
    with pytest.raises(UserError, match="other training data"):
        pieces_done(record, {**WANTED, "seeds": (0, 8)})


@pytest.mark.parametrize("content", ["", "[]", '{"done": "x"}', "{"])
def test_unreadable_records_are_named(tmp_path: Path, content: str) -> None:
    record = tmp_path / "dataset.json"
    record.write_text(content)
    with pytest.raises(UserError, match="not readable"):
        pieces_done(record, WANTED)


def test_two_trainings_do_not_share_a_folder_by_mistake(tmp_path: Path) -> None:
    held = prepare_pictures(tmp_path, "clips", range(2), 16, views=0, log=lambda _: None)
    before = held.rgb.copy()
    with pytest.raises(UserError, match='view is "clips", not "around"'):
        prepare_pictures(tmp_path, "around", range(2), 16, views=3, log=lambda _: None)
    assert (held.rgb == before).all()
