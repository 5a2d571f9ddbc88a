"""The verbs of a run: sample and evaluate, in one go with the report or one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    BatchSize,
    Data,
    Device,
    Directory,
    Fresh,
    Json,
    Methods,
    Offline,
    Out,
    ProtocolName,
    Quiet,
    Scenes,
    apply_offline,
    command_line,
    split_names,
)
from .output import complain, print_json, print_results

__all__ = ["evaluate", "run", "sample", "status"]

DEFAULT_METHODS = "oracle,ivid-small,billboard,frozen,noise"


def sample(
    protocol: ProtocolName,
    methods: Methods = DEFAULT_METHODS,
    scenes: Scenes = None,
    out: Out = None,
    device: Device = "cpu",
    batch_size: BatchSize = 4,
    data: Data = None,
    fresh: Fresh = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Draw the scenes of a protocol; goes on where it stopped."""
    apply_offline(offline)
    from ..benchmark import harness
    from ..benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = harness.sample(
            protocol,
            split_names(methods),
            out,
            scenes=scenes,
            device=device,
            batch_size=batch_size,
            data=data,
            fresh=fresh,
            command=command_line(),
            progress=progress,
        )
    typer.echo(f"Scenes: {outcome.directory / 'scenes'}")
    complain(outcome)


def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run, or any DIR/scenes/NAME/*.safetensors.")],
    data: Data = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Measure scenes that are on disk."""
    apply_offline(offline)
    from .. import _write_report
    from ..benchmark import harness
    from ..benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = harness.evaluate(
            directory, data=data, report=_write_report, command=command_line(), progress=progress
        )
    print_results(outcome, as_json)
    complain(outcome)


def run(
    protocol: ProtocolName,
    methods: Methods = DEFAULT_METHODS,
    scenes: Scenes = None,
    out: Out = None,
    device: Device = "cpu",
    batch_size: BatchSize = 4,
    data: Data = None,
    fresh: Fresh = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave the report out.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Sample, evaluate and report in one go; goes on where it stopped."""
    apply_offline(offline)
    from .. import run as run_all
    from ..benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = run_all(
            protocol,
            split_names(methods),
            out,
            scenes=scenes,
            device=device,
            batch_size=batch_size,
            data=data,
            fresh=fresh,
            report=not no_report,
            command=command_line(),
            progress=progress,
        )
    print_results(outcome, as_json)
    if outcome.idle:
        typer.echo("Nothing was left to do.", err=True)
    complain(outcome)


def status(directory: Directory, as_json: Json = False, offline: Offline = False) -> None:
    """Say how far a run is, who works on it and what failed."""
    apply_offline(offline)
    from ..benchmark import harness

    found = harness.status(directory)
    if as_json:
        print_json(found)
        return
    protocol = found["protocol"]
    typer.echo(f"{found['directory']}: {found['state']}" + (f" ({found['reason']})" if found["reason"] else ""))
    if protocol:
        typer.echo(f"protocol: {protocol['name']} v{protocol['version']}, hash {protocol['hash']}")
    if found["holder"]:
        typer.echo(found["holder"])
    for name, method in found["methods"].items():
        typer.echo(f"{name}: {method['scenes']}/{method['requested']} scenes")
        for index, reason in method["failed"].items():
            typer.echo(f"  scene {index} failed: {reason}")
    if found["state"] in ("interrupted", "cancelled", "failed") and found["command"]:
        typer.echo(f"To go on: {found['command'].replace(' --fresh', '')}")
