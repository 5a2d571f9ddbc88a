"""The most memory a stretch of work held at once."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["PeakMemory"]

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures from its making on.

    On a GPU it is the memory its tensors take there; elsewhere that of the whole process. Linux can forget an earlier
    peak; where that is not possible the peak is the process's since it began, an upper bound.

    Args:
        device: torch device the work is done on.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):  # another system, or not allowed
            FORGET.write_text("5")

    @property
    def _on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    def measured(self) -> int | None:
        """Bytes; None where the system does not tell."""
        if self._on_gpu:
            import torch

            return int(torch.cuda.max_memory_allocated(self.device))
        try:
            held = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
            return int(held.split()[1]) << 10
        except (OSError, StopIteration, ValueError):
            return _since_the_beginning()


def _since_the_beginning() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
