"""How verbs print results and say what failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..benchmark.harness import Outcome

__all__ = ["complain", "print_json", "print_results"]


def print_json(value: Any) -> None:
    """A JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def print_results(outcome: Outcome, as_json: bool) -> None:
    """The table of an evaluation, or all of it as JSON."""
    assert outcome.results is not None
    if as_json:
        print_json(outcome.results | {"report": None if outcome.report is None else str(outcome.report)})
        return
    from rich.console import Console

    from ..benchmark.summary import reasons, summary_table

    console = Console()
    if not console.is_terminal:
        console.width = 240  # a log has no edge
    console.print(summary_table(outcome.results))
    for line in reasons(outcome.results):
        typer.echo(line)
    typer.echo(f"Results: {outcome.directory / 'results.json'}")
    if outcome.report is not None:
        typer.echo(f"Report: {outcome.report}")


def complain(outcome: Outcome) -> None:
    """Failures do not keep the rest from being done, but they decide how the command ends."""
    from ..scenes.errors import ChecksFailed, UserError

    refused = [*outcome.unreadable, *outcome.refused]
    if refused:
        more = f" ({len(refused) - 1} more.)" if len(refused) > 1 else ""
        raise UserError(
            f"{refused[0]}{more} Everything else was {'drawn' if outcome.results is None else 'evaluated'}."
        )
    if outcome.failures:
        more = f" ({len(outcome.failures) - 1} more.)" if len(outcome.failures) > 1 else ""
        raise ChecksFailed(f"Done, but without some scenes. {outcome.failures[0]}{more}")
