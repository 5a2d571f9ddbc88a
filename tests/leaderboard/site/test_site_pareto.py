"""Quality, consistency and cost: who is on the front, and that better is up and right."""

from __future__ import annotations

import re

import pytest
from viewsweep.leaderboard.site.definitions import meanings
from viewsweep.leaderboard.site.pareto import axes_of, front, panels
from viewsweep.leaderboard.site.tables import Table, protocol_tables
from viewsweep.reports.weighing import CONSISTENCY, QUALITY, preferred

from .made_board import board, entry, result


def made(**points: tuple[float, float, float | None]) -> Table:
    """A table of methods at (FID, ZNCC, seconds a view)."""
    entries = [
        entry(
            name.replace("_", "-"),
            metrics={"fid[tabletop]": result(fid), "warp_zncc": result(zncc, 0.01)},
            cost={"seconds": None if seconds is None else seconds * 100, "views": 100},
        )
        for name, (fid, zncc, seconds) in points.items()
    ]
    return protocol_tables(board(entries), meanings(["fid[tabletop]", "warp_zncc"]))["tabletop64"][0]


def test_the_front_is_what_nobody_else_matches_on_all() -> None:
    table = made(
        good=(10, 0.9, 5), cheap=(20, 0.5, 0.1), worse=(20, 0.4, 0.2), twin=(10, 0.9, 5), unknown=(5, 0.99, None)
    )
    assert front(table.rows, axes_of(table)) == {"good", "cheap", "twin"}


def test_cost_counts_from_a_factor_of_two() -> None:
    close = made(better=(10, 0.9, 0.033), faster=(20, 0.5, 0.020))
    assert front(close.rows, axes_of(close)) == {"better"}
    far = made(better=(10, 0.9, 0.041), faster=(20, 0.5, 0.020))
    assert front(far.rows, axes_of(far)) == {"better", "faster"}
    equal = made(slow=(10, 0.9, 0.033), quick=(10, 0.9, 0.020), crawling=(10, 0.9, 0.05))
    assert front(equal.rows, axes_of(equal)) == {"slow", "quick"}


def test_the_site_weighs_what_a_report_weighs() -> None:
    numbers = {
        "fid[tabletop]": result(9.0),
        "kid[tabletop]": result(1.0),
        "warp_zncc": result(0.9),
        "warp_psnr": result(30.0),
    }
    table = protocol_tables(board([entry("a", metrics=numbers)]), meanings(numbers))["tabletop64"][0]
    ids = [column.definition.id for column in table.columns]
    assert [preferred(choices, ids)[0] for choices in (QUALITY, CONSISTENCY)] == ["kid[tabletop]", "warp_psnr"]
    assert [axis.of(table.rows[0]) for axis in axes_of(table)[:2]] == [1.0, 30.0]
    assert preferred(QUALITY, ["fid[dinov2]", "warp_psnr"]) == ["fid[dinov2]"]


def test_references_are_drawn_and_on_no_front() -> None:
    table = made(oracle=(1, 1.0, 0.01), frozen=(1, 1.0, 0.01), honest=(30, 0.5, 9))
    (_, chart), *_ = panels(table, "")
    assert re.findall(r'class="point (\w+)"', str(chart)) == ["ceiling", "cheat", "front"]


def test_better_is_right_and_up() -> None:
    (_, chart), *_ = panels(made(good=(10, 0.9, 5), poor=(20, 0.4, 9)), "")
    spots = re.findall(r'href="methods/(\w+)\.html"[^>]*><circle cx="([\d.]+)" cy="([\d.]+)"', str(chart))
    where = {name: (float(x), float(y)) for name, x, y in spots}
    assert where["good"][0] > where["poor"][0]
    assert where["good"][1] < where["poor"][1]


def test_three_pairs_of_axes_and_none_without_competitors() -> None:
    assert [title for title, _ in panels(made(a=(1, 0.5, 1), b=(2, 0.6, 2)), "")] == [
        "Quality and consistency",
        "Quality and cost",
        "Consistency and cost",
    ]
    assert panels(made(oracle=(1, 0.5, 1)), "") == []


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9])
def test_odd_costs_can_be_drawn(seconds: float) -> None:
    assert panels(made(a=(1, 0.5, seconds), b=(1, 0.5, seconds)), "")
