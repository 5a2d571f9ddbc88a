"""Distortion: our formulas against OpenCV's, and pictures that come back to where a pinhole would see them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from viewsweep.scenes.errors import InvalidCameras
from viewsweep.scenes.lens import Lens, rectify

WIDTH, HEIGHT = 160, 120
PLAIN = {"width": WIDTH, "height": HEIGHT, "fx": 130.0, "fy": 128.0, "cx": 83.0, "cy": 57.5}
LENSES = {
    "barrel": Lens(**PLAIN, kind="opencv", coefficients=(-0.22, 0.05)),
    "pincushion": Lens(**PLAIN, kind="opencv", coefficients=(0.15, 0.02)),
    "brown": Lens(**PLAIN, kind="opencv", coefficients=(-0.2, 0.06, 0.004, -0.006, -0.01)),
    "rational": Lens(**PLAIN, kind="opencv", coefficients=(0.1, 0.02, 0.001, 0.002, 0.01, 0.2, 0.03, 0.01)),
    "fisheye": Lens(**PLAIN | {"fx": 70.0, "fy": 70.0}, kind="fisheye", coefficients=(0.03, -0.01, 0.004, -0.001)),
    "ideal fisheye": Lens(**PLAIN | {"fx": 70.0, "fy": 70.0}, kind="fisheye"),
}
POINTS = np.array([[x, y] for x in np.linspace(-0.5, 0.5, 5) for y in np.linspace(-0.35, 0.35, 5)])
ids = pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES.keys())


def opencv_pixels(lens: Lens, points: np.ndarray) -> np.ndarray:
    """Where OpenCV projects points of the plane z = 1, in our pixel coordinates."""
    matrix = np.array([[lens.fx, 0, lens.cx - 0.5], [0, lens.fy, lens.cy - 0.5], [0, 0, 1]])
    if lens.kind == "fisheye":
        coefficients = np.array([*lens.coefficients, 0.0, 0, 0, 0])[:4]  # of whole numbers OpenCV reads half
        return cv2.fisheye.distortPoints(points[:, None], matrix, coefficients)[:, 0] + 0.5
    world = np.concatenate([points, np.ones((len(points), 1))], 1)
    coefficients = np.array([*lens.coefficients, 0.0, 0, 0, 0])
    coefficients = coefficients[: 5 if len(lens.coefficients) <= 5 else 8]
    return cv2.projectPoints(world, np.zeros(3), np.zeros(3), matrix, coefficients)[0][:, 0] + 0.5


def grid() -> np.ndarray:
    """Pixel centres, [H, W, 2]."""
    return np.stack(np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5), -1)


def photograph(lens: Lens, plain: Lens, centre: np.ndarray) -> np.ndarray:
    """What `lens` sees of a world that shows a round soft spot at `centre` in the picture of `plain`.

    OpenCV inverts the distortion here, pixel by pixel; the code under test never does.
    """
    matrix = np.array([[lens.fx, 0, lens.cx - 0.5], [0, lens.fy, lens.cy - 0.5], [0, 0, 1]])
    pixels, steps = (grid() - 0.5).reshape(-1, 1, 2), (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    if lens.kind == "fisheye":
        coefficients = np.array([*lens.coefficients, 0.0, 0, 0, 0])[:4]
        points = cv2.fisheye.undistortPoints(pixels, matrix, coefficients, criteria=steps)
    else:
        coefficients = np.array([*lens.coefficients, 0.0, 0, 0, 0])[: 5 if len(lens.coefficients) <= 5 else 8]
        points = cv2.undistortPointsIter(pixels, matrix, coefficients, None, None, steps)
    away = points.reshape(HEIGHT, WIDTH, 2) * (plain.fx, plain.fy) + (plain.cx, plain.cy) - centre
    spot = np.exp(-np.square(away).sum(-1) / (2 * 2.5**2))
    return np.repeat((255 * spot + 0.5).astype(np.uint8)[..., None], 3, -1)


def centroid(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(float)
    weight[weight < 8] = 0
    return (weight[..., None] * grid()).sum((0, 1)) / weight.sum()


@ids
def test_distortion_is_opencvs(lens):
    np.testing.assert_allclose(lens.pixels(POINTS), opencv_pixels(lens, POINTS), atol=1e-9)


@ids
def test_rectified_pictures_show_points_where_a_pinhole_sees_them(lens):
    plain = lens.undistorted()
    expected = [spot for spot in plain.pixels(POINTS) if 12 < spot[0] < WIDTH - 12 and 12 < spot[1] < HEIGHT - 12]
    assert len(expected) >= 8
    for spot in expected:
        found = centroid(rectify(photograph(lens, plain, spot), lens))
        np.testing.assert_allclose(found, spot, atol=0.1)


@ids
def test_every_pixel_of_the_rectified_picture_was_seen(lens):
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    plain = lens.undistorted()
    corners = (np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]]) - (plain.cx, plain.cy)) / (
        plain.fx,
        plain.fy,
    )
    seen = lens.pixels(corners)
    assert bool(((seen >= -1e-6) & (seen <= (WIDTH + 1e-6, HEIGHT + 1e-6))).all())
    assert rectify(white, lens).min() == 255
    assert plain.kind == "pinhole"
    assert (plain.cx, plain.cy, plain.width, plain.height) == (lens.cx, lens.cy, WIDTH, HEIGHT)
    assert plain.fx / plain.fy == pytest.approx(lens.fx / lens.fy)


def test_barrel_keeps_more_than_the_lens_own_focal_length_would():
    """A wide lens sees more than a pinhole of its focal length: the picture zooms out as far as it may."""
    assert LENSES["barrel"].undistorted().fx < 130
    assert LENSES["pincushion"].undistorted().fx > 130


def test_a_very_wide_fisheye_stops_at_half_its_focal_length():
    lens = Lens(160, 160, 40.0, 40.0, 80.0, 80.0, "fisheye")
    assert lens.undistorted().fx == pytest.approx(20.0)


def test_a_polynomial_that_folds_back_does_not_count():
    """r (1 - r^2 / 2) turns round at r = 0.82; pixels beyond must not appear twice."""
    lens = Lens(**PLAIN | {"fx": 60.0, "fy": 60.0}, kind="opencv", coefficients=(-0.5,))
    plain = lens.undistorted()
    reach = math.hypot(max(plain.cx, WIDTH - plain.cx), max(plain.cy, HEIGHT - plain.cy)) / min(plain.fx, plain.fy)
    assert reach <= math.sqrt(2 / 3) + 1e-3


def test_senseless_coefficients_are_refused():
    with pytest.raises(InvalidCameras, match="fold"):
        Lens(**PLAIN, kind="opencv", coefficients=(-500.0,)).undistorted()


def test_depth_is_rectified_without_mixing():
    depth = np.full((HEIGHT, WIDTH), 1.0, np.float32)
    depth[:, WIDTH // 2 :] = 3.0
    depth[:40] = np.nan
    values = rectify(depth, LENSES["barrel"], exact=True)
    assert set(np.unique(values[np.isfinite(values)])) == {1.0, 3.0}
    assert np.isnan(values).any()


def test_pinholes_are_left_alone():
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    lens = Lens(**PLAIN, kind="opencv", coefficients=(0.0, 0.0))
    assert lens.kind == "pinhole"
    assert lens.undistorted() is lens
    assert rectify(picture, lens) is picture


def test_intrinsics_follow_crop_and_resize_exactly():
    """The same world point lands on the same spot of the picture before and after."""
    lens = Lens(**PLAIN)
    part = lens.cropped(20.0, 0.0, 120.0, 48)
    point = np.array([0.12, -0.2])
    before, after = lens.pixels(point), part.pixels(point)
    np.testing.assert_allclose(after, (before - (20.0, 0.0)) * 48 / 120)
    assert float(part.intrinsics[0, 2]) == pytest.approx((83.0 - 20) / 120)
    half = lens.resized(80, 60)
    np.testing.assert_allclose(half.pixels(point), before / 2)
    assert half.intrinsics.equal(lens.intrinsics)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fx": 0.0}, "positive"),
        ({"width": 0}, "positive"),
        ({"cx": math.nan}, "finite"),
        ({"coefficients": (0.1,)}, "no distortion"),
        ({"kind": "fisheye", "coefficients": (math.inf,)}, "finite"),
    ],
)
def test_bad_lenses_are_refused(change, words):
    with pytest.raises(InvalidCameras, match=words):
        Lens(**PLAIN | change)
