"""What a self-check draws and measures: subjects, corruptions, levels, and where costly metrics run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...scenes.corruptions import CORRUPTIONS, Corruption
from ...scenes.tabletop import SUBJECTS
from .completion_cheats import COMPLETION_CHEATS, CompletionCheat
from .set_corruptions import SET_CORRUPTIONS, HonestSet, SetCorruption

__all__ = ["CLEAN", "FULL", "QUICK", "Plan", "Task", "tasks"]

CLEAN = "clean"

Cell = tuple[str, str]
"""Subject kind and corruption name."""


@dataclass(frozen=True)
class Plan:
    """The extent of a self-check.

    Args:
        name: for people.
        subjects: kinds of objects.
        seeds: how many objects of each kind.
        reference_seeds: how many further clean objects of each kind make up the reference set.
        size: picture height and width, pixels.
        views: cameras of the sweep.
        levels: how many of a corruption's levels, the grossest among them.
        costly: metrics that take seconds a scene, each with the corruptions it is measured on and
            the subjects it is measured with.
        metrics: stems of the metrics to measure; empty = all.
        corruptions: which corruptions are applied to sweeps.
        sets: which corruptions are applied to sets of single pictures.
        per_class: scenes of each class in such a set, and reference pictures of each class.
        completions: which cheats complete scenes of which all that is possible is known.
        puzzles: how many such scenes of each kind.
    """

    name: str
    subjects: tuple[str, ...]
    seeds: int
    reference_seeds: int
    size: int
    views: int
    levels: int
    costly: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    metrics: tuple[str, ...] = ()
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    sets: tuple[str, ...] = tuple(SET_CORRUPTIONS)
    per_class: int = 16
    completions: tuple[str, ...] = tuple(COMPLETION_CHEATS)
    puzzles: int = 10

    @property
    def honest_set(self) -> HonestSet:
        """The set of single pictures that `sets` are applied to."""
        return HonestSet(self.per_class)

    def with_metrics(self, names: Sequence[str]) -> Plan:
        """The same plan with some of the metrics only."""
        return replace(self, metrics=tuple(names))

    def chosen(self, levels: Sequence[float]) -> list[int]:
        """Which of a corruption's levels are applied, by position: all, or the grossest and some between.

        The first is at or below what can be noticed; where few are measured it would be chance.
        """
        last = len(levels) - 1
        if self.levels > last:
            return list(range(last + 1))
        return sorted({last - round(k * last / self.levels) for k in range(self.levels)})

    def chosen_of(self, corruption: Corruption | SetCorruption | CompletionCheat) -> list[int]:
        """Which levels of `corruption` are applied, by position."""
        chosen = self.chosen(corruption.levels)
        if corruption.control and self.levels < len(corruption.levels):
            return chosen[-1:]  # of a control the effect counts, not its course
        return chosen

    def measured(self, metric: str, kind: str, corruption: str, seed: int) -> bool:
        """Whether `metric` is measured on this subject under this corruption."""
        if self.metrics and metric not in self.metrics:
            return False
        if metric not in self.costly:
            return True
        corruptions, kinds = self.costly[metric]
        return kind in kinds and seed == 0 and (corruption == CLEAN or corruption in corruptions)


@dataclass(frozen=True)
class Task:
    """One subject under one corruption, at all its levels."""

    kind: str
    seed: int
    corruption: str
    levels: tuple[int, ...]


def tasks(plan: Plan) -> list[Task]:
    """Everything there is to draw and measure, the longest first, then subject by subject."""
    found = []
    for kind in plan.subjects:
        for seed in range(plan.seeds):
            for name in plan.corruptions:
                found.append(Task(kind, seed, name, tuple(plan.chosen_of(CORRUPTIONS[name]))))
            found.append(Task(kind, seed, CLEAN, ()))
        for seed in range(plan.seeds, plan.seeds + plan.reference_seeds):
            found.append(Task(kind, seed, CLEAN, ()))
    costly = {name for corruptions, _ in plan.costly.values() for name in corruptions}
    return sorted(found, key=lambda task: (task.corruption not in costly, task.kind, task.seed))


GEOMETRIC = ("disobedience", "frozen", "wobble", "switch")

MATCHED = ("noise", "wobble", "warp2d", "frozen", "reversed", "exposure", "hue_all", "view_order")
"""What metrics of matched keypoints are held to in the quick check; matching takes most of its time."""

QUICK = Plan(
    name="quick",
    subjects=SUBJECTS,
    seeds=1,
    reference_seeds=3,
    size=64,
    views=24,
    levels=2,
    costly={
        "camera_compliance": (("disobedience", "frozen"), ("textured", "thin")),
        "hold_out": (("disobedience",), ("textured",)),
        "epipolar_error": (MATCHED, ("textured", "thin", "repetitive")),
        "parallax_error": (MATCHED, ("textured", "thin", "repetitive")),
    },
    puzzles=2,
    per_class=7,  # of 10 classes; FID takes more scenes than the features have dimensions, 64
)

FULL = Plan(
    name="full",
    subjects=SUBJECTS,
    seeds=2,
    reference_seeds=4,
    size=64,
    views=24,
    levels=99,
    costly={
        "camera_compliance": (
            (*GEOMETRIC, "noise", "drift", "blur_all", "exposure"),
            ("textured", "repetitive", "thin"),
        ),
        "hold_out": ((*GEOMETRIC, "warp2d", "blur_all", "exposure"), ("textured", "thin")),
    },
)
