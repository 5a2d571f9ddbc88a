"""The schemas beside the models are those of the models, and they accept what the models accept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from viewsweep.leaderboard.json_schema import FOLDER, MODELS, schema_text, write_schemas


@pytest.mark.parametrize("name", MODELS)
def test_schemas_are_fresh(name: str) -> None:
    path = FOLDER / f"{name}.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(name), (
        "the model has changed; run python -m viewsweep.leaderboard.json_schema"
    )


@pytest.mark.parametrize("name", MODELS)
def test_schemas_allow_no_unknown_key_and_require_a_version(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["additionalProperties"] is False
    assert "schema_version" in schema["required"]
    assert schema["properties"]["schema_version"]["const"] == 1


def test_there_is_no_schema_without_a_model() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.schema.json" for name in MODELS}


def test_writing_them_again_gives_the_same_bytes(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert [path.read_bytes() for path in written] == [(FOLDER / path.name).read_bytes() for path in written]
