"""The package list in pyproject.toml is complete, and folders import only from the floors below them."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"scenes": 0, "metrics": 1, "baselines": 1, "benchmark": 2, "reports": 3, "leaderboard": 4, "commands": 5}
"""Floors of the house; `commands` (the verbs) and the files at the root may import all."""


def packages() -> set[str]:
    """Folders of the package as dotted names: everything with an ``__init__.py`` that is not under tests or hidden."""
    found = {"viewsweep"}
    for path in ROOT.rglob("__init__.py"):
        parts = path.relative_to(ROOT).parent.parts
        if (
            parts
            and parts[0] != "tests"
            and not any(part.startswith(".") or part in ("build", "runs") for part in parts)
        ):
            found.add(".".join(("viewsweep", *parts)))
    return found


def imported_folders(source: str, package: tuple[str, ...]) -> set[str]:
    """Top folders of viewsweep that a module imports from, also inside functions.

    Args:
        package: the module's own folder below the root, e.g. ("metrics",).
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [name.name.split(".") for name in node.names]
            found |= {parts[1] for parts in names if parts[0] == "viewsweep" and len(parts) > 1}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level == 0:
                if module[:1] != ["viewsweep"]:
                    continue
                path = module[1:]
            else:
                path = [*package[: len(package) - node.level + 1], *module]
            found |= {path[0]} if path else {name.name for name in node.names}
    return {name for name in found if name in FLOORS}


def forbidden(folder: str, imports: set[str]) -> set[str]:
    """Those of `imports` that do not lie below `folder`; siblings on one floor do not know each other."""
    return {name for name in imports if name != folder and FLOORS[name] >= FLOORS[folder]}


def modules() -> list[Path]:
    return sorted(path for folder in FLOORS for path in (ROOT / folder).rglob("*.py"))


def test_pyproject_lists_every_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == packages()
    assert listed == sorted(listed)


def test_package_data_belongs_to_listed_packages():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(setup["package-data"]) <= set(setup["packages"])


def test_the_board_comes_with_the_package():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    board = ROOT / "leaderboard"
    shipped = {path for pattern in setup["package-data"]["viewsweep.leaderboard"] for path in board.glob(pattern)}
    folders = ("entries", "methods", "protocols", "reported", "schema")
    held = {path for name in folders for path in (board / name).rglob("*") if path.is_file()}
    assert held - shipped == set()
    assert {path.suffix for path in shipped} >= {".json", ".parquet", ".yml"}


def test_every_folder_of_the_package_has_a_floor():
    assert {name.split(".")[1] for name in packages() if "." in name} == set(FLOORS)


def test_imports_go_down_only():
    faults = {}
    for path in modules():
        parts = path.relative_to(ROOT).parent.parts
        if found := forbidden(parts[0], imported_folders(path.read_text(encoding="utf-8"), parts)):
            faults[str(path.relative_to(ROOT))] = found
    assert not faults


def test_modules_inside_import_relatively():
    faults = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            faults += [f"{path.relative_to(ROOT)}: {name}" for name in names if name.split(".")[0] == "viewsweep"]
    assert not faults


@pytest.mark.parametrize(
    ("source", "package", "expected"),
    [
        ("from ..benchmark import run", ("metrics",), {"benchmark"}),
        ("from ...reports.html import page", ("baselines", "ivid"), {"reports"}),
        ("from .. import leaderboard", ("scenes",), {"leaderboard"}),
        ("import viewsweep.metrics.fid", ("scenes",), {"metrics"}),
        ("def f():\n    from viewsweep.baselines import x", ("metrics",), {"baselines"}),
    ],
)
def test_the_guard_sees_imports_upwards(source, package, expected):
    found = imported_folders(source, package)
    assert found == expected
    assert forbidden(package[0], found) == expected


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("from ..scenes.cameras import Cameras", ("metrics",)),
        ("from .warp import warp\nfrom . import warp", ("metrics",)),
        ("from ...scenes import Scene\nfrom ..reference import oracle", ("baselines", "ivid")),
        ("import numpy as np\nfrom torch import Tensor", ("scenes",)),
    ],
)
def test_the_guard_lets_imports_downwards_pass(source, package):
    assert forbidden(package[0], imported_folders(source, package)) == set()
