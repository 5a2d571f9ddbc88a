"""Results as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .roles import in_order

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["format_result", "reasons", "summary_table"]


def summary_table(results: Mapping[str, Any]) -> Table:
    """One row a metric, one column a method (the ceiling first, cheats last): value and 95 % interval."""
    from rich.table import Table
    from rich.text import Text

    protocol = results["protocol"]
    title = f"{protocol['name']} v{protocol['version']} ({protocol['hash'][:12]})" if protocol["name"] else None
    table = Table(title=title, title_justify="left")
    table.add_column("metric", no_wrap=True)
    methods = in_order(results["methods"])
    for method in methods:
        table.add_column(Text(method), justify="right")
    entries = [results["methods"][method] for method in methods]
    counts = [entry["scenes"] for entry in entries]
    counted = "samples" if protocol.get("samples", 1) > 1 else "scenes"
    table.add_row(counted, *(f"{count['evaluated']}/{count['requested']}" for count in counts), end_section=True)
    for name, definition in results["metrics"].items():
        arrow = {True: " ↑", False: " ↓"}.get(definition["higher_is_better"], "")
        cells = (format_result(entry["metrics"].get(name)) for entry in entries)
        table.add_row(*map(Text, (name + arrow, *cells)))  # as text: brackets are rich's own mark-up
    return table


def format_result(result: Mapping[str, Any] | None) -> str:
    """`28.4 [28.1, 28.9]`, or the status where there is no value."""
    if result is None or result["value"] is None:
        return "-" if result is None else str(result["status"]).replace("_", " ")
    value = _digits(result["value"])
    if result["ci_low"] is None:
        return value
    return f"{value} [{_digits(result['ci_low'])}, {_digits(result['ci_high'])}]"


def reasons(results: Mapping[str, Any]) -> list[str]:
    """Why values are missing: each reason once, with the metrics and methods it concerns."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for method in in_order(results["methods"]):
        for name, result in results["methods"][method]["metrics"].items():
            if result["reason"]:
                metrics, methods = found.setdefault(result["reason"], ({}, {}))
                metrics[name] = methods[method] = None
    return [f"{', '.join(metrics)} ({', '.join(methods)}): {reason}" for reason, (metrics, methods) in found.items()]


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
