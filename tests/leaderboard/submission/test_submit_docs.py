"""docs/submit.md leads from a method file to a valid and verified entry, as written, on a small protocol."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import viewsweep
import yaml
from typer.testing import CliRunner
from viewsweep.cli import app
from viewsweep.leaderboard.board import BoardFolder
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.validate import validate

from .finished_run import PROTOCOL

PAGE = Path(viewsweep.__file__).parent / "docs" / "submit.md"
SHIPPED = "tabletop64-demo"
EXITS = {"submit": 3}
"""The first `submit` asks for the card to be completed."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[list[str]]:
    """What the page tells to type, but for the installation, under a protocol that takes seconds."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("viewsweep ")]
    small = [line.replace(f"run {SHIPPED}", "run pebbles.yaml").replace(SHIPPED, "pebbles16") for line in lines]
    return [shlex.split(line.partition(" #")[0])[1:] for line in small]


def test_the_method_takes_twenty_lines() -> None:
    (method,) = blocks("python")
    lines = [line for line in method.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) <= 20, "the page promises twenty lines"


def test_the_page_leads_to_a_verified_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "cache"))
    Path("balls.py").write_text(blocks("python")[0])
    Path("pebbles.yaml").write_text(yaml.safe_dump(PROTOCOL, sort_keys=False))
    typed = commands()
    assert [command[0] for command in typed] == ["doctor", "check-method", "run", "submit", "validate", "verify"]
    for command in typed:
        quick = ["--quick", "--size", "16"] if command[0] == "check-method" else []
        result = CliRunner().invoke(app, [*command, *quick])
        assert result.exit_code == EXITS.get(command[0], 0), f"{command}: {result.output}"
        if command[0] == "submit":
            assert "FILL IN" in Path("leaderboard/methods/balls.yml").read_text()
            Path("leaderboard/methods/balls.yml").write_text(blocks("yaml")[0])
    entry = BoardFolder(Path("leaderboard")).entry("pebbles16", "balls")
    assert validate(Path("leaderboard")) == []
    assert load_entry(entry).metrics["nfs"].status == "ok"


def test_an_address_for_the_archive_changes_nothing_else(tmp_path: Path, finished: Path) -> None:
    typed = ["submit", str(finished), "--board", str(tmp_path / "board"), "--archive", str(tmp_path / "bright.tar")]
    entry = tmp_path / "board/entries/pebbles16/bright.json"
    CliRunner().invoke(app, [*typed, "--date", "2025-05-01"])
    before = entry.read_text()
    CliRunner().invoke(app, [*typed, "--date", "2025-05-01", "--archive-url", "https://example.org/bright.tar"])
    assert entry.read_text() == before.replace('"url": null', '"url": "https://example.org/bright.tar"', 1)
