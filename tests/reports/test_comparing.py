"""Two methods by every metric: the differences are those of the scenes, and doubt is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from viewsweep.reports.comparing import contest, differences, sides, standings
from viewsweep.reports.ranks import column_ranks
from viewsweep.reports.rundir import read_run
from viewsweep.scenes.errors import UnknownName, UserError


def test_competing_methods_are_compared_unless_others_are_named(wide: Path, pristine: Path) -> None:
    run = read_run(wide)
    assert [method.name for method in sides(run)] == ["dfm-small", "gan-small", "ivid-small"]
    assert [method.name for method in sides(run, ["noise", "gan-small"])] == ["noise", "gan-small"]
    assert len(sides(read_run(pristine))) == 4  # nobody else competes with ivid-small there
    with pytest.raises(UnknownName, match=r"no method named 'gan-smal'. Did you mean gan-small"):
        sides(run, ["gan-smal", "noise"])
    with pytest.raises(UserError, match="There is one method, noise"):
        sides(run, ["noise"])


def test_a_difference_is_the_mean_over_scenes(wide: Path) -> None:
    run = read_run(wide)
    [difference], without = differences(run, sides(run, ["ivid-small", "dfm-small"]), ["warp_zncc"])
    whole = run.rows[(run.rows["metric"] == "warp_zncc") & (run.rows["view"] < 0)]
    table = whole.pivot_table(index="index", columns="method", values="value")
    assert (difference.pair.first, difference.pair.second) == ("dfm-small", "ivid-small")
    assert difference.pair.difference == pytest.approx(float((table["dfm-small"] - table["ivid-small"]).mean()))
    assert difference.pair.better == "ivid-small"
    assert difference.verdict == "ivid-small is better"
    assert difference.size.startswith("\N{MINUS SIGN}0.0")
    assert without == []


def test_lower_is_better_turns_the_verdict(wide: Path) -> None:
    run = read_run(wide)
    [difference], _ = differences(run, sides(run, ["oracle", "noise"]), ["sed"])
    assert not run.definitions["sed"].higher_is_better
    assert difference.pair.better == "oracle"
    assert (difference.pair.improvement or 0) < 0.5  # of scenes on which noise, the first by name, is better


def test_points_of_curves_can_be_asked_for(wide: Path) -> None:
    run = read_run(wide)
    found, _ = differences(run, sides(run), ["warp_psnr@30"])
    assert len(found) == 3
    with pytest.raises(UnknownName, match="no metric named"):
        differences(run, sides(run), ["warp_psrn"])


def test_what_cannot_be_compared_says_why(wide: Path) -> None:
    run = read_run(wide)
    found, without = differences(run, sides(run))
    reasons = {entry.column.definition.id: entry.reason for entry in without}
    assert reasons == {"fid[tabletop]": "fewer than two methods have a value."}
    _, asked = differences(run, sides(run), ["covisible"])
    assert [entry.reason for entry in asked] == ["neither direction is better."]
    assert not any(entry.column.definition.id == "covisible" for entry in found)


def test_standings_agree_with_the_ranks(wide: Path) -> None:
    run = read_run(wide)
    found, _ = differences(run, sides(run), ["warp_zncc"])
    ranks = column_ranks(run, run.definitions["warp_zncc"])
    won = {name: sum(len(entry.better_on) for entry in standings(found) if entry.first == name) for name in ranks}
    assert {name: rank.worst for name, rank in ranks.items()} == {name: 3 - count for name, count in won.items()}


def _with_values(wide: Path, folder: Path, values: dict[str, list[float]]) -> Path:
    """A copy of a run with other values of `warp_zncc`, scene by scene, and no further scenes of it."""
    shutil.copy(wide / "results.json", folder)
    rows = pd.read_parquet(wide / "per_scene.parquet")
    rows = rows[(rows["metric"] == "warp_zncc") & (rows["view"] < 0) & rows["method"].isin(list(values))]
    own = rows.assign(
        value=[values[m][i] if i < len(values[m]) else None for m, i in zip(rows["method"], rows["index"], strict=True)]
    )
    own.dropna(subset=["value"]).to_parquet(folder / "per_scene.parquet")
    return folder


def test_equal_scenes_are_counted_as_equal(wide: Path, tmp_path: Path) -> None:
    """Ties count half in the share of improvement: 50 % may mean that nothing differs at all."""
    values = {"gan-small": [0.5] * 8, "dfm-small": [0.5] * 8, "ivid-small": [0.6, 0.4, 0.6, *[0.5] * 5]}
    run = read_run(_with_values(wide, tmp_path, values))
    [same] = contest(run, ["gan-small", "dfm-small"], ["warp_zncc"]).differences
    assert (same.better_on, same.equal_on, same.scenes) == (0, 8, 8)
    assert same.share == "equal on all 8"
    [partly] = contest(run, ["gan-small", "ivid-small"], ["warp_zncc"]).differences
    assert partly.share == "1 of 8, 5 equal"
    assert partly.pair.improvement == (1 + 5 / 2) / 8
    [sets] = contest(run, ["gan-small", "ivid-small"], ["kid[tabletop]"]).differences
    assert sets.share == ""  # no scenes


def test_few_scenes_are_said_to_decide_nothing(wide: Path, tmp_path: Path) -> None:
    values = {"gan-small": [0.5, 0.6], "dfm-small": [0.3, 0.4], "ivid-small": [0.8, 0.9]}
    run = read_run(_with_values(wide, tmp_path, values))
    held = contest(run, metrics=["warp_zncc"])
    assert {own.chance for own in held.differences} == {"1.000"}
    assert all(own.clear_but_open for own in held.differences)
    assert held.remarks == [
        "With 2 scenes the paired test cannot give a p below 0.500, 1.000 once 3 pairs are corrected together: "
        "whatever the difference, it may be luck. From 7 scenes on it can decide.",
        "An interval that leaves out 0 does not change that: from so few scenes it is too narrow.",
    ]
    [alone] = contest(run, ["gan-small", "dfm-small"], ["warp_zncc"]).differences
    assert alone.least_chance == alone.pair.p_holm == 0.5
    assert contest(read_run(wide), metrics=["warp_zncc"]).remarks == []
