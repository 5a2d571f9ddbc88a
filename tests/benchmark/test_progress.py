"""Progress: lines where there is no terminal, and not too many of them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from viewsweep.benchmark.progress import BarProgress, PlainProgress, Progress, make_progress


def ticking(*times: float) -> Iterator[float]:
    yield from times


def test_lines_tell_rate_and_time_to_go() -> None:
    stream, times = io.StringIO(), ticking(0, 0, 4, 8)
    progress = PlainProgress(stream, lambda: next(times))
    progress.stage("sample oracle", 20)
    progress.step()
    progress.step()
    assert stream.getvalue().splitlines() == [
        "sample oracle: 1/20, 4.0 s each, 1:16 to go",
        "sample oracle: 2/20, 4.0 s each, 1:12 to go",
    ]


def test_quick_steps_share_a_line_and_the_last_is_always_told() -> None:
    stream, times = io.StringIO(), ticking(0, 0, 0.1, 0.2, 0.25)
    progress = PlainProgress(stream, lambda: next(times))
    progress.stage("evaluate", 3)
    for _ in range(3):
        progress.step()
    assert stream.getvalue() == "evaluate: 3/3, 12.0/s, 0:00 to go\n"


def test_no_terminal_gives_lines_and_quiet_gives_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(make_progress(), PlainProgress)
    assert type(make_progress(quiet=True)) is Progress


def test_bars_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with BarProgress() as progress:
        progress.stage("sample", 2)
        progress.step()
        progress.say("a [bracket] stays")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a [bracket] stays" in captured.err
