"""Put the parts of a report together and write the one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from ..scenes.files import atomic_write, make_folder
from .assets import SCRIPTS, STYLES, asset, policy, template
from .comparing import Contest, contest
from .completion_pictures import SPREAD_LIMIT, completions
from .curve_points import bins_by_metric
from .curves import azimuth_curves, bin_curves, chart
from .distributions import Extreme, extremes, scene_values, strip_plot
from .gap_curves import gap_chart, gap_curves
from .layers import DEPTH_MAP, HEAT_LIMIT, HEAT_MAP, LAYERS, colour_stops
from .merge import read_runs
from .numbers import format_duration
from .provenance import (
    conjoined,
    costs,
    facts,
    failures_summary,
    lede,
    records,
    reference_rows,
    sources,
    total_scenes,
)
from .ranks import competitors, unranked
from .reactions import matrices, reaction
from .rundir import Failure, RunFiles
from .svg import method_styles
from .tables import Cell, Column, Summary, flatten, summarise
from .thumbnails import thumbnails
from .tradeoffs import tradeoffs
from .turntables import Exhibit, exhibits, pick_scenes, trace_data
from .view_range import range_tables

__all__ = ["render", "write_page", "write_report"]

MOST_FAILURES = 200
FEW_NOTES = 6
Drawn = TypeVar("Drawn", bound=tuple[Any, ...])

EARLY_SCRIPT = 'document.documentElement.classList.add("js")'

TITLES = {
    "turntables": "Pictures",
    "completions": "Completions",
    "results": "Results",
    "tradeoffs": "Trade-offs",
    "view-range": "View range",
    "angles": "Angles",
    "azimuth": "Azimuth",
    "scenes": "Scenes",
    "failures": "Failures",
    "metrics": "Metrics",
    "methods": "Methods",
    "protocol": "Protocol",
    "reproduce": "Reproduce",
}


def write_report(run_dir: Path | Sequence[Path], *, out: Path | None = None, scenes_shown: int = 6) -> Path:
    """Write the report of a run, or of several runs of one protocol, in one step, and return its path.

    The file is self-contained: it opens from disk, loads nothing, and forbids the browser to. The
    same directories give the same bytes. A scene that cannot be read is shown as such and counted.

    Args:
        run_dir: run directories with at least ``results.json``.
        out: where to, folders made as needed; ``report.html`` in the (first) run directory by default.
        scenes_shown: scenes with pictures, at most; they are spread over the classes. The numbers
            always cover all scenes. With 6 scenes of 24 views at 64 pixels and 5 methods the file
            stays under 6 MB; pictures are compressed harder where there are more, so that 24 scenes
            by 10 methods stay under 15 MB.

    Raises:
        UnreadableFile: `results.json` is missing, or a file of a run is broken or too new.
        UserError: the runs are of different protocols.
        WriteFailed: the report cannot be written; an earlier one is untouched.
    """
    folders = [Path(run_dir)] if isinstance(run_dir, str | Path) else [Path(folder) for folder in run_dir]
    run = read_runs(folders)
    return write_page(run, run.folder / "report.html" if out is None else Path(out), scenes_shown=scenes_shown)


def write_page(run: RunFiles, out: Path, *, scenes_shown: int = 6, held: Contest | None = None) -> Path:
    """Write the report of what has been read to `out`, in one step; folders are made as needed."""
    make_folder(out.parent)
    atomic_write(out, render(run, scenes_shown=scenes_shown, held=held))
    return out


def render(run: RunFiles, *, scenes_shown: int = 6, held: Contest | None = None) -> str:
    """The page of a run as text.

    Args:
        run: what to show.
        scenes_shown: scenes with pictures, at most.
        held: the comparison that was asked for, unfolded; by default that of all competing methods by the
            headlines, where there are two of them.
    """
    indices = pick_scenes(run, scenes_shown)
    shown, unreadable = exhibits(run, indices)
    summary = summarise(run)
    columns = list(summary.columns)
    angles = [(column, gap_chart(run, column, curves), missing) for column, curves, missing in gap_curves(run)]
    ranges = range_tables(run)
    charts, banded = azimuth_charts(run, columns)
    strips, ends = scene_strips(run, columns)
    failures = _failures(run, unreadable)
    plots, undominated = tradeoffs(run)
    filled = completions(run, indices)
    css, scripts = "\n".join(map(asset, STYLES)), [asset(name) for name in SCRIPTS]
    there = {
        "results": True,
        "turntables": bool(shown),
        "completions": bool(filled),
        "angles": bool(angles),
        "azimuth": bool(charts),
        "view-range": bool(ranges),
        "tradeoffs": bool(plots),
        "scenes": bool(strips),
    }
    sheets = [sheet for exhibit in shown for pane in exhibit.panes for sheet in pane.sheets]
    versus = held or (contest(run) if len(competitors(run)) > 1 else None)
    return template("report.html.j2").render(
        policy=policy(css, EARLY_SCRIPT, *scripts),
        css=Markup(css),
        early_script=Markup(EARLY_SCRIPT),
        scripts=[Markup(script) for script in scripts],
        run=run,
        protocol=run.protocol,
        lede=lede(run, shown),
        unfinished=_unfinished(run),
        facts=facts(run, shown),
        contents=[(name, title) for name, title in _in_order(there)],
        exhibits=shown,
        turns=any(len(pane.yaws) > 1 for exhibit in shown for pane in exhibit.panes),
        layers={name: title for name, title in LAYERS.items() if _has_layer(shown, name)},
        total_scenes=total_scenes(run),
        methods=run.methods,
        styles=method_styles(run.methods),
        summary=summary,
        few_notes=FEW_NOTES,
        has_intervals=any(cell.interval for cell in _cells(summary)),
        has_ranks=any(cell.rank for cell in _cells(summary)),
        unranked=conjoined(unranked(run)) if unranked(run) else "",
        versus=versus,
        asked=held is not None,
        standings={(own.first, own.second): own for own in versus.standings} if versus else {},
        reference_rows=reference_rows(summary),
        durations={m.name: format_duration(m.seconds) for m in run.methods if m.seconds is not None},
        completions=filled,
        spread_limit=SPREAD_LIMIT,
        ranges=ranges,
        angles=_folded(angles),
        angles_missing=[f"{column.definition.title}, {why}" for column, _, missing in angles for why in missing],
        charts=_folded(charts),
        charts_banded=banded,
        charts_binned=bool(bins_by_metric(run.definitions)),
        tradeoffs=plots,
        undominated=undominated,
        strips=_folded(strips),
        extremes=ends,
        extreme_columns=list({end.column.definition.id: end.column for end in ends}.values()),
        thumbnails=thumbnails(run, [end for end in ends if end.column.headline]),
        failures=failures[:MOST_FAILURES],
        failures_left=max(0, len(failures) - MOST_FAILURES),
        called=run.called,
        counted="sample" if run.samples > 1 else "scene",
        failures_summary=failures_summary(failures),
        reactions={own.definition.id: reaction(own.definition.id) for own in columns},
        matrices=matrices(columns),
        method_lines={m.name: flatten({k: v for k, v in m.info.items() if k != "description"}) for m in run.methods},
        costs=costs(run),
        protocol_lines=flatten({key: value for key, value in run.resolved.items() if key != "hash"}),
        records=records(run),
        depth_stops=colour_stops(DEPTH_MAP, falling=True),
        heat_stops=colour_stops(HEAT_MAP),
        heat_limit=HEAT_LIMIT,
        compressed=any(not sheet.lossless for sheet in sheets),
        trace=trace_data(run, indices, [column for column in columns if column.headline]),
        sources=sources(run),
    )


def _in_order(there: dict[str, bool]) -> Iterator[tuple[str, str]]:
    for name in (*there, "failures", "metrics", "methods", "protocol", "reproduce"):
        if there.get(name, True):
            yield name, TITLES[name]


def _unfinished(run: RunFiles) -> str | None:
    """The status of the first run that is not complete."""
    states = [part.run.get("status") for part in run.parts or (run,)]
    return next((str(state) for state in states if state not in (None, "complete")), None)


def _cells(summary: Summary) -> Iterator[Cell]:
    return (cell for group in summary.groups for row in group.rows for cell in row.cells)


def _has_layer(shown: Sequence[Exhibit], name: str) -> bool:
    return any(name in pane.layers for exhibit in shown for pane in exhibit.panes)


def _failures(run: RunFiles, unreadable: Sequence[tuple[str, Failure]]) -> list[tuple[str, Failure]]:
    """Scenes that failed in the run, and those that could not be shown on top of them."""
    failures = [(method.name, failure) for method in run.methods for failure in method.failed]
    counted = {(name, failure.index) for name, failure in failures}
    return failures + [lost for lost in unreadable if (lost[0], lost[1].index) not in counted]


def _folded(drawn: Sequence[Drawn]) -> tuple[list[Drawn], list[Drawn]]:
    """Charts to be seen at once, and those under a fold: all are seen where no headline is among them."""
    shown = [entry for entry in drawn if entry[0].headline] or list(drawn)
    return shown, [entry for entry in drawn if entry not in shown]


def azimuth_charts(run: RunFiles, columns: Sequence[Column]) -> tuple[list[tuple[Column, Markup]], bool]:
    """Every chart against azimuth with its column, and whether one of them has bands."""
    found, banded = [], False
    names = {method.name for method in run.methods}
    for column in columns:
        curves = [curve for curve in azimuth_curves(run.scene_rows, column.definition.id) if curve.method in names]
        if curves:
            found.append((column, chart(run, column, curves)))
            banded = banded or any(curve.low is not None for curve in curves)
    found += [(column, chart(run, column, curves)) for column, curves in bin_curves(run)]
    return found, banded


def scene_strips(run: RunFiles, columns: Sequence[Column]) -> tuple[list[tuple[Column, Markup]], list[Extreme]]:
    """Every plot of single scenes with its column, and the best and worst scenes."""
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
