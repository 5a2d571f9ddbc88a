"""SIFT keypoints of a scene's views and their matches, in pixels of pictures 256 high.

All pictures are brought to a height of 256 first (bicubic up, area down), so that thresholds in
pixels mean the same everywhere and small pictures have keypoints at all. Enlarging adds no detail:
at 64 px each pixel is four wide, and distances are as much coarser.

Only what lies on the foreground counts (depth, else alpha, else the whole picture), for the
backdrop does not turn with the object, and only what is smaller than 12 px, for larger
descriptors reach over the object's outline, which is no point on the surface either.

Each picture is described once and each pair of views matched once, shared by all metrics that look at the
same `Scene` object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import numpy.typing as npt

from ..scenes.scene import Scene
from .reconstruction import LARGEST, mutual_matches, quantised
from .warping import REFERENCE_HEIGHT

__all__ = ["Keypoints", "detect", "frame_size", "grey_pictures", "match_views", "solid_ground"]

Array = npt.NDArray[np.float64]

CONTRAST = 0.012
EDGE = 30.0
RATIO = 0.75  # Lowe's


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Keypoints of one view.

    Args:
        points: in pixels of the picture 256 high, centre of the first pixel at (0.5, 0.5), [N, 2].
        descriptors: see `reconstruction.quantised`, [N, 128].
    """

    points: Array
    descriptors: npt.NDArray[np.float32]


def frame_size(scene: Scene) -> tuple[int, int]:
    """Height and width of a view at the reference height."""
    height, width = scene.size
    return REFERENCE_HEIGHT, max(1, round(width * REFERENCE_HEIGHT / height))


def grey_pictures(scene: Scene) -> npt.NDArray[np.uint8]:
    """The views in grey at the reference height, [V, 256, W]."""
    height, width = frame_size(scene)
    method = cv2.INTER_CUBIC if scene.size[0] <= height else cv2.INTER_AREA
    with _one_thread():
        views = [
            cv2.resize(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), (width, height), interpolation=method)
            for view in scene.rgb.cpu().numpy()
        ]
    return np.stack(views)


def solid_ground(scene: Scene) -> npt.NDArray[np.bool_]:
    """The foreground at the reference height, [V, 256, W]: keypoints elsewhere do not count."""
    height, width = frame_size(scene)
    rows = ((np.arange(height) + 0.5) * scene.size[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * scene.size[1] / width).astype(np.int64)
    ground: npt.NDArray[np.bool_] = scene.foreground.cpu().numpy()[:, rows][:, :, columns]
    return ground


def detect(scene: Scene) -> list[Keypoints]:
    """Keypoints of every view."""
    views = []
    with _one_thread():
        for picture, ground in zip(grey_pictures(scene), solid_ground(scene), strict=True):
            height, width = picture.shape
            points, described = _sift(picture.tobytes(), width)
            row = points[:, 1].astype(np.int64).clip(0, height - 1)
            column = points[:, 0].astype(np.int64).clip(0, width - 1)
            keep = ground[row, column]
            views.append(Keypoints(points[keep], described[keep]))
    return views


@lru_cache(maxsize=64)  # a frozen sweep shows one picture again and again, a reversed one those of another scene
def _sift(grey: bytes, width: int) -> tuple[Array, npt.NDArray[np.float32]]:
    """Places [N, 2] and descriptors [N, 128] of a picture's keypoints that are not larger than `LARGEST`."""
    picture = np.frombuffer(grey, dtype=np.uint8).reshape(-1, width)
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]
        contrastThreshold=CONTRAST, edgeThreshold=EDGE, enable_precise_upscale=True
    )
    found, described = sift.detectAndCompute(picture, None)
    described = np.zeros((0, 128), dtype=np.float32) if described is None else described
    small = np.array([point.size < LARGEST for point in found], dtype=np.bool_)
    points = np.array([point.pt for point in found], dtype=np.float64).reshape(-1, 2) + 0.5
    return points[small], quantised(described[small])


def match_views(scene: Scene, pairs: list[tuple[int, int]]) -> list[tuple[Array, Array]]:
    """Matched points of each pair of views, two arrays [N, 2] in pixels at the reference height."""
    known = _SEEN.get(scene)
    if known is None:
        known = _SEEN[scene] = (detect(scene), {})
    keypoints, matched = known
    for a, b in pairs:
        if (a, b) not in matched:
            first, second = mutual_matches(keypoints[a].descriptors, keypoints[b].descriptors, RATIO)
            matched[a, b] = keypoints[a].points[first], keypoints[b].points[second]
    return [matched[pair] for pair in pairs]


Known = tuple[list[Keypoints], dict[tuple[int, int], tuple[Array, Array]]]
_SEEN: WeakKeyDictionary[Scene, Known] = WeakKeyDictionary()


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV's pool would compete with the harness's own workers."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
