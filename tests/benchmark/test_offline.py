"""`--offline` refuses the network and leaves this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from viewsweep.benchmark.offline import go_offline
from viewsweep.scenes.errors import UserError


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "0")
    connect, look_up = socket.socket.connect, socket.getaddrinfo
    go_offline()
    go_offline()
    yield
    socket.socket.connect, socket.getaddrinfo = connect, look_up  # type: ignore[method-assign]


@pytest.mark.usefixtures("_offline")
def test_other_machines_are_refused() -> None:
    with socket.socket() as plug, pytest.raises(UserError, match=r"--offline: something asked for 192\.0\.2\.1"):
        plug.connect(("192.0.2.1", 80))
    with pytest.raises(UserError, match=r"--offline: something asked for example\.org"):
        socket.create_connection(("example.org", 80))


@pytest.mark.usefixtures("_offline")
def test_this_machine_is_not() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()):
            pass
