"""Splits share no object; views have a frontal bias; reference pictures are balanced."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, grid_3x9, sweep360, tabletop
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.tabletop import TabletopObject, splits

SPLITS = (tabletop.TRAIN_SEEDS, tabletop.REFERENCE_SEEDS, tabletop.TEST_SEEDS, tabletop.VALIDATION_SEEDS)


def frontal(cameras: Cameras) -> float:
    """Share of the views within 60 degrees of the front; a third where views are uniform."""
    return float((cameras.yaw.abs() <= math.radians(60)).double().mean())


def test_no_seed_belongs_to_two_splits() -> None:
    assert all(len(seeds) == 1_000_000 for seeds in SPLITS)
    ordered = sorted(SPLITS, key=lambda seeds: seeds.start)
    assert all(first.stop <= second.start for first, second in itertools.pairwise(ordered))


def test_training_views_prefer_the_front_but_cover_the_circle() -> None:
    cameras = tabletop.train_cameras(range(1500))
    assert 0.57 < frontal(cameras) < 0.68  # expected: 0.5 * 0.919 + 0.5 / 3
    sector = ((cameras.yaw + math.pi) / (math.pi / 6)).long().clamp(max=11)
    assert int(torch.bincount(sector, minlength=12).min()) > 30  # of 62 from the uniform half
    assert abs(float(cameras.yaw.sin().mean())) < 0.05  # no side preferred
    assert float(cameras.pitch.mean()) == pytest.approx(0.24, abs=0.01)
    assert float(cameras.pitch.std()) == pytest.approx(0.1, abs=0.01)
    assert float(cameras.pitch.min()) >= -0.05 - 1e-9
    assert float(cameras.pitch.max()) <= 0.6 + 1e-9


def test_frontal_share_zero_is_uniform() -> None:
    assert frontal(tabletop.train_cameras(range(1500), frontal_share=0.0)) == pytest.approx(1 / 3, abs=0.04)


def test_each_training_view_depends_on_its_own_seed() -> None:
    together = tabletop.train_cameras([5, 900, 17])
    for view, seed in enumerate([5, 900, 17]):
        assert tabletop.train_cameras([seed]) == together[view]
    assert len({float(yaw) for yaw in together.yaw}) == 3


def test_views_of_a_mixed_list_come_back_at_their_places() -> None:
    objects = [tabletop.sample(seed, label) for seed, label in enumerate([3, 0, 3, 7])]
    cameras = tabletop.train_cameras(range(4))
    seen = {}
    for positions, rgb, depth in tabletop.render_views(objects, cameras, 12):
        assert (len(rgb), len(depth)) == (len(positions), len(positions))
        seen |= dict(zip(positions, rgb, strict=True))
    assert sorted(seen) == [0, 1, 2, 3]
    for position, rgb in seen.items():
        alone = objects[position].render(cameras[position], 12).rgb[0]
        assert int((rgb.int() - alone.int()).abs().max()) <= 1


Pairs = list[tuple[int, int]]


@pytest.fixture
def pairs_of(monkeypatch: pytest.MonkeyPatch) -> object:
    """A function from count and cameras to the (class, view) of each reference picture, without rendering."""

    def pairs(count: int, cameras: Cameras) -> Pairs:
        found: Pairs = []

        def note(objects: Sequence[TabletopObject], chosen: Cameras, size: int) -> Iterator[tuple[list[int], Tensor]]:
            assert [entry.seed for entry in objects] == list(tabletop.REFERENCE_SEEDS[:count])
            known = {tuple(pose.flatten().tolist()): view for view, pose in enumerate(cameras.cam_to_world)}
            views = [known[tuple(pose.flatten().tolist())] for pose in chosen.cam_to_world]
            found.extend((entry.label, view) for entry, view in zip(objects, views, strict=True))
            return iter(())

        monkeypatch.setattr(splits, "render_views", note)
        tabletop.reference_images(count, 8, cameras)
        return found

    return pairs


@pytest.mark.parametrize("views", [1, 7, 9, 15, 21, 24])
def test_reference_pictures_pair_every_class_with_every_view(pairs_of: object, views: int) -> None:
    assert callable(pairs_of)
    cameras = grid_3x9()[:views] if views in (9, 15, 21) else sweep360(views, 0.26)
    count = Counter(pairs_of(10 * views, cameras))
    assert set(count.values()) == {1}
    assert len(count) == 10 * views


def test_reference_pictures_do_not_depend_on_how_many_there_are() -> None:
    cameras = sweep360(6, 0.2)
    few, more = (tabletop.reference_images(count, 16, cameras) for count in (1, 11))
    assert (few.dtype, tuple(few.shape)) == (torch.uint8, (1, 16, 16, 3))
    assert int((more[:1].int() - few.int()).abs().max()) <= 1
    assert torch.equal(tabletop.reference_images(1, 16, cameras), few)
    own = tabletop.sample(tabletop.REFERENCE_SEEDS[0], 0).render(cameras[0], 16).rgb[0]
    assert int((few[0].int() - own.int()).abs().max()) <= 1


@pytest.mark.parametrize("count", [0, -3, 1_000_001])
def test_impossible_number_of_reference_pictures_is_refused(count: int) -> None:
    with pytest.raises(UserError) as caught:
        tabletop.reference_images(count, 8, sweep360(4))
    assert str(caught.value) == f"{count} reference images asked for; there are 1 to 1000000."
