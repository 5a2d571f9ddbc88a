"""Checks of single answers: what the interface promises, finite numbers, colours in their range."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ...scenes.generator import TASKS, GeneratorInfo, Request
from ...scenes.scene import Scene
from ..fingerprint import sha256_json
from ..method_record import info_record
from ..registry import NAME
from ..sampling import mismatch
from .check import Check, fault, ok, skipped
from .trial import Trial

__all__ = ["check_answers", "check_colours", "check_finite", "check_info", "check_order"]

HOLES = 0.005
"""Share of missing depths within a surface that is put down to thin structures."""

CLIPPED = 0.98
LEAST_SPREAD = 2.0  # of 255, the standard deviation within a picture


def check_info(name: str, info: GeneratorInfo, again: GeneratorInfo) -> Check:
    """Whether `info()` is well-formed and says the same twice."""
    wrong = _wrong_with(info) if isinstance(info, GeneratorInfo) else "it must be a GeneratorInfo"
    if wrong is None and info.name != name:
        wrong = f"name is {info.name!r}, but the method is registered as {name!r}"
    if wrong is None and info != again:
        wrong = "two calls give different answers"
    if wrong is not None:
        return fault("info", f"info(): {wrong}.")
    classes = f"{len(info.classes)} classes" if info.classes else "no classes"
    return ok("info", f"{info.name}, version {info.version}, {classes}, {'depth' if info.has_depth else 'no depth'}")


def check_answers(trial: Trial) -> Check:
    """Whether each request has its answer, and each answer is one."""
    for call in trial.calls:
        if call.error:
            where = f"generate({len(call.asked)} requests), after {len(call.given)} scenes"
            return fault("interface", f"{where}, raised {call.error}.")
        if len(call.given) != len(call.asked):
            count = "more" if len(call.given) > len(call.asked) else str(len(call.given))
            return fault("interface", f"{count} scenes for {len(call.asked)} requests; yield one for each.")
        if _misplaced(call.asked, call.given):
            continue  # told by the check of the order
        for request, given in zip(call.asked, call.given, strict=True):
            reason = mismatch(given, request, needs_depth=trial.info.has_depth)
            if reason:
                return fault("interface", f"scene {request.index}: {reason}.")
    return ok("interface", "one scene a request, with its seed, label, cameras and size")


def check_order(trial: Trial) -> Check:
    """Whether scenes come in the order of the requests."""
    for call in trial.calls:
        if _misplaced(call.asked, call.given):
            got = ", ".join(str(given.seed) for given in call.given if isinstance(given, Scene))
            asked = ", ".join(str(request.seed) for request in call.asked)
            return fault("order", f"scenes came with seeds {got}; asked for were {asked}. Yield them in that order.")
    if not any(len(call.given) == len(call.asked) > 1 for call in trial.calls):
        return skipped("order", "no call gave all its scenes")
    return ok("order", "scenes come in the order of the requests")


def check_finite(trial: Trial) -> Check:
    """Whether depth and normals are numbers wherever there is a surface."""
    scenes = [scene for scene in trial.scenes if scene.depth is not None]
    if not scenes:
        return skipped("finite", "no depth")
    for scene in scenes:
        assert scene.depth is not None
        missing = torch.isnan(scene.depth)
        if bool(missing.all()):
            return fault("finite", "depth is NaN everywhere: no view shows a surface. Is the camera turned away?")
        if scene.alpha is not None:
            share = float((missing & (scene.alpha >= 250)).sum() / (scene.alpha >= 250).sum().clamp(min=1))
            if share > 2 * HOLES:
                return fault("finite", f"depth is NaN at {share:.1%} of the pixels that alpha calls opaque.")
        share = _holes(missing)
        if share > HOLES:
            return fault(
                "finite",
                f"{share:.1%} of the depths within surfaces are NaN, which stands for no surface; "
                "look for a division by zero.",
            )
    return ok("finite", "depth is finite wherever there is a surface")


def check_colours(trial: Trial) -> Check:
    """Whether pictures use the range 0 to 255."""
    if not trial.scenes:
        return skipped("colours", "there are no pictures")
    rgb = torch.cat([scene.rgb.flatten() for scene in trial.scenes])
    spread = min(float(scene.rgb.float().flatten(1).std(1).max()) for scene in trial.scenes)
    if int(rgb.max()) <= 2:
        return fault(
            "colours", f"no value is above {int(rgb.max())}: pictures in [0, 1] cast to uint8? Multiply by 255."
        )
    wrapped = ((rgb <= 1) | (rgb == 255)).float().mean()
    if bool((rgb == 255).any()) and float(wrapped) > CLIPPED:
        return fault(
            "colours",
            f"{float(wrapped):.0%} of all values are 0, 1 or 255: everything is clipped, or pictures in [-1, 1] were "
            "cast to uint8. Use (x + 1) * 127.5, rounded.",
        )
    if spread < LEAST_SPREAD:
        return fault("colours", f"the pictures of a scene are of one colour (standard deviation {spread:.1f} of 255).")
    return ok("colours", f"values from {int(rgb.min())} to {int(rgb.max())}, mean {float(rgb.float().mean()):.0f}")


def _wrong_with(info: GeneratorInfo) -> str | None:
    rules: list[tuple[str, Callable[[Any], bool], str]] = [
        ("name", _is_name, "lower-case letters, digits, dots and dashes"),
        ("description", lambda value: isinstance(value, str) and bool(value.strip()), "one sentence"),
        ("version", lambda value: isinstance(value, str) and bool(value), "a text that changes with the pictures"),
        ("has_depth", lambda value: isinstance(value, bool), "True or False"),
        ("yaw_limit", _is_angle, "radians in (0, pi]"),
        ("native_size", lambda value: value is None or (type(value) is int and value > 0), "pixels, or None"),
        ("classes", _are_names, "a tuple of different names"),
        ("weights_sha256", lambda value: value is None or isinstance(value, str), "a hash, or None"),
        ("details", lambda value: isinstance(value, dict), "a dictionary"),
        ("tasks", _are_tasks, f"a tuple of some of {', '.join(TASKS)}"),
    ]
    assert {name for name, _, _ in rules} == {field.name for field in fields(GeneratorInfo)}
    for name, holds, wanted in rules:
        value = getattr(info, name)
        if not holds(value):
            return f"{name} is {value!r}; it must be {wanted}"
    try:
        sha256_json(info_record(info))
    except (TypeError, ValueError) as error:
        return f"details cannot be written as JSON ({error})"
    return None


def _is_angle(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= math.pi + 1e-6


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(NAME.fullmatch(value))


def _are_names(value: object) -> bool:
    if not isinstance(value, tuple) or not all(isinstance(name, str) and name for name in value):
        return False
    return len(set(value)) == len(value)


def _are_tasks(value: object) -> bool:
    return _are_names(value) and isinstance(value, tuple) and len(value) > 0 and set(value) <= set(TASKS)


def _misplaced(asked: Sequence[Request], given: list[object]) -> bool:
    """Whether the right scenes came in the wrong order."""
    wanted = [(request.seed, request.label) for request in asked]
    got = [(scene.seed, scene.label) for scene in given if isinstance(scene, Scene)]
    return got != wanted and sorted(got, key=repr) == sorted(wanted, key=repr)


def _holes(missing: Tensor) -> float:
    """Missing pixels with surface on all eight sides, [V, H, W], as a share of the surface."""
    ring = torch.ones(1, 1, 3, 3)
    ring[0, 0, 1, 1] = 0
    around = conv2d(missing.float()[:, None], ring, padding=1)[:, 0]
    return float((missing & (around == 0)).sum()) / max(1, int((~missing).sum()))
