"""The table of single values behind an entry: the lines of one method in a run's ``per_scene.parquet``.

Columns are those of `benchmark.results.COLUMNS`, lines are sorted by metric, index and view.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..benchmark.results import COLUMNS
from ..scenes.errors import UnreadableFile

if TYPE_CHECKING:
    import pyarrow

__all__ = ["MAXIMUM_BYTES", "MAXIMUM_ROWS", "pack", "rows_of"]

MAXIMUM_BYTES = 64 << 20
MAXIMUM_ROWS = 10_000_000


def rows_of(table: Path, method: str) -> pyarrow.Table:
    """The lines of one method in the table of a run.

    Raises:
        UnreadableFile: no such table, or not one of a run.
    """
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    try:
        whole = pyarrow.parquet.read_table(table, columns=list(COLUMNS))
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise UnreadableFile(
            f"{table}: not readable as the table of a run ({error}).", hint="Run `viewsweep evaluate` on the run again."
        ) from error
    own = whole.filter(pyarrow.compute.equal(whole["method"], method))
    return _sorted(own)


def pack(table: pyarrow.Table) -> bytes:
    """The table as a parquet file; with one version of pyarrow the same table gives the same bytes."""
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata(None),
        buffer,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in COLUMNS if name != "value"],
        column_encoding={"value": "BYTE_STREAM_SPLIT"},  # a fifth smaller
    )
    return buffer.getvalue()


def _sorted(table: pyarrow.Table) -> pyarrow.Table:
    return table.sort_by([("metric", "ascending"), ("index", "ascending"), ("view", "ascending")])
