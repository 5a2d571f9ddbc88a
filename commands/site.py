"""The verb that makes the leaderboard's site, and the one that shows it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json
from .output import print_json

__all__ = ["app"]

app = typer.Typer(help="Build the leaderboard's pages, or look at them on this machine.", no_args_is_help=True)

BoardPath = Annotated[
    Path | None,
    typer.Option(
        "--board",
        help="Folder of the board: entries/, methods/, reported/.",
        show_default="the one that comes with viewsweep",
        envvar="VIEWSWEEP_BOARD",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the site: new, empty, or holding an earlier site.")]
Title = Annotated[str | None, typer.Option(help="Title of the site.", show_default="viewsweep leaderboard")]
BaseUrl = Annotated[str | None, typer.Option(help="Where the site will stand, https://...", show_default=False)]
Repository = Annotated[
    str | None, typer.Option(help="Address of the sources, to link documents, https://...", show_default=False)
]


@app.command()
def build(
    out: Out,
    board: BoardPath = None,
    title: Title = None,
    base_url: BaseUrl = None,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Write the site of a board; the same board gives the same bytes."""
    written = _build(out, board, title, base_url, repository)
    if as_json:
        print_json({"out": str(out), "files": [path.relative_to(out).as_posix() for path in written]})
    else:
        typer.echo(f"Site: {out / 'index.html'} ({len(written)} files)")


@app.command()
def serve(
    out: Out = Path("site"),
    board: BoardPath = None,
    title: Title = None,
    repository: Repository = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
) -> None:
    """Build the site and serve it to this machine alone, until interrupted."""
    from ..leaderboard.site import serve as serve_folder

    _build(out, board, title, None, repository)
    try:
        serve_folder(out, port=port, ready=lambda address: typer.echo(f"Serving {out} at {address} (Ctrl-C ends it)"))
    except KeyboardInterrupt:  # the way it is meant to end
        typer.echo(f"No longer served; the pages stay in {out}.", err=True)


def _build(
    out: Path, board: Path | None, title: str | None, base_url: str | None, repository: str | None
) -> list[Path]:
    from .. import leaderboard
    from ..leaderboard.site import build_site
    from ..leaderboard.site.build import TITLE
    from ..leaderboard.validate import read_board

    found = read_board(Path(leaderboard.__file__).parent if board is None else board)
    return build_site(found, out, title=title or TITLE, base_url=base_url, repository=repository)
