"""The process in which a pickle is taken apart: no network, no secrets, little room.

Run as a program by `extract_pickle`, with the pickle and an empty folder:

    python -I pickle_worker.py FILE FOLDER

It leaves FOLDER/tensors.safetensors and FOLDER/found.json. Nothing of the file is executed (see `inert_pickle`); this
process is for the case that a flaw in an unpickler or in torch lets something through.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

__all__ = ["seal"]

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SECONDS = 900
ROOM = 8 << 30
"""Bytes of address space on top of five times the file."""

REFUSED = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.putenv",
    "os.remove",
    "os.rename",
    "shutil.rmtree",
    "webbrowser.open",
)
"""What Python itself is asked to refuse, besides writing outside the folder."""


def cut_network() -> bool:
    """Move this process into a network of its own, which has no way out; whether the system allowed it.

    Needs Linux with user namespaces, and has to happen before threads are started.
    """
    try:
        return int(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET)) == 0
    except (OSError, AttributeError):
        return False


def seal(folder: Path, size: int) -> None:
    """Refuse connections, programs and writing outside `folder`, and limit time and memory, for good.

    Args:
        size: bytes of the file that will be read.
    """
    allowed = os.path.realpath(folder)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REFUSED:
            raise PermissionError(f"{event} is refused while a pickle is taken apart")
        if event == "open" and isinstance(arguments[0], (str, bytes)) and _writes(arguments[1], arguments[2]):
            place = os.path.realpath(os.fsdecode(arguments[0]))
            if not place.startswith(allowed + os.sep) and place != os.devnull:
                raise PermissionError(f"{place} is not to be written while a pickle is taken apart")

    limits = {
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_FSIZE: 5 * size + (64 << 20),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: 5 * size + ROOM + _address_space(),
    }
    for kind, amount in limits.items():
        hard = resource.getrlimit(kind)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (amount, amount))
    sys.addaudithook(refuse)


def main(file: Path, folder: Path) -> None:
    """Take `file` apart into `folder`."""
    cut = cut_network()
    from safetensors.torch import save_file

    inert = _sibling("inert_pickle")
    seal(folder, file.stat().st_size)
    found = inert.collect(inert.load(file))
    tensors = {name: value.contiguous().clone() for name, value in found.tensors.items() if not value.is_complex()}
    save_file(tensors, folder / "tensors.safetensors")
    record = {
        "tensors": {
            name: {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
            for name, value in tensors.items()
        },
        "classes": dict(found.classes.most_common()),
        "sources": found.sources,
        "network": "none: a namespace of its own" if cut else "refused by an audit hook",
    }
    (folder / "found.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _writes(mode: object, flags: object) -> bool:
    asked = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return asked or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


def _address_space() -> int:
    """What torch alone has mapped, bytes; 0 where nothing says."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 64 << 30


def _sibling(name: str) -> Any:
    """A module beside this one, without its package, whose imports are not needed here."""
    specification = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
