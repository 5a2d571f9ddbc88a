"""The table for the terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from viewsweep.benchmark.summary import format_result, reasons, summary_table


def result(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    status, reason = ("ok", None) if value is not None else ("not_run", "no weights.")
    return {"value": value, "ci_low": low, "ci_high": high, "n": 8, "status": status, "reason": reason}


RESULTS = {
    "protocol": {"name": "tiny", "version": 1, "hash": "a" * 64},
    "metrics": {
        "fid[tabletop]": {"higher_is_better": False, "unit": "", "title": "FID"},
        "warp_psnr": {"higher_is_better": True, "unit": "dB", "title": "Warp PSNR"},
    },
    "methods": {
        "oracle": {
            "scenes": {"requested": 8, "evaluated": 7, "failed": []},
            "metrics": {"fid[tabletop]": result(None), "warp_psnr": result(31.234, 30.1, 32.4)},
        }
    },
}


def test_samples_are_not_called_scenes() -> None:
    stream = io.StringIO()
    completion = RESULTS | {"protocol": RESULTS["protocol"] | {"task": "scene", "samples": 4}}
    Console(file=stream, width=100).print(summary_table(completion))
    assert "samples" in stream.getvalue()
    assert "scenes" not in stream.getvalue()


def test_table_shows_values_intervals_and_counts() -> None:
    stream = io.StringIO()
    Console(file=stream, width=100).print(summary_table(RESULTS))
    text = stream.getvalue()
    for part in ("tiny v1 (aaaaaaaaaaaa)", "7/8", "fid[tabletop] ↓", "not run", "31.2 [30.1, 32.4]"):
        assert part in text


def test_the_ceiling_stands_first_and_the_cheats_last() -> None:
    names = ["a-gan", "billboard", "ivid-small", "noise", "oracle", "[bold]"]
    results = RESULTS | {"methods": dict.fromkeys(names, RESULTS["methods"]["oracle"])}
    heads = [str(column.header) for column in summary_table(results).columns]
    assert heads == ["metric", "oracle", "[bold]", "a-gan", "ivid-small", "billboard", "noise"]
    assert "(oracle, [bold], a-gan, ivid-small, billboard, noise)" in reasons(results)[0]


@pytest.mark.parametrize(
    ("value", "text"), [(result(0.01234), "0.0123"), (result(12345.6), "12346"), (result(None), "not run"), (None, "-")]
)
def test_values_are_short(value: dict[str, Any] | None, text: str) -> None:
    assert format_result(value) == text


def test_each_reason_is_told_once() -> None:
    assert reasons(RESULTS) == ["fid[tabletop] (oracle): no weights."]
