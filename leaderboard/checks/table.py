"""The table of values beside an entry, read without trusting it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...benchmark.results import COLUMNS
from ..entry import PerScene
from ..faults import Fault, shown
from ..scene_table import MAXIMUM_BYTES, MAXIMUM_ROWS
from ..strict_json import read_bounded

__all__ = ["SceneTable", "read_scene_table"]

BYTES_OF_ROW = 256
"""Uncompressed; it needs about 60."""

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]

TYPES = dict(zip(COLUMNS, ("string", "int64", "int64", "int64", "string", "int64", "double", "double"), strict=True))

ANEW = "write entry and table anew with viewsweep submit"


@dataclass(frozen=True, eq=False)
class SceneTable:
    """The table by columns, each [N].

    Args:
        methods: names that occur.
        metrics: names that occur; `metric` counts them.
        metric: which of `metrics`.
        index, seed, label, view, yaw_deg, value: as in ``per_scene.parquet``.
    """

    methods: list[str]
    metrics: list[str]
    metric: Whole
    index: Whole
    seed: Whole
    label: Whole
    view: Whole
    yaw_deg: Real
    value: Real

    def __len__(self) -> int:
        return len(self.value)


def read_scene_table(path: Path, record: PerScene) -> tuple[SceneTable | None, list[Fault]]:
    """The table at `path`, which the entry describes by `record`, and what is wrong with the file."""
    data, faults = read_bounded(path, MAXIMUM_BYTES)
    if data is None:
        return None, faults
    if len(data) != record.bytes:
        faults.append(Fault.error(path, "per_scene.bytes", f"{len(data)} bytes; the entry says {record.bytes}", ANEW))
    digest = hashlib.sha256(data).hexdigest()
    if digest != record.sha256:
        message = f"its sha256 is {digest}; the entry says {record.sha256}"
        faults.append(Fault.error(path, "per_scene.sha256", message, ANEW))
    try:
        table, further = _read(path, data, record)
    except MemoryError:
        raise
    except Exception as error:  # whatever pyarrow stumbles over, the file is the reason
        message = f"not readable as a table ({type(error).__name__}: {shown(str(error))})"
        return None, [*faults, Fault.error(path, "", message, ANEW)]
    return table, faults + further


def _read(path: Path, data: bytes, record: PerScene) -> tuple[SceneTable | None, list[Fault]]:
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(io.BytesIO(data), read_dictionary=["method", "metric"]) as file:
        head: Any = file.metadata
        faults = []
        if head.num_rows != record.rows:
            message = f"{head.num_rows} rows; the entry says {record.rows}"
            faults.append(Fault.error(path, "per_scene.rows", message, ANEW))
        unpacked = sum(head.row_group(group).total_byte_size for group in range(head.num_row_groups))
        if head.num_rows > MAXIMUM_ROWS or unpacked > (head.num_rows + 1000) * BYTES_OF_ROW:
            message = f"{head.num_rows} rows that unpack to {unpacked} bytes"
            return None, [*faults, Fault.error(path, "", message, "a table of scenes is smaller")]
        types = {field.name: str(getattr(field.type, "value_type", field.type)) for field in file.schema_arrow}
        if types != TYPES or len(file.schema_arrow) != len(TYPES):
            message = f"its columns are {', '.join(f'{shown(name)} {kind}' for name, kind in list(types.items())[:12])}"
            hint = f"they must be {', '.join(f'{name} {kind}' for name, kind in TYPES.items())}"
            return None, [*faults, Fault.error(path, "columns", message, hint)]
        table = file.read()
    if holes := [name for name in COLUMNS if table.column(name).null_count]:
        return None, [*faults, Fault.error(path, "columns", f"values are missing in {', '.join(holes)}", ANEW)]
    methods, _ = _names(table.column("method"))
    metrics, metric = _names(table.column("metric"))

    def whole(name: str) -> Whole:
        return np.asarray(table.column(name).to_numpy(), dtype=np.int64)

    def real(name: str) -> Real:
        return np.asarray(table.column(name).to_numpy(), dtype=np.float64)

    found = SceneTable(
        methods,
        metrics,
        metric,
        index=whole("index"),
        seed=whole("seed"),
        label=whole("label"),
        view=whole("view"),
        yaw_deg=real("yaw_deg"),
        value=real("value"),
    )
    return found, faults


def _names(column: Any) -> tuple[list[str], Whole]:
    """The names in a column of texts, those that occur, and which of them each row has."""
    import pyarrow

    coded = column.combine_chunks() if pyarrow.types.is_dictionary(column.type) else column.dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pyarrow.ChunkedArray) else coded
    if isinstance(coded, pyarrow.ChunkedArray):  # without rows
        return [], np.zeros(0, dtype=np.int64)
    used, codes = np.unique(coded.indices.to_numpy(zero_copy_only=False), return_inverse=True)
    names = coded.dictionary.to_pylist()
    return [str(names[int(place)]) for place in used], codes.astype(np.int64)
