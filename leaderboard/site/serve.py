"""A look at the site on this machine: a plain server for files, for this machine alone."""

from __future__ import annotations

import functools
import http.server
from collections.abc import Callable
from pathlib import Path

from ...scenes.errors import UserError

__all__ = ["HOST", "serve"]

HOST = "127.0.0.1"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files; says nothing about each of them, and does not let a browser keep what the next build changes."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: object) -> None:
        self.send_error(404, "There is no such page")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
        pass


def serve(folder: Path, *, port: int = 8000, ready: Callable[[str], None] = lambda address: None) -> None:
    """Serve `folder` until interrupted.

    Args:
        port: 0 takes a free one.
        ready: called with the address once it answers.

    Raises:
        UserError: the port is taken.
    """
    handler = functools.partial(_Quiet, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise UserError(f"Port {port} is not free ({error.strerror}).", hint="Choose another with --port.") from error
    with server:
        ready(f"http://{HOST}:{server.server_address[1]}/")
        server.serve_forever()
