from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from viewsweep.metrics import ClassAccuracy, Features
from viewsweep.scenes import Scene, sweep360


def scene(label: int | None, views: int = 4) -> Scene:
    return Scene(torch.zeros(views, 2, 2, 3, dtype=torch.uint8), sweep360(views), label=label)


def named(*classes: int) -> Features:
    """Features of pictures that are each surely of one class out of three."""
    logs = torch.full((len(classes), 3), -9.0)
    logs[torch.arange(len(classes)), torch.tensor(classes)] = -1e-3
    return Features(torch.zeros(len(classes), 1), logs)


def test_share_of_views_named_right() -> None:
    metric = ClassAccuracy()
    metric.update(scene(1), 0, named(1, 1, 0, 2))
    metric.update(scene(2), 1, named(2, 2, 2, 2))
    result = metric.results()["class_accuracy[tabletop]"]
    assert (result.value, result.n) == (0.75, 2)
    assert float(metric.compute()) == 0.75
    assert result.ci_low == 0.0
    assert result.ci_high == 1.0


def test_scenes_count_alike_whatever_their_views() -> None:
    metric = ClassAccuracy()
    metric.update(scene(0, 1), 0, named(0))
    metric.update(scene(0, 4), 1, named(1, 1, 1, 1))
    assert metric.results()["class_accuracy[tabletop]"].value == 0.5


def test_rows_say_which_azimuths_fail() -> None:
    metric = ClassAccuracy()
    metric.update(scene(1), 7, named(1, 1, 0, 2))
    rows = metric.rows()
    assert [(row.index, row.view, row.value) for row in rows] == [
        (7, -1, 0.5),
        (7, 0, 1.0),
        (7, 1, 1.0),
        (7, 2, 0.0),
        (7, 3, 0.0),
    ]
    assert [row.yaw_deg for row in rows[1:]] == pytest.approx([0.0, 90.0, -180.0, -90.0])


def test_id_carries_the_network() -> None:
    metric = ClassAccuracy("inception")
    assert list(metric.results()) == ["class_accuracy[inception]"]
    assert list(ClassAccuracy.definitions("inception")) == ["class_accuracy[inception]"]


def test_no_label_means_not_run() -> None:
    metric = ClassAccuracy()
    metric.update(scene(None), 0, named(0, 0, 0, 0))
    result = metric.results()["class_accuracy[tabletop]"]
    assert (result.status, result.reason) == ("not_run", "scene 0: no class was asked for")


def test_misuse_is_explained() -> None:
    metric = ClassAccuracy()
    with pytest.raises(ValueError, match="label 3 is no class of a network that knows 3"):
        metric.update(scene(3), 0, named(0, 0, 0, 0))
    with pytest.raises(ValueError, match="features of 2 pictures for a scene of 4 views"):
        metric.update(scene(0), 0, named(0, 0))


def test_scene_without_cameras_is_measured() -> None:
    metric = ClassAccuracy()
    metric.update(replace(scene(0), cameras=None), 0, named(0, 0, 1, 1))
    assert [row.value for row in metric.rows()] == [0.5, 1.0, 1.0, 0.0, 0.0]
