"""The authors' sets of views."""

from __future__ import annotations

import pytest
import torch
from viewsweep.baselines.ivid.viewsets import VIEWSETS, viewset
from viewsweep.scenes.errors import UnknownName


@pytest.mark.parametrize(("name", "views"), [("uncond", 1), ("random", 2), ("3x9", 27), ("360", 24)])
def test_every_set_begins_in_front(name: str, views: int) -> None:
    assert name in VIEWSETS
    for sweep in viewset(name, [3, 4], radius=1.0, fov=0.8):
        assert len(sweep) == views
        torch.testing.assert_close(sweep.positions[0], torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))


def test_random_view_belongs_to_the_scene() -> None:
    first, second = viewset("random", [3, 4])
    assert viewset("random", [4]) == [second]
    assert first != second


def test_shared_pose_is_that_of_the_first_scene_of_the_batch() -> None:
    shared = viewset("random", [3, 4, 5], shared_pose=True)
    assert shared == [viewset("random", [3])[0]] * 3
    assert viewset("random", [], shared_pose=True) == []


def test_unknown_set_is_refused() -> None:
    with pytest.raises(UnknownName, match="There is no view set named '3x8'"):
        viewset("3x8", [1])
