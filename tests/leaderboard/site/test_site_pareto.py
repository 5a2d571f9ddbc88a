"""Quality, consistency and cost: who is on the front, and that better is up and right."""

from __future__ import annotations

import re

import pytest
from viewsweep.leaderboard.site.definitions import meanings
from viewsweep.leaderboard.site.pareto import axes_of, front, panels
from viewsweep.leaderboard.site.tables import Table, protocol_tables

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
