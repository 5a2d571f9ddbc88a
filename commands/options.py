"""Options that several verbs share, and what is done with them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

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
    typer.Option(
        help="Names, module:Class, files or trained folders, separated by commas.", envvar="VIEWSWEEP_METHODS"
    ),
]
Scenes = Annotated[
    int | None, typer.Option(help="Another number of scenes; changes the protocol hash.", envvar="VIEWSWEEP_SCENES")
]
Out = Annotated[Path | None, typer.Option(help="Run directory.", show_default="runs/PROTOCOL", envvar="VIEWSWEEP_OUT")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of real pictures or videos, for protocols that need one.", envvar="VIEWSWEEP_DATA"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over: delete what an earlier run left for these methods.")]
ProtocolName = Annotated[str, typer.Argument(metavar="PROTOCOL", help="A name, or the path to a .yaml file.")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")]


def apply_offline(offline: bool) -> None:
    """Cut this process off the network where the user asked for it."""
    if offline:
        from ..benchmark.offline import go_offline

        go_offline()


def split_names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def command_line() -> str:
    """What the user typed, to be repeated."""
    return shlex.join(["viewsweep", *sys.argv[1:]])
