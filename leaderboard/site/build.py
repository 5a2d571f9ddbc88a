"""A board in, a static site out: the same board gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from ...benchmark.protocol import load_protocol, protocol_names
from ...scenes.errors import UserError
from ..board import Board
from .definitions import meanings
from .downloads import bibtex, csv_of, data_json, json_of, latex_of
from .folder import write_site
from .pages import Site, pages
from .tables import protocol_tables

__all__ = ["TITLE", "build_site"]

TITLE = "viewsweep leaderboard"


def build_site(
    board: Board, out: Path, *, title: str = TITLE, base_url: str | None = None, repository: str | None = None
) -> list[Path]:
    """Write the site of `board` to the folder `out` and return the paths of its files, sorted.

    The pages need no server and no network; they forbid the browser to load anything. Files of an
    earlier site in `out` that are no longer part of it are removed.

    Args:
        board: as `validate.read_board` gives it.
        out: a folder that is empty, missing, or holds an earlier site.
        title: of the site.
        base_url: where it will stand, such as ``https://example.org/board/``.
        repository: address of the project's sources, to link its documents.

    Raises:
        UserError: `out` holds something else; an address does not begin with ``https://``.
        WriteFailed: a file cannot be written.
    """
    for address in (base_url, repository):
        if address is not None and not address.startswith("https://"):
            raise UserError(f"{address}: this is no address.", hint="Give one that begins with https://.")
    return write_site(out, _files(_site(board, title, base_url, repository)))


def _site(board: Board, title: str, base_url: str | None, repository: str | None) -> Site:
    known = meanings(name for entry in board.entries.values() for name in entry.metrics)
    own = protocol_names()
    return Site(
        board=board,
        tables=protocol_tables(board, known),
        meanings=known,
        title=title,
        base_url=None if base_url is None else base_url.rstrip("/") + "/",
        repository=None if repository is None else repository.rstrip("/"),
        about={name: load_protocol(name).description for name in board.protocols if name in own},
    )


def _files(site: Site) -> dict[str, bytes]:
    files = dict(pages(site))
    for protocol in site.board.protocols:
        tables = site.tables[protocol]
        files[f"data/{protocol}.csv"] = csv_of(tables)
        files[f"data/{protocol}.json"] = json_of(tables, site.meanings)
        files[f"data/{protocol}.tex"] = latex_of(tables[0])
    files["data.json"] = data_json(site.board, site.tables, site.meanings)
    files["methods.bib"] = bibtex(site.board)
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}
