from __future__ import annotations

import numpy as np
import pytest
from viewsweep.metrics.anchors import IndexRow, anchored, index, worst_of

GROUPS = {"warps": ("warp_psnr", "warp_zncc"), "cameras": ("rotation_error_deg",), "pictures": ("fid",)}
DIRECTIONS = {"warp_psnr": True, "warp_zncc": True, "rotation_error_deg": False, "fid[tabletop]": False}
CHEATS = ("blurred", "drift", "frozen", "noise")
HONEST = ("gan", "ivid", "nerf")


def random_board(seed: int) -> dict[str, dict[str, float | None]]:
    """Cheats that are near perfect but for what they break; honest methods that are middling everywhere."""
    generator = np.random.default_rng(seed)
    broken = {"blurred": ["fid[tabletop]"], "drift": ["warp_psnr", "warp_zncc"], "frozen": ["rotation_error_deg"]}
    columns: dict[str, dict[str, float | None]] = {}
    for name, higher in DIRECTIONS.items():
        quality = {"oracle": 1.0, "noise": 0.0}
        quality |= {method: float(generator.uniform(0, 1)) for method in HONEST}
        for cheat, own in broken.items():
            quality[cheat] = float(generator.uniform(0.05, 0.9) if name in own else generator.uniform(0.9, 1.05))
        columns[name] = {method: (30 * q if higher else 200 - 190 * q) for method, q in quality.items()}
    return columns


def rows(columns: dict[str, dict[str, float | None]], **more: object) -> dict[str, IndexRow]:
    found = index(columns, DIRECTIONS, ceiling="oracle", cheats=CHEATS, groups=GROUPS, **more)  # type: ignore[arg-type]
    return {row.method: row for row in found}


@pytest.mark.parametrize(
    ("value", "ceiling", "floor", "higher", "expected", "outside"),
    [
        (20.0, 30.0, 10.0, True, 0.5, False),
        (12.0, 2.0, 42.0, False, 0.75, False),
        (30.0, 30.0, 10.0, True, 1.0, False),
        (35.0, 30.0, 10.0, True, 1.25, True),
        (52.0, 2.0, 42.0, False, -0.25, True),
    ],
)
def test_the_oracle_is_one_and_the_worst_cheat_zero(
    value: float, ceiling: float, floor: float, higher: bool, expected: float, outside: bool
) -> None:
    found = anchored(value, ceiling, floor, higher_is_better=higher)
    assert found.value == pytest.approx(expected)
    assert found.outside is outside
    assert found.clipped == pytest.approx(min(1, max(0, expected)))


def test_without_room_between_the_anchors_there_is_no_scale() -> None:
    same = anchored(3.0, 5.0, 5.0, higher_is_better=True)
    assert (same.value, same.clipped) == (None, None)
    assert same.reason == "the oracle and the worst cheat both have 5: there is no scale."
    turned = anchored(3.0, 5.0, 9.0, higher_is_better=True)
    assert turned.reason == "the worst cheat (9) is better than the oracle (5)."
    with pytest.raises(ValueError, match="must be finite"):
        anchored(float("nan"), 1.0, 0.0, higher_is_better=True)


def test_the_worst_follows_the_direction() -> None:
    assert worst_of([1.0, 3.0, 2.0], True) == 1.0
    assert worst_of([1.0, 3.0, 2.0], False) == 3.0


def test_the_index_is_a_geometric_mean_over_groups() -> None:
    columns = random_board(0)
    columns["warp_psnr"]["ivid"], columns["warp_zncc"]["ivid"] = 0.25 * 30, 30.0
    columns["rotation_error_deg"]["ivid"] = columns["fid[tabletop]"]["ivid"] = 10.0
    row = rows(columns)["ivid"]
    assert row.groups == pytest.approx({"warps": 0.5, "cameras": 1.0, "pictures": 1.0})
    assert row.value == pytest.approx(0.5 ** (1 / 3))


def test_the_anchors_stand_at_the_ends() -> None:
    found = rows(random_board(1))
    assert found["oracle"].value == 1.0
    assert found["noise"].value == 0.0


@pytest.mark.parametrize("told", [False, True], ids=["weakest group", "told groups"])
@pytest.mark.parametrize("seed", range(60))
def test_no_cheat_stands_above_an_honest_method_that_beats_it_where_it_cheats(seed: int, told: bool) -> None:
    columns = random_board(seed)
    breaks = {"blurred": ["pictures"], "drift": ["warps"], "frozen": ["cameras"], "noise": list(GROUPS)}
    found = index(columns, DIRECTIONS, ceiling="oracle", cheats=CHEATS, groups=GROUPS, breaks=breaks if told else None)
    place = {row.method: k for k, row in enumerate(found)}
    by_name = {row.method: row for row in found}
    for cheat in CHEATS:
        own = by_name[cheat].groups
        broken = breaks[cheat] if told else [min(own, key=lambda group: own[group])]
        for honest in HONEST:
            if any(own[group] < by_name[honest].groups[group] for group in broken):
                assert place[honest] < place[cheat]
                assert (by_name[cheat].value or 0.0) <= (by_name[honest].value or 0.0)


def test_a_bare_geometric_mean_would_break_the_rule() -> None:
    """The guard can fail: without the cut some cheat does stand above."""
    cut = [row for seed in range(60) for row in rows(random_board(seed)).values() if row.cut]
    assert len(cut) > 10
    for row in cut:
        assert row.value is not None
        assert row.value < np.prod(list(row.groups.values())) ** (1 / 3)


def test_honest_methods_are_never_cut() -> None:
    for seed in range(10):
        for name in ("oracle", *HONEST):
            row = rows(random_board(seed))[name]
            assert row.value == pytest.approx(np.prod(list(row.groups.values())) ** (1 / 3))


def test_a_missing_part_leaves_no_index_and_says_which() -> None:
    columns = random_board(2)
    columns["fid[tabletop]"]["gan"] = None
    found = rows(columns)
    assert found["gan"].value is None
    assert found["gan"].reason == "fid[tabletop]: it has no value."
    assert set(found["gan"].groups) == {"warps", "cameras"}
    assert found["ivid"].value is not None
    del columns["warp_zncc"]
    assert rows(columns)["ivid"].reason == "warp_zncc was not measured."
    columns["fid[tabletop]"]["oracle"] = None
    assert "fid[tabletop]: the oracle or every cheat has no value" in (rows(columns)["ivid"].reason or "")


def test_two_networks_for_one_stem_are_ambiguous() -> None:
    columns = random_board(3)
    columns["fid[inception]"] = columns["fid[tabletop]"]
    with pytest.raises(ValueError, match=r"fid may be fid\[inception\] or fid\[tabletop\]"):
        rows(columns)
    with pytest.raises(ValueError, match="no group is called sound"):
        rows(random_board(3), breaks={"drift": ["sound"]})
