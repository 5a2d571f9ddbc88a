"""`Work`: one command's work on one run directory, stage by stage, with `run.json` telling the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..scenes.errors import WriteFailed
from ..scenes.files import atomic_write
from .environment import environment_record
from .evaluation import Evaluated, evaluate_methods
from .fingerprint import sha256_file, sha256_json, source_fingerprint
from .method_record import MethodRecord
from .metric_catalogue import check_metrics
from .picture_folder import PictureFolder, open_pictures
from .posed_data import PosedData
from .progress import Progress
from .protocol import Protocol
from .registry import Method
from .results import changed_files
from .run_directory import RUN_SCHEMA, RunDirectory, now
from .sampling import sample_method
from .tasks import refuse_wrong_tasks

__all__ = ["Outcome", "Report", "Work"]

Report = Callable[[Path], Path]
"""Writes the report of a run directory and returns where."""


@dataclass
class Outcome:
    """What a command left on disk.

    Args:
        directory: the run directory.
        results: the content of `results.json`; None when nothing was evaluated.
        report: the report, where one was asked for.
        failures: scenes no number rests on, one sentence each.
        unreadable: those among them whose file could not be read.
        refused: those among them that were drawn and broke a rule: infinite depth, other cameras ...
        idle: True when there was nothing left to do.
    """

    directory: Path
    results: dict[str, Any] | None = None
    report: Path | None = None
    failures: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    idle: bool = True


class Work:
    """One command's work on one run directory, under its lock."""

    def __init__(
        self,
        place: RunDirectory,
        protocol: Protocol | None,
        methods: list[Method],
        device: str,
        batch_size: int,
        command: str,
        progress: Progress,
        record: dict[str, Any] | None,
        data: Path | None = None,
    ) -> None:
        self.place, self.protocol, self.methods = place, protocol, methods
        self.device, self.batch_size, self.command, self.progress = device, batch_size, command, progress
        self.outcome = Outcome(place.path)
        self._record, self._data = record, data
        self._evaluated: Evaluated | None = None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Write into `run.json` how it ended when it ends badly."""
        try:
            yield
        except KeyboardInterrupt:
            self._give_up("cancelled", "interrupted from the keyboard")
            raise
        except Exception as error:
            self._give_up("failed", " ".join(f"{type(error).__name__}: {error}".split()))
            raise

    def sample(self) -> None:
        assert self.protocol is not None
        requests = self.protocol.requests()
        refuse_wrong_tasks(self.methods, self.protocol, self._passed)
        for method in self.methods:
            sampled = sample_method(
                self.place,
                self.protocol,
                requests,
                method,
                device=self.device,
                batch_size=self.batch_size,
                progress=self.progress,
                begin=self._begin,
            )
            failures = {
                index: f"{method.name}: {self.protocol.called(index)}: {reason}"
                for index, reason in sorted(sampled.failed.items())
            }
            self.outcome.failures += failures.values()
            self.outcome.refused += [failures[index] for index in sorted(sampled.refused)]

    def evaluate(self) -> None:
        names = self.method_names()
        began = time.monotonic()
        pictures: PictureFolder | PosedData | None = None if self.protocol is None else self.protocol.data
        if pictures is None and self._data is not None:
            pictures = open_pictures(self._data, self.progress)
        done = evaluate_methods(
            self.place, self.protocol, names, pictures=pictures, progress=self.progress, begin=self._begin
        )
        if not done.cached:
            self._timing("evaluate", time.monotonic() - began)
        changes = changed_files(self.place, done.results, done.rows)
        if changes:
            self._begin()
        for path, content in changes:
            atomic_write(path, content)
        self._evaluated = done
        self.outcome.failures = done.failures
        self.outcome.results = done.results
        self.outcome.unreadable, self.outcome.refused = done.unreadable, done.refused
        self.finish("complete")

    def report(self, write: Report) -> None:
        """Write the report unless the one that is there was made from exactly these files."""
        assert self._evaluated is not None
        memo = self.place.cache / "report.key"
        key = sha256_json(
            {
                "files": {
                    path.name: sha256_file(path)
                    for path in (self.place.run_json, self.place.results_json, self.place.per_scene)
                },
                "scenes": {str(path): value for path, value in self._evaluated.hashes.items()},
                "source": source_fingerprint("reports"),
            }
        )
        page = self.place.report_html
        if page.exists() and memo.exists() and memo.read_text() == f"{key} {sha256_file(page)}":
            self.outcome.report = page
            return
        self.outcome.idle = False
        self.place.manifest.unlink(missing_ok=True)
        self.progress.say("writing the report")
        self.outcome.report = write(self.place.path)
        atomic_write(memo, f"{key} {sha256_file(page)}")

    def finish(self, state: str) -> None:
        """Record that the stage is over; an idle call leaves `run.json` as it is."""
        if self.outcome.idle and self._record is not None and self._record.get("status") in (state, "complete"):
            return
        record = self._begin()
        record |= {"status": state, "finished": now(), "methods": self._described(record)}
        record.pop("reason", None)
        self.place.write_run(record)
        self.place.log(state)

    def commit(self) -> None:
        """Write the manifest, which says that everything above is whole."""
        self.place.write_manifest(self._evaluated.hashes if self._evaluated else None)

    def _begin(self) -> dict[str, Any]:
        """Something will change: take the mark of completeness away and say so in `run.json`."""
        if not self.outcome.idle and self._record is not None:
            return self._record
        if self.protocol is not None:
            check_metrics(self.protocol)
        self.outcome.idle = False
        earlier = self._record or {}
        record = {
            "schema": RUN_SCHEMA,
            "status": "started",
            "protocol": None if self.protocol is None else self.protocol.record,
            "methods": {},
            "command": _chain(earlier.get("command"), self.command),
            "environment": environment_record(self.device),
            "started": earlier.get("started") or now(),
            "finished": None,
            "timings": earlier.get("timings", {}),
        }
        if self._data is not None:
            record["data"] = str(self._data)
        record["methods"] = earlier.get("methods", {}) | {
            method.name: {"info": None, "seconds": None, "peak_memory_bytes": None}
            for method in self.methods
            if method.name not in earlier.get("methods", {})
        }
        self.place.manifest.unlink(missing_ok=True)
        self.place.write_run(record)
        self.place.log("started", command=self.command)
        self._record = record
        return record

    def _described(self, record: dict[str, Any]) -> dict[str, Any]:
        described = {}
        for name in dict.fromkeys([*record["methods"], *self.method_names()]):
            made = MethodRecord.read(self.place.method_folder(name) / "method.json")
            described[name] = {
                "info": None if made is None else made.info,
                "seconds": None if made is None else made.seconds,
                "peak_memory_bytes": None if made is None else made.peak_memory_bytes,
            }
        return described

    def method_names(self) -> list[str]:
        """Every method with scenes here; under a protocol, those drawn for it."""
        if self.protocol is None:
            return self.place.methods()
        names = {method.name for method in self.methods}
        for name in self.place.methods():
            made = MethodRecord.read(self.place.method_folder(name) / "method.json")
            if made is not None and made.protocol == self.protocol.hash:
                names.add(name)
        return sorted(names)

    def _passed(self, method: Method) -> bool:
        """Whether scenes of a method are here, which therefore serves the task."""
        made = MethodRecord.read(self.place.method_folder(method.name) / "method.json")
        return made is not None and made.info is not None

    def _timing(self, stage: str, seconds: float) -> None:
        record = self._begin()
        record["timings"] = record["timings"] | {stage: round(seconds, 3)}

    def _give_up(self, state: str, reason: str) -> None:
        if self.outcome.idle:
            return  # nothing was changed yet
        try:
            assert self._record is not None
            self.place.write_run(self._record | {"status": state, "reason": reason, "finished": now()})
            self.place.log(state, reason=reason)
        except WriteFailed:
            return  # the disk that is full is the reason already on its way up


def _chain(earlier: str | None, command: str) -> str:
    """All that was typed to get here, each step once: what makes this directory again."""
    steps = earlier.split(" && ") if earlier else []
    return " && ".join(steps if command in steps else [*steps, command])
