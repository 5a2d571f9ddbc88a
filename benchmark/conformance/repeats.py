"""Checks across answers: the same request gives the same scene, and what is asked for makes a difference.

Between calls of one make-up scenes must be equal to the bit. Networks round differently in batches of another
size, so there the first view may be off by `ROUNDING` levels in nearly all pixels. Where views are made one from
another such differences grow from view to view, so all views together are held to their mean difference. A scene
made of other random numbers is far from both.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...scenes.scene import Scene
from .check import Check, fault, ok, skipped
from .trial import Trial

__all__ = [
    "check_batches",
    "check_cameras",
    "check_labels",
    "check_random_state",
    "check_repeats",
    "check_seeds",
]

ROUNDING = 2  # of 255
ROUNDED_SHARE = 0.99
"""Share of pixels within `ROUNDING`; a network's rounding may tip the rest over an edge."""

MEAN_ROUNDING = 2.0
"""Largest mean difference over all views, of 255."""

LEAST_DIFFERENCE = 0.5  # of 255, mean over all pixels


def check_repeats(trial: Trial) -> Check:
    """Whether the same request gives the same bits twice."""
    first, second = (call.scene(0) for call in trial.alone)
    if first is None or second is None:
        return skipped("repeats", "the scene is missing")
    unequal = _unequal(first, second)
    if unequal:
        return fault(
            "repeats",
            f"the same request gave another {' and '.join(unequal)} the second time ({_by(first, second)}). Take all "
            "randomness from the request's seed: viewsweep.scenes.generator.scene_generator(seed, purpose).",
        )
    return ok("repeats", "the same request gives the same bits")


def check_batches(trial: Trial) -> Check:
    """Whether a scene is the same alone, among others and in another order."""
    pairs = [("alone", trial.together.scene(1), trial.alone[0].scene(0))]
    if trial.backwards is not None:
        pairs += [
            ("in another batch", trial.together.scene(2), trial.backwards.scene(0)),
            ("in another batch", trial.together.scene(0), trial.backwards.scene(1)),
        ]
    worst, exact = 0.0, True
    for where, scene, again in pairs:
        if scene is None or again is None or scene.rgb.shape != again.rgb.shape:
            return skipped("batches", "a scene is missing")
        exact = exact and not _unequal(scene, again)
        difference = _levels(scene, again)
        mean = float(difference.float().mean())
        worst = max(worst, mean)
        if mean > MEAN_ROUNDING or float((difference[0] <= ROUNDING).float().mean()) < ROUNDED_SHARE:
            return fault(
                "batches",
                f"a scene of seed {scene.seed} is another one {where} ({_by(scene, again)}). It must depend on its own "
                "request alone: no random numbers shared by a batch, no statistics over it.",
            )
    if exact:
        return ok("batches", "a scene is the same to the bit alone and in any batch")
    return ok("batches", f"a scene is the same alone and in any batch, up to rounding ({worst:.2g} of 255 on average)")


def check_random_state(trial: Trial) -> Check:
    """Whether global random states are left alone; the first call may build and load things."""
    disturbed = sorted({name for call in trial.calls[1:] for name in call.disturbed})
    if disturbed:
        return fault(
            "random state",
            f"generate() changes the global random state of {', '.join(disturbed)}. Use a generator of its own: "
            "viewsweep.scenes.generator.scene_generator(seed, purpose).",
        )
    return ok("random state", "global random states are left alone")


def check_seeds(trial: Trial) -> Check:
    """Whether another seed gives another scene; of a method that completes, whether another context does."""
    what, pair = "seed", "two seeds of one class"
    if trial.together.asked[0].context is not None:
        what, pair = "context", "two contexts"
    return _matters("seeds", what, trial.together.scene(0), trial.together.scene(1), pair)


def check_labels(trial: Trial) -> Check:
    """Whether another class gives another scene; the seed is the same."""
    if len(trial.info.classes) < 2:
        return skipped("labels", "info() names no classes to choose from")
    return _matters("labels", "label", trial.together.scene(0), trial.together.scene(2), "two classes of one seed")


def check_cameras(trial: Trial) -> Check:
    """Whether moving the camera changes the picture."""
    differences = [
        float((scene.rgb[0].float() - scene.rgb[-1].float()).abs().mean()) for scene in trial.scenes if scene.views > 1
    ]
    if not differences:
        return skipped("cameras", "there are no scenes of several views")
    if min(differences) < LEAST_DIFFERENCE:
        return fault(
            "cameras",
            f"the first and the last view are the same picture (mean difference {min(differences):.2f} of 255): "
            "the camera is ignored.",
        )
    return ok("cameras", f"moving the camera changes the picture by {min(differences):.0f} of 255 or more")


def _matters(name: str, what: str, first: Scene | None, second: Scene | None, pair: str) -> Check:
    if first is None or second is None or first.rgb.shape != second.rgb.shape:
        return skipped(name, "a scene is missing")
    difference = float(_levels(first, second).float().mean())
    if difference < LEAST_DIFFERENCE:
        return fault(
            name, f"{pair} give the same pictures (difference {difference:.2f} of 255): the {what} is ignored."
        )
    return ok(name, f"{pair} differ by {difference:.0f} of 255 on average")


def _unequal(first: Scene, second: Scene) -> list[str]:
    """Names of the parts that differ in any bit."""
    found = []
    for name in ("rgb", "depth", "alpha", "normals", "flow", "latent"):
        one, other = getattr(first, name), getattr(second, name)
        same = one is other if one is None or other is None else _same(one, other)
        found += [] if same else [name]
    return found


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal to the bit, missing values included."""
    return one.shape == other.shape and torch.equal(one.nan_to_num(-1), other.nan_to_num(-1))


def _levels(first: Scene, second: Scene) -> Tensor:
    return (first.rgb.int() - second.rgb.int()).abs().amax(-1)


def _by(first: Scene, second: Scene) -> str:
    if first.rgb.shape != second.rgb.shape:
        return "of another size"
    difference = _levels(first, second)
    if not bool(difference.any()):
        return "its pictures are the same"
    return f"{float((difference > 0).float().mean()):.0%} of its pixels, by up to {int(difference.max())} of 255"
