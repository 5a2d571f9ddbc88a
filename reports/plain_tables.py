"""Every table of a report as rows of plain values, to be written as CSV, LaTeX or Markdown."""

from __future__ import annotations

from .comparing import differences, sides, standings
from .distributions import extremes, scene_values
from .provenance import costs
from .ranks import competitors
from .record_tables import record_tables
from .rundir import RunFiles
from .table_files import PlainTable, Value, slug
from .tables import Summary, Table, summarise
from .view_range import range_tables

__all__ = ["plain_tables"]


def plain_tables(run: RunFiles, *, folded: bool = False) -> list[PlainTable]:
    """All tables of the report of a run that hold anything.

    Args:
        run: whose tables.
        folded: the columns that the page folds away are read as well; in full they are there always.
    """
    summary = summarise(run)
    found = [
        _results(part.title or "Results", part.table, frozenset() if folded else part.hidden) for part in summary.parts
    ]
    found += _comparisons(run)
    found += _ranges(run)
    found += _extremes(run, summary)
    lost = tuple((m.name, run.called(failure.index), failure.reason) for m in run.methods for failure in m.failed)
    found.append(PlainTable("failures", "Failures", ("Method", "Scene", "Reason"), lost))
    found.append(_costs(run))
    found += record_tables(run, [own.definition for own in summary.columns])
    return [table for table in found if table.rows]


def _results(title: str, table: Table, hidden: frozenset[str]) -> PlainTable:
    shown = [place for place, own in enumerate(table.columns) if own.definition.id not in hidden]
    heads, bold, exact = ["Method"], set(), []
    rows: list[tuple[Value, ...]] = []
    for place in shown:
        own = table.columns[place]
        heads.append(
            " ".join(part for part in (own.definition.title, f"({own.unit})" * bool(own.unit), own.arrow) if part)
        )
    for group in table.groups:
        for row in group.rows:
            line: list[Value] = [row.method.name]
            for place in shown:
                cell = row.cells[place]
                if cell.best:
                    bold.add((len(rows), len(line)))
                line.append(f"{cell.text} {cell.interval}".strip())
            rows.append(tuple(line))
            full: list[Value] = [row.method.name, group.role]
            for cell in row.cells:
                full += [cell.value, cell.low, cell.high, cell.n, cell.rank.replace("\N{EN DASH}", " to "), cell.reason]
            exact.append(tuple(full))
    names = [own.definition.id for own in table.columns]
    exact_head = ["method", "role"]
    for name in names:
        exact_head += [name, *(f"{name} {part}" for part in ("low", "high", "n", "rank", "reason"))]
    name = "results" if title == "Results" else f"results-{slug(title)}"
    return PlainTable(name, title, tuple(heads), tuple(rows), frozenset(bold), tuple(exact_head), tuple(exact))


def _comparisons(run: RunFiles) -> list[PlainTable]:
    if len(competitors(run)) < 2:
        return []
    found, _ = differences(run, sides(run), headlines=False)
    rows = tuple(
        (d.column.definition.title, d.pair.first, d.pair.second, d.size, d.share, d.chance, d.verdict) for d in found
    )
    exact = tuple(
        (
            *(d.column.definition.id, d.pair.first, d.pair.second, d.pair.difference, d.pair.low, d.pair.high),
            *(d.pair.p, d.pair.p_holm, d.better_on, d.equal_on, d.scenes),
            *(d.pair.improvement, d.pair.cliffs_delta, d.pair.better),
        )
        for d in found
    )
    exact_head = (
        *("metric", "first", "second", "difference", "low", "high"),
        *("p", "p_holm", "better_on", "equal_on", "scenes", "improvement", "cliffs_delta", "better"),
    )
    head = ("Metric", "First", "Second", "First less second", "First better on", "p, corrected", "Verdict")
    won = tuple((s.first, s.second, len(s.better_on), s.compared_on, ", ".join(s.better_on)) for s in standings(found))
    return [
        PlainTable("differences", "Differences", head, rows, frozenset(), exact_head, exact),
        PlainTable("standings", "Who is surely better", ("Method", "Better than", "On", "Of", "Metrics"), won),
    ]


def _ranges(run: RunFiles) -> list[PlainTable]:
    found = []
    for table in range_tables(run):
        head = ("Method", *(f"{degrees:g}° ({views} views)" for views, degrees in table.ranges))
        rows = tuple((m.name, *(f"{c.text} {c.interval}".strip() for c in cells)) for m, cells in table.rows)
        parts = ("", " low", " high", " n", " reason")
        exact_head = ("method", "role", *(f"{point}{part}" for point in table.points for part in parts))
        exact = tuple(
            (m.name, m.role, *(value for c in cells for value in (c.value, c.low, c.high, c.n, c.reason)))
            for m, cells in table.rows
        )
        own = table.column.definition
        title = f"{own.title} over the range of views"
        found.append(PlainTable(f"range-{slug(own.id)}", title, head, rows, frozenset(), exact_head, exact))
    return found


def _extremes(run: RunFiles, summary: Summary) -> list[PlainTable]:
    rows, exact = [], []
    for own in summary.columns:
        values = scene_values(run.scene_rows, own.definition.id)
        for end in extremes(run, own, values):
            best, worst = end.best, end.worst
            rows.append((own.definition.title, end.method, best.value, best.scene, worst.value, worst.scene))
            ends = (value for one in (best, worst) for value in (one.number, one.place, one.label))
            exact.append((own.definition.id, own.definition.unit, end.method, *ends))
    head = ("Metric", "Method", "Best", "Best scene", "Worst", "Worst scene")
    exact_head = (
        *("metric", "unit", "method"),
        *("best", "best scene", "best class", "worst", "worst scene", "worst class"),
    )
    title = "Best and worst scenes"
    return [PlainTable("best-and-worst-scenes", title, head, tuple(rows), frozenset(), exact_head, tuple(exact))]


def _costs(run: RunFiles) -> PlainTable:
    found = costs(run)
    counted = "sample" if run.samples > 1 else "scene"
    rows = tuple((cost.method.name, cost.total, cost.each, cost.memory) for cost in found)
    exact = tuple(
        (cost.method.name, cost.method.seconds, cost.seconds, cost.method.peak_memory_bytes) for cost in found
    )
    return PlainTable(
        "time-and-memory",
        "Time and memory",
        ("Method", "Drawing took", f"A {counted}", "Memory, at most"),
        rows,
        frozenset(),
        ("method", "seconds", f"seconds_per_{counted}", "peak_memory_bytes"),
        exact,
    )
