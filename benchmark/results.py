"""The two files an evaluation leaves: `results.json` and `per_scene.parquet`.

Neither holds a time or a path outside the run, so the same scenes give the same bytes whenever and
however often interrupted they were made.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from .run_directory import RunDirectory, pretty_json

__all__ = ["COLUMNS", "RESULTS_SCHEMA", "TableRow", "changed_files"]

RESULTS_SCHEMA = "viewsweep.results/1"

TableRow = tuple[int, int | None, int | None, str, int, float | None, float]
"""index, seed, label, metric, view, yaw_deg (None for a whole scene), value."""

COLUMNS = ("method", "index", "seed", "label", "metric", "view", "yaw_deg", "value")


def changed_files(
    run: RunDirectory, results: dict[str, Any], rows: dict[str, list[TableRow]]
) -> list[tuple[Path, bytes]]:
    """The files that have to change, each with its new content."""
    wanted = [(run.results_json, pretty_json(results).encode()), (run.per_scene, _table(rows))]
    return [(path, content) for path, content in wanted if not path.exists() or path.read_bytes() != content]


def _table(rows: dict[str, list[TableRow]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    lines = []
    for method, values in rows.items():
        for index, seed, label, metric, view, yaw, value in values:
            known = (-1 if seed is None else seed, -1 if label is None else label)
            lines.append((method, index, *known, metric, view, math.nan if yaw is None else yaw, value))
    lines.sort(key=lambda line: (line[0], line[4], line[1], line[5]))
    types = (
        pyarrow.string(),
        pyarrow.int64(),
        pyarrow.int64(),
        pyarrow.int64(),
        pyarrow.string(),
        pyarrow.int64(),
        pyarrow.float64(),
        pyarrow.float64(),
    )
    columns = list(zip(*lines, strict=True)) or [()] * len(COLUMNS)
    table = pyarrow.table(
        [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)], names=list(COLUMNS)
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()
