"""The verbs that bring pictures and scenes in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Json, Offline, apply_offline
from .output import print_json

__all__ = ["import_scenes", "prepare"]

SOURCES = ("nerfstudio", "images", "colmap")


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
    apply_offline(offline)
    from ..baselines.ivid.prepare import prepare as prepare_pictures
    from ..benchmark.registry import check_device
    from ..scenes.errors import UserError

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
        print_json({"pictures": prepared.pictures, "made": prepared.made, "failed": failed})
    else:
        typer.echo(f"{out}: {prepared.pictures} pictures. Next: viewsweep train ivid --data {out}")
    if failed:
        for fault in failed:
            typer.echo(fault["reason"], err=True)
        raise UserError(f"{len(failed)} of the files could not be used; the others were.")


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
    apply_offline(offline)
    from ..scenes import imports
    from ..scenes.errors import UnknownName, UserError

    if source not in SOURCES:
        raise UnknownName("kind of import", source, SOURCES)
    brought = getattr(imports, f"import_{source}")(directory, out, size=size, name=name)
    failed = [{"path": str(path), "reason": reason} for path, reason in brought.failed]
    if as_json:
        print_json({"scenes": brought.scenes, "views": brought.views, "failed": failed})
    else:
        typer.echo(f"{out}: {brought.scenes} scenes with {brought.views} views. Next: viewsweep evaluate {out}")
    if failed:
        for fault in failed:
            typer.echo(fault["reason"], err=True)
        raise UserError(f"{len(failed)} of the files could not be imported; the others were.")
