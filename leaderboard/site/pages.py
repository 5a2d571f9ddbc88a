"""What each page of the site says: a template and its values, for every page of a board."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ...benchmark.registry import BUILT_IN, UNSHIPPED
from ...reports.assets import asset, policy
from ...reports.curve_points import gaps_by_metric, is_curve_point
from ...reports.numbers import NOTHING, decimals_for, format_duration, format_number
from ...reports.tables import Column, flatten
from ..board import Board
from ..card import MethodCard, Reported
from ..entry import Entry
from .addresses import method_page, metric_page, protocol_page
from .changes import changes
from .definitions import Meaning
from .pareto import axes_of, panels
from .tables import Cell, Row, Table

__all__ = ["Site", "pages"]

EARLY_SCRIPT = 'document.documentElement.classList.add("js")'
FIRST_LOOK = 2
"""Columns of each family that a table shows before the reader chooses."""
RECENT = 8
OPPONENTS = 3
MANY_ROWS = 60
"""From here on a table has columns of one width, so that rows out of sight need no layout."""
MOST_FAILURES = 50
MEBI = 1 << 20
QUOTED = re.compile(r"`+([^`]+)`+")
EMPHASISED = re.compile(r"(?<![\w*])\*(\w[\w -]*)\*(?![\w*])")

TIERS = {
    "verified": "the maintainers recomputed every metric from the archived scenes",
    "spot-checked": "some seeds were drawn again and gave the same scenes",
    "submitted": "checked for form and consistency, not yet measured again",
}


@dataclass(frozen=True)
class Site:
    """All that pages are made of.

    Args:
        tables: of each protocol, the newest version first.
        meanings: of every metric id on the board.
        title: of the site.
        base_url: where it will stand, for canonical addresses; with a slash at the end.
        repository: address of the project's sources, for links to documents.
    """

    board: Board
    tables: Mapping[str, Sequence[Table]]
    meanings: Mapping[str, Meaning]
    title: str
    base_url: str | None = None
    repository: str | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[str, list[tuple[Table, Row]]]:
        """Every entry of a method, with the table it stands in."""
        found: dict[str, list[tuple[Table, Row]]] = {}
        for protocol in self.board.protocols:
            for table in self.tables[protocol]:
                for row in table.rows:
                    found.setdefault(row.name, []).append((table, row))
        return found

    @cached_property
    def in_print(self) -> dict[str, list[str]]:
        """For numbers from papers, by name, the methods on this board that they are of: so named, or by their cards."""
        return {
            key: [name for name in self.methods if name == key or key in self._papers(name)]
            for key in self.board.reported
        }

    def _papers(self, method: str) -> list[str]:
        card = self.board.cards.get(method)
        return [] if card is None else card.reported

    @cached_property
    def worth_seeing(self) -> dict[str, list[str]]:
        """The first few methods of each table, by its hash: the ceiling, then those that compete."""
        found = {}
        for table in (table for tables in self.tables.values() for table in tables):
            rows = [row for row in table.rows if row.state.status == "active" and row.role != "cheat"]
            rows.sort(key=lambda row: (row.role != "ceiling", row.name))
            found[table.hash] = [row.name for row in rows[: OPPONENTS + 1]]
        return found

    @property
    def methods(self) -> list[str]:
        return sorted({*self.board.cards, *self.rows})

    @property
    def metrics(self) -> list[str]:
        """The metric ids that have a page: all but single points of curves."""
        return [name for name in sorted(self.meanings) if not is_curve_point(name)]


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """Path and HTML of every page, in a fixed order."""
    yield "index.html", _render(site, "overview", "", **_overview(site))
    for protocol in site.board.protocols:
        path = protocol_page(protocol)
        yield path, _render(site, "protocol", path, scripted=True, **_protocol(site, protocol))
    listed = _render(site, "methods", "methods.html", scripted=True, methods=_listing(site))
    yield "methods.html", listed
    for method in site.methods:
        path = method_page(method)
        yield path, _render(site, "method", path, **_method(site, method))
    yield "metrics.html", _render(site, "metrics", "metrics.html", families=_families(site))
    for metric in site.metrics:
        path = metric_page(metric)
        yield path, _render(site, "metric", path, scripted=True, **_metric(site, metric))
    yield "reported.html", _render(site, "reported", "reported.html", reported=_reported(site.board))
    yield "submit.html", _render(site, "submit", "submit.html")
    yield "changes.html", _render(site, "changes", "changes.html", changes=changes(site.board))


def first_look(table: Table) -> list[str]:
    """The columns shown before the reader chooses: the first ones of each family that have a direction."""
    found: dict[str, list[str]] = {}
    for column in table.headlines:
        own = found.setdefault(column.family, [])
        if column.definition.higher_is_better is not None and len(own) < FIRST_LOOK:
            own.append(column.definition.id)
    return [name for own in found.values() for name in own] or [c.definition.id for c in table.columns[:8]]


def _overview(site: Site) -> dict[str, Any]:
    entries = site.board.entries
    competing = {method for _, method in entries if site.board.role(method) == "method"}
    facts = [
        ("Protocols", len(site.board.protocols)),
        ("Entries", len(entries)),
        ("Competing methods", len(competing)),
        ("References", len({method for _, method in entries} - competing)),
        ("Verified", sum(entry.tier == "verified" for entry in entries.values())),
    ]
    boards = [(name, site.tables[name][0], _leaders(site.tables[name][0])) for name in site.board.protocols]
    return {"facts": facts, "boards": boards, "recent": changes(site.board)[:RECENT]}


def _leaders(table: Table) -> list[tuple[Column, list[tuple[Row, Cell]]]]:
    """For each first-look column, who leads the closed division: best value first, with those not told apart."""
    closed = next((group.rows for group in table.groups if group.key == "closed"), ())
    found = []
    for name in first_look(table):
        place = table.place(name)
        column = table.columns[place]
        measured = [
            (row, row.cells[place]) for row in closed if row.cells[place].value is not None and not row.unranked
        ]
        ranked = any(cell.rank for _, cell in measured)
        leading = [(row, cell) for row, cell in measured if cell.leads or not ranked]
        sign = -1.0 if column.definition.higher_is_better else 1.0
        leading.sort(key=lambda pair: (sign * (pair[1].value or 0.0), pair[0].name))
        if leading and (ranked or len(leading) == 1):
            found.append((column, leading))
    return found


def _protocol(site: Site, protocol: str) -> dict[str, Any]:
    tables = site.tables[protocol]
    latest = tables[0]
    facets = {
        "tier": [tier for tier in TIERS if any(row.entry.tier == tier for table in tables for row in table.rows)],
        "division": sorted({row.entry.division for table in tables for row in table.rows}),
        "family": sorted({row.family for table in tables for row in table.rows}),
    }
    return {
        "protocol": protocol,
        "latest": latest,
        "earlier": tables[1:],
        "looks": {table.hash: first_look(table) for table in tables},
        "facets": facets,
        "charts": panels(latest, "../"),
        "axes": axes_of(latest),
        "about_protocol": site.about.get(protocol, ""),
        "ranked": any(cell.rank for row in latest.rows for cell in row.cells),
    }


def _listing(site: Site) -> list[dict[str, Any]]:
    found = []
    for name in site.methods:
        own = site.rows.get(name, [])
        card = site.board.cards.get(name)
        tiers = {row.entry.tier for _, row in own}
        found.append(
            {
                "name": name,
                "card": card,
                "role": site.board.role(name),
                "state": card.lifecycle.status if card else "active",
                "protocols": sorted({table.protocol for table, _ in own}),
                "tier": next((tier for tier in TIERS if tier in tiers), ""),
            }
        )
    return found


def _method(site: Site, name: str) -> dict[str, Any]:
    card = site.board.cards.get(name)
    entries = site.rows.get(name, [])
    return {
        "name": name,
        "card": card,
        "role": site.board.role(name),
        "facts": _card_facts(card) if card else [],
        "entries": [_entry(table, row) for table, row in entries],
        "others": {table.protocol: _opponents(site, table, name) for table, _ in entries},
        "reported": [(key, numbers) for key, numbers in _reported(site.board) if name in site.in_print[key]],
        "state": card.lifecycle if card else None,
    }


def _opponents(site: Site, table: Table, name: str) -> list[str]:
    """Up to three others worth seeing beside a method: the ceiling, then competitors of its protocol."""
    return [other for other in site.worth_seeing[table.hash] if other != name][:OPPONENTS]


def _card_facts(card: MethodCard) -> list[tuple[str, str]]:
    weights = f"{card.weights.bytes / MEBI:.1f} MiB" if card.weights and card.weights.bytes is not None else ""
    facts = [
        ("Authors", ", ".join(card.authors)),
        ("Version", card.version),
        ("Division", card.division),
        ("Conditions", card.conditions),
        ("Training data", ", ".join(card.training.data)),
        ("Supervision", ", ".join(card.training.supervision)),
        ("Camera poses in training", card.training.poses),
        ("Training cost", card.training.cost),
        ("Resolution", f"{card.resolution} px" if card.resolution else ""),
        ("Parameters", f"{card.parameters:,}".replace(",", "\N{THIN SPACE}") if card.parameters is not None else ""),
        ("Weights", weights),
        ("Weights, sha256", card.weights.sha256 if card.weights else ""),
        ("Licence of the code", card.licences.code),
        ("Licence of the weights", card.licences.weights),
        ("Licence of the training data", card.licences.training_data),
    ]
    return [(key, value) for key, value in facts if value]


def _entry(table: Table, row: Row) -> dict[str, Any]:
    entry = row.entry
    pairs = list(zip(table.columns, row.cells, strict=True))
    families: dict[str, list[tuple[Column, Cell]]] = {}
    for column, cell in pairs:
        if cell.value is not None:
            families.setdefault(column.family, []).append((column, cell))
    missing = [(name, result) for name, result in sorted(entry.metrics.items()) if result.value is None]
    return {
        "table": table,
        "row": row,
        "families": families,
        "missing": missing,
        "failed": entry.scenes.failed[:MOST_FAILURES],
        "failed_left": max(0, len(entry.scenes.failed) - MOST_FAILURES),
        "facts": _entry_facts(entry),
        "drawn_here": row.name in BUILT_IN and row.name not in UNSHIPPED,
        "environment": [(".".join(path), text) for path, text in flatten(entry.environment)],
        "details": [(".".join(path), text) for path, text in flatten(entry.method.details)],
    }


def _entry_facts(entry: Entry) -> list[tuple[str, str]]:
    cost = entry.cost
    facts = [
        ("Submitted", entry.submitted.isoformat()),
        ("Revision", entry.method.revision),
        ("Scenes", f"{entry.scenes.evaluated} of {entry.scenes.requested}, split {entry.scenes.split}"),
        ("Sampling", format_duration(cost.seconds) if cost.seconds is not None else ""),
        ("Seconds a view", _seconds(cost.seconds_per_view) if cost.seconds_per_view is not None else ""),
        ("Peak memory", f"{cost.peak_memory_bytes / MEBI:.0f} MiB" if cost.peak_memory_bytes is not None else ""),
        ("viewsweep", entry.viewsweep),
        ("Protocol, sha256", entry.protocol.hash),
        ("Scene seeds, sha256", entry.scenes.seeds_sha256),
        ("Scene archive, sha256", entry.archive.sha256),
        ("Per-scene table, sha256", entry.per_scene.sha256),
        ("Weights, sha256", entry.method.weights_sha256 or ""),
    ]
    return [(key, value) for key, value in facts if value]


def _families(site: Site) -> dict[str, list[Column]]:
    """All metrics that have a page, by family."""
    from .tables import columns_of

    found: dict[str, list[Column]] = {}
    for column in columns_of(site.metrics, {}, site.meanings):
        found.setdefault(column.family, []).append(column)
    return found


def _metric(site: Site, metric: str) -> dict[str, Any]:
    shown = []
    for protocol in site.board.protocols:
        for table in site.tables[protocol]:
            if any(column.definition.id == metric for column in table.columns):
                shown.append(_metric_table(table, metric))
    column = next(entry["column"] for entry in shown)
    return {"metric": metric, "meaning": site.meanings[metric], "column": column, "shown": shown}


def _metric_table(table: Table, metric: str) -> dict[str, Any]:
    """One metric in one table: its rows best first, and the same metric at other angles where it has them."""
    place = table.place(metric)
    column = table.columns[place]
    higher = column.definition.higher_is_better
    names = {name for row in table.rows for name in row.entry.metrics}
    gaps = sorted(
        gaps_by_metric(names).get(metric, {}).items(),
        key=lambda gap: (gap[0] == "loop", int(gap[0]) if gap[0].isdecimal() else 0),
    )
    results = [row.entry.metrics[name] for row in table.rows for _, name in gaps if name in row.entry.metrics]
    decimals = (
        max(column.decimals, decimals_for((r.value, None) for r in results if r.value is not None)) if results else 0
    )
    decimals = min(decimals, column.decimals + 1)
    rows = []
    for row in table.rows:
        points = [row.entry.metrics.get(name) for _, name in gaps]
        rows.append(
            (
                row,
                row.cells[place],
                [
                    (
                        None if p is None else p.value,
                        NOTHING if p is None or p.value is None else format_number(p.value, decimals),
                    )
                    for p in points
                ],
            )
        )
    sign = -1.0 if higher else 1.0
    rows.sort(key=lambda r: (r[1].value is None, sign * (r[1].value or 0.0), r[0].name))
    return {"table": table, "column": column, "gaps": [gap for gap, _ in gaps], "rows": rows}


def _reported(board: Board) -> list[tuple[str, Reported]]:
    return sorted(board.reported.items())


def _prose(paragraph: str) -> Markup:
    """A paragraph of a docstring as HTML: what stands between backticks is code, and lines break where they end."""
    formula = paragraph.startswith("  ")
    text = str(escape(paragraph if formula else " ".join(paragraph.split())))
    text = QUOTED.sub(r"<code>\1</code>", text)
    return Markup(text if formula else EMPHASISED.sub(r"<em>\1</em>", text))


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _render(site: Site, template: str, path: str, *, scripted: bool = False, **values: Any) -> str:
    css, script = asset("base.css") + _asset("site.css"), _asset("site.js")
    scripts = (EARLY_SCRIPT, script) if scripted else (EARLY_SCRIPT,)
    root = "../" * path.count("/")
    return (
        _templates()
        .get_template(f"{template}.html.j2")
        .render(
            site=site,
            root=root,
            page=template,
            canonical=f"{site.base_url}{path}" if site.base_url else None,
            policy=policy(css, *scripts),
            css=Markup(css),
            early_script=Markup(EARLY_SCRIPT),
            script=Markup(script) if scripted else None,
            tiers=TIERS,
            **values,
        )
    )


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_asset),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "method_page": method_page,
        "metric_page": metric_page,
        "protocol_page": protocol_page,
        "seconds": _seconds,
        "duration": format_duration,
        "nothing": NOTHING,
        "many_rows": MANY_ROWS,
        "prose": _prose,
    }
    return environment
