"""The work of one self-check task: draw a subject, corrupt it, measure every level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from ...scenes import Scene, sweep360
from ...scenes.corruptions import CORRUPTIONS
from ...scenes.tabletop import TabletopObject, subject
from ..base import SceneMetric, azimuth_deg
from ..completion_metric import CompletionMetric
from ..features import Features, extract
from ..feeding import feed, make
from ..tabletop_network import load_tabletop_network
from .plan import CLEAN, Plan, Task

__all__ = ["Measured", "measure_task"]

PITCH = math.radians(15.0)
NOT_HERE = {"weights", "estimate"}
"""Needs of metrics that are not checked: nothing is downloaded for a self-check."""


@dataclass(frozen=True)
class Measured:
    """One subject at one level of a corruption.

    Args:
        kind, seed, corruption: what was measured.
        level: position among the corruption's levels, from 1; 0 = clean.
        values: of every metric id that gave one.
        reasons: why the others did not.
        features: of its pictures, for the metrics of sets.
    """

    kind: str
    seed: int
    corruption: str
    level: int
    values: dict[str, float]
    reasons: dict[str, str] = field(default_factory=dict)
    features: Features | None = None


def measure_task(plan: Plan, task: Task, catalogue: dict[str, type[Any]]) -> list[Measured]:
    """All levels of one task, the clean scene as level 0."""
    thing, clean = _clean(task.kind, task.seed, plan.views, plan.size)
    if task.corruption == CLEAN:
        return [_measure(plan, task, 0, clean, thing, clean, catalogue)]
    corruption = CORRUPTIONS[task.corruption]
    found = []
    for level in task.levels:
        scene = corruption.apply(thing, clean, corruption.levels[level], task.seed)
        found.append(_measure(plan, task, level + 1, scene, thing, clean, catalogue))
    return found


@lru_cache(maxsize=4)  # tasks come subject by subject
def _clean(kind: str, seed: int, views: int, size: int) -> tuple[TabletopObject, Scene]:
    thing = subject(kind, seed)
    return thing, thing.render(sweep360(views, PITCH), size)


def _measure(
    plan: Plan,
    task: Task,
    level: int,
    scene: Scene,
    thing: TabletopObject,
    clean: Scene,
    catalogue: dict[str, type[Any]],
) -> Measured:
    assert scene.cameras is not None
    network = load_tabletop_network()
    features = extract(network, scene.rgb, azimuth_deg=torch.tensor(azimuth_deg(scene.cameras.yaw)))
    measured = Measured(task.kind, task.seed, task.corruption, level, {}, {}, features)
    truth: Callable[[], Scene] = lru_cache(lambda: _truth(thing, scene, clean))
    if task.seed >= plan.seeds:  # of the reference set: its features are all that is wanted
        return measured
    for name, kind in catalogue.items():
        if not issubclass(kind, SceneMetric) or issubclass(kind, CompletionMetric):
            continue
        if not plan.measured(name, task.kind, task.corruption, task.seed):
            continue
        if kind.needs & NOT_HERE:
            measured.reasons.update(dict.fromkeys(kind.definitions(), "what it needs is not shipped with viewsweep."))
            continue
        metric = make(kind, network.name, None)
        feed(metric, scene, 0, features, truth() if "truth" in kind.needs else None)
        for key, result in metric.results().items():
            if result.value is None:
                measured.reasons[key] = str(result.reason)
            else:
                measured.values[key] = result.value
    return measured


def _truth(thing: TabletopObject, scene: Scene, clean: Scene) -> Scene:
    """The true views at the scene's own cameras and size."""
    assert scene.cameras is not None
    assert clean.cameras is not None
    same = torch.equal(scene.cameras.cam_to_world, clean.cameras.cam_to_world) and scene.size == clean.size
    return clean if same else thing.render(scene.cameras, scene.size[0])
