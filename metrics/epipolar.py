"""`EpipolarError` and `ParallaxError`: do matched points move as the commanded cameras say? (C4)

Definition. SIFT keypoints of two views are matched by the mutual ratio test (0.75) and nothing
else: verifying the matches geometrically would delete the evidence. Each match p, p' lies, in
pixels of pictures 256 high (see `keypoints`), at a distance from the epipolar lines that the
*commanded* cameras give, with their fundamental matrix F,

    SED(p, p') = (d(p', F p) + d(p, F^T p')) / 2,     d = distance of a point from a line, px, not squared
    sed        = median SED of the pair, at most 32 px
    tsed       = 1 where there are 10 matches and sed < 2 px, else 0; so a share of pairs
    tsed_auc   = mean of that over all thresholds in (0, 4] px
    matches    = how many there are

Cameras at one place have no epipolar lines; there the distance is that from the point carried over.

An epipolar line says where a point may go, not how far. With the target's depth z the expected
displacement e of each match is known, and o = p' - p is what happened:

    parallax_ratio = median(o . e / |e|) / median(|e|)      1 where the pictures turn as told, 0 where they stand still
    parallax_error = min(1, |1 - parallax_ratio|)

Where the cameras hardly move points (median |e| below 1 px) the ratio would divide by nothing;
the error there is the median of |o - e| in pixels, at most 1, and the ratio 1 less that.

Worst value. A pair with fewer than 10 matches has nothing recognisable in common, which is the
pictures' doing: it scores sed 32 px, tsed 0, parallax_ratio 0 and parallax_error 1, and counts.

When it misleads. The epipolar error sees only what is across the lines. On an orbit they are nearly
horizontal: frozen pictures, a wrong azimuth, even cameras ignored altogether can pass with few
pixels. Read it with the parallax error, which sees just that. SIFT recognises little beyond 30
degrees, so the curve falls to its worst value there for perfect pictures too; compare with the
oracle at the same angle. Blur and plain surfaces cost matches, not accuracy.

Sources: Yu et al., "Long-term photometric consistent novel view synthesis with diffusion models",
ICCV 2023 (SED, TSED with 10 matches and 2 px at 256 px).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .keypoints import frame_size, match_views
from .pair_metric import PairMetric
from .result import Definition
from .warping import lift, project

__all__ = ["EpipolarError", "ParallaxError", "epipolar_errors", "parallax_ratios", "symmetric_epipolar_distance"]

Array = npt.NDArray[np.float64]

MINIMUM_MATCHES = 10
THRESHOLD = 2.0  # pixels at the reference height, as the next three
HIGHEST_THRESHOLD = 4.0
WORST_SED = 32.0
STILL = 1.0
SAME_PLACE = 1e-5


class EpipolarError(PairMetric):
    """Distance of matched keypoints from the commanded cameras' epipolar lines.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = EpipolarError()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> metric.results()["sed"].status
        'ok'
    """

    name = "epipolar_error"
    title = "Epipolar error"
    version = 1
    unit = "px"
    higher_is_better = False
    needs = frozenset({"rgb", "cameras"})

    _ids = (
        Definition(
            "sed",
            "Epipolar distance",
            version,
            "px",
            False,
            "Median distance of matched keypoints from the commanded cameras' epipolar lines, in pixels of pictures "
            "256 high; 0 to 32. Pairs with fewer than 10 matches score 32.",
        ),
        Definition(
            "tsed",
            "Epipolar consistency (TSED)",
            version,
            "share",
            True,
            "Share of pairs of views with at least 10 matches and a median epipolar distance below 2 px.",
        ),
        Definition(
            "tsed_auc",
            "Epipolar consistency over thresholds",
            version,
            "share",
            True,
            "The same share, averaged over all thresholds up to 4 px.",
        ),
        Definition(
            "matches",
            "Matches",
            version,
            "",
            None,
            "Keypoints that two views have in common by their looks: what the epipolar distance rests on.",
        ),
    )
    _bounds = ((0.0, WORST_SED), (0.0, 1.0), (0.0, 1.0), (0.0, float("inf")))

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        return epipolar_errors(scene, pairs)


class ParallaxError(PairMetric):
    """Whether matched keypoints move as far as depth and cameras say: what the epipolar distance cannot see."""

    name = "parallax_error"
    title = "Parallax error"
    version = 1
    unit = "share"
    higher_is_better = False
    needs = frozenset({"rgb", "depth", "cameras"})

    _ids = (
        Definition(
            "parallax_error",
            "Parallax error",
            version,
            "share",
            False,
            "By what share keypoints move less or more between views than depth and cameras say; at most 1, which is "
            "what frozen pictures and pairs with fewer than 10 matches score.",
        ),
        Definition(
            "parallax_ratio",
            "Parallax ratio",
            version,
            "",
            None,
            "How far keypoints move between views along the expected direction, over how far they should: "
            "1 is right, 0 stands still, negative turns the wrong way.",
        ),
    )
    _bounds = ((0.0, 1.0), (float("-inf"), float("inf")))

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        ratio = parallax_ratios(scene, pairs)
        return torch.stack([(1 - ratio).abs().clamp(max=1.0), ratio], 1)


def epipolar_errors(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """Sed, tsed, tsed_auc and matches of each pair, float64, [2 P, 4]; both rows of a pair are the same."""
    if scene.cameras is None:
        raise ValueError("The epipolar error needs a scene with cameras.")
    rows = []
    for (a, b), (points, partners) in zip(pairs, match_views(scene, pairs), strict=True):
        sed = WORST_SED
        if len(points) >= MINIMUM_MATCHES:
            distance = symmetric_epipolar_distance(points, partners, scene.cameras, a, b, frame_size(scene))
            sed = min(float(np.median(distance)), WORST_SED)
        row = [sed, float(sed < THRESHOLD), max(0.0, 1 - sed / HIGHEST_THRESHOLD), float(len(points))]
        rows += [row, row]
    return torch.tensor(rows, dtype=torch.float64)


def symmetric_epipolar_distance(
    points: Array, partners: Array, cameras: Cameras, a: int, b: int, size: tuple[int, int]
) -> Array:
    """Mean distance of matched points from each other's epipolar lines, pixels, [N].

    Args:
        points: in view `a`, pixels with the first pixel's centre at (0.5, 0.5), [N, 2].
        partners: in view `b`, [N, 2].
        cameras: the commanded ones.
        size: height and width of the pictures that the pixels are of.
    """
    first, second = (np.concatenate([part, np.ones((len(part), 1))], 1) for part in (points, partners))
    motion = cameras.relative(a, b).numpy()
    rotation, (x, y, z) = motion[:3, :3], motion[:3, 3]
    scale = np.diag([size[1], size[0], 1.0])
    into, onto = (np.linalg.inv(scale @ cameras.intrinsics[view].numpy()) for view in (a, b))
    if np.linalg.norm(motion[:3, 3]) <= SAME_PLACE:
        carried = np.linalg.inv(onto) @ rotation @ into
        return (_carried(first, second, carried) + _carried(second, first, np.linalg.inv(carried))) / 2
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation
    fundamental = onto.T @ essential @ into
    there, here = first @ fundamental.T, second @ fundamental
    residual = np.abs((second * there).sum(1))
    # at an epipole every line is as good as another, and the residual is 0
    distance: Array = (residual / _slope(there) + residual / _slope(here)) / 2
    return distance


def parallax_ratios(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """Displacement of matches over that expected from the target's depth, float64, [2 P].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); entries 2k and 2k + 1 have a and b as target.
    """
    ratios = []
    for (a, b), (points, partners) in zip(pairs, match_views(scene, pairs), strict=True):
        ratios += [_parallax(scene, a, b, points, partners), _parallax(scene, b, a, partners, points)]
    return torch.tensor(ratios, dtype=torch.float64)


def _parallax(scene: Scene, target: int, source: int, points: Array, partners: Array) -> float:
    if scene.depth is None or scene.cameras is None:
        raise ValueError("The parallax error needs a scene with depth and cameras.")
    size = np.array(frame_size(scene)[::-1], dtype=np.float64)
    uv = torch.from_numpy(points / size)
    column = (uv[:, 0] * scene.size[1]).long().clamp(0, scene.size[1] - 1)
    row = (uv[:, 1] * scene.size[0]).long().clamp(0, scene.size[0] - 1)
    depth = scene.depth[target][row, column].to("cpu", torch.float64)
    world = lift(scene.cameras, torch.tensor([target]), uv[None], depth[None])
    found, z = project(scene.cameras, torch.tensor([source]), world)
    expected = found[0].numpy() * size - points
    counted = np.isfinite(expected).all(1) & (z[0].numpy() > 0)
    if int(counted.sum()) < MINIMUM_MATCHES:
        return 0.0
    expected, moved = expected[counted], (partners - points)[counted]
    length = np.linalg.norm(expected, axis=1)
    typical = float(np.median(length))
    if typical < STILL:
        return 1 - min(1.0, float(np.median(np.linalg.norm(moved - expected, axis=1))))
    along = (moved * expected).sum(1) / np.maximum(length, 1e-9)
    return float(np.median(along)) / typical


def _carried(points: Array, partners: Array, matrix: Array) -> Array:
    image = points @ matrix.T
    distance: Array = np.linalg.norm(image[:, :2] / image[:, 2:] - partners[:, :2], axis=1)
    return distance


def _slope(lines: Array) -> Array:
    length: Array = np.maximum(np.linalg.norm(lines[:, :2], axis=1), 1e-12)
    return length
