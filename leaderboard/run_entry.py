"""From a finished run to the entry of one of its methods."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..benchmark.fingerprint import sha256_file
from ..benchmark.method_record import MethodRecord
from ..benchmark.protocol import Protocol, load_protocol, protocol_from_record, protocol_names
from ..benchmark.results import RESULTS_SCHEMA
from ..benchmark.roles import role
from ..benchmark.run_directory import RunDirectory, read_json
from ..benchmark.sequences import FramesOfVideo
from ..benchmark.true_scenes import outlines
from ..scenes.errors import UserError
from .entry import ENTRY_VERSION, Archive, Division, Entry, PerScene
from .seeds import protocol_seeds, seeds_sha256

__all__ = ["FinishedRun", "check_files", "entry_of", "open_run", "views_drawn"]

LONGEST_REASON = 4_000


class FinishedRun:
    """A run directory that was found complete, of a protocol as it stands.

    Args:
        place: the run directory.
        record: its ``run.json``.
        results: its ``results.json``.
        protocol: what was run.
    """

    def __init__(
        self, place: RunDirectory, record: dict[str, Any], results: dict[str, Any], protocol: Protocol
    ) -> None:
        self.place, self.record, self.results, self.protocol = place, record, results, protocol

    def method(self, wanted: str | None) -> str:
        """The method to submit: the one named, or the only one, or the only one that competes.

        Raises:
            UserError: it is not in the run, or several could be meant.
        """
        there = sorted(self.results["methods"])
        competing = [name for name in there if role(name) == "method"]
        if wanted is not None and wanted not in there:
            raise UserError(f"{self.place.path}: holds no results of '{wanted}'; it has {', '.join(there)}.")
        candidates = [wanted] if wanted is not None else there if len(there) == 1 else competing
        if len(candidates) != 1:
            raise UserError(
                f"{self.place.path}: holds {', '.join(there)}.", hint="Say which one to submit with --method."
            )
        return candidates[0]


def open_run(directory: Path) -> FinishedRun:
    """The run at `directory`.

    Raises:
        UserError: no run, one that is not complete or was changed afterwards, or one of a protocol that is not
            the one of that name.
    """
    place = RunDirectory(directory)
    record = place.read_run()
    if record is None:
        raise UserError(f"{place.path}: there is no run here.", hint="Start one with `viewsweep run PROTOCOL`.")
    if record.get("status") != "complete" or not place.manifest.exists():
        raise UserError(
            f"{place.path}: this run is not complete (its status is {record.get('status')}).",
            hint=f"Go on with it: {record.get('command', 'viewsweep run')}",
        )
    if record.get("protocol") is None:
        raise UserError(
            f"{place.path}: these scenes were drawn for no protocol, so their numbers stand beside no others.",
            hint="Draw scenes with `viewsweep run PROTOCOL`.",
        )
    protocol = protocol_from_record(record["protocol"], place.run_json)
    _refuse_overrides(place, record["protocol"])
    _refuse_other_versions(place, protocol)
    return FinishedRun(place, record, read_json(place.results_json, RESULTS_SCHEMA), protocol)


def check_files(run: FinishedRun, method: str) -> None:
    """Compare what an entry of `method` rests on with the manifest of the run.

    Raises:
        UserError: a file is missing from it, gone, or changed since.
    """
    place = run.place
    listed = {}
    for line in place.manifest.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    folder = place.method_folder(method)
    needed = [place.run_json, place.results_json, place.per_scene, *sorted(folder.glob("*.safetensors"))]
    names = dict.fromkeys(path.relative_to(place.path).as_posix() for path in needed)
    prefix = folder.relative_to(place.path).as_posix() + "/"
    names |= dict.fromkeys(name for name in listed if name.startswith(prefix) and name.endswith(".safetensors"))
    for name in names:
        path = place.path / name
        if name not in listed or not path.exists() or sha256_file(path) != listed[name]:
            raise UserError(
                f"{path}: not as it was when the run was completed.",
                hint=f"Bring it up to date with `viewsweep evaluate {place.path}`, then submit again.",
            )


def entry_of(
    run: FinishedRun, method: str, *, archive: Archive, per_scene: PerScene, division: Division, day: datetime.date
) -> Entry:
    """The entry of one method of a run.

    Args:
        archive: the archive of its scenes.
        per_scene: the table that will lie beside the entry.
        division: as the method's card has it.
        day: of submission.

    Raises:
        UserError: something in the run does not fit into an entry.
    """
    found, record = run.results["methods"][method], run.record
    made = MethodRecord.read(run.place.method_folder(method) / "method.json")
    info = (record["methods"].get(method) or {}).get("info")
    if made is None or info is None:
        raise UserError(f"{run.place.method_folder(method)}: its scenes were not drawn here, so nobody knows by what.")
    scenes = found["scenes"]
    versions = {name: definition["version"] for name, definition in run.results["metrics"].items()}
    environment = record["environment"]
    content = {
        "schema_version": ENTRY_VERSION,
        "protocol": {
            "name": run.protocol.name,
            "version": run.protocol.version,
            "hash": run.results["protocol"]["hash"],
            "pictures": (run.results["protocol"].get("pictures") or {}).get("sha256"),
        },
        "method": {
            "name": method,
            "revision": info["version"],
            "weights_sha256": info["weights_sha256"],
            "details": info["details"],
        },
        "division": division,
        "submitted": day,
        "scenes": {
            "requested": scenes["requested"],
            "evaluated": scenes["evaluated"],
            "failed": [{"index": lost["index"], "reason": _short(lost["reason"])} for lost in scenes["failed"]],
            "split": run.protocol.split,
            "seeds_sha256": seeds_sha256(protocol_seeds(run.protocol)),
        },
        "metrics": {
            name: {**result, "version": versions[name], "reason": _short(result["reason"])}
            for name, result in found["metrics"].items()
        },
        "per_scene": per_scene,
        "archive": archive,
        "cost": {
            "seconds": made.seconds,
            "peak_memory_bytes": made.peak_memory_bytes,
            "views": views_drawn(run.protocol, [lost["index"] for lost in scenes["failed"]]),
        },
        "environment": environment,
        "viewsweep": (environment.get("packages") or {}).get("viewsweep") or "unknown",
        "command": record["command"],
    }
    try:
        return Entry.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UserError(f"{run.place.path}: cannot become an entry ({faults}).") from error


def views_drawn(protocol: Protocol, failed: Iterable[int]) -> int:
    """How many pictures the scenes of a protocol have, but for those with the indices `failed`."""
    lost = set(failed)
    if isinstance(protocol.sweep, FramesOfVideo):
        return len(protocol.sweep.frames) * (protocol.scenes * protocol.samples - len(lost))
    return sum(len(request.cameras) for request in outlines(protocol.requests()) if request.index not in lost)


def _refuse_overrides(place: RunDirectory, record: dict[str, Any]) -> None:
    override = (record.get("overrides") or {}).get("scenes")
    if override and override["declared"] != override["used"]:
        raise UserError(
            f"{place.path}: was run with --scenes {override['used']}; {record['name']} has {override['declared']} "
            "scenes, and numbers of fewer or more stand beside no others.",
            hint="Run it again without --scenes and with another --out.",
        )


def _refuse_other_versions(place: RunDirectory, protocol: Protocol) -> None:
    if protocol.name not in protocol_names():
        return  # a protocol of one's own: there is nothing to compare with
    shipped = load_protocol(protocol.name)
    if shipped.hash != protocol.hash:
        raise UserError(
            f"{place.path}: its protocol is called {protocol.name} v{protocol.version} and has the hash "
            f"{protocol.hash[:12]}; this viewsweep ships v{shipped.version}, {shipped.hash[:12]}.",
            hint="Run it again with the protocol as it is shipped, or give a protocol of your own another name.",
        )


def _short(reason: str | None) -> str | None:
    return None if reason is None else reason[:LONGEST_REASON]
