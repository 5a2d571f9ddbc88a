"""Structure from motion in a process of its own: pictures and known intrinsics in, free camera poses out.

COLMAP runs in a child process: a crash in native code costs one scene and not the run, its log and
its signal handlers stay out of ours, and one thread with fixed seeds gives the same bits every time.
The child runs this very file by its path and needs numpy and pycolmap only, for importing the whole
package would take longer than most reconstructions.

    SIFT (COLMAP's own)  ->  features on the foreground, no larger than `LARGEST`
    mutual ratio test    ->  two-view geometry of each pair, 1.5 px
    incremental mapping  ->  the model with most views; intrinsics stay as they are

COLMAP's defaults are for photographs of megapixels. Of pictures of 256 px of one small object they
register half, so thresholds of counts are lower and thresholds in pixels tighter here.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Reconstruction", "mutual_matches", "quantised", "reconstruct"]

Array = npt.NDArray[np.float64]

PEAK = 0.002
EDGE = 30.0
LARGEST = 12.0  # pixels; the descriptors of larger features reach over the object's outline
RATIO = 0.85
ERROR = 1.5  # pixels, of matches, of points and of final observations
MINIMUM_MATCHES = 10
INITIAL_INLIERS = 16
POSE_INLIERS = 8
INITIAL_ANGLE = 4.0  # degrees
SEED = 0
PATIENCE = 600  # seconds until a child counts as hung
NO_PYCOLMAP = 3  # the child's exit status
CRASHES = (-4, -6, -7, -8, -11)  # illegal instruction, abort, bus error, arithmetic, segmentation fault


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What COLMAP made of V pictures.

    Args:
        poses: camera to world of the largest model's views, in its own world, [V, 4, 4]; NaN where not registered.
        models: models found.
        error: mean reprojection error of the largest model's points, px; NaN without a model.
        track: mean number of views that see a point; 0 without a model.
    """

    poses: Array
    models: int
    error: float
    track: float

    @property
    def registered(self) -> npt.NDArray[np.bool_]:
        """Which views have a pose, [V]."""
        return np.isfinite(self.poses[:, 0, 0])


def reconstruct(
    grey: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], pinhole: Array, pairs: npt.NDArray[np.int64]
) -> Reconstruction:
    """Recover the poses of V pictures.

    Args:
        grey: pictures, [V, H, W].
        keep: where features count, [V, H, W].
        pinhole: focal lengths and principal point in pixels, (fx, fy, cx, cy), [V, 4].
        pairs: views to match, [P, 2].

    Returns:
        The largest model. Pictures in which COLMAP finds none, or at which it crashes, give none.

    Raises:
        RuntimeError: the child could not be run, which says nothing about the pictures.
    """
    given = io.BytesIO()
    np.savez(given, grey=grey, keep=keep, pinhole=pinhole, pairs=pairs)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # -P: this folder holds modules named like some of the standard library
    command = [sys.executable, "-P", str(Path(__file__).resolve())]
    try:
        child = subprocess.run(
            command, input=given.getvalue(), capture_output=True, env={**os.environ, **threads}, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"COLMAP did not finish within {PATIENCE} s.") from error
    if child.returncode in CRASHES:
        return _nothing(len(grey))
    if child.returncode:
        raise RuntimeError(f"COLMAP's process ended with status {child.returncode}: {child.stderr.decode()[-2000:]}")
    with np.load(io.BytesIO(child.stdout)) as found:
        return Reconstruction(found["poses"], int(found["models"]), float(found["error"]), float(found["track"]))


def quantised(descriptors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Root-SIFT as whole numbers up to 255, [N, 128]: sums of their products are exact in float32, in any order."""
    share = descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9)
    whole: npt.NDArray[np.float32] = np.minimum(np.rint(512 * np.sqrt(share)), 255).astype(np.float32)
    return whole


def mutual_matches(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], ratio: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of `a` [N, 128] and of `b` [M, 128] that are each other's nearest, and pass Lowe's ratio test both ways.

    Both ways, so that exchanging the views changes nothing.
    """
    if min(len(a), len(b)) < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * (a @ b.T)
    forth, back = square.argmin(1), square.argmin(0)
    rows = np.flatnonzero(back[forth] == np.arange(len(a)))
    partners = forth[rows]
    best = square[rows, partners]
    square[rows, partners] = np.inf  # each row and column holds one of these at most
    clear = (best < ratio**2 * square[rows].min(1)) & (best < ratio**2 * square[:, partners].min(0))
    rows = rows[clear]
    return rows, forth[rows]


def _nothing(views: int) -> Reconstruction:
    return Reconstruction(np.full((views, 4, 4), np.nan), 0, float("nan"), 0.0)


def _solve(
    grey: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_], pinhole: Array, pairs: npt.NDArray[np.int64]
) -> Reconstruction:
    """What the child does."""
    import pycolmap

    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(SEED)
    points, descriptors = _features(pycolmap, grey, keep)
    height, width = grey.shape[1:]
    cameras = [
        pycolmap.Camera(model="PINHOLE", width=width, height=height, params=row, camera_id=view + 1)
        for view, row in enumerate(pinhole)
    ]
    for camera in cameras:
        camera.has_prior_focal_length = True
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed, options.ransac.max_error, options.min_num_inliers = SEED, ERROR, MINIMUM_MATCHES
    with tempfile.TemporaryDirectory() as folder:
        base = os.path.join(folder, "database.db")
        with pycolmap.Database.open(base) as database, pycolmap.DatabaseTransaction(database):
            for view, camera in enumerate(cameras):
                _write_view(pycolmap, database, view + 1, camera, points[view])
            for a, b in pairs.tolist():
                rows, partners = mutual_matches(descriptors[a], descriptors[b], RATIO)
                if len(rows) < MINIMUM_MATCHES:
                    continue
                matches = np.stack([rows, partners], 1).astype(np.uint32)
                geometry = pycolmap.estimate_calibrated_two_view_geometry(
                    cameras[a], points[a], cameras[b], points[b], matches, options
                )
                database.write_matches(a + 1, b + 1, matches)
                database.write_two_view_geometry(a + 1, b + 1, geometry)
        models = pycolmap.incremental_mapping(base, folder, folder, _mapping(pycolmap))
    if not models:
        return _nothing(len(grey))
    largest = max(models.items(), key=lambda item: (item[1].num_reg_images(), item[1].num_points3D(), -item[0]))[1]
    poses = np.full((len(grey), 4, 4), np.nan)
    for image in largest.images.values():
        if image.has_pose:
            poses[image.image_id - 1] = np.vstack([image.cam_from_world().inverse().matrix(), [0, 0, 0, 1]])
    return Reconstruction(
        poses, len(models), largest.compute_mean_reprojection_error(), largest.compute_mean_track_length()
    )


def _features(
    pycolmap: Any, grey: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_]
) -> tuple[list[Array], list[npt.NDArray[np.float32]]]:
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu, options.num_threads = False, 1
    options.sift.peak_threshold, options.sift.edge_threshold = PEAK, EDGE
    options.sift.normalization = pycolmap.Normalization.L1_ROOT
    sift = pycolmap.Sift(options, pycolmap.Device.cpu)
    points, descriptors = [], []
    for picture, wanted in zip(grey, keep, strict=True):
        found, described = sift.extract(np.ascontiguousarray(picture))
        found = found.reshape(-1, 4)
        column = np.clip(found[:, 0].astype(np.int64), 0, picture.shape[1] - 1)
        row = np.clip(found[:, 1].astype(np.int64), 0, picture.shape[0] - 1)
        # the scale is a blob's radius over sqrt 2; its diameter is what OpenCV calls a size
        chosen = wanted[row, column] & (2 * found[:, 2] < LARGEST)
        points.append(found[chosen, :2].astype(np.float64))
        descriptors.append(np.rint(np.minimum(512 * described.reshape(-1, 128)[chosen], 255)).astype(np.float32))
    return points, descriptors


def _write_view(pycolmap: Any, database: Any, number: int, camera: Any, points: Array) -> None:
    """One picture as a rig of its own, as COLMAP's tables want it."""
    database.write_camera(camera, True)
    rig = pycolmap.Rig(rig_id=number)
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, True)
    image = pycolmap.Image(name=f"{number:06d}", camera_id=number, image_id=number)
    database.write_image(image, True)
    frame = pycolmap.Frame(frame_id=number, rig_id=number)
    frame.add_data_id(image.data_id)
    database.write_frame(frame, True)
    database.write_keypoints(number, points.astype(np.float32))


def _mapping(pycolmap: Any) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = options.mapper.num_threads = 1
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = SEED
    options.ba_refine_focal_length = options.ba_refine_extra_params = options.extract_colors = False
    options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    options.min_num_matches, options.min_model_size = MINIMUM_MATCHES, 3
    options.structure_less_registration_fallback = (
        False  # costs half a minute where pictures disagree, and gains nothing
    )
    options.mapper.init_min_num_inliers, options.mapper.abs_pose_min_num_inliers = INITIAL_INLIERS, POSE_INLIERS
    options.mapper.init_min_tri_angle = INITIAL_ANGLE
    options.mapper.init_max_error = options.mapper.filter_max_reproj_error = ERROR
    options.mapper.abs_pose_max_error = 2 * ERROR
    options.triangulation.merge_max_reproj_error = options.triangulation.complete_max_reproj_error = ERROR
    return options


def _child() -> int:
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever native code prints must not end up in the answer
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as given:
        arrays = {name: given[name] for name in ("grey", "keep", "pinhole", "pairs")}
    try:
        import pycolmap  # noqa: F401  told apart from what fails inside it
    except ImportError as error:
        print(f"pycolmap cannot be imported ({error}).", file=sys.stderr)
        return NO_PYCOLMAP
    try:
        found = _solve(**arrays)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        found = _nothing(len(arrays["grey"]))
    written = io.BytesIO()
    np.savez(written, poses=found.poses, models=found.models, error=found.error, track=found.track)
    with os.fdopen(answer, "wb") as stream:
        stream.write(written.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(_child())
