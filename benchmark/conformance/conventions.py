"""Checks of conventions: do the views fit together with the cameras asked for and z-depth, or with something else?

Every reading of cameras and depth in `hypotheses` is tried; the simplest one that fits nearly as well as the best
is what the method does. Where that is not ours, the cross names it. Where none fits, the method's cameras may be
off view by view: then the turn of each view that fits best tells by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from ...scenes.cameras import Cameras
from ...scenes.scene import Scene
from .agreement import disagreement, near_pairs
from .check import Check, fault, ok, skipped
from .hypotheses import AS_ASKED, AS_GIVEN, CAMERAS, DEPTHS, CameraReading, DepthReading

__all__ = ["check_conventions"]

DEPTH, CAMERA = "depth convention", "camera convention"

CLEARLY = 0.8
"""A reading fits clearly better where it costs less than this share of the other."""

NEGLIGIBLE = 0.03
"""Differences of cost that nobody is blamed for."""

FITS = 0.5
"""Up to this cost the views are of one solid, if a rough one; independent noise costs 1, `wobble` 0.64."""

FITS_WELL = 0.12
"""Up to this cost nothing is searched for; what is hidden in the next view costs the oracle 0.06."""

TURNS = tuple(math.radians(degrees) for degrees in range(-24, 25, 3))
DISOBEDIENT = math.radians(4.0)


def check_conventions(scenes: Sequence[Scene], info_has_depth: bool) -> list[Check]:
    """The checks of depth and of cameras, in this order."""
    if not info_has_depth:
        reason = "info() promises no depth, and without depth views cannot be carried into one another"
        return [skipped(DEPTH, reason), skipped(CAMERA, reason)]
    if not scenes or any(scene.depth is None or scene.cameras is None or scene.views < 3 for scene in scenes):
        return [skipped(name, "the scenes with depth are missing") for name in (DEPTH, CAMERA)]
    cost, camera, depth, number = _best_reading(scenes)
    given = _cost(scenes)
    seen = f"views contradict one another by {given:.2f} (0 to 1)"
    if camera is AS_ASKED and depth is AS_GIVEN:
        turn = _typical_turn(scenes) if given > FITS_WELL else 0.0
        if turn > DISOBEDIENT:
            return [
                ok(DEPTH, "z-depth fits better than anything else"),
                fault(
                    CAMERA,
                    f"{seen}; they fit where cameras are turned by {math.degrees(turn):.0f} degrees (root mean square "
                    "from one view to the next): the pictures are not taken from where they were asked for.",
                ),
            ]
        if given > FITS:
            return [
                fault(DEPTH, f"{seen}, whatever depth is taken for: depth does not belong to the pictures."),
                skipped(CAMERA, "nothing fits together, so nothing can be said of the cameras"),
            ]
        return [
            ok(DEPTH, f"z-depth: {seen}, less than with any other reading"),
            ok(CAMERA, "the cameras asked for fit"),
        ]
    better = f"{seen}, with that changed by {cost:.2f}"
    return [
        ok(DEPTH, "z-depth fits")
        if depth is AS_GIVEN
        else fault(DEPTH, f"{depth.told.format(number=number)} ({better})"),
        ok(CAMERA, "the cameras asked for fit") if camera is AS_ASKED else fault(CAMERA, f"{camera.told} ({better})"),
    ]


def _best_reading(scenes: Sequence[Scene]) -> tuple[float, CameraReading, DepthReading, float]:
    """Cost, cameras, depth and its number: the simplest reading that fits nearly as well as the best."""
    tried: list[tuple[float, CameraReading, DepthReading, float]] = []
    searches = [reading for reading in DEPTHS if len(reading.numbers) > 1]
    for depth in [reading for reading in DEPTHS if reading not in searches]:
        tried += [(_cost(scenes, camera, depth), camera, depth, 1.0) for camera in CAMERAS]
    if min(tried, key=lambda one: one[0])[0] > FITS / 2:
        for depth in searches:
            number = _search(scenes[0], depth)
            tried += [(_cost(scenes, camera, depth, number), camera, depth, number) for camera in CAMERAS]
    best = min(one[0] for one in tried)
    near = [one for one in tried if one[0] <= best + NEGLIGIBLE or best >= CLEARLY * one[0]]
    return min(near, key=lambda one: (one[1] is not AS_ASKED) + (one[2] is not AS_GIVEN))


def _cost(
    scenes: Sequence[Scene], camera: CameraReading = AS_ASKED, depth: DepthReading = AS_GIVEN, number: float = 1.0
) -> float:
    costs = []
    for scene in scenes:
        assert scene.cameras is not None
        changed = replace(scene, cameras=camera.change(scene.cameras))
        costs.append(float(disagreement(depth.apply(changed, number), near_pairs(scene.views)).mean()))
    return sum(costs) / len(costs)


def _search(scene: Scene, depth: DepthReading) -> float:
    """The number with which the depth of `scene` fits best, to about 2 %."""

    def cost(number: float) -> float:
        return float(disagreement(depth.apply(scene, number), next_pairs).mean())

    next_pairs = near_pairs(scene.views)[: scene.views - 1]
    best = min(depth.tried(scene), key=cost)
    return min((best * (1 + 0.02 * step) for step in range(-3, 4)), key=cost)


def _typical_turn(scenes: Sequence[Scene]) -> float:
    """Root mean square of the turns about the vertical that would bring each view to fit the one before, radians."""
    squares = []
    for scene in scenes:
        assert scene.cameras is not None
        for view in range(scene.views - 1):
            pair = scene.select([view, view + 1])
            assert pair.cameras is not None
            costs = {turn: float(disagreement(_turned(pair, turn), [(0, 1)]).mean()) for turn in TURNS}
            turn = min(costs, key=lambda one: (costs[one], abs(one)))
            squares.append(turn**2 if costs[turn] < CLEARLY * costs[0.0] - NEGLIGIBLE else 0.0)
    return math.sqrt(sum(squares) / len(squares))


def _turned(pair: Scene, turn: float) -> Scene:
    """Two views, the camera of the second moved around the vertical axis of the world."""
    assert pair.cameras is not None
    motion = torch.eye(4, dtype=torch.float64)
    motion[0, 0] = motion[2, 2] = math.cos(turn)
    motion[0, 2], motion[2, 0] = math.sin(turn), -math.sin(turn)
    pose = pair.cameras.cam_to_world.clone()
    pose[1] = motion @ pose[1]
    return replace(pair, cameras=Cameras(pose, pair.cameras.intrinsics))
