"""The run directory: where everything lies, and how a reader knows that it is whole.

run.json                     protocol, environment, command, status; `started` until all is done
scenes/<method>/<index>.safetensors
scenes/<method>/method.json  which generator made them, how long it took, what failed
results.json                 methods.<name>.metrics.<id>
per_scene.parquet            the values behind them
report.html
log.jsonl                    what happened when
manifest.sha256              written last: a directory with a matching one is complete
.cache/                      evaluations by the hash of all that made them; safe to delete
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..scenes.errors import UnreadableFile, UserError, WriteFailed
from ..scenes.files import atomic_write, make_folder, remove_leftovers
from .fingerprint import sha256_file

__all__ = ["RUN_SCHEMA", "RunDirectory", "now", "pretty_json", "read_json"]

RUN_SCHEMA = "viewsweep.run/1"
SCENE_FILE = re.compile(r"\d{5,}\.safetensors")


class RunDirectory:
    """The files of one run below `path`; nothing is touched until a method says so."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.run_json = self.path / "run.json"
        self.results_json = self.path / "results.json"
        self.per_scene = self.path / "per_scene.parquet"
        self.report_html = self.path / "report.html"
        self.log_file = self.path / "log.jsonl"
        self.manifest = self.path / "manifest.sha256"
        self.scenes = self.path / "scenes"
        self.cache = self.path / ".cache"

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    def method_folder(self, method: str) -> Path:
        return self.scenes / method

    def scene_file(self, method: str, index: int) -> Path:
        return self.scenes / method / f"{index:05d}.safetensors"

    def methods(self) -> list[str]:
        """The methods with a folder of scenes here, sorted."""
        if not self.scenes.is_dir():
            return []
        return sorted(
            entry.name for entry in self.scenes.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )

    def probe(self) -> None:
        """Create the folder and prove that it can be written to, before anything slow happens.

        Raises:
            WriteFailed: it cannot.
            UserError: it holds other people's files and no run.
        """
        make_folder(self.path)
        try:
            foreign = [entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")]
        except OSError as error:
            raise WriteFailed(f"{self.path}: cannot be read ({error.strerror or error}).") from error
        if foreign and not {"run.json", "scenes"} & set(foreign):
            raise UserError(
                f"{self.path}: holds other files ({', '.join(sorted(foreign)[:3])}) and no run. "
                "Choose an empty or a new folder with --out."
            )
        probe = self.path / f".probe.{uuid.uuid4().hex}.tmp"
        atomic_write(probe, "")
        probe.unlink(missing_ok=True)  # whoever holds the folder may have tidied it away

    def tidy(self) -> None:
        """Clear what killed writers left behind; only for the holder of the lock."""
        for folder in (self.path, self.cache, *(self.method_folder(name) for name in self.methods())):
            remove_leftovers(folder)

    def start_over(self, methods: list[str], *, everything: bool) -> None:
        """Delete results and the scenes of `methods`, or of every method sampled here.

        Only what a run writes is deleted; scenes without a `method.json` were brought by somebody
        else and stay. In an order that can be cut short anywhere: first what speaks of the scenes,
        and of each method the record that says whose they are last.
        """
        for file in (self.manifest, self.report_html, self.results_json, self.per_scene, self.run_json):
            file.unlink(missing_ok=True)
        chosen = set(self.methods()) if everything else set(methods)
        for name in sorted(chosen & set(self.methods())):
            folder = self.method_folder(name)
            record = folder / "method.json"
            if record.exists():
                for entry in folder.iterdir():
                    if SCENE_FILE.fullmatch(entry.name):
                        entry.unlink()
                record.unlink()
        if everything:
            shutil.rmtree(self.cache, ignore_errors=True)

    def read_run(self) -> dict[str, Any] | None:
        """`run.json`, or None where there is none.

        Raises:
            UnreadableFile: it is damaged or of another schema.
        """
        if not self.run_json.exists():
            return None
        return read_json(self.run_json, RUN_SCHEMA)

    def write_run(self, record: dict[str, Any]) -> None:
        atomic_write(self.run_json, pretty_json(record))

    def log(self, event: str, **details: Any) -> None:
        """Append one line to `log.jsonl`."""
        line = json.dumps({"time": now(), "event": event, **details}, default=str)
        try:
            with open(self.log_file, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise WriteFailed(
                f"{self.log_file}: cannot be written ({error.strerror or error}).",
                hint="Run the same command again once that is mended; everything finished before is kept.",
            ) from error

    def write_manifest(self, known: dict[Path, str] | None = None) -> None:
        """Hash every file of the run; `known` holds hashes that were just computed."""
        lines = []
        for path in self._files():
            try:
                digest = (known or {}).get(path) or sha256_file(path)
            except OSError:
                continue  # counted as failed by the evaluation; nothing can be said about its content
            lines.append(f"{digest}  {path.relative_to(self.path).as_posix()}")
        atomic_write(self.manifest, "\n".join(lines) + "\n")

    def _files(self) -> Iterator[Path]:
        """What the manifest covers. The log is not: it goes on growing, and no number rests on it."""
        own = (self.run_json, self.results_json, self.per_scene, self.report_html)
        yield from sorted(path for path in own if path.exists())
        for name in self.methods():
            folder = self.method_folder(name)
            yield from sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """A JSON object of the given schema.

    Raises:
        UnreadableFile: missing, damaged, foreign, or from a newer viewsweep.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: not readable ({error}).", hint="Use --fresh to start this run over.") from error
    found = record.get("schema") if isinstance(record, dict) else None
    if found != schema:
        raise UnreadableFile(f"{path}: its schema is {found!r}; this version reads {schema}.", hint="Update viewsweep.")
    return record  # type: ignore[no-any-return]  # checked to be an object with a schema


def pretty_json(value: Any) -> str:
    """JSON that diffs well: one entry a line, in the order it was put in, no NaN, a newline at the end."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
