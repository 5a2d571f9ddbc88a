"""Put the parts of a report together and write the one file."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from markupsafe import Markup

from ..scenes.files import atomic_write
from .curve_points import bins_by_metric
from .curves import azimuth_curves, bin_curves, chart
from .distributions import Extreme, extremes, scene_values, strip_plot
from .gap_curves import gap_chart, gap_curves
from .numbers import NOTHING, format_date, format_duration
from .ranks import unranked
from .rundir import Failure, RunFiles, read_run
from .sprites import colour_stops
from .svg import method_styles
from .tables import Cell, Column, Summary, flatten, summarise
from .turntables import Exhibit, exhibits, pick_scenes, trace_data
from .view_range import range_tables

__all__ = ["write_report"]

MOST_FAILURES = 200
FEW_NOTES = 6
Drawn = TypeVar("Drawn", bound=tuple[Any, ...])

EARLY_SCRIPT = 'document.documentElement.classList.add("js")'


def write_report(run_dir: Path, *, scenes_shown: int = 6) -> Path:
    """Write ``report.html`` into a run directory, in one step, and return its path.

    The file is self-contained: it opens from disk, loads nothing, and forbids the browser to. The
    same directory gives the same bytes. A scene that cannot be read is shown as such and counted.

    Args:
        run_dir: a run directory with at least ``results.json``.
        scenes_shown: scenes with pictures, at most; they are spread over the classes. The numbers
            always cover all scenes. With 6 scenes of 24 views at 64 pixels and 5 methods the file
            stays under 6 MB; pictures are compressed harder where there are more.

    Raises:
        UnreadableFile: `results.json` is missing, or a file of the run is broken or too new.
        WriteFailed: the report cannot be written; an earlier one is untouched.
    """
    run = read_run(Path(run_dir))
    indices = pick_scenes(run, scenes_shown)
    shown, unreadable = exhibits(run, indices)
    target = run.folder / "report.html"
    atomic_write(target, _render(run, indices, shown, unreadable))
    return target


def _render(run: RunFiles, indices: list[int], shown: list[Exhibit], unreadable: list[tuple[str, Failure]]) -> str:
    summary = summarise(run)
    columns = list(summary.columns)
    angles = [(column, gap_chart(run, column, curves), missing) for column, curves, missing in gap_curves(run)]
    ranges = range_tables(run)
    charts, banded = _charts(run, columns)
    strips, ends = _strips(run, columns)
    failures = [(method.name, failure) for method in run.methods for failure in method.failed]
    counted = {(name, failure.index) for name, failure in failures}
    failures += [lost for lost in unreadable if (lost[0], lost[1].index) not in counted]
    css, script = _asset("report.css"), _asset("report.js")
    trace = trace_data(run, indices, [column for column in columns if column.headline])
    protocol_lines = flatten({key: value for key, value in run.resolved.items() if key != "hash"})
    times = {name: format_date(run.run[name]) for name in ("started", "finished") if run.run.get(name)}
    timings = {f"{name} took": format_duration(seconds) for name, seconds in _timings(run).items()}
    recorded = {"environment": run.run.get("environment"), "timings": timings, "times": times}
    environment_lines = [(path[1:], text) for path, text in flatten(recorded) if len(path) > 1]
    sheets = [sheet for exhibit in shown for pane in exhibit.panes for sheet in (pane.rgb, pane.depth) if sheet]
    contents = {
        "turntables": bool(shown),
        "results": True,
        "view-range": bool(ranges),
        "angles": bool(angles),
        "azimuth": bool(charts),
        "scenes": bool(strips),
        "failures": True,
        "methods": True,
        "protocol": True,
        "reproduce": True,
    }
    titles = {"azimuth": "Azimuth", "scenes": "Scenes", "view-range": "View range"}
    return _template().render(
        policy=_policy(css, EARLY_SCRIPT, script),
        css=Markup(css),
        early_script=Markup(EARLY_SCRIPT),
        script=Markup(script),
        protocol=run.protocol,
        lede=_lede(run, shown, _total_scenes(run)),
        unfinished=None if run.run.get("status") in (None, "complete") else run.run["status"],
        facts=_facts(run, shown),
        contents=[(name, titles.get(name, name.capitalize())) for name, there in contents.items() if there],
        exhibits=shown,
        turns=any(pane.kind == "turntable" for exhibit in shown for pane in exhibit.panes),
        total_scenes=_total_scenes(run),
        methods=run.methods,
        styles=method_styles(run.methods),
        summary=summary,
        few_notes=FEW_NOTES,
        has_intervals=any(cell.interval for cell in _cells(summary)),
        has_ranks=any(cell.rank for cell in _cells(summary)),
        unranked=_and(unranked(run)) if unranked(run) else "",
        reference_rows=_reference_rows(summary),
        durations={m.name: format_duration(m.seconds) for m in run.methods if m.seconds is not None},
        ranges=ranges,
        angles=_folded(angles),
        angles_missing=[f"{column.definition.title}, {why}" for column, _, missing in angles for why in missing],
        charts=_folded(charts),
        charts_banded=banded,
        charts_binned=bool(bins_by_metric(run.definitions)),
        strips=_folded(strips),
        extremes=ends,
        failures=failures[:MOST_FAILURES],
        failures_left=max(0, len(failures) - MOST_FAILURES),
        called=run.called,
        counted="sample" if run.samples > 1 else "scene",
        failures_summary=_failures_summary(failures),
        method_lines={m.name: flatten({k: v for k, v in m.info.items() if k != "description"}) for m in run.methods},
        protocol_lines=protocol_lines,
        environment_lines=environment_lines,
        command=_command(run.run.get("command")),
        colour_stops=colour_stops(),
        compressed=any(not sheet.lossless for sheet in sheets),
        trace=trace,
        sources=_sources(run),
    )


def _cells(summary: Summary) -> Iterator[Cell]:
    return (cell for group in summary.groups for row in group.rows for cell in row.cells)


def _folded(drawn: Sequence[Drawn]) -> tuple[list[Drawn], list[Drawn]]:
    """Charts to be seen at once, and those under a fold: all are seen where no headline is among them."""
    shown = [entry for entry in drawn if entry[0].headline] or list(drawn)
    return shown, [entry for entry in drawn if entry not in shown]


def _charts(run: RunFiles, columns: list[Column]) -> tuple[list[tuple[Column, Markup]], bool]:
    found, banded = [], False
    names = {method.name for method in run.methods}
    for column in columns:
        curves = [curve for curve in azimuth_curves(run.scene_rows, column.definition.id) if curve.method in names]
        if curves:
            found.append((column, chart(run, column, curves)))
            banded = banded or any(curve.low is not None for curve in curves)
    found += [(column, chart(run, column, curves)) for column, curves in bin_curves(run)]
    return found, banded


def _strips(run: RunFiles, columns: list[Column]) -> tuple[list[tuple[Column, Markup]], list[Extreme]]:
    plots, ends = [], []
    names = [method.name for method in run.methods]
    for column in columns:
        values = scene_values(run.scene_rows, column.definition.id)
        values = values[values["method"].isin(names)]
        if values["index"].nunique() < 2:
            continue
        plots.append((column, strip_plot(run, column, values)))
        ends += extremes(run, column, values)
    return plots, ends


def _total_scenes(run: RunFiles) -> int:
    return max((method.requested for method in run.methods), default=0) // run.samples


def _view_counts(shown: list[Exhibit]) -> list[int]:
    return sorted({pane.views for exhibit in shown for pane in exhibit.panes if pane.views})


def _span(counts: list[int]) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _lede(run: RunFiles, shown: list[Exhibit], scenes: int) -> str:
    """One sentence on what was done, and one on what it asks."""
    count = len(run.methods)
    who = {0: "No method", 1: "One method"}.get(count, f"{count} methods")
    views = _view_counts(shown)
    each = f", {_span(views)} views each" if views else ""
    declared = _declared_scenes(run)
    instead = f" instead of the protocol's {declared}" if declared not in (None, scenes) else ""
    samples = f"{run.samples} samples each of " if run.samples > 1 else ""
    drew = f"{who} drew {samples}the same {scenes} scene{'' if scenes == 1 else 's'}{instead}{each}."
    asked = "The numbers ask whether the pictures look right, and whether they show one and the same solid object."
    own = str(run.resolved.get("description") or "").strip()
    return " ".join(part for part in (own, drew, asked) if part)


def _declared_scenes(run: RunFiles) -> int | None:
    """The protocol's own number of scenes, where the command line overrode it."""
    overrides = run.resolved.get("overrides") or {}
    return (overrides.get("scenes") or {}).get("declared")


def _facts(run: RunFiles, shown: list[Exhibit]) -> list[tuple[str, str, str]]:
    """The row of facts under the title: (name, text, full text for the tooltip)."""
    views = _view_counts(shown)
    times = "\N{MULTIPLICATION SIGN}"
    size = f"{_total_scenes(run)} {times} {_span(views) if views else NOTHING}"
    facts = [(f"Scenes {times} views", size, "")]
    if run.samples > 1:
        facts.append(("Samples", f"{run.samples} a scene", "how often each scene was asked for"))
    facts.append(("Methods", str(len(run.methods)), ", ".join(method.name for method in run.methods)))
    if run.resolved.get("size"):
        facts.append(("Picture size", f"{run.resolved['size']} px", ""))
    facts.append(("Version", run.protocol["version"], "version of the protocol"))
    fingerprint = run.protocol["hash"]
    facts.append(("Protocol hash", fingerprint[:12] + ("…" if len(fingerprint) > 12 else ""), fingerprint))
    date = format_date(run.run.get("finished") or run.run.get("started"))
    if date:
        facts.append(("Date", date, ""))
    return facts


def _reference_rows(summary: Summary) -> str:
    roles = {group.role: [row.method.name for row in group.rows] for group in summary.groups}
    parts = []
    if "ceiling" in roles:
        parts.append(f"{_and(roles['ceiling'])} draws the world itself: the ceiling, not a competitor.")
    if "cheat" in roles:
        several = len(roles["cheat"]) > 1
        verb = "cheat" if several else "cheats"
        parts.append(f"{_and(roles['cheat'])} {verb} on purpose, to show which metric notices.")
    return " ".join(parts)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _failures_summary(failures: list[tuple[str, Failure]]) -> str:
    if not failures:
        return "Every scene was drawn and measured."
    count = len(failures)
    return f"{count} scene{'' if count == 1 else 's'} could not be drawn, read or measured; the rest was evaluated."


def _timings(run: RunFiles) -> Mapping[str, float]:
    timings = run.run.get("timings")
    if not isinstance(timings, Mapping):
        return {}
    return {str(name): float(value) for name, value in timings.items() if isinstance(value, int | float)}


def _command(command: Any) -> str | None:
    if isinstance(command, list | tuple):
        return shlex.join(str(part) for part in command)
    return str(command) if command else None


def _sources(run: RunFiles) -> str:
    there = ["results.json"]
    there += [name for name in ("run.json", "per_scene.parquet") if (run.folder / name).is_file()]
    if (run.folder / "scenes").is_dir():
        there.append("the scenes")
    return _and(there)


def _policy(css: str, *scripts: str) -> str:
    """A content policy that allows this page's own style and scripts, by hash, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_fingerprint(css)}",
            f"script-src {' '.join(map(_fingerprint, scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _fingerprint(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_asset("report.html.j2"))
