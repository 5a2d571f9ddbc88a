"""The whole way: protocol and methods to scenes, scenes to results, results to a report.

Each stage looks at what is on disk, does what is missing and writes its file in one step, so any of
them can be killed and started again. Reports stand on a higher floor, so `run` is handed the
function that writes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..scenes.errors import UserError, ViewsweepError
from .lock import hold, holder
from .method_record import MethodRecord
from .picture_folder import DATA_VARIABLE, find_pictures
from .posed_scenes import with_videos
from .progress import Progress
from .protocol import FolderReference, Protocol, load_protocol, protocol_from_record
from .registry import Method, check_device, find_method, is_own
from .run_directory import RunDirectory
from .work import Outcome, Report, Work

__all__ = ["Outcome", "Report", "evaluate", "report", "run", "sample", "status"]


def run(
    protocol: str | Protocol,
    methods: Sequence[str],
    out: str | Path | None = None,
    *,
    scenes: int | None = None,
    device: str = "cpu",
    batch_size: int = 4,
    fresh: bool = False,
    data: str | Path | None = None,
    report: Report | None = None,
    command: str = "viewsweep.run(...)",
    progress: Progress | None = None,
) -> Outcome:
    """Sample, evaluate and report; what is already there is kept.

    Args:
        protocol: a shipped protocol's name, or the path to a ``.yaml`` file.
        methods: registered names, ``module:Class``, ``file.py`` or folders of trained generators.
        out: the run directory; ``runs/<protocol>`` by default.
        scenes: another number of scenes than the protocol's; that gives another protocol hash.
        device: `cpu` or `cuda`, for the methods; scores are computed on the CPU.
        batch_size: scenes a method is asked for at once; they do not depend on it.
        fresh: start over: delete what an earlier run left for these methods.
        data: the folder of real pictures, for protocols of the kind `images`, or of videos, for those of
            `re10k` and `co3d`; `VIEWSWEEP_DATA` and what an earlier run was given stand in for it.
        report: writes the report; None leaves it out.
        command: what was typed, for the record.

    Raises:
        UserError: an unknown name, a faulty protocol, a folder in use or that cannot be written.
    """
    with _work(protocol, methods, out, scenes, device, batch_size, fresh, data, command, "run", progress) as work:
        work.sample()
        work.evaluate()
        if report is not None:
            work.report(report)
        work.commit()
        return work.outcome


def sample(
    protocol: str | Protocol,
    methods: Sequence[str],
    out: str | Path | None = None,
    *,
    scenes: int | None = None,
    device: str = "cpu",
    batch_size: int = 4,
    fresh: bool = False,
    data: str | Path | None = None,
    command: str = "viewsweep.sample(...)",
    progress: Progress | None = None,
) -> Outcome:
    """Only the first stage of `run`: scenes on disk. A folder of real pictures is only noted for later."""
    with _work(protocol, methods, out, scenes, device, batch_size, fresh, data, command, "sample", progress) as work:
        work.sample()
        work.finish("sampled")
        return work.outcome


def evaluate(
    directory: str | Path,
    *,
    data: str | Path | None = None,
    report: Report | None = None,
    command: str = "viewsweep.evaluate(...)",
    progress: Progress | None = None,
) -> Outcome:
    """Measure the scenes of a run, or any scenes in ``directory/scenes/<method>/*.safetensors``.

    Without a protocol, what can be computed is, and the rest says why not. Files that cannot be
    read are counted as failed and named in the outcome. In a run, scenes that were not drawn for
    its protocol are left out, and that is said.

    Args:
        directory: the run.
        data: the folder of real pictures or videos; see `run`.
        report: writes the report again where there is one, lest it shows other numbers.

    Raises:
        UserError: there are no scenes, or the directory is in use or cannot be written.
    """
    place = RunDirectory(directory)
    if not place.methods():
        raise UserError(
            f"{place.path}: there are no scenes to evaluate.",
            hint=f"They are looked for in {place.path}/scenes/<method>/*.safetensors.",
        )
    place.probe()
    with hold(place.path, "evaluate"):
        place.tidy()
        record = place.read_run()
        resolved = None
        if record is not None and record.get("protocol") is not None:
            resolved = protocol_from_record(record["protocol"], place.run_json)
        progress = progress or Progress()
        folder = _data(resolved, data, record, progress)
        resolved = None if resolved is None else with_videos(resolved, folder, progress)
        work = Work(place, resolved, [], "cpu", 1, command, progress, record, folder)
        _leave_out(place, resolved, work.method_names(), progress)
        with work.guarded():
            work.evaluate()
            if report is not None and place.report_html.exists():
                work.report(report)
            work.commit()
        return work.outcome


def report(directory: str | Path, write: Report) -> Path:
    """Write the report of a directory that has been evaluated.

    Raises:
        UserError: there is no such folder, there are no results yet, or the directory is in use.
    """
    place = RunDirectory(directory)
    if not place.path.is_dir():
        raise UserError(f"{place.path}: there is no such folder.", hint="Name a run directory.")
    if not place.results_json.exists():
        raise UserError(f"{place.path}: there is no results.json yet.", hint="Run `viewsweep evaluate` on it first.")
    with hold(place.path, "report"):
        complete = (place.read_run() or {}).get("status") == "complete"
        place.manifest.unlink(missing_ok=True)
        path = write(place.path)
        if complete:  # of a run that was cut short a manifest would claim too much
            place.write_manifest()
    return path


def status(directory: str | Path) -> dict[str, Any]:
    """How far a run is: its state, who works on it, scenes done, asked for and failed by method.

    `state` is started, sampled, complete, failed or cancelled as recorded, or `interrupted` when it
    was started and nobody is at work any more.

    Raises:
        UserError: there is no run.
    """
    place = RunDirectory(directory)
    record = place.read_run()
    if record is None and not place.methods():
        raise UserError(f"{place.path}: there is no run here.", hint="Start one with `viewsweep run`.")
    record = record or {}
    at_work = holder(place.path)
    state = record.get("status", "scenes only")
    if state == "started" and at_work is None:
        state = "interrupted"
    protocol = record.get("protocol") or {}
    samples = (protocol.get("completion") or {}).get("samples", 1)
    found = {}
    for name in dict.fromkeys([*record.get("methods", {}), *place.methods()]):
        made = MethodRecord.read(place.method_folder(name) / "method.json")
        count = sum(1 for _ in place.method_folder(name).glob("*.safetensors"))
        found[name] = {
            "scenes": count,
            "requested": protocol.get("scenes", count) * samples,
            "failed": {} if made is None else {str(index): reason for index, reason in made.failed.items()},
            "seconds": None if made is None else made.seconds,
        }
    return {
        "directory": str(place.path),
        "state": state,
        "reason": record.get("reason"),
        "holder": at_work,
        "protocol": {key: protocol.get(key) for key in ("name", "version", "hash")} if protocol else None,
        "methods": found,
        "results": place.results_json.exists(),
        "report": place.report_html.exists(),
        "committed": place.manifest.exists(),
        "command": record.get("command"),
    }


def _leave_out(place: RunDirectory, protocol: Protocol | None, measured: list[str], progress: Progress) -> None:
    """Say which scenes the protocol of a run keeps from being measured."""
    foreign = [name for name in place.methods() if name not in measured]
    if protocol is None or not foreign:
        return
    why = f"not drawn for {protocol.name}, whose run this is. Evaluate such scenes in a folder of their own."
    if not measured:
        raise UserError(f"{place.scenes}: {', '.join(foreign)}: {why}")
    for name in foreign:
        progress.say(f"{place.method_folder(name)}: left out: {why}")


@contextmanager
def _work(
    protocol: str | Protocol,
    methods: Sequence[str],
    out: str | Path | None,
    scenes: int | None,
    device: str,
    batch_size: int,
    fresh: bool,
    data: str | Path | None,
    command: str,
    purpose: str,
    progress: Progress | None,
) -> Iterator[Work]:
    """Check everything that can be checked beforehand, take the lock, and record how it ends."""
    if batch_size < 1:
        raise UserError(f"--batch-size {batch_size}: at least one scene at a time.")
    if not methods:
        raise UserError("No method was named.", hint="`viewsweep list methods` shows them.")
    if isinstance(protocol, Protocol):
        resolved = protocol if scenes is None else protocol.with_scenes(scenes)
    else:
        resolved = load_protocol(protocol, scenes=scenes)
    check_device(device)
    known = {name: find_method(name) for name in methods if not is_own(name)}  # a wrong name costs nothing yet
    place = RunDirectory(out if out is not None else Path("runs") / resolved.name)
    place.probe()
    with hold(place.path, purpose):
        place.tidy()
        chosen = _distinct(
            [known[name] if name in known else find_method(name, device, batch_size) for name in methods]
        )
        record = _earlier(place, resolved, [method.name for method in chosen], fresh)
        progress = progress or Progress()
        folder = _data(resolved, data, record, progress)
        resolved = with_videos(resolved, folder, progress)
        work = Work(place, resolved, chosen, device, batch_size, command, progress, record, folder)
        with work.guarded():
            yield work


def _data(
    protocol: Protocol | None, given: str | Path | None, record: dict[str, Any] | None, progress: Progress
) -> Path | None:
    """The folder of real pictures or videos: as given, from the environment, or as an earlier run recorded it.

    Raises:
        UserError: there is no such folder, or no picture in it; before anything is drawn.
    """
    if protocol is None or not (isinstance(protocol.reference, FolderReference) or protocol.sequences is not None):
        if given is not None:
            name = "scenes without a protocol" if protocol is None else protocol.name
            progress.say(f"--data {given} is not used: {name} compares with no folder of pictures.")
        return None
    chosen = given or os.environ.get(DATA_VARIABLE) or (record or {}).get("data")
    if not chosen:
        return None
    if protocol.sequences is None:
        find_pictures(chosen)
    return Path(chosen).absolute()


def _distinct(methods: list[Method]) -> list[Method]:
    found: dict[str, Method] = {}
    for method in methods:
        other = found.setdefault(method.name, method)
        if other.origin != method.origin:
            raise UserError(f"Two methods are named '{method.name}': {other.origin} and {method.origin}. Rename one.")
    return list(found.values())


def _earlier(place: RunDirectory, protocol: Protocol, methods: list[str], fresh: bool) -> dict[str, Any] | None:
    """`run.json` of an earlier run of the same protocol, if this one may go on with it."""
    try:
        record = place.read_run()
    except ViewsweepError:
        if not fresh:
            raise
        place.start_over(methods, everything=True)
        return None
    theirs = None if record is None else (record.get("protocol") or {}).get("hash")
    if fresh:
        place.start_over(methods, everything=theirs not in (None, protocol.hash))
        return None
    if record is not None and theirs != protocol.hash:
        asked = f"{protocol.name} with {protocol.scenes} scenes"
        held = record.get("protocol") or {}
        raise UserError(
            f"{place.path}: holds a run of {held.get('name')} with {held.get('scenes')} scenes "
            f"(hash {str(theirs)[:12]}); asked for is {asked} (hash {protocol.hash[:12]}).",
            hint="Choose another --out, or --fresh to start over.",
        )
    return record
