"""Two methods by every metric: the differences are those of the scenes, and doubt is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from viewsweep.reports.comparing import differences, sides, standings
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
