"""The table beside an entry as a file: what is not exactly such a table is refused before it is believed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from viewsweep.benchmark.results import COLUMNS
from viewsweep.leaderboard.checks.table import read_scene_table
from viewsweep.leaderboard.entry import PerScene

from .good_board import METHOD, PROTOCOL, pack_table, read_rows


@pytest.fixture(scope="module")
def good(pristine_board: Path) -> bytes:
    return (pristine_board / "entries" / PROTOCOL / f"{METHOD}.parquet").read_bytes()


def faults_of(path: Path, data: bytes, rows: int | None = None) -> list[str]:
    path.write_bytes(data)
    count = pyarrow.parquet.read_metadata(path).num_rows if rows is None else rows
    record = PerScene(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), rows=count)
    return [str(fault).removeprefix(f"{path}: ") for fault in read_scene_table(path, record)[1]]


def write(table: Any, **options: Any) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def test_rows_come_through_as_they_are(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    assert faults_of(path, good) == []
    rows = read_rows(path)
    record = PerScene(sha256=hashlib.sha256(good).hexdigest(), bytes=len(good), rows=len(rows))
    table, _ = read_scene_table(path, record)
    assert table is not None
    assert table.methods == [METHOD]
    assert [table.metrics[code] for code in table.metric] == [row[4] for row in rows]
    assert table.value.tolist() == [row[7] for row in rows]
    assert table.index.tolist() == [row[1] for row in rows]


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"use_dictionary": False}, {"row_group_size": 7}])
def test_it_does_not_matter_how_the_file_was_written(options: dict[str, Any], good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(good)
    whole = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert faults_of(tmp_path / "x.parquet", write(whole, **options)) == []


def test_other_columns_other_types_and_holes_are_refused(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(good)
    whole = pyarrow.parquet.read_table(path)
    more = whole.append_column("script", pyarrow.array(["<script>"] * len(whole)))
    wide = whole.set_column(7, "value", whole.column("value").cast("float32"))
    values = [None, *whole.column("value").to_pylist()[1:]]
    holed = whole.set_column(7, "value", pyarrow.array(values, "float64"))
    assert "columns: its columns are" in faults_of(path, write(whole.drop_columns(["seed"])))[0]
    assert "'script' string" in faults_of(path, write(more))[0]
    assert "'value' float" in faults_of(path, write(wide))[0]
    assert "values are missing in value" in faults_of(path, write(holed))[0]
    twice = pyarrow.table([*whole.columns[:7], whole.columns[6]], names=[*COLUMNS[:7], "yaw_deg"])
    assert faults_of(path, write(twice))


def test_a_table_that_unfolds_is_refused(tmp_path: Path) -> None:
    """A text of a megabyte in each row costs nothing in the file."""
    rows = [("x" * 1_000_000, 0, 0, 0, "m", -1, 0.0, 0.0)] * 50
    data = pack_table(rows)
    path = tmp_path / "x.parquet"
    path.write_bytes(data)
    assert "unpack to" in faults_of(path, data)[0]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "x.parquet", pack_table([])) == []


@given(data=st.data())
def test_damage_is_a_fault_and_never_anything_else(
    data: st.DataObject, good: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        # the end holds the description of the columns, where damage does most
        at = data.draw(st.integers(0, len(good) - 1) | st.integers(len(good) - 1500, len(good) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.parquet"
    path.write_bytes(content)
    record = PerScene(sha256=hashlib.sha256(good).hexdigest(), bytes=len(good), rows=1)
    table, faults = read_scene_table(path, record)
    assert faults
    assert table is None or len(table) >= 0
