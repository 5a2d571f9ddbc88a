"""`DepthAccuracy`: is the depth of each view that of the true object? (D1)

Definitions, over pixels where both the prediction and the truth have a surface, with d true depth and p
the predicted depth times one factor for the whole sweep, the median of d / p over all its views:

    abs_rel        mean |p - d| / d
    rmse           sqrt(mean (p - d)^2), in the unit of the camera positions
    silog          100 sqrt(mean (e - E)^2),  e = ln p - ln d,  E the mean of e over the *sweep*
    delta_1.25     share of pixels with max(p / d, d / p) < 1.25;   delta_1.05 likewise
    normals_deg    mean angle between the surface normals, degrees;   normals_11.25  share below 11.25
    abs_rel_affine abs_rel after the one factor and shift for the sweep that least squares finds in *depth*
    depth_coverage share of the true surface where the prediction has one

Each is computed per view; a scene's value is the mean over its views. The factor and E belong to the sweep:
a scale that jumps from view to view counts as error, in silog too.

Normals are those of the tangents through a pixel's four neighbours, unprojected; true ones are the truth's
own where it has them. Pixels at the truth's folds and silhouettes are left out (all four 2x2 footprints
around must be solid, see `warping`); folds of the prediction are its errors.

Worst values. A view with less than 5 % of the true surface covered scores as if it had answered depth 0:
abs_rel 1, rmse the root mean square of d, silog 100, delta 0, normals 180 degrees and share 0. Values
beyond are cut there. A view in which nothing is to be seen is not counted.

When they mislead. Always read error and coverage as a pair: depth given only where it is easy has a
small error. Surface where the truth has none costs nothing here. delta_1.25 is 1 for a flat card in front
of an object, whose own depth spans a tenth or two of its distance: hence 1.05. Even abs_rel knows little
about shape; normals do, but at low resolution their floor is some degrees for the true depth itself, because
finite differences round off creases: compare with the oracle. abs_rel_affine may exceed abs_rel, for least
squares follows outliers. A wrong scale of the whole sweep is forgiven here and shows in the warp error,
where depth and cameras must agree.

Sources: Eigen, Puhrsch, Fergus, "Depth map prediction from a single image", NeurIPS 2014 (the errors);
evalmde, arXiv 2510.19814 (their blindness to shape, and normals).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .depth_alignment import align_affine, align_scale
from .result import Definition
from .truth_metric import TruthMetric
from .warping import Surfaces

__all__ = ["DepthAccuracy", "abs_rel", "angles_deg", "delta", "depth_normals", "log_errors", "rmse"]

Array = npt.NDArray[np.float64]
MINIMUM_COVERAGE = 0.05
LARGE_ANGLE = 11.25
WORST_SILOG, WORST_ANGLE = 100.0, 180.0


class DepthAccuracy(TruthMetric):
    """Errors of depth and of surface normals against the true views, aligned once per sweep.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> truth = tabletop.sample(7).render(sweep360(4), 32)
        >>> metric = DepthAccuracy()
        >>> metric.update(truth, 0, truth)
        >>> float(metric.compute())
        0.0
    """

    name = "depth_accuracy"
    title = "Depth accuracy"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"depth", "cameras", "truth"})

    _ids = (
        Definition(
            "abs_rel",
            "Depth error",
            version,
            unit,
            False,
            "Mean relative error of depth against the truth, after one factor for the whole sweep; 0 to 1. "
            "Views without a surface where the truth has one score 1. Read it beside depth_coverage.",
        ),
        Definition(
            "rmse",
            "Depth RMSE",
            version,
            "units",
            False,
            "Root mean square error of depth in the unit of the camera positions, after one factor for the sweep.",
        ),
        Definition(
            "silog",
            "SILog",
            version,
            "",
            False,
            "100 times the spread of the log depth ratio around its mean over the sweep; 0 to 100.",
        ),
        Definition(
            "delta_1.25",
            "δ < 1.25",
            version,
            "share",
            True,
            "Share of pixels whose depth is right within a factor of 1.25; a flat card in front of an object has 1.",
        ),
        Definition(
            "delta_1.05",
            "δ < 1.05",
            version,
            "share",
            True,
            "Share of pixels whose depth is right within a factor of 1.05.",
        ),
        Definition(
            "normals_deg",
            "Normal error",
            version,
            "°",
            False,
            "Mean angle between the surface normals of the depth and the true ones; 0 to 180. True depth itself has "
            "a few degrees at low resolution.",
        ),
        Definition(
            "normals_11.25",
            "Normals < 11.25°",
            version,
            "share",
            True,
            "Share of pixels whose surface normal is right within 11.25 degrees.",
        ),
        Definition(
            "abs_rel_affine",
            "Depth error, affine",
            version,
            "",
            False,
            "Mean relative error of depth after one factor and shift, in depth, for the whole sweep; 0 to 1.",
        ),
        Definition(
            "depth_coverage",
            "Depth coverage",
            version,
            "share",
            True,
            "Share of the true surface where the method gives depth; what the errors rest on.",
        ),
    )
    _bounds = (
        (0.0, 1.0),
        (0.0, math.inf),
        (0.0, WORST_SILOG),
        (0.0, 1.0),
        (0.0, 1.0),
        (0.0, WORST_ANGLE),
        (0.0, 1.0),
        (0.0, 1.0),
        (0.0, 1.0),
    )

    def _compare(self, scene: Scene, truth: Scene) -> tuple[list[int], Tensor] | int:
        if truth.depth is None:
            return 0
        cameras = scene.cameras if truth.cameras is None else truth.cameras
        assert cameras is not None
        assert scene.depth is not None
        # both with the truth's cameras: those of the scene may differ by rounding
        ours, theirs = (part.to("cpu", torch.float64).numpy() for part in (scene.depth, truth.depth))
        seen = [view for view in range(scene.views) if np.isfinite(theirs[view]).any()]
        if not seen:
            return 1
        angles = _normal_angles(scene, truth, cameras)
        both = np.isfinite(ours) & np.isfinite(theirs)
        if int(both.sum()) < 2:
            return seen, torch.stack([_worst(theirs[view], 0.0) for view in seen])
        scaled = align_scale(ours, theirs).apply(ours)
        affine = align_affine(ours, theirs, space="depth").apply(ours)
        centre = float(log_errors(scaled[both], theirs[both]).mean())
        rows = []
        for view in seen:
            held = both[view]
            coverage = float(held.sum() / np.isfinite(theirs[view]).sum())
            if coverage < MINIMUM_COVERAGE:
                rows.append(_worst(theirs[view], coverage))
                continue
            p, d = scaled[view][held], theirs[view][held]
            worst = _worst(theirs[view], coverage).tolist()
            found = [
                min(abs_rel(p, d), worst[0]),
                min(rmse(p, d), worst[1]),
                min(100 * float(np.sqrt(np.mean((log_errors(p, d) - centre) ** 2))), worst[2]),
                delta(p, d, 1.25),
                delta(p, d, 1.05),
                float(angles[view].mean()) if len(angles[view]) else worst[5],
                float((angles[view] < LARGE_ANGLE).mean()) if len(angles[view]) else worst[6],
                min(abs_rel(affine[view][held], d), worst[7]),
                coverage,
            ]
            rows.append(torch.tensor(found, dtype=torch.float64))
        return seen, torch.stack(rows)

    def _own_reasons(self) -> tuple[str, ...]:
        return "the true views have no depth", "the true views show no surface"


def abs_rel(depth: Array, true: Array) -> float:
    """Mean of |p - d| / d over pixels [N]."""
    return float(np.mean(np.abs(depth - true) / true))


def rmse(depth: Array, true: Array) -> float:
    """Root mean square of p - d over pixels [N]."""
    return float(np.sqrt(np.mean((depth - true) ** 2)))


def log_errors(depth: Array, true: Array) -> Array:
    """ln p - ln d of pixels [N]; 100 times its standard deviation over one picture is SILog."""
    errors: Array = np.log(depth) - np.log(true)
    return errors


def delta(depth: Array, true: Array, limit: float) -> float:
    """Share of pixels [N] with max(p / d, d / p) < limit."""
    return float(np.mean(np.maximum(depth / true, true / depth) < limit))


def depth_normals(depth: Tensor, cameras: Cameras) -> Tensor:
    """Unit normals in the world of depth maps [V, H, W], facing the camera: float64 [V, H, W, 3].

    The tangents are the differences of a pixel's left and right, and upper and lower, neighbours. NaN where
    a neighbour is missing.
    """
    points = cameras.unproject(depth)
    normals = torch.full_like(points, math.nan)
    if min(depth.shape[1:]) < 3:
        return normals
    across = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    along = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    normal = torch.nn.functional.normalize(torch.linalg.cross(along, across), dim=-1)
    away = points[:, 1:-1, 1:-1] - cameras.positions[:, None, None]  # the pixel itself must have a surface, too
    normals[:, 1:-1, 1:-1] = torch.where((normal * away).sum(-1, keepdim=True) <= 0, normal, -normal)
    normals[:, 1:-1, 1:-1] += 0 * away.sum(-1, keepdim=True)
    return normals


def angles_deg(a: Tensor, b: Tensor) -> Tensor:
    """Angles between unit vectors [..., 3] in degrees, exact near 0 and 180."""
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1)))


def _normal_angles(scene: Scene, truth: Scene, cameras: Cameras) -> list[Array]:
    """For each view the angles of the pixels clear of the truth's edges, degrees."""
    assert scene.depth is not None
    assert truth.depth is not None
    solid = Surfaces(Scene(truth.rgb, cameras, truth.depth)).solid
    clear = torch.zeros_like(solid)
    clear[:, 1:, 1:] = solid[:, 1:, 1:] & solid[:, :-1, 1:] & solid[:, 1:, :-1] & solid[:, :-1, :-1]
    true = depth_normals(truth.depth, cameras)
    if truth.normals is not None:
        own = torch.nn.functional.normalize(truth.normals.to("cpu", torch.float64), dim=-1)
        true = torch.where(torch.isfinite(own), own, true)
    angles = angles_deg(depth_normals(scene.depth, cameras), true)
    return [angle[mask & torch.isfinite(angle)].numpy() for angle, mask in zip(angles, clear, strict=True)]


def _worst(true: Array, coverage: float) -> Tensor:
    """What a view scores that answers depth 0 everywhere."""
    size = float(np.sqrt(np.nanmean(true**2)))
    return torch.tensor(
        [1.0, size, WORST_SILOG, 0.0, 0.0, WORST_ANGLE, 0.0, 1.0, coverage],
        dtype=torch.float64,
    )
