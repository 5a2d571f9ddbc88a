"""JSON from others: what is refused, where, and that nothing else happens whatever the bytes are."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from viewsweep.leaderboard.strict_json import MAXIMUM_ENTRY, load_entry, parse_json, read_json_strictly
from viewsweep.scenes.errors import UserError

LIMIT = 1 << 20


def keys(data: bytes) -> list[str]:
    return [fault.key for fault in read_json_strictly(data, name="x.json", limit=LIMIT)[1]]


def test_all_faults_are_found_at_once_each_with_its_place() -> None:
    data = b'{"a": {"b": [1, NaN], "c": 1, "c": 2}, "d": 1e13, "e": "\\u202e"}'
    assert keys(data) == ["a.b.1", "a.c", "d", "e"]


def test_what_json_can_hold_comes_through_unchanged() -> None:
    value = {"a": [1, -2.5, True, None, "é\n\t≤"], "b": {"c": {}}, "": 10**12}
    assert parse_json(json.dumps(value).encode(), name="x", limit=LIMIT) == value


@pytest.mark.parametrize("number", ["1" * 10_000, "-" + "1" * 5000, "1e400", "1" * 30 + ".5", "Infinity", "1e12000"])
def test_huge_numbers_are_refused_without_being_computed(number: str) -> None:
    start = time.perf_counter()
    with pytest.raises(UserError, match="is not read"):
        parse_json(number.encode(), name="x", limit=LIMIT)
    assert time.perf_counter() - start < 0.5


def test_the_size_is_looked_at_before_the_content() -> None:
    with pytest.raises(UserError, match="larger than 1024 KiB"):
        parse_json(b"[" * (LIMIT + 1), name="x", limit=LIMIT)


def test_a_text_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_bytes(b'{"command": "' + b"a" * (10 << 20) + b'"}')
    with pytest.raises(UserError, match=f"larger than {MAXIMUM_ENTRY >> 10} KiB"):
        load_entry(path)
    assert "a text of 100000 characters" in str(
        read_json_strictly(b'{"command": "' + b"a" * 100_000 + b'"}', name="x", limit=LIMIT)[1][0]
    )


def test_thousands_of_faults_end_in_a_short_message() -> None:
    data = json.dumps(["<script>"] * 5000).encode()
    assert len(keys(data)) <= 60
    assert len(keys(b"[" + b"NaN," * 50_000 + b"1]")) <= 110


@pytest.mark.parametrize("depth", [17, 5_000, 200_000])
def test_depth_is_refused_before_anything_recurses(depth: int) -> None:
    with pytest.raises(UserError, match="nested deeper"):
        parse_json(b"[" * depth + b"]" * depth, name="x", limit=LIMIT)
    with pytest.raises(UserError, match="nested deeper"):
        parse_json(b'{"a":' * depth + b"1" + b"}" * depth, name="x", limit=2 << 20)


def test_brackets_in_texts_are_no_depth() -> None:
    assert parse_json(json.dumps("[{" * 100 + '\\"[').encode(), name="x", limit=LIMIT) == "[{" * 100 + '\\"['


def test_messages_never_carry_the_control_characters_they_complain_of() -> None:
    faults = read_json_strictly(b'{"a\\u001b[2J": "\\u001b[2J", "b\\u202e": NaN}', name="x", limit=LIMIT)[1]
    assert faults
    assert all(str(fault).isprintable() for fault in faults)


def test_messages_of_failed_scenes_may_quote_python() -> None:
    text = "TypeError: <class 'int'> and <function f at 0x7f> at a < b, x <= y"
    assert parse_json(json.dumps(text).encode(), name="x", limit=LIMIT) == text


@pytest.mark.parametrize("text", ["<b>", "</p>", "<!--", "<?php", "a<img src=x>", "JavaScript:alert(1)"])
def test_markup_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="mark-up"):
        parse_json(json.dumps(text).encode(), name="x", limit=LIMIT)


def test_look_alike_letters_are_pointed_out() -> None:
    (fault,) = read_json_strictly(b'"\\u043eracle"', name="x", limit=LIMIT)[1]
    assert fault.severity == "warning"
    assert "Cyrillic and Latin" in fault.message


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b'"\\ud800"')
@example(b"1" * 4301)
@example(b'{"__proto__": 1, "__proto__": 2}')
def test_whatever_the_bytes_are_there_is_a_value_or_a_user_error(data: bytes) -> None:
    try:
        value = parse_json(data, name="x", limit=LIMIT)
    except UserError as error:
        assert str(error)  # noqa: PT017  either way is right
    else:
        assert _strict(value)
        assert json.loads(data) == value  # what was read is what every other reader reads


@given(st.text(alphabet='[]{}",:\\0123456789.eE+-aNInfty \n', max_size=80))
def test_whatever_looks_like_json_is_read_as_others_read_it(text: str) -> None:
    try:
        value = parse_json(text.encode(), name="x", limit=LIMIT)
    except UserError:
        return
    assert json.loads(text) == value


def _strict(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) <= 1e12
    if isinstance(value, int):
        return abs(value) < sys.maxsize
    if isinstance(value, dict):
        return all(_strict(key) and _strict(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_strict, value))
    return True
