"""How far the work is: bars on a terminal, plain lines in a log, silence on request.

All of it goes to stderr, so that stdout stays free for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["BarProgress", "PlainProgress", "Progress", "make_progress"]

LINE_EVERY = 1.0  # seconds; quicker scenes share a line


class Progress:
    """Silence: the base of the others, and what a caller from Python gets."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stage(self, name: str, total: int) -> None:
        """A new stage of `total` steps begins; the one before is over."""

    def step(self) -> None:
        """One step of the stage is done."""

    def say(self, message: str) -> None:
        """Something the person should know."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainProgress(Progress):
    """One line a finished step at most, and not more often than once a second, with rate and time to go."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._name, self._total, self._done = "", 0, 0
        self._began = self._spoke = clock()

    def stage(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._began = self._spoke = self._clock()

    def step(self) -> None:
        self._done += 1
        time_now = self._clock()
        if time_now - self._spoke < LINE_EVERY and self._done < self._total:
            return
        self._spoke = time_now
        rate = self._done / max(time_now - self._began, 1e-6)
        left = _clock_time((self._total - self._done) / rate)
        pace = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
        self.say(f"{self._name}: {self._done}/{self._total}, {pace}, {left} to go")

    def say(self, message: str) -> None:
        print(message, file=self._stream, flush=True)


class BarProgress(Progress):
    """A bar a stage, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars: Bars = Bars(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._bars.start()

    def stage(self, name: str, total: int) -> None:
        self._task = self._bars.add_task(name, total=total)

    def step(self) -> None:
        if self._task is not None:
            self._bars.advance(self._task)

    def say(self, message: str) -> None:
        self._bars.console.print(message, markup=False, highlight=False)

    def close(self) -> None:
        self._bars.stop()


def make_progress(*, quiet: bool = False) -> Progress:
    """Bars on a terminal, lines elsewhere, nothing when `quiet`."""
    if quiet:
        return Progress()
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
