"""What metrics against the true views share: which truth fits, and reasons of a metric's own.

A scene is compared with its truth view by view: same number of views, same picture size, same
cameras. Anything else is a mistake in what was fed, not a result, and raises.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .base import EVERY_GAP, SceneMetric, azimuth_deg

__all__ = ["OwnReasons", "TruthMetric", "check_truth"]

POSE_TOLERANCE = 1e-4
"""Of rotations and intrinsics, and of positions relative to their distance from the origin."""


class OwnReasons(SceneMetric):
    """A scene metric that may leave out a scene for a reason no other metric has.

    The states hold code -1 - k for sentence k of `_own_reasons`, so that they merge like all others.
    """

    def _skip_own(self, index: int, which: int = 0) -> None:
        self.unmeasured.append(torch.tensor([[index, EVERY_GAP, -1 - which]], dtype=torch.float64))

    @abstractmethod
    def _own_reasons(self) -> tuple[str, ...]:
        """The sentences, without full stop."""

    def _reasons(self, gap: int) -> tuple[int, str]:
        count, shared = super()._reasons(gap)
        held = self._gathered("unmeasured").tolist()
        phrases = [shared] if shared else []
        for which, sentence in enumerate(self._own_reasons()):
            scenes = sorted({int(scene) for scene, at, why in held if at in (EVERY_GAP, gap) and why == -1 - which})
            if scenes:
                few = f"scene {scenes[0]}" if len(scenes) == 1 else f"{len(scenes)} scenes (first: {scenes[0]})"
                phrases.append(f"{few}: {sentence}")
        return count, "; ".join(phrases)


class TruthMetric(OwnReasons):
    """A metric of each view against the true view from the same camera."""

    def update(self, scene: Scene, index: int, truth: Scene | None = None) -> None:
        """Measure `scene`, the protocol's scene number `index`, against `truth`.

        Without truth the scene counts as not measured.

        Raises:
            ValueError: `truth` has other views, another size or other cameras.
        """
        measured = self._against(scene, index, truth)
        if measured is None or truth is None:
            return
        views, values = measured
        cameras = scene.cameras if scene.cameras is not None else truth.cameras
        yaw = [math.nan] * scene.views if cameras is None else azimuth_deg(cameras.yaw)
        self._record(index, views, [-1] * len(views), [yaw[view] for view in views], values)

    def _against(self, scene: Scene, index: int, truth: Scene | None) -> tuple[list[int], Tensor] | None:
        """Measured views and their values; None, with the scene counted as not measured, where there are none."""
        lacking = self._lacks(scene) or ("truth" if truth is None else None)
        if lacking or truth is None:
            self._skip(index, lacking or "truth")
            return None
        check_truth(scene, truth, index)
        measured = self._compare(scene, truth)
        if isinstance(measured, int):
            self._skip_own(index, measured)
            return None
        return measured

    @abstractmethod
    def _compare(self, scene: Scene, truth: Scene) -> tuple[list[int], Tensor] | int:
        """Measured views and their values [K, ids + extra], or the number of the own reason why there are none."""

    def _own_reasons(self) -> tuple[str, ...]:
        return ()


def check_truth(scene: Scene, truth: Scene, index: int) -> None:
    """Raise ValueError unless `truth` shows the views of `scene`: number, size and cameras.

    Cameras are compared where both are known; float32 files are within the tolerance.
    """
    if (scene.views, *scene.size) != (truth.views, *truth.size):
        sizes = [f"{found.views} views of {found.size[1]}x{found.size[0]} pixels" for found in (scene, truth)]
        raise ValueError(f"Scene {index} has {sizes[0]}, its truth has {sizes[1]}; they must be the same views.")
    if scene.cameras is None or truth.cameras is None:
        return
    ours, theirs = scene.cameras, truth.cameras
    rotated = (ours.cam_to_world - theirs.cam_to_world)[:, :3, :3].abs().amax((1, 2)) > POSE_TOLERANCE
    away = (ours.positions - theirs.positions).norm(dim=1) > POSE_TOLERANCE * (1 + theirs.positions.norm(dim=1))
    zoomed = (ours.intrinsics - theirs.intrinsics).abs().amax((1, 2)) > POSE_TOLERANCE
    for what, wrong in (("position", away), ("rotation", rotated), ("intrinsics", zoomed)):
        if not bool(wrong.any()):
            continue
        view = int(torch.nonzero(wrong)[0, 0])
        where = ""
        if what == "position":
            places = [tuple(round(x, 4) for x in found.positions[view].tolist()) for found in (ours, theirs)]
            where = f": {places[0]}, truth at {places[1]}"
        raise ValueError(f"Scene {index}, view {view}: the camera's {what} is not that of the true view{where}.")
