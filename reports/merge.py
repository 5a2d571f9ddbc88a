"""Several runs of one protocol as one: their methods side by side, in one table.

Only runs under the same protocol hash go together; there is no column that holds numbers of two protocols.
A method that is in several runs with the same results (the oracle, usually) stands there once; with
different results each keeps its own row, named after its run: ``ivid-small (second-run)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd

from ..benchmark.results import COLUMNS
from ..benchmark.roles import Role
from ..scenes.errors import UserError
from .rundir import Definition, Method, RunFiles, read_run

__all__ = ["read_runs"]

SHORT_HASH = 12


def read_runs(folders: Sequence[Path]) -> RunFiles:
    """The runs in `folders` as one, in the order given; a single one as it is.

    Raises:
        UserError: no folder, one folder twice, or runs of different protocols.
        UnreadableFile: a run cannot be read.
    """
    if not folders:
        raise UserError("There is no run to show.", hint="Name a run directory.")
    places = [folder.resolve() for folder in folders]
    for place, folder in enumerate(folders):
        if places[place] in places[:place]:
            raise UserError(f"{folder}: named twice.")
    runs = [read_run(folder) for folder in folders]
    return runs[0] if len(runs) == 1 else _merge(runs)


def _merge(runs: Sequence[RunFiles]) -> RunFiles:
    first = runs[0]
    for other in runs[1:]:
        if other.protocol["hash"] != first.protocol["hash"]:
            raise UserError(
                f"{other.folder} was measured under {_called(other)}, {first.folder} under {_called(first)}; "
                "numbers of different protocols are never put into one table.",
                hint="Write a report for each of them.",
            )
    kept = _distinct(runs)
    rows = []
    for run, methods in zip(runs, kept, strict=True):
        names = {method.original or method.name: method.name for method in methods}
        own = run.rows[run.rows["method"].isin(list(names))]
        rows.append(own.assign(method=own["method"].map(names)))
    filled = [own for own in rows if not own.empty]
    return RunFiles(
        folder=first.folder,
        protocol=first.protocol,
        definitions=_definitions(runs),
        methods=tuple(sorted((method for own in kept for method in own), key=_order)),
        rows=pd.concat(filled, ignore_index=True)[list(COLUMNS)] if filled else first.rows,
        run=next((run.run for run in runs if run.run), {}),
        parts=tuple(runs),
        homes={method.name: run.folder for run, own in zip(runs, kept, strict=True) for method in own},
    )


def _called(run: RunFiles) -> str:
    return f"{run.protocol['name']} {run.protocol['hash'][:SHORT_HASH]}"


def _order(method: Method) -> tuple[int, str]:
    return get_args(Role).index(method.role), method.name


def _distinct(runs: Sequence[RunFiles]) -> list[list[Method]]:
    """The methods of each run, under names that nobody else has; those seen already are left out."""
    labels = _labels(runs)
    seen: dict[str, list[Method]] = {}
    kept: list[list[Method]] = []
    for run in runs:
        own = []
        for method in run.methods:
            same = seen.setdefault(method.name, [])
            if not any(_equal(method, other) for other in same):
                same.append(method)
                own.append(method)
        kept.append(own)
    several = {name for name, methods in seen.items() if len(methods) > 1}
    return [
        [
            replace(method, name=f"{method.name} ({label})", original=method.name) if method.name in several else method
            for method in own
        ]
        for own, label in zip(kept, labels, strict=True)
    ]


def _labels(runs: Sequence[RunFiles]) -> list[str]:
    """Short names of runs: those of their folders, numbered where several are alike."""
    names = [run.folder.resolve().name or "run" for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} {names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    ]


def _equal(one: Method, other: Method) -> bool:
    def numbers(method: Method) -> tuple[object, ...]:
        return method.requested, method.evaluated, method.failed, dict(method.outcomes)

    return numbers(one) == numbers(other)


def _definitions(runs: Sequence[RunFiles]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for run in runs:
        for name, definition in run.definitions.items():
            known = found.setdefault(name, definition)
            if (known.version, known.higher_is_better) != (definition.version, definition.higher_is_better):
                raise UserError(
                    f"{run.folder}: {name} is version {definition.version}, {known.version} in another run; "
                    "they are not the same measure.",
                    hint="Run `viewsweep evaluate` on both with the same viewsweep.",
                )
    return found
