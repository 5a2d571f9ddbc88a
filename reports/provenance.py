"""What a page says of where its numbers come from: facts, commands, environment, timings, memory, failures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .numbers import NOTHING, format_bytes, format_date, format_duration
from .rundir import Failure, Method, RunFiles
from .tables import Summary, flatten
from .turntables import Exhibit

__all__ = [
    "Cost",
    "Record",
    "conjoined",
    "costs",
    "facts",
    "failures_summary",
    "lede",
    "records",
    "reference_rows",
    "sources",
    "total_scenes",
]


@dataclass(frozen=True)
class Record:
    """How one run was made: its name, the command to make it again, and what it ran on."""

    name: str
    command: str | None
    lines: list[tuple[tuple[str, ...], str]]


@dataclass(frozen=True)
class Cost:
    """What drawing took, as texts; `seconds` is a scene's (a sample's, in completion), None where nobody knows."""

    method: Method
    total: str
    each: str
    memory: str
    seconds: float | None


def records(run: RunFiles) -> list[Record]:
    """One record a run that the page was made from."""
    return [_record(part) for part in run.parts or (run,)]


def _record(run: RunFiles) -> Record:
    times = {name: format_date(run.run[name]) for name in ("started", "finished") if run.run.get(name)}
    timings = {f"{name} took": format_duration(seconds) for name, seconds in _timings(run).items()}
    recorded = {"environment": run.run.get("environment"), "timings": timings, "times": times}
    lines = [(path[1:], text) for path, text in flatten(recorded) if len(path) > 1]
    return Record(run.folder.resolve().name, _command(run.run.get("command")), lines)


def _timings(run: RunFiles) -> Mapping[str, float]:
    timings = run.run.get("timings")
    if not isinstance(timings, Mapping):
        return {}
    return {str(name): float(value) for name, value in timings.items() if isinstance(value, int | float)}


def _command(command: Any) -> str | None:
    if isinstance(command, list | tuple):
        return shlex.join(str(part) for part in command)
    return str(command) if command else None


def costs(run: RunFiles) -> list[Cost]:
    """Time and memory of every method; empty where none of them is known."""
    found = []
    for method in run.methods:
        seconds = None
        if method.seconds is not None and method.requested:
            seconds = method.seconds / method.requested
        found.append(
            Cost(
                method,
                NOTHING if method.seconds is None else format_duration(method.seconds),
                NOTHING if seconds is None else format_duration(seconds),
                NOTHING if method.peak_memory_bytes is None else format_bytes(method.peak_memory_bytes),
                seconds,
            )
        )
    known = any(cost.seconds is not None or cost.method.peak_memory_bytes is not None for cost in found)
    return found if known else []


def total_scenes(run: RunFiles) -> int:
    return max((method.requested for method in run.methods), default=0) // run.samples


def _view_counts(shown: Sequence[Exhibit]) -> list[int]:
    return sorted({pane.views for exhibit in shown for pane in exhibit.panes if pane.views})


def _span(counts: Sequence[int]) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def lede(run: RunFiles, shown: Sequence[Exhibit]) -> str:
    """One sentence on what was done, and one on what it asks."""
    count, scenes = len(run.methods), total_scenes(run)
    who = {0: "No method", 1: "One method"}.get(count, f"{count} methods")
    views = _view_counts(shown)
    each = f", {_span(views)} views each" if views else ""
    declared = ((run.resolved.get("overrides") or {}).get("scenes") or {}).get("declared")
    instead = f" instead of the protocol's {declared}" if declared not in (None, scenes) else ""
    samples = f"{run.samples} samples each of " if run.samples > 1 else ""
    drew = f"{who} drew {samples}the same {scenes} scene{'' if scenes == 1 else 's'}{instead}{each}."
    asked = "The numbers ask whether the pictures look right, and whether they show one and the same solid object."
    own = str(run.resolved.get("description") or "").strip()
    merged = f"Put together from {len(run.parts)} runs of one protocol." if run.parts else ""
    return " ".join(part for part in (own, drew, merged, asked) if part)


def facts(run: RunFiles, shown: Sequence[Exhibit]) -> list[tuple[str, str, str]]:
    """The row of facts under the title: (name, text, full text for the tooltip)."""
    views = _view_counts(shown)
    times = "\N{MULTIPLICATION SIGN}"
    size = f"{total_scenes(run)} {times} {_span(views) if views else NOTHING}"
    found = [(f"Scenes {times} views", size, "")]
    if run.samples > 1:
        found.append(("Samples", f"{run.samples} a scene", "how often each scene was asked for"))
    found.append(("Methods", str(len(run.methods)), ", ".join(method.name for method in run.methods)))
    if run.resolved.get("size"):
        found.append(("Picture size", f"{run.resolved['size']} px", ""))
    found.append(("Version", run.protocol["version"], "version of the protocol"))
    fingerprint = run.protocol["hash"]
    found.append(("Protocol hash", fingerprint[:12] + ("…" if len(fingerprint) > 12 else ""), fingerprint))
    date = format_date(run.run.get("finished") or run.run.get("started"))
    if date:
        found.append(("Date", date, ""))
    return found


def reference_rows(summary: Summary) -> str:
    """Who is no competitor, and what for they stand in the table."""
    roles = {group.role: [row.method.name for row in group.rows] for group in summary.groups}
    parts = []
    if "ceiling" in roles:
        parts.append(f"{conjoined(roles['ceiling'])} draws the world itself: the ceiling, not a competitor.")
    if "cheat" in roles:
        several = len(roles["cheat"]) > 1
        verb = "cheat" if several else "cheats"
        parts.append(f"{conjoined(roles['cheat'])} {verb} on purpose, to show which metric notices.")
    return " ".join(parts)


def failures_summary(failures: Sequence[tuple[str, Failure]]) -> str:
    if not failures:
        return "Every scene was drawn and measured."
    count = len(failures)
    return f"{count} scene{'' if count == 1 else 's'} could not be drawn, read or measured; the rest was evaluated."


def sources(run: RunFiles) -> str:
    """The files the page was made from."""
    there = ["results.json"]
    there += [name for name in ("run.json", "per_scene.parquet") if (run.folder / name).is_file()]
    if (run.folder / "scenes").is_dir():
        there.append("the scenes")
    return conjoined(there)


def conjoined(names: Sequence[str]) -> str:
    """Names as a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
