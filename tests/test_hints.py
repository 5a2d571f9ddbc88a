"""What a message tells people to type or to read is there: options of the command line, pages of the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import viewsweep
from viewsweep.cli import app

ROOT = Path(viewsweep.__file__).parent
FOLDERS = ("baselines", "benchmark", "commands", "leaderboard", "metrics", "reports", "scenes")

OPTION = re.compile(r"(?<![\w(-])--[a-z][a-z_-]*[a-z](?!\w)")
PAGE = re.compile(r"\bdocs/[\w-]+\.md\b")
FOREIGN = {"--porcelain", "--input_path", "--output_path", "--output_type"}
"""Of git and of COLMAP."""


def texts(folder: str) -> Iterator[tuple[str, str]]:
    """Every text in the code of a folder with where it stands; colours of pages, which are written alike, are none."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def options(command: Any) -> set[str]:
    own = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    return own.union(*(options(verb) for verb in getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("folder", [name for name in FOLDERS if name != "reports"])  # whose colours are --ink and so on
def test_options_that_are_named_exist(folder: str) -> None:
    known = options(typer.main.get_command(app)) | {"--help"} | FOREIGN
    named = [(place, option) for place, text in texts(folder) for option in OPTION.findall(text)]
    assert [pair for pair in named if pair[1] not in known] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_pages_that_are_named_exist(folder: str) -> None:
    named = [(place, page) for place, text in texts(folder) for page in PAGE.findall(text)]
    assert [pair for pair in named if not (ROOT / pair[1]).is_file()] == []


def test_nobody_is_told_to_raise_a_limit_that_no_option_sets() -> None:
    assert [place for name in FOLDERS for place, text in texts(name) if "raise the limit" in text] == []


def test_a_hint_that_leads_nowhere_is_seen() -> None:
    assert OPTION.findall("Give it with --speed, or (--out) or var(--ink); a --half-measure.") == [
        "--speed",
        "--half-measure",
    ]
    assert PAGE.findall("see docs/protocols.md, or docs/submit.md.") == ["docs/protocols.md", "docs/submit.md"]
