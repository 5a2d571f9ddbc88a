"""`--offline`: no connection leaves this process; whatever wants one is told so at once."""

from __future__ import annotations

import os
import socket
from typing import Any, NoReturn

from ..scenes.errors import UserError

__all__ = ["go_offline"]

SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def go_offline() -> None:
    """Refuse every connection to another machine from now on; sockets within this machine still work."""
    for switch in SWITCHES:
        os.environ[switch] = "1"
    connect = socket.socket.connect
    if getattr(connect, "viewsweep_offline", False):
        return

    def guarded(self: socket.socket, address: Any) -> None:
        local = not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1", "localhost")
        if not local:
            _refuse(str(address[0]))
        connect(self, address)

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in (None, "", "127.0.0.1", "::1", "localhost"):
            _refuse(str(host))
        return look_up(host, *arguments, **options)

    look_up = socket.getaddrinfo
    guarded.viewsweep_offline = True  # type: ignore[attr-defined]
    socket.socket.connect = guarded  # type: ignore[assignment,method-assign]
    socket.getaddrinfo = guarded_look_up


def _refuse(host: str) -> NoReturn:
    raise UserError(f"--offline: something asked for {host}. Leave --offline out, or get the file beforehand.")
