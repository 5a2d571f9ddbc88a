"""JSON Schemas of the board's files, generated from their models.

``python -m viewsweep.leaderboard.json_schema`` writes them anew; a test fails while they are stale.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from ..scenes.files import atomic_write, make_folder
from .card import MethodCard, Reported
from .entry import Entry

__all__ = ["FOLDER", "MODELS", "schema_text", "write_schemas"]

FOLDER = Path(__file__).with_name("schema")

MODELS: dict[str, type[BaseModel]] = {"entry": Entry, "card": MethodCard, "reported": Reported}


def schema_text(name: str) -> str:
    """The schema of one of `MODELS`, as its file holds it."""
    schema = MODELS[name].model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"viewsweep {name}"}
    return json.dumps(head | {key: value for key, value in schema.items() if key != "title"}, indent=2) + "\n"


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Write all schemas."""
    make_folder(folder)
    written = [folder / f"{name}.schema.json" for name in MODELS]
    for path, name in zip(written, MODELS, strict=True):
        atomic_write(path, schema_text(name))
    return written


if __name__ == "__main__":
    for written in write_schemas():
        print(written)
