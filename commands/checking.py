"""The verbs that check: a method against the rules, the metrics on this machine, and the files of a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Json, Offline, Quiet, apply_offline, split_names
from .output import print_json

__all__ = ["check_method", "selfcheck", "validate"]


def check_method(
    name: Annotated[str, typer.Argument(help="A method: a name, module:Class, a file, or a trained folder.")],
    quick: Annotated[bool, typer.Option("--quick", help="Half the views, and no batch in another order.")] = False,
    size: Annotated[
        int | None, typer.Option(help="Pixels.", show_default="the method's own, or 64", envvar="VIEWSWEEP_SIZE")
    ] = None,
    device: Device = "cpu",
    quiet: Quiet = False,
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Check that a method keeps the rules: interface, seeds, batches, cameras, depth."""
    apply_offline(offline)
    from ..benchmark.conformance import check_conformance
    from ..scenes.errors import ChecksFailed

    def log(line: str) -> None:
        if not quiet:
            typer.echo(f"check-method: {line}", err=True)

    checks = check_conformance(name, device=device, size=size, quick=quick, log=log)
    if as_json:
        print_json([vars(check) for check in checks])
    else:
        marks = {"ok": "✓", "skipped": "·", "fault": "✗"}
        for check in checks:
            typer.echo(f"{marks[check.verdict]} {check.name}: {check.message}")
    faults = [check.name for check in checks if check.verdict == "fault"]
    if faults:
        raise ChecksFailed(f"{name} does not keep all rules; see {', '.join(faults)}.")


def selfcheck(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer objects and levels: minutes, not half an hour.")
    ] = False,
    metrics: Annotated[str, typer.Option(help="Names separated by commas; all without.", show_default=False)] = "",
    html: Annotated[Path | None, typer.Option(help="Write the response matrix as a page.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; the numbers do not depend on it.", show_default="cores")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Prove on this machine that each metric sees what it claims to see, and nothing else."""
    apply_offline(offline)
    from ..metrics.selfcheck import FULL, QUICK, run_selfcheck
    from ..scenes.errors import ChecksFailed
    from ..scenes.files import make_folder

    if html is not None:
        make_folder(html.absolute().parent)  # not after half an hour

    def progress(done: int, total: int) -> None:
        if not quiet and (done % 20 == 0 or done == total):
            typer.echo(f"selfcheck: {done} of {total} tasks", err=True)

    check = run_selfcheck(QUICK if quick else FULL, metrics=split_names(metrics), workers=workers, progress=progress)
    if html is not None:
        from ..reports.selfcheck_page import write_selfcheck

        write_selfcheck(check, html)
    if as_json:
        print_json(check.to_json())
    else:
        for fault in check.faults:
            typer.echo(f"✗ {fault}")
        for name, reason in check.unmeasured.items():
            typer.echo(f"- {name} was not measured: {reason}")
        typer.echo(f"Declarations that hold: {check.held}; that do not: {len(check.faults)} ({check.seconds:.0f} s).")
        if html is not None:
            typer.echo(f"Matrix: {html}")
    if check.faults:
        what = "1 declaration does" if len(check.faults) == 1 else f"{len(check.faults)} declarations do"
        raise ChecksFailed(f"{what} not hold on this machine.")


def validate(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A board's folder, an entry, a card, or an archive of scenes."),
    ],
    previous: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The board before a change; no row may vanish, no check be added."),
    ] = None,
    maintainer: Annotated[
        bool, typer.Option("--maintainer", help="With --previous: the change may record who checked a row.")
    ] = False,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Print lines that GitHub shows beside changed files.")
    ] = False,
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Find all that is wrong with files of a leaderboard; exit 3 where there is an error."""
    apply_offline(offline)
    from ..leaderboard.faults import annotate, exit_code, faults_json, render
    from ..leaderboard.validate import validate as validate_files

    faults = validate_files(path, previous=previous, maintainer=maintainer)
    if as_json:
        print_json(faults_json(faults, str(path)))
    else:
        typer.echo((annotate if annotations else render)(faults, str(path)))
    raise typer.Exit(exit_code(faults))
