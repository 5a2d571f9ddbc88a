"""The verbs that show results: report, compare, export."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Device, Json, Offline, apply_offline, split_names
from .output import print_json

if TYPE_CHECKING:
    from ..reports.comparing import Contest, Difference

__all__ = ["compare", "export", "report"]

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories of one protocol.")]
SomeMethods = Annotated[str, typer.Option(help="Methods, separated by commas.", show_default="all")]


def report(
    directories: Runs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to.", show_default="report.html in the run")
    ] = None,
    scenes: Annotated[int, typer.Option(help="Scenes with pictures, at most.", min=0, max=64)] = 6,
    offline: Offline = False,
) -> None:
    """Write report.html of a run that has been evaluated, or one of several runs together."""
    apply_offline(offline)
    from ..reports import write_report
    from ..scenes.errors import UserError

    if len(directories) == 1 and out is None:
        from ..benchmark import harness  # holds the run's lock, and writes its manifest anew

        typer.echo(f"Report: {harness.report(directories[0], lambda run: write_report(run, scenes_shown=scenes))}")
        return
    if out is None:
        raise UserError("A report of several runs belongs to none of them.", hint="Say where to with -o report.html.")
    typer.echo(f"Report: {write_report(directories, out=out, scenes_shown=scenes)}")


def compare(
    directories: Runs,
    methods: SomeMethods = "",
    metrics: Annotated[str, typer.Option(help="Metric ids, separated by commas.", show_default="headlines")] = "",
    everything: Annotated[bool, typer.Option("--all", help="By every metric with a better end.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the report page of these runs as well.", show_default=False),
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Say which method is better on what, scene by scene, and where the difference may be luck."""
    apply_offline(offline)
    from ..reports.comparing import contest
    from ..reports.merge import read_runs
    from ..reports.report import write_page

    run = read_runs(directories)
    held = contest(run, split_names(methods), split_names(metrics), headlines=not everything)
    if out is not None:
        write_page(run, out, held=held)
    if as_json:
        print_json(_as_record(dict(run.protocol), held))
        return
    _print_differences(held.differences)
    for line in held.remarks:
        typer.echo(line)
    for entry in held.without:
        typer.echo(f"{entry.column.definition.id}: not compared; {entry.reason}")
    if out is not None:
        typer.echo(f"Report: {out}")


def _as_record(protocol: dict[str, str], held: Contest) -> dict[str, Any]:
    from dataclasses import asdict

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    pairs = [
        {"metric": entry.column.definition.id, "unit": entry.column.unit}
        | {"higher_is_better": entry.column.definition.higher_is_better}
        | {name: finite(value) for name, value in asdict(entry.pair).items()}
        | {"better_on": entry.better_on, "equal_on": entry.equal_on, "scenes": entry.scenes}
        for entry in held.differences
    ]
    return {
        "protocol": protocol,
        "methods": [method.name for method in held.rivals],
        "pairs": pairs,
        "not_compared": {entry.column.definition.id: entry.reason for entry in held.without},
    }


def _print_differences(found: Sequence[Difference]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 240  # a log has no edge
    by_pair: dict[tuple[str, str], list[Difference]] = {}
    for entry in found:
        by_pair.setdefault((entry.pair.first, entry.pair.second), []).append(entry)
    for (first, second), entries in by_pair.items():
        table = Table(title=f"{first} less {second}", title_justify="left")
        table.add_column("metric")
        for name in ("difference [95 %]", "better on scenes", "p"):
            table.add_column(name, justify="right")
        table.add_column("verdict")
        for entry in entries:
            unit = f", {entry.column.unit}" if entry.column.unit else ""
            table.add_row(
                f"{entry.column.definition.title}{unit} {entry.column.arrow}".strip(),
                entry.size,
                entry.share,
                entry.chance,
                entry.verdict if entry.pair.better else f"[dim]{entry.verdict}[/dim]",
            )
        console.print(table)
        won = {name: sum(entry.pair.better == name for entry in entries) for name in (first, second)}
        open_ = len(entries) - sum(won.values())
        typer.echo(
            f"{first} is better by {won[first]} of {len(entries)} metrics, {second} by {won[second]}; "
            f"by {open_} the difference may be luck."
        )


def export(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Run directories; scene files or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="The file, or the folder for several.")],
    what: Annotated[
        str, typer.Option(help="scenes, as a video of what is named; or table, plot or turntable of runs.")
    ] = "scenes",
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, latex, markdown; svg; webp, mp4, gif.", show_default="by the file's ending"
        ),
    ] = None,
    names: Annotated[
        str, typer.Option("--name", help="Tables or plots, separated by commas.", show_default="all")
    ] = "",
    folded: Annotated[
        bool, typer.Option("--all", help="Of tables: columns the page folds away too; CSV holds them always.")
    ] = False,
    methods: SomeMethods = "",
    scene: Annotated[int, typer.Option(help="Of a turntable: which scene.", min=0)] = 0,
    layer: Annotated[str, typer.Option(help="Of a turntable: rgb, depth, normals or warp.")] = "rgb",
    scale: Annotated[int, typer.Option(help="Of a turntable: how many times larger.", min=1, max=32)] = 1,
    fps: Annotated[float | None, typer.Option(help="Frames a second.", show_default="12, fused 30")] = None,
    fusion: Annotated[
        str | None, typer.Option(help="Render a free path, swing or turntable, from scenes with depth.")
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a fused path.", min=1)] = 60,
    size: Annotated[int | None, typer.Option(help="Pixels of a fused path.", show_default="the scene's", min=8)] = None,
    device: Device = "cpu",
    offline: Offline = False,
) -> None:
    """Write scenes as a video, or tables, plots and turntables of runs as files."""
    apply_offline(offline)
    if what == "scenes":
        _export_scenes(sources, _with_ending(out, form, "turntable"), fps, fusion, frames, size, device)
        return
    from ..reports.exporting import export_plots, export_tables, export_turntable, formats_of
    from ..reports.merge import read_runs
    from ..scenes.errors import UnknownName

    known = formats_of(what)
    if form is not None and form not in known:
        raise UnknownName(f"format of a {what}", form, known)
    run = read_runs(sources)
    if what == "turntable":
        path = _with_ending(out, form, what)
        shown = export_turntable(
            run,
            path,
            scene=scene,
            methods=split_names(methods),
            layer=layer,
            fps=12.0 if fps is None else fps,
            scale=scale,
        )
        typer.echo(f"{path}: {', '.join(shown)}")
        return
    if what == "table":
        endings = {".csv": "csv", ".tex": "latex", ".md": "markdown"}
        kind = form or endings.get(out.suffix.lower(), "csv")
        written = export_tables(run, out, kind, split_names(names), folded=folded)
    else:
        written = export_plots(run, out, split_names(names))
    for path in written:
        typer.echo(str(path))


def _with_ending(out: Path, form: str | None, what: str) -> Path:
    """`out` with the ending of the format asked for; an ending that says otherwise is refused."""
    from ..reports.exporting import formats_of
    from ..scenes.errors import UnknownName, UserError

    if form is None:
        return out
    known = formats_of(what)
    if form not in known:
        raise UnknownName(f"format of a {what}", form, known)
    if out.suffix and out.suffix.lower() != f".{form}":
        raise UserError(f"{out}: its ending says otherwise than --format {form}.", hint="Leave one of them out.")
    return out.with_suffix(f".{form}")


def _export_scenes(
    sources: list[Path],
    out: Path,
    fps: float | None,
    fusion: str | None,
    frames: int,
    size: int | None,
    device: str,
) -> None:
    from ..baselines.ivid.export import export as export_video
    from ..benchmark.registry import check_device

    check_device(device)
    shown = export_video(sources, out, fps=fps, fusion=fusion, frames=frames, size=size, device=device)
    typer.echo(f"{out}: {', '.join(map(str, shown))}")
