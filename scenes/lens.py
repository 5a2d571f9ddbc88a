"""`Lens`: a calibrated camera with distortion, in pixels, and the map that takes the distortion out.

The centre of the first pixel lies at (0.5, 0.5), as in COLMAP and nerfstudio. OpenCV's functions put
it at (0, 0); the half pixel is taken off in `rectify_map` and nowhere else.

A point (x, y) on the plane z = 1 is moved by the distortion, then by the pinhole matrix:

    opencv    x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)
                   + 2 p1 x y + p2 (r^2 + 2 x^2),                  y' likewise
    fisheye   theta = atan r,  x' = x / r * theta (1 + k1 theta^2 + ... + k4 theta^8)

Source: the documentation of OpenCV's calib3d and of COLMAP's camera models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .errors import InvalidCameras

__all__ = ["Lens", "rectify", "rectify_map"]

Points = npt.NDArray[np.float64]

ZOOMS = np.geomspace(4.0, 0.5, 97)
"""Focal lengths tried for the undistorted picture, as multiples of the lens's own."""


@dataclass(frozen=True)
class Lens:
    """One calibrated camera.

    Args:
        width, height: picture size in pixels.
        fx, fy, cx, cy: focal lengths and principal point, pixels.
        kind: the distortion model.
        coefficients: ``opencv``: (k1, k2, p1, p2, k3, k4, k5, k6); ``fisheye``: (k1, k2, k3, k4);
            missing ones at the end are 0.

    Raises:
        InvalidCameras: a size or focal length that is not positive, or a number that is not finite.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    kind: Literal["pinhole", "opencv", "fisheye"] = "pinhole"
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.coefficients)
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidCameras("The lens holds numbers that are not finite.")
        if min(self.width, self.height) < 1 or min(self.fx, self.fy) <= 0:
            raise InvalidCameras(
                f"A lens of {self.width}x{self.height} pixels with focal lengths {self.fx:g}, {self.fy:g}: "
                "all four must be positive."
            )
        if self.kind == "opencv" and not any(self.coefficients):
            object.__setattr__(self, "kind", "pinhole")  # an OPENCV record without distortion
        if self.kind == "pinhole":
            if any(self.coefficients):
                raise InvalidCameras("A pinhole lens has no distortion coefficients.")
            object.__setattr__(self, "coefficients", ())

    @property
    def intrinsics(self) -> Tensor:
        """Normalised pinhole matrix without the distortion, float64, [3, 3]."""
        return torch.tensor(
            [
                [self.fx / self.width, 0.0, self.cx / self.width],
                [0.0, self.fy / self.height, self.cy / self.height],
                [0.0, 0.0, 1.0],
            ],
            dtype=torch.float64,
        )

    def resized(self, width: int, height: int) -> Lens:
        """The same lens on a picture resized to `width` x `height`."""
        x, y = width / self.width, height / self.height
        return replace(self, width=width, height=height, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y)

    def cropped(self, left: float, top: float, side: float, size: int) -> Lens:
        """The lens of the square of `side` pixels at (`left`, `top`), resized to `size` x `size`."""
        scale = size / side
        return replace(
            self,
            width=size,
            height=size,
            fx=self.fx * scale,
            fy=self.fy * scale,
            cx=(self.cx - left) * scale,
            cy=(self.cy - top) * scale,
        )

    def pixels(self, points: Points) -> Points:
        """Pixel coordinates of points [..., 2] on the plane z = 1, distortion included."""
        return self.distort(points) * (self.fx, self.fy) + (self.cx, self.cy)

    def distort(self, points: Points) -> Points:
        """Where the distortion moves points [..., 2] on the plane z = 1."""
        if self.kind == "pinhole":
            return points
        x, y = points[..., 0], points[..., 1]
        square = x * x + y * y
        if self.kind == "fisheye":
            k1, k2, k3, k4 = _padded(self.coefficients, 4)
            radius = np.sqrt(square)
            theta = np.arctan(radius)
            bent = theta * (1 + _polynomial(theta * theta, k1, k2, k3, k4))
            ratio = np.divide(bent, radius, out=np.ones_like(radius), where=radius > 1e-12)
            return np.stack([x * ratio, y * ratio], -1)
        k1, k2, p1, p2, k3, k4, k5, k6 = _padded(self.coefficients, 8)
        radial = (1 + _polynomial(square, k1, k2, k3)) / (1 + _polynomial(square, k4, k5, k6))
        across = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        down = y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y
        return np.stack([across, down], -1)

    def undistorted(self) -> Lens:
        """The pinhole lens of the undistorted picture: same size and principal point.

        Both focal lengths are multiplied by the smallest factor at which every pixel of the new
        picture was seen by the old one (no invented borders), but by no less than one half: a
        fisheye's edge would otherwise blow up without end.

        Raises:
            InvalidCameras: the coefficients fold even the middle of the picture over.
        """
        if self.kind == "pinhole":
            return self
        good = None
        for zoom in ZOOMS:  # from the middle outwards: a polynomial that folds back must not count
            if not self._sees(zoom):
                break
            good = zoom
        if good is None:
            raise InvalidCameras(
                "The distortion coefficients fold even the middle of the picture over; no lens does that."
            )
        if good > ZOOMS[-1]:
            bad = ZOOMS[list(ZOOMS).index(good) + 1]
            for _ in range(30):
                middle = (good + bad) / 2
                good, bad = (middle, bad) if self._sees(middle) else (good, middle)
        return replace(self, kind="pinhole", coefficients=(), fx=self.fx * float(good), fy=self.fy * float(good))

    def _sees(self, zoom: float) -> bool:
        """Whether the border of a pinhole picture with `zoom` times the focal length was seen."""
        along = np.linspace(0.0, 1.0, 65)
        edges = [(along, 0 * along), (along, 0 * along + 1), (0 * along, along), (0 * along + 1, along)]
        border = np.concatenate([np.stack(edge, -1) for edge in edges]) * (self.width, self.height)
        points = (border - (self.cx, self.cy)) / (self.fx * zoom, self.fy * zoom)
        seen = self.pixels(points)
        inside = (seen >= 0) & (seen <= (self.width, self.height))
        step = self.distort(points * (1 + 1e-4)) - self.distort(points)
        outwards = (step * points).sum(-1) >= 0
        return bool(np.isfinite(seen).all() and inside.all() and outwards.all())


def rectify(picture: npt.NDArray[Any], lens: Lens, *, exact: bool = False) -> npt.NDArray[Any]:
    """`picture` [H, W] or [H, W, C] without its distortion, as `lens.undistorted()` sees it.

    Args:
        exact: take the nearest pixel instead of mixing its neighbours (depth, masks).
    """
    if lens.kind == "pinhole":
        return picture
    across, down = rectify_map(lens)
    mode = cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC
    rectified: npt.NDArray[Any] = cv2.remap(picture, across, down, mode, borderMode=cv2.BORDER_REPLICATE)
    return rectified


@lru_cache(maxsize=1)  # the frames of a capture share one lens; one map is 8 bytes a pixel
def rectify_map(lens: Lens) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For each pixel of the undistorted picture its place in the distorted one, in `cv2.remap`'s terms.

    Returns:
        columns and rows, float32, [H, W] each; the centre of the first pixel is (0, 0) there.
    """
    plain = lens.undistorted()
    x = (np.arange(lens.width) + 0.5 - plain.cx) / plain.fx
    y = (np.arange(lens.height) + 0.5 - plain.cy) / plain.fy
    seen = lens.pixels(np.stack(np.meshgrid(x, y), -1)) - 0.5
    return np.ascontiguousarray(seen[..., 0], np.float32), np.ascontiguousarray(seen[..., 1], np.float32)


def _polynomial(value: Points, *coefficients: float) -> Points:
    """c1 v + c2 v^2 + ... by Horner's rule."""
    total = np.zeros_like(value)
    for coefficient in reversed(coefficients):
        total = (total + coefficient) * value
    return total


def _padded(coefficients: tuple[float, ...], count: int) -> tuple[float, ...]:
    if len(coefficients) > count:
        raise InvalidCameras(f"{len(coefficients)} distortion coefficients where the model has {count}.")
    return coefficients + (0.0,) * (count - len(coefficients))
