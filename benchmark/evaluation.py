"""From scenes on disk to `results.json` and `per_scene.parquet`.

Each scene is read once and each picture goes through the feature network once; all metrics share
both. What was measured for a method is kept under the hash of all that made it (scene files,
protocol, code of the metrics), so a second evaluation of the same scenes reads instead of computing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..scenes.errors import UserError, ViewsweepError
from ..scenes.files import atomic_write, make_folder
from ..scenes.scene import load_scene
from .determinism import EVALUATION_THREADS
from .environment import PACKAGES, package_version
from .fingerprint import sha256_file, sha256_json, source_fingerprint
from .measuring import Measured, Measurement
from .method_record import MethodRecord
from .picture_folder import PictureFolder
from .posed_data import PosedData
from .progress import Progress
from .protocol import Protocol
from .registry import find_method
from .results import RESULTS_SCHEMA, TableRow
from .run_directory import RunDirectory

__all__ = ["Evaluated", "evaluate_methods"]

CACHE_SCHEMA = "viewsweep.evaluation/1"


@dataclass
class Evaluated:
    """What an evaluation found.

    Args:
        results: the content of `results.json`.
        rows: the lines of `per_scene.parquet`, by method.
        failures: scenes no number rests on, one sentence each.
        unreadable: those among them whose file is there but cannot be used.
        refused: those among them that were drawn, and broke a rule.
        hashes: sha256 of each scene file.
        cached: True when nothing had to be computed.
    """

    results: dict[str, Any]
    rows: dict[str, list[TableRow]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    hashes: dict[Path, str] = field(default_factory=dict)
    cached: bool = True


@dataclass
class Folder:
    """The scenes of one method as they lie on disk: which were asked for, which are there."""

    method: str
    requested: int
    files: dict[int, Path]
    hashes: dict[int, str]
    missing: dict[int, str]
    refused: set[int]


def evaluate_methods(
    run: RunDirectory,
    protocol: Protocol | None,
    methods: list[str],
    *,
    pictures: PictureFolder | PosedData | None = None,
    progress: Progress,
    begin: Callable[[], object],
) -> Evaluated:
    """Measure the scenes of `methods`, against `pictures` where the protocol asks for a folder of real ones or videos.

    `begin` is called before the first computation.
    """
    if protocol is None:
        heading: dict[str, Any] = {"name": None, "version": None, "hash": None}
    else:
        reals = None if pictures is None else pictures.sha256
        heading = {"name": protocol.name, "version": protocol.version, "hash": protocol.hash_with(reals)}
        if protocol.completion is not None:
            heading |= {"task": protocol.task, "samples": protocol.samples}
    if pictures is not None:
        heading["pictures"] = {"sha256": pictures.sha256, "count": len(pictures)}
        if isinstance(pictures, PosedData):
            heading["videos"] = list(pictures.names)
    found = Evaluated({"schema": RESULTS_SCHEMA, "protocol": heading, "metrics": {}, "methods": {}})
    made_by = {
        "protocol": None if protocol is None else protocol.content,
        "pictures": None if pictures is None else pictures.sha256,
        "source": source_fingerprint("metrics", "scenes", "benchmark"),
        "packages": {name: package_version(name) for name in PACKAGES},
        "threads": EVALUATION_THREADS,
    }
    if protocol is not None and protocol.completion is not None and protocol.completion.frozen is not None:
        made_by["frozen"] = find_method(protocol.completion.frozen.method).fingerprint()
    measurement: Measurement | None = None
    for method in methods:
        folder = _look(run, protocol, method)
        found.hashes |= {folder.files[index]: digest for index, digest in folder.hashes.items() if digest}
        key = sha256_json(
            {"made by": made_by, "hashes": folder.hashes, "missing": folder.missing, "requested": folder.requested}
        )
        memo = run.cache / f"{method}.json"
        measured = _read(memo, key)
        if measured is None:
            begin()
            found.cached = False
            if measurement is None:
                measurement = Measurement(protocol, progress, pictures)
            measured = _measure(measurement, run, folder, progress)
            make_folder(run.cache)
            atomic_write(memo, _pack(key, measured))
        _add(found, run, folder, measured, protocol)
    return found


def _look(run: RunDirectory, protocol: Protocol | None, method: str) -> Folder:
    place = run.method_folder(method)
    if protocol is None:
        files = _numbered(sorted(place.glob("*.safetensors")))
        requested = len(files)
    else:
        requested = protocol.scenes * protocol.samples
        candidates = {index: run.scene_file(method, index) for index in range(requested)}
        files = {index: path for index, path in candidates.items() if path.exists()}
    record = MethodRecord.read(place / "method.json")
    known = {} if record is None else record.failed
    missing = {
        index: known.get(index, "it was not drawn; run `viewsweep sample` again")
        for index in range(requested)
        if protocol is not None and index not in files
    }
    hashes = {}
    for index, path in files.items():
        try:
            hashes[index] = sha256_file(path)
        except OSError:
            hashes[index] = ""  # reading the scene will say why
    refused = missing.keys() & set(() if record is None else record.refused)
    return Folder(method, requested, files, hashes, missing, refused)


def _numbered(files: list[Path]) -> dict[int, Path]:
    """Scene files by index: their names where these are numbers, else their order."""
    if all(re.fullmatch(r"\d+", path.stem) for path in files):
        numbered = {int(path.stem): path for path in files}
        if len(numbered) == len(files):
            return dict(sorted(numbered.items()))
    return dict(enumerate(files))


def _measure(measurement: Measurement, run: RunDirectory, folder: Folder, progress: Progress) -> Measured:
    progress.stage(f"evaluate {folder.method}", len(folder.files))
    with measurement.method(folder.requested) as method:
        for index, path in folder.files.items():
            try:
                scene = load_scene(path)
                fault = measurement.mismatch(scene, index)
                if fault is not None:
                    raise UserError(f"{path}: {fault}.")
            except ViewsweepError as error:
                # paths relative to the run: the same run elsewhere gives the same bytes
                reason = str(error).replace(f"{run.path}/", "")
                method.fail(index, reason)
                run.log("scene not evaluated", method=folder.method, index=index, reason=reason)
                progress.say(f"{folder.method}: {measurement.called(index)} not evaluated: {error}")
            else:
                method.add(index, scene)
            progress.step()
        return method.measured(folder.missing)


def _add(found: Evaluated, run: RunDirectory, folder: Folder, measured: Measured, protocol: Protocol | None) -> None:
    def name(index: int) -> str:
        return f"{folder.method}: " + (f"scene {index}" if protocol is None else protocol.called(index))

    failed = sorted((measured.unreadable | folder.missing).items())
    found.results["metrics"] |= measured.definitions
    found.results["methods"][folder.method] = {
        "scenes": {
            "requested": folder.requested,
            "evaluated": folder.requested - len(failed),
            "failed": [{"index": index, "reason": reason} for index, reason in failed],
        },
        "metrics": measured.results,
    }
    found.rows[folder.method] = measured.rows
    found.failures += [f"{name(index)}: {reason}" for index, reason in failed]
    found.refused += [f"{name(index)}: {folder.missing[index]}" for index in sorted(folder.refused)]
    found.unreadable += [f"{run.path}/{reason}" for _, reason in sorted(measured.unreadable.items())]


def _pack(key: str, measured: Measured) -> str:
    content = measured.to_json()
    return json.dumps({"schema": CACHE_SCHEMA, "key": key, "sha256": sha256_json(content), "content": content})


def _read(path: Path, key: str) -> Measured | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["schema"] == CACHE_SCHEMA and held["key"] == key and held["sha256"] == sha256_json(held["content"]):
            return Measured.from_json(held["content"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # an entry that cannot be read is no entry
    return None
