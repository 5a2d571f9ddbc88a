"""A trained problem's folder: what it holds, how it is written, and what is refused when it is read.

config.json             schema, problem, constructor arguments, the generator that is inverted
problem.safetensors     weights, in half precision
training.json           the recipe and where it ran; not read back
README.md               model card
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ...scenes.errors import UnreadableFile, UserError
from ...scenes.files import atomic_write, make_folder
from ..gan.method import GanMethod
from ..weight_file import file_digest, read_weights, write_weights
from .core import InverseProblem
from .model_card import model_card
from .problems import PROBLEMS, make_problem

__all__ = ["CONFIG", "SCHEMA", "WEIGHTS", "Stored", "described", "load_problem", "save_problem", "shipped"]

SCHEMA = "viewsweep.dfm/1"
CONFIG, WEIGHTS = "config.json", "problem.safetensors"


@dataclass(frozen=True, eq=False)
class Stored:
    """A problem as it was found.

    Args:
        problem: float32, on the device, in evaluation mode.
        name: "scene", "motion" or "inversion".
        inverted: the method whose generator is inverted; None elsewhere.
        sha256: hash of the weight file.
    """

    problem: InverseProblem
    name: str
    inverted: GanMethod | None
    sha256: str


def save_problem(folder: Path, problem: InverseProblem, name: str, generator: str, record: Mapping[str, Any]) -> None:
    """Write a problem's folder, the configuration last: without it the folder is none.

    Args:
        generator: name of the method whose generator is inverted; empty elsewhere.
        record: for ``training.json`` and the model card; ``files`` is added.

    Raises:
        UserError: a weight too large for half precision.
        WriteFailed: disk full or folder not writable.
    """
    make_folder(folder)
    digest = write_weights(folder / WEIGHTS, problem, {"viewsweep": json.dumps({"problem": name})})
    whole = {**record, "files": {WEIGHTS: digest}}
    atomic_write(folder / "training.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    atomic_write(folder / "README.md", model_card(whole, sum(value.numel() for value in problem.parameters())))
    config = {"schema": SCHEMA, "problem": name, "settings": problem.settings, "generator": generator}
    atomic_write(folder / CONFIG, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def shipped(name: str) -> Path:
    """The folder of a shipped problem."""
    return Path(str(resources.files("viewsweep.baselines.dfm") / "weights" / name))


def described(folder: Path) -> str:
    """What is in a trained problem's folder, in words: its training, configuration, steps, and the weights' hash.

    Raises:
        UserError: there is no trained problem in it.
        UnreadableFile: its record is damaged.
    """
    path = folder / "training.json"
    if not path.is_file():
        raise _no_problem(folder, path.name)
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        told = f"{record['what']} --config {record['config']}, {record['recipe']['steps']} steps"
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{path}: not the record of a training ({type(error).__name__}: {error}).") from error
    if not (folder / WEIGHTS).is_file():
        raise _no_problem(folder, WEIGHTS)
    return f"{told} (sha256 {file_digest(folder / WEIGHTS)[:12]})"


def load_problem(folder: Path, device: str = "cpu") -> Stored:
    """Read a problem's folder.

    Raises:
        UserError: there is no such folder, or it is none of a trained problem.
        UnreadableFile: damaged, or written by another version; tensors that do not fit.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise _no_problem(folder, CONFIG)
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: not readable ({error}).") from error
    if not isinstance(config, dict) or config.get("schema") != SCHEMA or config.get("problem") not in PROBLEMS:
        raise UnreadableFile(f"{path}: not the configuration of a problem of this version ({SCHEMA}).")
    try:
        problem, inverted = make_problem(config["problem"], config["settings"], config["generator"], device)
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UnreadableFile(
            f"{path}: not the configuration of the problem {config['problem']} ({type(error).__name__}: {error}).",
            hint="Train it again, or use the version of viewsweep that wrote it.",
        ) from error
    hint = "The file belongs to another problem than config.json describes; both come from one training."
    problem.load_state_dict(read_weights(folder / WEIGHTS, problem, hint=hint))
    return Stored(problem.eval().requires_grad_(False), config["problem"], inverted, file_digest(folder / WEIGHTS))


def _no_problem(folder: Path, missing: str) -> UserError:
    return UserError(
        f"{folder}: there is no {missing}, so this is no folder of a trained problem.",
        hint="Train one with `viewsweep train dfm-motion --out DIR` and give DIR/problem.",
    )
