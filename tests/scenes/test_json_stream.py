from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from viewsweep.scenes import json_stream
from viewsweep.scenes.errors import UnreadableFile
from viewsweep.scenes.json_stream import stream_array

VALUES = [{"a": [1, 2, {"b": "x,]}"}]}, 12345, 'ä\\"', None, True, -1.5e3, [], {}, [[]], 7]


def written(path: Path, text: str) -> Path:
    if path.suffix == ".jgz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.jgz"])
def test_gives_what_json_gives_however_it_is_cut(tmp_path, monkeypatch, chunk, indent, name):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    path = written(tmp_path / name, json.dumps(VALUES, indent=indent, ensure_ascii=False) + "\n ")
    assert list(stream_array(path)) == VALUES
    assert list(stream_array(written(path, " [ ] "))) == []


@pytest.mark.parametrize("chunk", [3, 1 << 20])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "truncated"),
        ("{}", "does not hold a list"),
        ("[1, 2", "truncated"),
        ("[1, 2,", "truncated"),
        ("[1, 2,]", "item 2 is not complete, or no JSON"),
        ("[1 2]", "after item 1 there is '2'"),
        ('[1, "a', "item 1 is not complete"),
        ('[1, {"a": tru}]', "item 1 is not complete, or no JSON"),
        ("[1] 2", "something follows"),
        ("[" * 100_000, "not readable"),
        ("[" + "9" * 5000 + "]", "not readable"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, chunk, text, message):
    if len(text) < 1000:
        monkeypatch.setattr(json_stream, "CHUNK", chunk)
    with pytest.raises(UnreadableFile, match=message) as caught:
        list(stream_array(written(tmp_path / "a.json", text), hint="Download it again."))
    assert str(tmp_path / "a.json") in str(caught.value)
    assert str(caught.value).count("Download it again.") == 1


def test_what_unfolds_without_end_is_refused(tmp_path, monkeypatch):
    bomb = written(tmp_path / "a.jgz", "[" + "0," * 2_000_000 + "0]")
    assert bomb.stat().st_size < 10_000
    items = stream_array(bomb, maximum=1 << 21)
    with pytest.raises(UnreadableFile, match="unfolds to more text"):
        for _ in items:
            pass
    monkeypatch.setattr(json_stream, "MAXIMUM_ITEM", 1 << 16)
    huge = written(tmp_path / "b.jgz", '["' + "x" * (3 << 20))
    with pytest.raises(UnreadableFile, match="item 0 is not complete"):
        next(stream_array(huge))


def test_items_before_the_fault_are_given(tmp_path):
    items = stream_array(written(tmp_path / "a.json", "[1, 2, oops]"))
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(UnreadableFile, match="item 2"):
        next(items)
