"""`CameraCompliance`: were the pictures taken from where the method was told? (C5)

Definition. COLMAP recovers the cameras from the pictures alone, with known intrinsics and free poses
(see `reconstruction`; pictures are brought to a height of 256, features are taken from the
foreground). Its world is free in position, rotation and scale, so it is first laid over the
commanded one: the rotation nearest to all views' rotations in the chordal sense, then the scale and
shift with the least squares of positions. For each view

    rotation_error_deg           angle between recovered and commanded rotation
    adjacent_rotation_error_deg  the same for the turn from a view to each of its neighbours, without any alignment
    translation_error            distance of the positions over the RMS radius of the commanded path, at most 2
    registration                 1 where COLMAP found the view's camera in its largest model

and for the whole scene, over the largest model,

    models                   how many COLMAP made; 1 is right, 2 and more are views that do not fit together
    reprojection_error_px    mean distance of points from where they were seen, px at height 256, at most 1.5
    track_length             mean number of views that see a point

Worst value. A view that is not registered is the method's doing: 180 degrees for it and for the
turns to it, translation 2, registration 0. Without any model models is 0, the reprojection error 1.5 px and
the track length 0. Nothing is left out of a mean.

When it misleads. SIFT needs texture and parallax. Plain or shiny objects fail in perfect pictures too,
and a surface of revolution looks as if it did not turn (15 degrees a step, with every view registered):
always read it beside the oracle's value on the same objects. Small pictures blur it: tabletop objects
give neighbours' turns to about 0.6 degrees at 192 px; at 64 px half of them do not register whole. Models
may share views, so the share registered says more than their number.
The reprojection error knows only the points that survived.

Sources: Schoenberger and Frahm, "Structure-from-motion revisited", CVPR 2016 (COLMAP); Umeyama, IEEE PAMI 13,
1991 (scale and shift); Hartley et al., "Rotation averaging", IJCV 103, 2013 (chordal mean).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .base import SceneMetric, azimuth_deg
from .keypoints import frame_size, grey_pictures, solid_ground
from .pairs import adjacent_pairs
from .reconstruction import ERROR, Reconstruction, reconstruct
from .result import Definition

__all__ = ["CameraCompliance", "compliance", "rotation_angle_deg"]

Array = npt.NDArray[np.float64]

FARTHEST = math.radians(60.0)
"""Views further apart than this are not matched; SIFT would find nothing."""

WORST_ROTATION = 180.0
WORST_TRANSLATION = 2.0
WORST_REPROJECTION = ERROR
"""COLMAP drops observations beyond it, so no model can be worse."""


class CameraCompliance(SceneMetric):
    """Camera poses recovered by COLMAP against those commanded."""

    name = "camera_compliance"
    title = "Camera compliance"
    version = 1
    unit = "deg"
    higher_is_better = False
    needs = frozenset({"rgb", "cameras"})

    _ids = (
        Definition(
            "rotation_error_deg",
            "Rotation error",
            version,
            "deg",
            False,
            "Angle between the camera COLMAP recovers from the pictures and the one commanded, after the best "
            "alignment of both paths. Views it cannot place score 180.",
        ),
        Definition(
            "adjacent_rotation_error_deg",
            "Error of turns between neighbours",
            version,
            "deg",
            False,
            "Angle between the recovered and the commanded turn from a view to its neighbours. "
            "Turns to views that COLMAP cannot place score 180.",
        ),
        Definition(
            "translation_error",
            "Position error",
            version,
            "share",
            False,
            "Distance of the recovered from the commanded camera position over the radius of the path, at most 2. "
            "Views that COLMAP cannot place score 2.",
        ),
        Definition(
            "registration",
            "Registered views",
            version,
            "share",
            True,
            "Share of views whose camera COLMAP finds in its largest model.",
        ),
        Definition(
            "models",
            "Models",
            version,
            "",
            None,
            "Separate models COLMAP makes of one scene; 1 is right, 0 a failure, more are views that do not fit.",
        ),
        Definition(
            "reprojection_error_px",
            "Reprojection error",
            version,
            "px",
            False,
            "Mean distance of COLMAP's points from where views show them, in pixels of pictures 256 high; at most 1.5, "
            "which is what a failure scores.",
        ),
        Definition(
            "track_length",
            "Track length",
            version,
            "",
            True,
            "Mean number of views in which one of COLMAP's points is recognised; 0 without a model.",
        ),
    )
    _bounds = (
        (0.0, WORST_ROTATION),
        (0.0, WORST_ROTATION),
        (0.0, WORST_TRANSLATION),
        (0.0, 1.0),
        (0.0, float("inf")),
        (0.0, WORST_REPROJECTION),
        (0.0, float("inf")),
    )

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`.

        Raises:
            RuntimeError: COLMAP cannot be run here.
        """
        lacking = self._lacks(scene) or ("views" if scene.views < 2 else None)
        if lacking or scene.cameras is None:
            self._skip(index, lacking or "cameras")
            return
        values = compliance(_reconstruct(scene, scene.cameras), scene.cameras)
        nobody = [-1] * scene.views
        self._record(index, list(range(scene.views)), nobody, azimuth_deg(scene.cameras.yaw), values)


def compliance(found: Reconstruction, cameras: Cameras) -> Tensor:
    """The ids' values for each view of a reconstruction, float64, [V, 7]."""
    views, known = len(cameras), found.registered
    commanded, recovered = cameras.cam_to_world.numpy(), found.poses
    rotation, position = np.full(views, WORST_ROTATION), np.full(views, WORST_TRANSLATION)
    if known.any():
        turn, scale, shift = _alignment(recovered[known], commanded[known])
        rotation[known] = rotation_angle_deg(turn @ recovered[known, :3, :3], commanded[known, :3, :3])
        away = scale * recovered[known, :3, 3] @ turn.T + shift - commanded[known, :3, 3]
        path = commanded[:, :3, 3] - commanded[:, :3, 3].mean(0)
        radius = max(float(np.sqrt((path**2).sum(1).mean())), 1e-12)
        position[known] = np.minimum(np.linalg.norm(away, axis=1) / radius, WORST_TRANSLATION)
    turns: list[list[float]] = [[] for _ in range(views)]
    for a, b in adjacent_pairs(cameras):
        error = WORST_ROTATION
        if known[a] and known[b]:
            steps = [poses[a, :3, :3].T @ poses[b, :3, :3] for poses in (recovered, commanded)]
            error = float(rotation_angle_deg(*steps))
        turns[a].append(error)
        turns[b].append(error)
    whole = [
        float(found.models),
        min(found.error, WORST_REPROJECTION) if found.models else WORST_REPROJECTION,
        found.track,
    ]
    rows = [
        [rotation[view], math.fsum(turns[view]) / len(turns[view]), position[view], float(known[view]), *whole]
        for view in range(views)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def rotation_angle_deg(first: Array, second: Array) -> Array:
    """Angle between rotations [..., 3, 3], degrees; exact near 0 as near 180."""
    # |A - B| = 2 sqrt 2 sin(angle / 2): an arc cosine of the trace loses half the digits near zero
    chord = np.linalg.norm(first - second, axis=(-2, -1)) / (2 * math.sqrt(2))
    angle: Array = np.degrees(2 * np.arcsin(np.minimum(chord, 1.0)))
    return angle


def _alignment(recovered: Array, commanded: Array) -> tuple[Array, float, Array]:
    """Rotation, scale and shift that lay recovered poses [K, 4, 4] over the commanded ones."""
    left, _, right = np.linalg.svd((commanded[:, :3, :3] @ recovered[:, :3, :3].transpose(0, 2, 1)).sum(0))
    turn = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    start, goal = recovered[:, :3, 3] @ turn.T, commanded[:, :3, 3]
    centred, wanted = start - start.mean(0), goal - goal.mean(0)
    # a path turned inside out would want a negative scale
    scale = max(float((centred * wanted).sum() / max(float((centred**2).sum()), 1e-12)), 0.0)
    return turn, scale, goal.mean(0) - scale * start.mean(0)


def _reconstruct(scene: Scene, cameras: Cameras) -> Reconstruction:
    height, width = frame_size(scene)
    matrix = cameras.intrinsics.numpy()
    pinhole = np.stack(
        [matrix[:, 0, 0] * width, matrix[:, 1, 1] * height, matrix[:, 0, 2] * width, matrix[:, 1, 2] * height], 1
    )
    axis = cameras.cam_to_world[:, :3, 2].numpy()
    near = axis @ axis.T >= math.cos(FARTHEST) - 1e-9
    pairs = np.argwhere(np.triu(near, 1)).astype(np.int64)
    return reconstruct(grey_pictures(scene), solid_ground(scene), pinhole, pairs)
