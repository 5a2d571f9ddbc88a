from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from viewsweep.metrics.bootstrap import interval_of_mean
from viewsweep.metrics.comparison import compare, compare_intervals
from viewsweep.metrics.ranking import RankRange, rank_ranges
from viewsweep.scenes.errors import UserError


def table(values: dict[str, np.ndarray], metric: str = "warp_psnr") -> pd.DataFrame:
    """Rows as in per_scene.parquet: values of scenes, and of one view each to be ignored."""
    rows = []
    for method, own in values.items():
        for index, value in enumerate(own.tolist()):
            base = {"method": method, "index": index, "seed": 100 + index, "label": index % 3, "metric": metric}
            rows.append(base | {"view": -1, "yaw_deg": np.nan, "value": value})
            rows.append(base | {"view": 0, "yaw_deg": 0.0, "value": -999.0})
    return pd.DataFrame(rows)


def three(count: int = 40) -> dict[str, np.ndarray]:
    """b and c close together, a clearly above both, and a large spread that all share."""
    generator = np.random.default_rng(0)
    scenes = 10 * generator.normal(size=count)
    noise = generator.normal(size=(3, count))
    return {"a": scenes + 3 + noise[0], "b": scenes + 0.05 + noise[1], "c": scenes + noise[2]}


def test_what_scenes_share_cancels() -> None:
    values = three()
    found = compare(table(values), "warp_psnr", ["c", "a", "b"], True)
    assert found.methods[0] == "a"
    assert {name: str(rank) for name, rank in found.ranks.items()} == {"a": "1", "b": "2-3", "c": "2-3"}
    pair = found.pair("b", "a")
    assert (pair.first, pair.second, pair.better) == ("a", "b", "a")
    assert pair.difference == pytest.approx(values["a"].mean() - values["b"].mean())
    assert (pair.low, pair.high) == interval_of_mean((values["a"] - values["b"]).tolist())
    assert pair.p_holm == pytest.approx(3 / 10_001)
    assert pair.improvement == (values["a"] > values["b"]).mean()
    assert pair.cliffs_delta is not None
    assert 0 < pair.cliffs_delta < 0.5  # unpaired, the spread of the scenes drowns most of it
    assert found.pair("b", "c").better is None


def test_lower_may_be_better() -> None:
    found = compare(table(three()), "warp_psnr", ["a", "b", "c"], False)
    assert str(found.ranks["a"]) == "3"
    assert found.methods[-1] == "a"
    assert found.pair("a", "b").better == "b"
    assert found.pair("a", "b").improvement == pytest.approx(
        1 - (compare(table(three()), "warp_psnr", ["a", "b"], True).pair("a", "b").improvement or 0)
    )


def test_order_of_methods_and_rows_changes_no_bit() -> None:
    rows = table(three())
    mixed = rows.sample(frac=1.0, random_state=3)
    assert compare(rows, "warp_psnr", ["a", "b", "c"], True) == compare(mixed, "warp_psnr", ["c", "b", "a"], True)


def test_the_table_has_a_line_a_pair() -> None:
    frame = compare(table(three()), "warp_psnr", ["a", "b", "c"], True).to_frame()
    assert len(frame) == 3
    assert list(frame.columns[:3]) == ["first", "second", "difference"]


def test_true_ranks_lie_in_their_ranges_at_once() -> None:
    """Four methods, two of them equal: at most 5 % of boards may hold any wrong range."""
    generator = np.random.default_rng(1)
    truth = {"a": 0.6, "b": 0.0, "c": 0.0, "d": -0.6}
    wrong = 0
    for _ in range(150):
        values = {name: level + generator.normal(size=12) for name, level in truth.items()}
        ranks = compare(table(values), "warp_psnr", list(truth), True).ranks
        right = ranks["a"].best == 1 and ranks["d"].worst == 4
        right = right and all(ranks[name].best <= 2 and ranks[name].worst >= 3 for name in "bc")
        wrong += not right
    assert wrong / 150 <= 0.05


def test_a_single_method_or_scene_is_no_contest() -> None:
    rows = table(three(1))
    found = compare(rows, "warp_psnr", ["a", "b"], True)
    assert (found.pairs[0].low, found.pairs[0].p) == (None, 1.0)
    assert found.ranks["a"] == RankRange(1, 2)
    assert compare(rows, "warp_psnr", ["a"], True).ranks == {"a": RankRange(1, 1)}


def test_scenes_that_differ_are_not_paired() -> None:
    rows = table(three(8))
    lost = rows[~((rows["method"] == "b") & rows["index"].isin([2, 5]))]
    message = r"warp_psnr: b lacks 2 scenes \(first: 2\) that a has, so the two cannot be paired\."
    with pytest.raises(UserError, match=message):
        compare(lost, "warp_psnr", ["a", "b"], True)
    reseeded = rows.assign(seed=rows["seed"] + (rows["method"] == "c"))
    with pytest.raises(UserError, match="warp_psnr: scene 0 has seed 101 in c but 100 in a"):
        compare(reseeded, "warp_psnr", ["a", "c"], True)
    unknown = rows.assign(seed=rows["seed"].where(rows["method"] != "c", -1))
    assert compare(unknown, "warp_psnr", ["a", "c"], True).pairs


def test_metrics_without_values_of_scenes_are_refused() -> None:
    with pytest.raises(UserError, match=r"a has no values of scenes for fid\[tabletop\]"):
        compare(table(three(4)), "fid[tabletop]", ["a", "b"], False)


def test_broken_tables_are_refused() -> None:
    rows = table(three(4))
    with pytest.raises(UserError, match="a has scene 0 twice"):
        compare(pd.concat([rows, rows[:1]]), "warp_psnr", ["a", "b"], True)
    with pytest.raises(UserError, match="b has a value that is not finite"):
        compare(rows.assign(value=rows["value"].where(rows["method"] != "b", np.nan)), "warp_psnr", ["a", "b"], True)
    with pytest.raises(ValueError, match="listed twice"):
        compare(rows, "warp_psnr", ["a", "a"], True)


def test_sets_are_compared_by_their_intervals() -> None:
    results = {"a": (10.0, 9.0, 11.0), "b": (12.5, 11.0, 14.0), "c": (30.0, 28.0, 32.0)}
    found = compare_intervals("fid[tabletop]", results, False)
    assert {name: str(rank) for name, rank in found.ranks.items()} == {"a": "1-2", "b": "1-2", "c": "3"}
    assert found.pair("a", "c").better == "a"
    assert found.pair("a", "c").improvement is None


@pytest.mark.parametrize(
    ("better", "ranks"),
    [
        (set(), ["1-3", "1-3", "1-3"]),
        ({("a", "b"), ("a", "c"), ("b", "c")}, ["1", "2", "3"]),
        ({("a", "c")}, ["1-2", "1-3", "2-3"]),
    ],
)
def test_ranks_keep_the_doubt(better: set[tuple[str, str]], ranks: list[str]) -> None:
    assert [str(rank) for rank in rank_ranges("abc", better).values()] == ranks


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be better and worse"):
        rank_ranges("ab", {("a", "b"), ("b", "a")})
    with pytest.raises(ValueError, match="not both ranked"):
        rank_ranges("ab", {("a", "z")})
    with pytest.raises(ValueError, match="listed twice"):
        rank_ranges("aa", set())
