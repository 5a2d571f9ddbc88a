"""The verbs that look around: what can run here, what there is, and weights that are not shipped."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Json, Offline, apply_offline
from .output import print_json

__all__ = ["doctor", "fetch", "list_names", "show"]

KINDS = ("methods", "protocols", "metrics", "classes")


def doctor(as_json: Json = False, offline: Offline = False) -> None:
    """Say what can run here, and why the rest cannot."""
    apply_offline(offline)
    from ..benchmark.doctor import examine
    from ..scenes.errors import ChecksFailed

    checks = examine()
    if as_json:
        print_json([vars(check) for check in checks])
    else:
        marks = {"ok": "✓", "note": "·", "fault": "✗"}
        for check in checks:
            typer.echo(f"{marks[check.verdict]} {check.name}: {check.message}")
    faults = [check.name for check in checks if check.verdict == "fault"]
    if faults:
        raise ChecksFailed(f"Not everything can run here; see {', '.join(faults)}.")


def list_names(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")] = "methods",
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """List methods, protocols, metrics or classes."""
    apply_offline(offline)
    from ..benchmark.listing import entries_of

    entries = entries_of(kind)
    if as_json:
        print_json(entries)
        return
    width = max(map(len, entries), default=0)
    for name, meaning in entries.items():
        typer.echo(f"{name:<{width}}  {meaning}".rstrip())


def show(
    name: Annotated[str, typer.Argument(help="A protocol, method or metric; paths work as well.")],
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Show all there is to know about one protocol, method or metric."""
    apply_offline(offline)
    from ..benchmark.listing import describe

    found = describe(name)
    if as_json:
        print_json(found)
    else:
        import yaml

        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100).rstrip())


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Weights; none lists them.")] = None,
    offline: Offline = False,
) -> None:
    """Download weights that are not shipped, check their hash, and print where they lie."""
    apply_offline(offline)
    from ..metrics.weight_files import WEIGHT_FILES, weight_path

    for name in names or []:
        path = weight_path(name, say=lambda line: typer.echo(line, err=True))
        typer.echo(f"{name}: {path}")
    if not names:
        for name, entry in WEIGHT_FILES.items():
            typer.echo(f"{name}: {entry.what_for}")
