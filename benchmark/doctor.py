"""What can run on this machine, and why the rest cannot."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..scenes.errors import ViewsweepError
from .environment import package_version

__all__ = ["Check", "examine"]

Verdict = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Check:
    """One thing looked at: `fault` keeps the embedded protocols from running, `note` only limits."""

    name: str
    verdict: Verdict
    message: str


def examine() -> list[Check]:
    """Look at everything a run needs; nothing is changed and nothing downloaded."""
    checks: list[tuple[str, Callable[[], tuple[Verdict, str]]]] = [
        ("python", _python),
        ("torch", _torch),
        ("gpu", _gpu),
        ("packages", _packages),
        ("tabletop network", _network),
        ("other weights", _weights),
        ("protocols", _protocols),
        ("methods", _methods),
        ("cache folder", _cache),
        ("disk", _disk),
    ]
    found = []
    for name, look in checks:
        try:
            found.append(Check(name, *look()))
        except Exception as error:  # the doctor has to survive whatever is wrong
            text = str(error) if isinstance(error, ViewsweepError) else f"{type(error).__name__}: {error}"
            found.append(Check(name, "fault", text))
    return found


def _python() -> tuple[Verdict, str]:
    return "ok", f"{sys.version.split()[0]}, viewsweep {package_version('viewsweep')}"


def _torch() -> tuple[Verdict, str]:
    import torch

    return "ok", f"{torch.__version__}, {torch.get_num_threads()} threads on {os.cpu_count()} cores"


def _gpu() -> tuple[Verdict, str]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return "ok", f"{', '.join(names)}: --device cuda works"
    why = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no usable GPU"
    return "note", f"{why}; --device cpu works"


def _packages() -> tuple[Verdict, str]:
    needed = ("torchvision", "diffusers", "torchmetrics", "cv2", "pyarrow", "pandas", "scipy", "safetensors", "jinja2")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        return "fault", f"missing: {', '.join(missing)}. Install viewsweep again."
    return "ok", "all there"


def _network() -> tuple[Verdict, str]:
    from ..metrics.tabletop_network import load_tabletop_network

    return "ok", f"weights {load_tabletop_network().sha256[:12]}"


def _weights() -> tuple[Verdict, str]:
    from ..metrics.weight_files import WEIGHT_FILES, installed_weights

    there = installed_weights()
    missing = [f"{name} ({entry.what_for})" for name, entry in WEIGHT_FILES.items() if name not in there]
    if not missing:
        return "ok", ", ".join(there)
    had = f"{', '.join(there)}; " if there else ""
    return "note", f"{had}not here, and fetched only if you ask (`viewsweep fetch NAME`): {'; '.join(missing)}"


def _protocols() -> tuple[Verdict, str]:
    from ..metrics.tabletop_network import load_tabletop_network
    from .metric_catalogue import check_metrics
    from .protocol import load_protocol, protocol_names

    installed = load_tabletop_network().sha256
    for name in protocol_names():
        protocol = load_protocol(name)
        check_metrics(protocol)
        own = protocol.features is not None and protocol.features.network == "tabletop"
        if own and protocol.features is not None and protocol.features.sha256 != installed:
            return (
                "fault",
                f"{name} asks for the network {protocol.features.sha256[:12]}, installed is {installed[:12]}",
            )
    return "ok", ", ".join(protocol_names())


def _methods() -> tuple[Verdict, str]:
    from .registry import find_method, method_names

    for name in method_names():
        find_method(name)  # names claimed twice say so here
    return "ok", ", ".join(method_names())


def _cache() -> tuple[Verdict, str]:
    from .reference_set import cache_folder

    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return "note", f"{folder} cannot be written: reference features are computed anew each time (VIEWSWEEP_CACHE)"
    return "ok", str(folder)


def _disk() -> tuple[Verdict, str]:
    free = {str(place): shutil.disk_usage(place).free / 2**30 for place in (Path.cwd(), Path(tempfile.gettempdir()))}
    message = ", ".join(f"{size:.1f} GiB free in {place}" for place, size in free.items())
    return ("note" if min(free.values()) < 1 else "ok"), message
