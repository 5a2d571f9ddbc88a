"""Other people's arrays to `Cameras` and back: axes, labels, angles, pixels, distances.

Everything inside viewsweep speaks one convention (see `cameras`); these functions are the border.
Files are read and written by `nerfstudio` and `colmap`.

    from_opengl, to_opengl            camera axes x right, y up, z backward (OpenGL, Blender, NeRF)
    from_eg3d, to_eg3d                EG3D's label of 25 numbers
    ANGLES[model]                     what a model calls yaw and pitch
    from_pixels, to_pixels            pinhole matrices in pixels
    ray_to_z, z_to_ray                distance along the ray and z-depth
    focal_of_fov, focal_of_eg3d_fov   normalised focal lengths; EG3D's "fov" is a diagonal one

`model_cameras` puts the parts together for each model family.

Source of the models' conventions: their public code, each derived formula checked numerically.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .cameras import Cameras
from .errors import InvalidCameras

__all__ = [
    "ANGLES",
    "AngleConvention",
    "focal_of_eg3d_fov",
    "focal_of_fov",
    "from_eg3d",
    "from_opengl",
    "from_pixels",
    "ray_to_z",
    "to_eg3d",
    "to_opengl",
    "to_pixels",
    "z_to_ray",
]

FLIP_Y_AND_Z = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))


def from_opengl(cam_to_world: Tensor, intrinsics: Tensor) -> Cameras:
    """Cameras of OpenGL poses: camera axes x right, y up, z backward; the world stays as it is.

    Args:
        cam_to_world: [V, 4, 4].
        intrinsics: normalised pinhole matrices with y *down* the image, [V, 3, 3] or [3, 3].
    """
    return Cameras(torch.as_tensor(cam_to_world, dtype=torch.float64) @ FLIP_Y_AND_Z, intrinsics)


def to_opengl(cameras: Cameras) -> Tensor:
    """Poses [V, 4, 4] with camera axes x right, y up, z backward."""
    return cameras.cam_to_world @ FLIP_Y_AND_Z


def from_eg3d(labels: Tensor) -> Cameras:
    """Cameras of EG3D's labels [V, 25] (also PanoHead's, SphereHead's).

    A label is a row-major camera-to-world matrix with OpenCV axes (16), then the row-major pinhole
    matrix divided by the image size (9). The world is y-up with the frontal camera on +z, as here.
    """
    labels = torch.as_tensor(labels, dtype=torch.float64)
    if labels.ndim != 2 or labels.shape[1] != 25:
        raise InvalidCameras(f"EG3D labels have shape {list(labels.shape)}; they must be [views, 25].")
    return Cameras(labels[:, :16].reshape(-1, 4, 4), labels[:, 16:].reshape(-1, 3, 3))


def to_eg3d(cameras: Cameras) -> Tensor:
    """EG3D's labels, float64, [V, 25]."""
    return torch.cat([cameras.cam_to_world.flatten(1), cameras.intrinsics.flatten(1)], 1)


@dataclass(frozen=True)
class AngleConvention:
    """What a model calls yaw and pitch, for a camera on a sphere that looks at its centre.

    Args:
        yaw_zero: the model's yaw of the frontal camera, radians.
        yaw_sign: +1 where the model's yaw grows as the camera moves towards +x, else -1.
        vertical: ``elevation`` above the horizon; ``polar`` angle from the up axis;
            ``arccos``: EG3D's samplers take v and use the polar angle arccos(1 - 2 v / pi), so equal
            steps of v are equal steps of height, not of angle; ``height``: GRAF's v = (1 - cos) / 2.
        yaw_unit: radians in one of the model's units of yaw; 2 pi where it counts turns.

    Example:
        >>> ANGLES["pigan"].to_native(0.0, 0.0)  # the front is (pi/2, pi/2) there
        (1.5707963267948966, 1.5707963267948966)
    """

    yaw_zero: float
    yaw_sign: Literal[1, -1]
    vertical: Literal["elevation", "polar", "arccos", "height"]
    yaw_unit: float = 1.0

    def to_native(self, yaw: float, pitch: float) -> tuple[float, float]:
        """The model's two angles of our `yaw` and `pitch`, radians."""
        vertical = {
            "elevation": pitch,
            "polar": math.pi / 2 - pitch,
            "arccos": math.pi / 2 * (1 - math.sin(pitch)),
            "height": (1 - math.sin(pitch)) / 2,
        }
        return self.yaw_zero + self.yaw_sign * yaw / self.yaw_unit, vertical[self.vertical]

    def from_native(self, yaw: float, vertical: float) -> tuple[float, float]:
        """Our yaw and pitch of the model's two angles, radians."""
        if self.vertical in ("arccos", "height"):
            share = vertical / math.pi if self.vertical == "arccos" else vertical
            pitch = math.asin(max(-1.0, min(1.0, 1 - 2 * share)))
        else:
            pitch = vertical if self.vertical == "elevation" else math.pi / 2 - vertical
        return self.yaw_sign * (yaw - self.yaw_zero) * self.yaw_unit, pitch


ANGLES = {
    "eg3d": AngleConvention(math.pi / 2, 1, "arccos"),
    "panohead": AngleConvention(math.pi / 2, 1, "arccos"),
    "pigan": AngleConvention(math.pi / 2, -1, "polar"),
    "gram": AngleConvention(math.pi / 2, -1, "polar"),
    "epigraf": AngleConvention(0.0, -1, "polar"),  # its frontal camera sits on +x of its own world
    "3dgp": AngleConvention(0.0, -1, "polar"),
    "stylenerf": AngleConvention(0.0, 1, "polar"),
    "stylesdf": AngleConvention(0.0, 1, "elevation"),
    "ivid": AngleConvention(0.0, 1, "elevation"),
    "graf": AngleConvention(0.0, 1, "height", math.tau),
    "giraffe": AngleConvention(0.0, 1, "height", math.tau),
}
"""Angle conventions by model family."""


def from_pixels(matrix: Tensor, width: int, height: int, *, first_centre: float = 0.5) -> Tensor:
    """Normalised pinhole matrices of ones in pixels.

    Args:
        matrix: [..., 3, 3].
        first_centre: where the *centre of the first pixel* lies: 0.5 for COLMAP, nerfstudio and
            graphics, 0 for OpenCV's functions. A mix-up shifts every picture by half a pixel.
    """
    scaled = torch.as_tensor(matrix, dtype=torch.float64).clone()
    scaled[..., :2, 2] += 0.5 - first_centre
    scaled[..., 0, :] /= width
    scaled[..., 1, :] /= height
    return scaled


def to_pixels(intrinsics: Tensor, width: int, height: int, *, first_centre: float = 0.5) -> Tensor:
    """Pinhole matrices in pixels of normalised ones [..., 3, 3]; the inverse of `from_pixels`."""
    scaled = torch.as_tensor(intrinsics, dtype=torch.float64).clone()
    scaled[..., 0, :] *= width
    scaled[..., 1, :] *= height
    scaled[..., :2, 2] -= 0.5 - first_centre
    return scaled


def ray_to_z(distance: Tensor, cameras: Cameras) -> Tensor:
    """z-depth of distances along the rays, [V, H, W]; NaN stays NaN.

    What volume renderers return is nearly always a distance along the ray. It exceeds z-depth by
    ``sqrt(1 + ((u - cx) / fx)^2 + ((v - cy) / fy)^2)``: 15.9 % in the corners at a field of view of
    45 degrees.
    """
    return (distance / _stretch(distance, cameras)).to(distance.dtype)


def z_to_ray(depth: Tensor, cameras: Cameras) -> Tensor:
    """Distances along the rays of z-depth maps [V, H, W]; NaN stays NaN."""
    return (depth * _stretch(depth, cameras)).to(depth.dtype)


def focal_of_fov(fov: float) -> float:
    """Normalised focal length of a field of view across the image's *side*, radians."""
    return 0.5 / math.tan(fov / 2)


def focal_of_eg3d_fov(fov: float) -> float:
    """Normalised focal length that EG3D and its copies make of a "field of view", radians.

    Their formula divides by 1.414: the angle is measured across the image's *diagonal*. 18.837
    degrees give 4.2634, whose angle across the side is 13.38 degrees; read as an angle across the
    side it would be 3.014. Hand intrinsics over as a matrix where that is possible.
    """
    return 1 / (1.414 * math.tan(fov / 2))


def _stretch(maps: Tensor, cameras: Cameras) -> Tensor:
    if maps.ndim != 3 or len(maps) != len(cameras):
        raise InvalidCameras(f"Maps of shape {list(maps.shape)} do not fit {len(cameras)} cameras; give [views, H, W].")
    length: Tensor = torch.linalg.vector_norm(cameras.rays(maps.shape[1], maps.shape[2])[1], dim=-1)
    return length
