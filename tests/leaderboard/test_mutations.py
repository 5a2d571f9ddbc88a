"""Whatever number of a valid entry is changed, the change is found, or can only be found by measuring again.

What the last group holds is written down here: it is what `verify` is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.leaderboard.entry import Entry
from viewsweep.leaderboard.expectation import expectation
from viewsweep.leaderboard.strict_json import read_entry
from viewsweep.leaderboard.validate import validate
from viewsweep.scenes.errors import ViewsweepError

from .good_board import METHOD, PROTOCOL, TODAY, write_rows
from .good_board import read_rows as rows_of

ENTRY = f"entries/{PROTOCOL}/{METHOD}.json"

SETS = r"(is|vendi)\[tabletop\]"

ONLY_BY_MEASURING_AGAIN = re.compile(
    rf"metrics\.({SETS}\.(value|n)|.*\.(ci_low|ci_high)|lpips_covisible.*\.n)"  # pictures have to be looked at
    r"|archive\.bytes"  # the archive is not here
    r"|cost\..*|method\.details\..*"  # what the method and the machine say of themselves
)


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, (*place, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from numbers(inner, (*place, position))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place


def changed(content: dict[str, Any], place: tuple[Any, ...], change: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(content))
    inner: Any = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = change(inner[place[-1]])
    return copy


def by_one_per_cent(value: float) -> float:
    return value + 1 if isinstance(value, int) else value * 1.01


def errors(path: Path) -> list[str]:
    return [str(fault) for fault in validate(path, today=TODAY) if fault.severity == "error"]


def test_every_number_that_is_changed_is_found_or_left_to_verify(board: Path) -> None:
    path = board / ENTRY
    content = json.loads(path.read_text())
    unseen = []
    places = list(numbers(content))
    assert len(places) > 100
    for place in places:
        path.write_text(json.dumps(changed(content, place, by_one_per_cent)))
        if not errors(path):
            unseen.append(".".join(map(str, place)))
    assert [name for name in unseen if not ONLY_BY_MEASURING_AGAIN.fullmatch(name)] == []
    seen = {".".join(map(str, place)) for place in places} - set(unseen)
    assert {"metrics.warp_psnr@30.value", "metrics.loop_psnr.n", "scenes.evaluated", "per_scene.rows"} <= seen


def test_every_value_in_the_table_that_is_changed_is_found(board: Path) -> None:
    """The mean of a scene's views is not its value (pairs count twice), so single views are left to verify."""
    table = (board / ENTRY).with_suffix(".parquet")
    rows = rows_of(table)
    whole = [at for at, row in enumerate(rows) if row[5] == -1]
    for at in whole[::7]:
        spoilt = list(rows)
        spoilt[at] = (*rows[at][:7], rows[at][7] * 1.01)
        write_rows(table, spoilt, seal=True)
        assert errors(board / ENTRY), rows[at]


@pytest.mark.parametrize("share", [0.999999, 1.000001])
def test_rounding_is_no_fault_and_anything_more_is(board: Path, share: float) -> None:
    path = board / ENTRY
    content = json.loads(path.read_text())
    place = ("metrics", "warp_psnr", "value")
    path.write_text(json.dumps(changed(content, place, lambda value: value * (1 + (share - 1) * 1e-6))))
    assert errors(path) == []
    path.write_text(json.dumps(changed(content, place, lambda value: value * share)))
    assert len(errors(path)) == 1


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@given(data=st.data(), hostile=HOSTILE)
def test_whatever_stands_anywhere_checks_never_break(data: st.DataObject, hostile: Any, pristine_board: Path) -> None:
    """Any part of an entry replaced by anything: there is an answer, and it is a list of faults."""
    content = json.loads((pristine_board / ENTRY).read_text())
    place: list[Any] = []
    inner: Any = content
    while isinstance(inner, dict | list) and inner and (not place or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        place.append(key)
        inner = inner[key]
    spoilt = changed(content, tuple(place), lambda _: hostile)
    path = pristine_board / "entries" / PROTOCOL / "spoilt.json"
    try:
        path.write_text(json.dumps(spoilt))
        faults = validate(path, today=TODAY)
        entry = read_entry(path)[0]
    finally:
        path.unlink()
    assert all(str(fault).isprintable() for fault in faults)
    assert entry is None or isinstance(entry, Entry)
    assert any(fault.severity == "error" for fault in faults)  # at least: that is not its name


@given(content=st.binary(max_size=300))
def test_whatever_lies_on_a_board_there_is_an_answer(content: bytes, pristine_board: Path) -> None:
    for name in ("entries/tiny/any.json", "methods/any.yml", "reported/any.yml"):
        path = pristine_board / name
        try:
            path.write_bytes(content)
            assert errors(path)
        except ViewsweepError as error:  # pragma: no cover  a board never raises for what lies on it
            raise AssertionError(name) from error
        finally:
            path.unlink()


def test_a_check_knows_no_metric_by_name(pristine_board: Path) -> None:
    """What is per scene follows from the metric's class: the facts cover every id of the protocol."""
    facts = expectation(load_protocol(str(pristine_board / "protocols" / "tiny.yaml"))).metrics
    entry = json.loads((pristine_board / ENTRY).read_text())
    assert list(facts) == list(entry["metrics"])
    assert {key for key, fact in facts.items() if not fact.per_scene} == {"is[tabletop]", "vendi[tabletop]"}
