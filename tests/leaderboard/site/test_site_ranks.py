"""Ranks from intervals: the same as those of `metrics.comparison`, and fair to who is not like the others."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from viewsweep.leaderboard.site.definitions import meanings
from viewsweep.leaderboard.site.ranks import interval_ranks
from viewsweep.leaderboard.site.tables import Table, protocol_tables
from viewsweep.metrics.comparison import compare_intervals

from .made_board import board, entry, metrics, result, sample_board, sha

numbers = st.floats(-50, 50, allow_nan=False).map(lambda value: round(value, 2))
intervals = st.tuples(numbers, st.floats(0, 5), st.floats(0, 5)).map(lambda t: (t[0], t[0] - t[1], t[0] + t[2]))


@given(st.lists(intervals, min_size=2, max_size=9), st.booleans())
@settings(max_examples=80, deadline=None)
def test_they_are_those_of_the_slow_way(drawn: list[tuple[float, float, float]], higher: bool) -> None:
    named = {f"m{k}": one for k, one in enumerate(drawn)}
    assert interval_ranks(named, higher) == dict(compare_intervals("x", named, higher).ranks)


def test_five_hundred_methods_are_ranked_at_once() -> None:
    named = {f"m{k:03d}": (k / 10, k / 10 - 1, k / 10 + 1) for k in range(500)}
    start = time.perf_counter()
    ranks = interval_ranks(named, True)
    assert time.perf_counter() - start < 2
    assert str(ranks["m499"]).startswith("1-")
    assert ranks["m000"].worst == 500


def table(*entries: object) -> Table:
    own = board(entries)  # type: ignore[arg-type]
    names = {name for one in own.entries.values() for name in one.metrics}
    return protocol_tables(own, meanings(names))["tabletop64"][0]


def rank(found: Table, method: str, metric: str = "warp_psnr") -> str:
    (row,) = [row for row in found.rows if row.name == method]
    return row.cells[found.place(metric)].rank


def with_value(method: str, value: float, **changes: object) -> object:
    numbers = {"warp_psnr": result(value, 0.1) | changes.pop("result", {})}  # type: ignore[operator]
    return entry(method, metrics=numbers, **changes)


def test_the_best_is_bold_only_where_it_is_surely_better() -> None:
    apart = table(with_value("a", 30.0), with_value("b", 20.0))
    assert [cell.best for row in apart.rows for cell in row.cells] == [True, False]
    close = table(with_value("a", 30.0), with_value("b", 29.9))
    assert [cell.best for row in close.rows for cell in row.cells] == [False, False]
    assert rank(close, "a") == rank(close, "b") == "1\N{EN DASH}2"


def test_references_withdrawn_and_incomplete_entries_have_no_rank() -> None:
    gone = {"status": "withdrawn", "date": "2031-01-01", "reason": "A fault."}
    scenes = entry("x").scenes.model_dump() | {"evaluated": 255}
    found = table(
        with_value("a", 30.0),
        with_value("b", 20.0),
        with_value("oracle", 60.0),
        with_value("frozen", 50.0),
        with_value("gone", 45.0, lifecycle=gone),
        with_value("lost", 40.0, scenes=scenes),
    )
    assert rank(found, "a") == "1"
    assert [rank(found, name) for name in ("oracle", "frozen", "gone", "lost")] == [""] * 4
    assert [group.key for group in found.groups] == ["ceiling", "closed", "cheat"]


def test_divisions_are_ranked_by_themselves() -> None:
    found = table(
        with_value("a", 30.0),
        with_value("b", 20.0),
        with_value("c", 90.0, division="open"),
        with_value("d", 80.0, division="open"),
    )
    assert (rank(found, "a"), rank(found, "c")) == ("1", "1")


def test_an_entry_on_another_sample_count_takes_nobodys_rank_away() -> None:
    found = table(
        with_value("a", 30.0), with_value("b", 20.0), with_value("tiny", 99.0, result={"n": 3}), with_value("c", 10.0)
    )
    assert (rank(found, "a"), rank(found, "tiny")) == ("1", "")


def test_an_interval_that_misses_its_value_takes_nobodys_rank_away() -> None:
    found = table(with_value("a", 30.0), with_value("b", 20.0), with_value("odd", 25.0, result={"ci_low": 26.0}))
    assert (rank(found, "a"), rank(found, "odd")) == ("1", "")


def test_a_metric_nobody_knows_ranks_nobody() -> None:
    own = {"mine": result(1.0), "warp_psnr": result(2.0)}
    found = table(entry("a", metrics=own), entry("b", metrics=own | {"mine": result(5.0)}))
    assert rank(found, "b", "mine") == ""


def test_hashes_are_never_mixed() -> None:
    own = sample_board()
    names = {name for one in own.entries.values() for name in one.metrics}
    first, second = protocol_tables(own, meanings(names))["tabletop64"]
    assert (first.version, second.version, second.hash) == (2, 1, sha("older"))
    assert {row.name for row in second.rows} == {"small-run"}


def test_a_cheat_that_lies_ahead_leads_nothing() -> None:
    shiny = {
        name: (found | {"value": 999.0, "ci_low": 998.0, "ci_high": 1000.0})
        for name, found in metrics("a").items()
        if found["value"]
    }
    found = table(entry("frozen", metrics=shiny), entry("a"), entry("b"))
    (row,) = [row for row in found.rows if row.name == "frozen"]
    assert not any(cell.best or cell.leads or cell.rank for cell in row.cells)
