"""What the numbers of a report rest on, as tables: what each metric means, the methods, the protocol, the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .numbers import NOTHING
from .provenance import records
from .reactions import reaction
from .rundir import Definition, RunFiles
from .table_files import PlainTable, Value
from .tables import flatten, ordered_metrics

__all__ = ["record_tables"]

BETTER = {True: "higher", False: "lower", None: "neither"}


def record_tables(run: RunFiles, shown: Sequence[Definition]) -> list[PlainTable]:
    """Definitions, methods, protocol and environment; those that a run did not record have no rows.

    Args:
        run: whose record.
        shown: the metrics that are read as columns; CSV defines the points of curves as well.
    """
    methods = (
        (method.name, *line)
        for method in run.methods
        for line in _lines([(("role",), method.role), *flatten({**method.info})])
    )
    protocol = [(("hash",), run.protocol["hash"]), *flatten({k: v for k, v in run.resolved.items() if k != "hash"})]
    environment = (
        (record.name, *line)
        for record in records(run)
        for line in _lines([*([(("command",), record.command)] if record.command else []), *record.lines])
    )
    return [
        _definitions(run, shown),
        PlainTable("methods", "Methods", ("Method", "Field", "Value"), tuple(methods)),
        PlainTable("protocol", "Protocol", ("Field", "Value"), tuple(_lines(protocol))),
        PlainTable("environment", "Environment", ("Run", "Field", "Value"), tuple(environment)),
    ]


def _lines(entries: Iterable[tuple[tuple[str, ...], str]]) -> list[tuple[Value, ...]]:
    """Paths as "sweep.views"; what is a dash for readers is nothing here."""
    return [(".".join(path), None if text == NOTHING else text) for path, text in entries]


def _definitions(run: RunFiles, shown: Sequence[Definition]) -> PlainTable:
    rows = tuple((own.title, own.id, own.unit, BETTER[own.higher_is_better], own.description) for own in shown)
    exact = []
    for own in (run.definitions[name] for name in ordered_metrics(run.definitions)):
        declared = reaction(own.id)
        faults = (declared.fires, declared.silent, declared.blind) if declared else ((), (), ())
        exact.append(
            (
                *(own.id, own.title, own.unit, BETTER[own.higher_is_better], own.version, own.description),
                *("; ".join(titles) for titles in faults),
            )
        )
    return PlainTable(
        "definitions",
        "What the columns mean",
        ("Metric", "Id", "Unit", "Better", "Meaning"),
        rows,
        frozenset(),
        (
            *("metric", "title", "unit", "better", "version", "description"),
            *("reacts to", "must not react to", "cannot see"),
        ),
        tuple(exact),
    )
