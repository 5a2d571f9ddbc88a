"""The command line, verbs in the order of the work.

Nothing heavy is imported before a verb needs it, so `--help` answers at once. Results go to stdout,
progress and complaints to stderr. Exit codes: 0 fine, 1 a bug, 2 what was asked cannot be done,
3 the work was done and something in it failed, 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from .benchmark.harness import Outcome

__all__ = ["app", "main"]

DEFAULT_METHODS = "oracle,ivid-small,billboard,frozen,noise"

TRAINERS = {
    "ivid": "viewsweep.baselines.ivid.train:train",
    "ivid-upsampler": "viewsweep.baselines.ivid.upsampler_train:train",
    "tabletop-network": "viewsweep.metrics.train_network:train",
}
"""What can be trained, and the function that does: train(config, out, *, steps, device, data, log)."""

CONVERTERS = {"ivid": "viewsweep.baselines.ivid.convert:convert"}
"""Whose weights can be converted, and the function that does: convert(files, out, *, half, size, log)."""

KINDS = ("methods", "protocols", "metrics", "classes")
SOURCES = ("nerfstudio", "images", "colmap")


class Verbs(TyperGroup):
    """Verbs in the order they are written; errors meant for people end in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Interrupted; everything finished is kept. Run the same command again to go on.", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            errors = sys.modules.get(f"{__package__}.scenes.errors")  # not loaded: nobody can have raised one
            if errors is None or not isinstance(error, errors.ViewsweepError):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=Verbs,
    help="Benchmark 3D-aware image generators on view sweeps up to 360 degrees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Refuse every network connection.", envvar="VIEWSWEEP_OFFLINE")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", envvar="VIEWSWEEP_QUIET")]
Device = Annotated[str, typer.Option(help="cpu or cuda.", envvar="VIEWSWEEP_DEVICE")]
BatchSize = Annotated[
    int, typer.Option(help="Scenes drawn at once; does not change them.", envvar="VIEWSWEEP_BATCH_SIZE")
]
Methods = Annotated[
    str,
    typer.Option(help="Names, module:Class or files, separated by commas.", envvar="VIEWSWEEP_METHODS"),
]
Scenes = Annotated[
    int | None, typer.Option(help="Another number of scenes; changes the protocol hash.", envvar="VIEWSWEEP_SCENES")
]
Out = Annotated[Path | None, typer.Option(help="Run directory.", show_default="runs/PROTOCOL", envvar="VIEWSWEEP_OUT")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of real pictures, for protocols that compare with one.", envvar="VIEWSWEEP_DATA"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over: delete what an earlier run left for these methods.")]
ProtocolName = Annotated[str, typer.Argument(metavar="PROTOCOL", help="A name, or the path to a .yaml file.")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")]


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"viewsweep {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def doctor(as_json: Json = False, offline: Offline = False) -> None:
    """Say what can run here, and why the rest cannot."""
    _prepare(offline)
    from .benchmark.doctor import examine
    from .scenes.errors import ChecksFailed

    checks = examine()
    if as_json:
        _print_json([vars(check) for check in checks])
    else:
        marks = {"ok": "✓", "note": "·", "fault": "✗"}
        for check in checks:
            typer.echo(f"{marks[check.verdict]} {check.name}: {check.message}")
    faults = [check.name for check in checks if check.verdict == "fault"]
    if faults:
        raise ChecksFailed(f"Not everything can run here; see {', '.join(faults)}.")


@app.command("list")
def list_names(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")] = "methods",
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """List methods, protocols, metrics or classes."""
    _prepare(offline)
    from .benchmark.listing import entries_of

    entries = entries_of(kind)
    if as_json:
        _print_json(entries)
        return
    width = max(map(len, entries), default=0)
    for name, meaning in entries.items():
        typer.echo(f"{name:<{width}}  {meaning}".rstrip())


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A protocol, method or metric; paths work as well.")],
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Show all there is to know about one protocol, method or metric."""
    _prepare(offline)
    from .benchmark.listing import describe

    found = describe(name)
    if as_json:
        _print_json(found)
    else:
        import yaml

        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100).rstrip())


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Weights; none lists them.")] = None,
    offline: Offline = False,
) -> None:
    """Download weights that are not shipped, check their hash, and print where they lie."""
    _prepare(offline)
    from .metrics.weight_files import WEIGHT_FILES, weight_path

    for name in names or []:
        path = weight_path(name, say=lambda line: typer.echo(line, err=True))
        typer.echo(f"{name}: {path}")
    if not names:
        for name, entry in WEIGHT_FILES.items():
            typer.echo(f"{name}: {entry.what_for}")


@app.command()
def prepare(
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="Folder of pictures, with or without class folders.")
    ],
    depth_model: Annotated[
        str, typer.Option(help="Depth estimator: 'simulated', a folder, or a model's name on the hub.")
    ],
    out: Annotated[Path, typer.Option(help="Where to; for `train --data`.")] = Path("prepared"),
    size: Annotated[int, typer.Option(help="Height and width of the pictures.", min=8)] = 128,
    depth_unit: Annotated[
        float | None,
        typer.Option(help="Raw disparity that stands at the pivot; 6250 for MiDaS.", show_default="measured"),
    ] = None,
    device: Device = "cpu",
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Bring pictures to one size and estimate their depth, for training; goes on where it stopped."""
    _prepare(offline)
    from .baselines.ivid.prepare import prepare as prepare_pictures
    from .benchmark.registry import check_device
    from .scenes.errors import UserError

    check_device(device)
    prepared = prepare_pictures(
        images,
        out,
        depth_model=depth_model,
        size=size,
        unit=depth_unit,
        device=device,
        log=lambda line: typer.echo(line, err=True),
    )
    failed = [{"path": str(path), "reason": reason} for path, reason in prepared.failed]
    if as_json:
        _print_json({"pictures": prepared.pictures, "made": prepared.made, "failed": failed})
    else:
        typer.echo(f"{out}: {prepared.pictures} pictures. Next: viewsweep train ivid --data {out}")
    if failed:
        for fault in failed:
            typer.echo(fault["reason"], err=True)
        raise UserError(f"{len(failed)} of the files could not be used; the others were.")


@app.command()
def train(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(TRAINERS)}.")],
    out: Annotated[
        Path, typer.Option(help="Folder for weights, checkpoints and logs; a generator's training resumes from it.")
    ],
    config: Annotated[str, typer.Option(help="Size or recipe.", envvar="VIEWSWEEP_CONFIG")] = "small",
    steps: Annotated[int | None, typer.Option(help="Another number of steps.", min=1)] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="What `prepare` wrote; or a folder for rendered views, to share them between trainings."),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Another number of pictures a step.", min=1)] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Parts a batch is split into where memory is short.", min=1)
    ] = None,
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 or no.", show_default="the recipe's")] = None,
    device: Device = "cpu",
    offline: Offline = False,
) -> None:
    """Train a generator, which resumes after a kill, or the feature network."""
    _prepare(offline)
    from .benchmark.registry import check_device
    from .scenes.errors import UnknownName, UserError

    if what not in TRAINERS:
        raise UnknownName("training", what, TRAINERS)
    check_device(device)
    asked = {"batch": batch, "accumulate": accumulate, "precision": precision}
    changes = {name: value for name, value in asked.items() if value is not None}
    if changes and not what.startswith("ivid"):
        raise UserError(f"--{next(iter(changes))} is an option of `train ivid`; {what} has its own recipe.")
    module, _, function = TRAINERS[what].partition(":")
    trainer: Callable[..., None] = getattr(importlib.import_module(module), function)
    trainer(config, out, steps=steps, device=device, data=data, log=lambda line: typer.echo(line, err=True), **changes)


@app.command()
def convert(
    what: Annotated[str, typer.Argument(metavar="METHOD", help=f"One of {', '.join(CONVERTERS)}.")],
    checkpoints: Annotated[list[Path], typer.Argument(metavar="CHECKPOINT...", help="Files its authors published.")],
    out: Annotated[Path, typer.Option(help="Pipeline folder; parts that are there already stay.")],
    half: Annotated[bool, typer.Option("--half", help="Store half precision.")] = False,
    size: Annotated[int | None, typer.Option(help="Size of the pictures.", min=1, show_default="the authors'")] = None,
    offline: Offline = False,
) -> None:
    """Bring in weights a method's authors published; nothing but plain tensors is opened."""
    _prepare(offline)
    from .scenes.errors import UnknownName

    if what not in CONVERTERS:
        raise UnknownName("converter", what, CONVERTERS)
    module, _, function = CONVERTERS[what].partition(":")
    converter: Callable[..., None] = getattr(importlib.import_module(module), function)
    converter(checkpoints, out, half=half, size=size, log=typer.echo)


@app.command("import")
def import_scenes(
    source: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(SOURCES)}.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the pictures are.")],
    out: Annotated[Path, typer.Option(help="Where to: OUT/scenes/NAME/*.safetensors.", envvar="VIEWSWEEP_OUT")],
    size: Annotated[int | None, typer.Option(help="Square size to bring the pictures to.", min=1)] = None,
    name: Annotated[str, typer.Option(help="Name of the scenes in tables.")] = "imported",
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Bring in scenes from elsewhere: nerfstudio, COLMAP, or pictures without cameras."""
    _prepare(offline)
    from .scenes import imports
    from .scenes.errors import UnknownName, UserError

    if source not in SOURCES:
        raise UnknownName("kind of import", source, SOURCES)
    brought = getattr(imports, f"import_{source}")(directory, out, size=size, name=name)
    failed = [{"path": str(path), "reason": reason} for path, reason in brought.failed]
    if as_json:
        _print_json({"scenes": brought.scenes, "views": brought.views, "failed": failed})
    else:
        typer.echo(f"{out}: {brought.scenes} scenes with {brought.views} views. Next: viewsweep evaluate {out}")
    if failed:
        for fault in failed:
            typer.echo(fault["reason"], err=True)
        raise UserError(f"{len(failed)} of the files could not be imported; the others were.")


@app.command()
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
    _prepare(offline)
    from .benchmark import harness
    from .benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = harness.sample(
            protocol,
            _split(methods),
            out,
            scenes=scenes,
            device=device,
            batch_size=batch_size,
            data=data,
            fresh=fresh,
            command=_command(),
            progress=progress,
        )
    typer.echo(f"Scenes: {outcome.directory / 'scenes'}")
    _complain(outcome)


@app.command()
def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run, or any DIR/scenes/NAME/*.safetensors.")],
    data: Data = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Measure scenes that are on disk."""
    _prepare(offline)
    from . import _write_report
    from .benchmark import harness
    from .benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = harness.evaluate(directory, data=data, report=_write_report, command=_command(), progress=progress)
    _print_results(outcome, as_json)
    _complain(outcome)


@app.command()
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
    _prepare(offline)
    from . import run as run_all
    from .benchmark.progress import make_progress

    with make_progress(quiet=quiet) as progress:
        outcome = run_all(
            protocol,
            _split(methods),
            out,
            scenes=scenes,
            device=device,
            batch_size=batch_size,
            data=data,
            fresh=fresh,
            report=not no_report,
            command=_command(),
            progress=progress,
        )
    _print_results(outcome, as_json)
    if outcome.idle:
        typer.echo("Nothing was left to do.", err=True)
    _complain(outcome)


@app.command()
def status(directory: Directory, as_json: Json = False, offline: Offline = False) -> None:
    """Say how far a run is, who works on it and what failed."""
    _prepare(offline)
    from .benchmark import harness

    found = harness.status(directory)
    if as_json:
        _print_json(found)
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


@app.command()
def report(directory: Directory, offline: Offline = False) -> None:
    """Write report.html of a run that has been evaluated."""
    _prepare(offline)
    from . import _write_report
    from .benchmark import harness

    typer.echo(f"Report: {harness.report(directory, _write_report)}")


@app.command()
def export(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Scene files, folders of them, or run directories.")
    ],
    out: Annotated[Path, typer.Option(help="The video: .webp, .gif or .mp4.")],
    fps: Annotated[float | None, typer.Option(help="Frames a second.", show_default="12, fused 30")] = None,
    fusion: Annotated[
        str | None, typer.Option(help="Render a free path, swing or turntable, from scenes with depth.")
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a fused path.", min=1)] = 60,
    size: Annotated[int | None, typer.Option(help="Pixels of a fused path.", show_default="the scene's", min=8)] = None,
    device: Device = "cpu",
    offline: Offline = False,
) -> None:
    """Write scenes as a video, side by side: their own views, or a free path."""
    _prepare(offline)
    from .baselines.ivid.export import export as export_video
    from .benchmark.registry import check_device

    check_device(device)
    shown = export_video(sources, out, fps=fps, fusion=fusion, frames=frames, size=size, device=device)
    typer.echo(f"{out}: {', '.join(map(str, shown))}")


@app.command()
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
    _prepare(offline)
    from .metrics.selfcheck import FULL, QUICK, run_selfcheck
    from .scenes.errors import ChecksFailed
    from .scenes.files import make_folder

    if html is not None:
        make_folder(html.absolute().parent)  # not after half an hour

    def progress(done: int, total: int) -> None:
        if not quiet and (done % 20 == 0 or done == total):
            typer.echo(f"selfcheck: {done} of {total} tasks", err=True)

    check = run_selfcheck(QUICK if quick else FULL, metrics=_split(metrics), workers=workers, progress=progress)
    if html is not None:
        from .reports.selfcheck_page import write_selfcheck

        write_selfcheck(check, html)
    if as_json:
        _print_json(check.to_json())
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


def main() -> None:
    """What the `viewsweep` command calls."""
    app(prog_name="viewsweep")


def _prepare(offline: bool) -> None:
    if offline:
        from .benchmark.offline import go_offline

        go_offline()


def _split(methods: str) -> list[str]:
    return [name.strip() for name in methods.split(",") if name.strip()]


def _command() -> str:
    return shlex.join(["viewsweep", *sys.argv[1:]])


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def _print_results(outcome: Outcome, as_json: bool) -> None:
    assert outcome.results is not None
    if as_json:
        _print_json(outcome.results | {"report": None if outcome.report is None else str(outcome.report)})
        return
    from rich.console import Console

    from .benchmark.summary import reasons, summary_table

    console = Console()
    if not console.is_terminal:
        console.width = 240  # a log has no edge
    console.print(summary_table(outcome.results))
    for line in reasons(outcome.results):
        typer.echo(line)
    typer.echo(f"Results: {outcome.directory / 'results.json'}")
    if outcome.report is not None:
        typer.echo(f"Report: {outcome.report}")


def _complain(outcome: Outcome) -> None:
    """Failures do not keep the rest from being done, but they decide how the command ends."""
    from .scenes.errors import ChecksFailed, UserError

    refused = [*outcome.unreadable, *outcome.refused]
    if refused:
        more = f" ({len(refused) - 1} more.)" if len(refused) > 1 else ""
        raise UserError(
            f"{refused[0]}{more} Everything else was {'drawn' if outcome.results is None else 'evaluated'}."
        )
    if outcome.failures:
        more = f" ({len(outcome.failures) - 1} more.)" if len(outcome.failures) > 1 else ""
        raise ChecksFailed(f"Done, but without some scenes. {outcome.failures[0]}{more}")


if __name__ == "__main__":
    main()
