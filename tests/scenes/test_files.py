from __future__ import annotations

import errno
import os
import stat

import pytest
from viewsweep.scenes.errors import WriteFailed
from viewsweep.scenes.files import atomic_write, make_folder, remove_leftovers


def refuse(code: int):
    def raising(*_args: object, **_kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    return raising


def test_writes_text_and_bytes(tmp_path):
    atomic_write(tmp_path / "a", "grün\n")
    atomic_write(tmp_path / "b", b"\x00\x01")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "grün\n"
    assert (tmp_path / "b").read_bytes() == b"\x00\x01"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_written_files_are_readable_by_others(tmp_path):
    atomic_write(tmp_path / "a", "x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, call):
    path = tmp_path / "results.json"
    atomic_write(path, "old")
    monkeypatch.setattr(os, call, refuse(errno.ENOSPC))
    with pytest.raises(WriteFailed, match=r"results\.json: the disk is full\. Free some space"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_quota_counts_as_full(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse(errno.EDQUOT))
    with pytest.raises(WriteFailed, match="the disk is full"):
        atomic_write(tmp_path / "a", "x")


def test_interrupt_leaves_no_trace(tmp_path, monkeypatch):
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a", "x")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(WriteFailed, match=r"nowhere/a: cannot be written \(No such file or directory\)"):
        atomic_write(tmp_path / "nowhere" / "a", "x")


def test_a_folder_that_cannot_be_flushed_is_a_failed_write(tmp_path, monkeypatch):
    flush = os.fsync

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flush(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    with pytest.raises(WriteFailed, match="Input/output error"):
        atomic_write(tmp_path / "a", "x")


def test_folders_are_made_with_parents_and_twice(tmp_path):
    assert make_folder(tmp_path / "a" / "b") == make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(WriteFailed, match=r"/a: cannot be written"):
        make_folder(tmp_path / "a")


def test_leftovers_of_killed_writers_go(tmp_path):
    (tmp_path / ".a.123.tmp").write_text("half")
    (tmp_path / "kept.tmp").write_text("whole")
    remove_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.tmp"]
