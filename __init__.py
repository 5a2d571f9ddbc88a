"""viewsweep: the benchmark for 3D-aware image generation.

    viewsweep.run("tabletop64-demo", methods=["oracle", "frozen"], out="runs/first")
    viewsweep.evaluate("runs/first")
    viewsweep.load_method("oracle").generate(requests)
    viewsweep.scenes, viewsweep.metrics

Importing this costs next to nothing; torch comes in with the first name that needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import metrics, scenes
    from .benchmark.harness import Outcome
    from .benchmark.progress import Progress
    from .benchmark.protocol import Protocol
    from .scenes.generator import Generator

__all__ = ["__version__", "evaluate", "load_method", "metrics", "run", "scenes"]

__version__ = "0.1.0"


def load_method(name: str, device: str = "cpu", batch_size: int | None = None) -> Generator:
    """The generator of that name, ready to draw; see `viewsweep.benchmark.load_method`."""
    from .benchmark.registry import load_method as load

    return load(name, device, batch_size)


def run(
    protocol: str | Protocol,
    methods: Sequence[str],
    out: str | Path | None = None,
    *,
    scenes: int | None = None,
    device: str = "cpu",
    batch_size: int = 4,
    fresh: bool = False,
    data: str | Path | None = None,
    report: bool = True,
    command: str = "viewsweep.run(...)",
    progress: Progress | None = None,
) -> Outcome:
    """Sample, evaluate and report; what is already there is kept. See `viewsweep.benchmark.run`.

    Args:
        report: whether to write `report.html`; the other arguments are those of the harness.
    """
    from .benchmark import harness

    return harness.run(
        protocol,
        methods,
        out,
        scenes=scenes,
        device=device,
        batch_size=batch_size,
        fresh=fresh,
        data=data,
        report=_write_report if report else None,
        command=command,
        progress=progress,
    )


def evaluate(
    directory: str | Path,
    *,
    data: str | Path | None = None,
    command: str = "viewsweep.evaluate(...)",
    progress: Progress | None = None,
) -> Outcome:
    """Measure the scenes in ``directory/scenes/<method>/*.safetensors``; see `viewsweep.benchmark.evaluate`."""
    from .benchmark import harness

    return harness.evaluate(directory, data=data, report=_write_report, command=command, progress=progress)


def _write_report(directory: Path) -> Path:
    from .reports import write_report  # late: brings in matplotlib and friends

    return write_report(directory)


def __getattr__(name: str) -> Any:
    if name in ("metrics", "scenes"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
