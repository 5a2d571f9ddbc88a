"""A run directory as the report sees it: its versioned files, read and checked, nothing else.

`results.json` is required. `run.json` and `per_scene.parquet` may be missing (an evaluation of
imported pictures that was interrupted, say); the report then says what it could not show.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ..benchmark.results import COLUMNS, RESULTS_SCHEMA
from ..benchmark.roles import Role, in_order, role
from ..benchmark.run_directory import RUN_SCHEMA
from ..scenes.errors import UnreadableFile
from ..scenes.scene import Scene, load_scene
from ..scenes.tabletop import CLASSES
from .numbers import NOTHING

__all__ = ["Definition", "Failure", "Method", "Outcome", "RunFiles", "read_run"]


@dataclass(frozen=True)
class Definition:
    """What one column of numbers means."""

    id: str
    title: str
    unit: str = ""
    version: str = "1"
    higher_is_better: bool | None = None
    description: str = ""


@dataclass(frozen=True)
class Outcome:
    """One number, or why there is none (`value` is None then)."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    status: str = "not_run"
    reason: str = "this metric is not in the results of this method."

    @property
    def half_width(self) -> float | None:
        """Half the interval, where there is one."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Failure:
    """A scene that could not be drawn, read or measured."""

    index: int
    reason: str


@dataclass(frozen=True)
class Method:
    """One row of the results."""

    name: str
    requested: int
    evaluated: int
    failed: tuple[Failure, ...]
    outcomes: Mapping[str, Outcome]
    info: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    original: str = ""
    """Its name in its own run, where several runs are shown together under other names."""

    @property
    def role(self) -> Role:
        """ "ceiling", "method" or "cheat"."""
        return role(self.original or self.name)

    def outcome(self, metric: str) -> Outcome:
        return self.outcomes.get(metric, Outcome())


@dataclass(frozen=True)
class RunFiles:
    """The content of a run directory; scenes are read when asked for.

    `rows` has the columns of ``per_scene.parquet`` and is empty when that file is missing.
    Methods come in the order of the report: ceiling, methods, cheats, each by name.
    `parts` are the runs that were put together (see `merge`), and `homes` says for each method of
    theirs in which folder its scenes lie; both are empty where there is one run.
    """

    folder: Path
    protocol: Mapping[str, str]
    definitions: Mapping[str, Definition]
    methods: tuple[Method, ...]
    rows: pd.DataFrame
    run: Mapping[str, Any]
    parts: tuple[RunFiles, ...] = ()
    homes: Mapping[str, Path] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many samples a completion asks for, else 1; sample k of scene n has index n * samples + k."""
        declared = _mapping(self.resolved.get("completion")).get("samples")
        return declared if isinstance(declared, int) and declared > 0 else 1

    def called(self, index: int) -> str:
        """The number of a scene for people: "7", or "0, sample 7"."""
        scene, sample = divmod(index, self.samples)
        return str(index) if self.samples == 1 else f"{scene}, sample {sample}"

    @cached_property
    def scene_rows(self) -> pd.DataFrame:
        """`rows` with the samples of a scene taken together, by their mean, under the index of the first.

        Samples of one scene are not independent: what compares or resamples scenes must see each once.
        """
        if self.samples == 1:
            return self.rows
        own = self.rows.assign(index=self.rows["index"] // self.samples * self.samples)
        keys = ["method", "metric", "index", "view"]
        known = dict.fromkeys(("seed", "label", "yaw_deg"), "first")
        return own.groupby(keys, as_index=False, sort=False).agg(known | {"value": "mean"})[list(COLUMNS)]

    def scene_path(self, method: str, index: int) -> Path:
        """Where a scene lies; names that lead out of the run directory are refused."""
        own = next((entry.original for entry in self.methods if entry.name == method), "") or method
        home = Path(os.path.normpath(self.homes.get(method, self.folder) / "scenes"))
        place = Path(os.path.normpath(home / own))  # not resolved: a folder may well be a link elsewhere
        if home not in place.parents:
            raise UnreadableFile(f"'{method}': a method's scenes must lie inside {home}.")
        return place / f"{index:05d}.safetensors"

    def scene(self, method: str, index: int) -> Scene | None:
        """The scene, or None where the method has no file for it.

        Raises:
            UnreadableFile, InvalidScene: the file is there but cannot be used.
        """
        path = self.scene_path(method, index)
        return load_scene(path) if path.is_file() else None

    def scene_indices(self, method: str) -> set[int]:
        """Indices of the scene files of a method."""
        folder = self.scene_path(method, 0).parent
        return {int(path.stem) for path in folder.glob("*.safetensors") if path.stem.isdigit()}

    def label_name(self, label: int | None) -> str | None:
        """The class name of a label where some method or the protocol tells it, else "class 3"."""
        if label is None or label < 0:
            return None
        own = CLASSES if self.resolved.get("dataset") == "tabletop" else self.resolved.get("classes")
        for names in (own, *(method.info.get("classes") for method in self.methods)):
            if isinstance(names, list | tuple) and label < len(names):
                return str(names[label])
        return f"class {label}"

    @property
    def resolved(self) -> Mapping[str, Any]:
        """The resolved protocol that `run.json` records; empty without it."""
        return _mapping(self.run.get("protocol"))


def read_run(folder: Path) -> RunFiles:
    """Read the files of a run directory.

    Raises:
        UnreadableFile: there is no such folder, `results.json` is missing, or a file is broken, foreign or too new.
    """
    path = folder / "results.json"
    if not folder.is_dir():
        raise UnreadableFile(f"{folder}: there is no such folder.", hint="Name a run directory.")
    if not path.is_file():
        raise UnreadableFile(f"{path}: missing.", hint="Run `viewsweep evaluate` on this directory first.")
    results = _read_json(path, RESULTS_SCHEMA)
    run_path = folder / "run.json"
    run = _read_json(run_path, RUN_SCHEMA) if run_path.is_file() else {}
    try:
        definitions = {name: _definition(name, entry) for name, entry in results["metrics"].items()}
        recorded = _mapping(run.get("methods"))
        methods = [_method(name, entry, _mapping(recorded.get(name))) for name, entry in results["methods"].items()]
        protocol = {"version": NOTHING} | results["protocol"]
        protocol = {key: str(protocol[key]) for key in ("name", "version", "hash")}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFile(
            f"{path}: not laid out as {RESULTS_SCHEMA} ({type(error).__name__}: {error}).",
            hint="Run `viewsweep evaluate` again; finished scenes are kept.",
        ) from error
    by_name = {method.name: method for method in methods}
    ordered = tuple(by_name[name] for name in in_order(by_name))
    return RunFiles(folder, protocol, definitions, ordered, _read_rows(folder / "per_scene.parquet"), run)


def _definition(name: str, entry: Mapping[str, Any]) -> Definition:
    return Definition(
        id=name,
        title=str(entry.get("title") or name),
        unit=str(entry.get("unit") or ""),
        version=str(entry.get("version", "1")),
        higher_is_better=entry.get("higher_is_better"),
        description=str(entry.get("description") or ""),
    )


def _method(name: str, entry: Mapping[str, Any], recorded: Mapping[str, Any]) -> Method:
    scenes = entry["scenes"]
    failed = tuple(Failure(int(lost["index"]), str(lost["reason"])) for lost in scenes.get("failed", ()))
    seconds, memory = recorded.get("seconds"), recorded.get("peak_memory_bytes")
    return Method(
        name=name,
        requested=int(scenes["requested"]),
        evaluated=int(scenes["evaluated"]),
        failed=failed,
        outcomes={metric: _outcome(result) for metric, result in entry["metrics"].items()},
        info=_mapping(recorded.get("info")),
        seconds=None if seconds is None else float(seconds),
        peak_memory_bytes=None if memory is None else int(memory),
    )


def _outcome(result: Mapping[str, Any]) -> Outcome:
    value = float(result["value"]) if result["status"] == "ok" else None
    if value is not None and not math.isfinite(value):
        return Outcome(status="failed", reason=f"the value on record is {value}, not a number.")
    return Outcome(
        value=value,
        low=None if result.get("ci_low") is None else float(result["ci_low"]),
        high=None if result.get("ci_high") is None else float(result["ci_high"]),
        n=int(result.get("n") or 0),
        status=str(result["status"]),
        reason=str(result.get("reason") or ""),
    )


def _read_json(path: Path, schema: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: not readable as JSON ({error}).") from error
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise UnreadableFile(f"{path}: its schema is {found!r}; this version reads {schema}.", hint="Update viewsweep.")
    return dict(content)


def _read_rows(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame({name: [] for name in COLUMNS})
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors descend from these
        raise UnreadableFile(
            f"{path}: not a readable table ({error}).", hint="Run `viewsweep evaluate` again; finished scenes are kept."
        ) from error
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise UnreadableFile(f"{path}: lacks the columns {', '.join(missing)}.", hint="Run `viewsweep evaluate` again.")
    return rows[list(COLUMNS)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
