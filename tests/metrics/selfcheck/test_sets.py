"""Corruptions of sets, and what the metrics of sets make of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.metrics import (
    FID,
    KID,
    ClassAccuracy,
    Features,
    InceptionScore,
    PrecisionRecall,
    SetMetric,
    Vendi,
    ViewRange,
    metric_classes,
)
from viewsweep.metrics.result import Definition
from viewsweep.metrics.selfcheck import MATRIX, QUICK, SET_CORRUPTIONS, run_selfcheck
from viewsweep.metrics.selfcheck.set_corruptions import HonestSet, Picture, Place
from viewsweep.metrics.selfcheck.sets import judged_on_sets, left_out_values, picture_tasks
from viewsweep.metrics.selfcheck.table import Table, clean_levels
from viewsweep.metrics.selfcheck.verdict import judge
from viewsweep.reports.selfcheck_page import write_selfcheck
from viewsweep.scenes.corruptions import CORRUPTIONS

HONEST = HonestSet(6)
FAULTS = [name for name, entry in SET_CORRUPTIONS.items() if not entry.control]
TINY = replace(
    QUICK,
    subjects=("plain",),
    reference_seeds=1,
    size=24,
    corruptions=(),
    sets=("collapse", "wrong_class", "reorder"),
    per_class=2,
)


def at(name: str, level: int) -> list[Place]:
    return SET_CORRUPTIONS[name].apply(HONEST, SET_CORRUPTIONS[name].levels[level])


def objects(places: list[Place]) -> Counter[tuple[int, int]]:
    return Counter((picture.label, picture.seed) for place in places for picture in place.shows)


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_replaced_at_one_level_stays_replaced_at_the_next(name: str) -> None:
    before: dict[int, Place] = {}
    for level in range(len(SET_CORRUPTIONS[name].levels)):
        places = at(name, level)
        changed = {i: place for i, (place, old) in enumerate(zip(places, HONEST.places, strict=True)) if place != old}
        assert before.items() <= changed.items()
        assert len(changed) > len(before) or len(changed) == 5 * 10  # within classes, one of six objects is left
        before = changed


def test_an_honest_set_shows_every_class_equally_and_no_object_twice() -> None:
    assert set(Counter(place.asked for place in HONEST.places).values()) == {6}
    everything = [*HONEST.places, *HONEST.drawn(1), *HONEST.drawn(2), *HONEST.drawn(3)]
    reference = {(picture.label, picture.seed) for picture in HONEST.reference}
    assert set(objects(everything).values()) == {1}
    assert not reference & objects(everything).keys()


def test_faults_do_what_they_say() -> None:
    assert max(objects(at("collapse", -1)).values()) >= 0.8 * 60
    assert set(objects(at("within_class", -1)).values()) == {6}
    lost = at("classes_lost", -1)
    assert {picture.label for place in lost for picture in place.shows} == {5, 6, 7, 8, 9}
    assert set(objects(lost).values()) == {1}  # variety within the classes that are left is untouched
    assert [place.shows for place in at("wrong_class", -1)] == [place.shows for place in HONEST.places]
    assert sum(place.asked != place.shows[0].label for place in at("wrong_class", -1)) == 24
    assert sum(place.shows[0] in HONEST.reference for place in at("memorised", -1)) == 48
    assert {len(place.shows) for place in at("outliers", 0)} == {0, 1}
    assert all(len({picture.label for picture in place.shows}) == len(place.shows) for place in at("blends", -1))


def test_controls_keep_the_set_as_good_as_it_was() -> None:
    assert sorted(map(str, at("reorder", 0))) == sorted(map(str, HONEST.places)) != list(map(str, at("reorder", 0)))
    assert [place.asked for place in at("redraw", 0)] == [place.asked for place in HONEST.places]
    assert len(at("fewer", -1)) == 36


def clusters(held: list[int]) -> Features:
    """One point in each of the clusters `held`, of eight about orthogonal directions."""
    generator = torch.Generator().manual_seed(0)
    rows = 10.0 * torch.eye(8)[held] + 0.01 * torch.rand(len(held), 8, generator=generator)
    return Features(rows, torch.log_softmax(torch.eye(8)[held], 1))


def test_variety_of_frozen_features_is_as_many_clusters_as_are_held() -> None:
    reference = clusters([k % 8 for k in range(80)])
    place = Place(0, 0, (Picture(0, 0, 0),))
    for held in (8, 4, 2, 1):  # 80 points in ever fewer places
        fake = clusters([k % held for k in range(80)])
        (vendi,) = left_out_values(Vendi, fake, [place] * 80, reference).values()
        manifold = left_out_values(PrecisionRecall, fake, [place] * 80, reference)
        assert len(vendi) == 20
        assert vendi == pytest.approx([held] * 20, rel=0.02)
        assert manifold["coverage[tabletop]"] == pytest.approx([held / 8] * 20, abs=0.02)
        assert manifold["precision[tabletop]"] == pytest.approx([1.0] * 20, abs=0.05)


def test_class_accuracy_is_that_of_the_scenes_not_left_out() -> None:
    features = clusters([0] * 40)
    places = [Place(int(k < 10), 0, ()) for k in range(40)]  # ten were asked to be of class 1
    (values,) = left_out_values(ClassAccuracy, features, places, features).values()
    assert len(values) == 20
    assert sum(values) / 20 == pytest.approx(0.75)
    assert min(values) >= 28 / 38


def test_matrix_declares_every_corruption_of_sets_at_a_level_there_is() -> None:
    rows = {name: cells for name, cells in MATRIX.items() if not cells.keys().isdisjoint(SET_CORRUPTIONS)}
    known = {key: kind for kind in metric_classes().values() if kind.takes_features for key in kind.definitions()}
    for name, cells in rows.items():
        assert cells.keys() >= SET_CORRUPTIONS.keys()
        assert issubclass(known[name], (SetMetric, ClassAccuracy))
        firing = {key for key in SET_CORRUPTIONS if cells[key].kind == "fires"}
        assert firing
        assert all(1 <= cells[key].level <= len(SET_CORRUPTIONS[key].levels) for key in firing)
        assert cells["redraw"].kind == cells["reorder"].kind == "silent"
    assert SET_CORRUPTIONS.keys().isdisjoint(CORRUPTIONS)
    assert "geometric_share" not in rows


def test_sets_are_held_against_the_honest_set_and_not_against_sweeps() -> None:
    def values(mean: float) -> dict[tuple[str, int], float]:
        return {("without", k): mean + 0.001 * k for k in range(4)}

    held = {
        # on sweeps the least detected effect is 50, on sets 1
        "exposure": {4: values(50.0), 5: values(60.0)},
        "clean": {0: values(0.0)},
        "collapse": {0: values(10.0), 1: values(11.0), 2: values(12.0)},
        "redraw": {0: values(10.0), 1: values(13.0)},
    }
    table = Table({"kid[tabletop]": held}, {"kid[tabletop]": Definition("kid[tabletop]", "KID", 1, "", False, "")})
    assert clean_levels(table, "kid[tabletop]", "collapse")[0] == values(10.0)
    assert clean_levels(table, "kid[tabletop]", "exposure")[0] == values(0.0)
    collapse, draw = judge(table, ("collapse", "redraw"))
    assert (collapse.ok, collapse.effect) == (True, pytest.approx(1.0))
    assert (draw.ok, draw.allowed) == (False, pytest.approx(1.0))


def test_pictures_are_drawn_once_and_only_where_a_metric_asks_for_them() -> None:
    drawn = [picture for task in picture_tasks(TINY) for picture in task]
    assert len(drawn) == len(set(drawn))
    assert all(len({picture.label for picture in task}) == 1 for task in picture_tasks(TINY))
    assert judged_on_sets(TINY.with_metrics(["warp_error"]), metric_classes()) == {}
    assert set(judged_on_sets(TINY.with_metrics(["vendi", "warp_error"]), metric_classes())) == {"vendi"}


def test_a_small_check_of_sets_from_end_to_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    check = run_selfcheck(
        TINY, metrics=("vendi", "class_accuracy", "fid"), workers=1, progress=lambda *at: seen.append(at)
    )
    cells = {(cell.metric, cell.corruption): cell for cell in check.cells}
    vendi, wrong = cells["vendi[tabletop]", "collapse"], cells["class_accuracy[tabletop]", "wrong_class"]
    assert vendi.means[0] > vendi.means[3] > vendi.means[5]
    assert wrong.means[0] - wrong.means[5] == pytest.approx(0.4, abs=0.2)
    assert cells["vendi[tabletop]", "wrong_class"].effect == 0
    assert "FID needs more than 64" in check.unmeasured["fid[tabletop]"]  # 20 scenes
    assert seen[-1] == (12, 12)  # a sweep, its reference, and ten classes of pictures
    page = write_selfcheck(check, tmp_path / "matrix.html").read_text()
    assert "20 scenes of one picture each" in page
    assert "collapse to one object" in page


@pytest.mark.slow
def test_two_processes_give_the_sets_of_one() -> None:
    one, two = (run_selfcheck(TINY, metrics=["vendi"], workers=workers) for workers in (1, 2))
    assert replace(one, seconds=0.0) == replace(two, seconds=0.0)


def test_the_front_row_of_view_range_is_judged_as_fid_kid_and_inception_score_are() -> None:
    generator = torch.Generator().manual_seed(3)
    rows = torch.rand(160, 64, generator=generator)
    features = Features(rows, rows[:, :10].log_softmax(1), azimuth_deg=torch.linspace(-180, 179, 160))
    found: dict[str, list[float]] = {}
    for kind in (FID, KID, InceptionScore, ViewRange):
        found |= left_out_values(kind, features[:80], HonestSet(8).places, features[80:])
    for stem in ("fid", "kid", "is"):
        assert found[f"{stem}_views_1[tabletop]"] == found[f"{stem}[tabletop]"]
        assert f"{stem}_views_9[tabletop]" not in found
        assert MATRIX[f"{stem}_views_1[tabletop]"] == {
            name: cell for name, cell in MATRIX[f"{stem}[tabletop]"].items() if name in SET_CORRUPTIONS
        }
