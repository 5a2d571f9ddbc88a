"""PyTorch3D's cameras, as CO3D writes them down, to ours.

Its conventions, from PyTorch3D's page on cameras and the description of CO3D's format:

- points are *row* vectors: x_camera = x_world R + T;
- camera axes x left, y up, z forward; the world is left as it is;
- the image plane is in "normalised device coordinates" (NDC), x left and y up as well, the origin in the
  middle of the picture, measured between the *outer edges* of the border pixels (not their centres):

      u_ndc = f_x x / z + p_x,    v_ndc = f_y y / z + p_y

- ``ndc_norm_image_bounds``: both sides of the picture run from -1 to 1, whatever its shape;
- ``ndc_isotropic``: the shorter side runs from -1 to 1, the longer one further, at the same scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .alignment import nearest_rotation
from .errors import InvalidCameras

__all__ = ["FORMATS", "intrinsics_of_ndc", "pose_of_pytorch3d"]

FORMATS = ("ndc_norm_image_bounds", "ndc_isotropic")

FARTHEST = 1e5
"""Positions beyond this come of a reconstruction that went astray; CO3D holds a few frames like that."""

LEFT_UP_TO_RIGHT_DOWN = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))


def pose_of_pytorch3d(rotation: Sequence[Sequence[float]], translation: Sequence[float]) -> Tensor:
    """Camera to world with OpenCV axes, float64, [4, 4], of PyTorch3D's R [3, 3] and T [3].

    Raises:
        InvalidCameras: not nine and three finite numbers, no rotation, or a position that is no place.
    """
    turn, shift = _numbers("R", rotation, (3, 3)), _numbers("T", translation, (3,))
    to_camera = LEFT_UP_TO_RIGHT_DOWN @ nearest_rotation(turn).T
    position = -(to_camera.T @ (LEFT_UP_TO_RIGHT_DOWN @ shift))
    if float(position.abs().max()) > FARTHEST:
        raise InvalidCameras(f"The camera stands {float(position.norm()):.3g} units away; its reconstruction failed.")
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = to_camera.T, position
    return pose


def intrinsics_of_ndc(
    focal: Sequence[float], principal: Sequence[float], width: int, height: int, convention: str
) -> Tensor:
    """Normalised pinhole matrix, float64, [3, 3], of focal lengths and principal point in NDC.

    Args:
        focal, principal: two numbers each, x first.
        width, height: of the picture, pixels.
        convention: one of `FORMATS`.

    Raises:
        InvalidCameras: an unknown convention, numbers that are missing or not finite, or a focal length that
            is not positive.
    """
    if convention not in FORMATS:
        raise InvalidCameras(f"intrinsics_format '{convention}' is not known; {' and '.join(FORMATS)} are.")
    scales = (1.0, 1.0)
    if convention == "ndc_isotropic":
        shorter = min(width, height)
        scales = (shorter / width, shorter / height)
    matrix = torch.eye(3, dtype=torch.float64)
    lengths, centre = _numbers("focal_length", focal, (2,)), _numbers("principal_point", principal, (2,))
    if float(lengths.min()) <= 0:
        raise InvalidCameras(f"focal_length is {lengths.tolist()}; both numbers must be positive.")
    for axis, scale in enumerate(scales):
        matrix[axis, axis] = lengths[axis] * scale / 2
        matrix[axis, 2] = (1 - centre[axis] * scale) / 2
    return matrix


def _numbers(name: str, given: object, shape: tuple[int, ...]) -> Tensor:
    try:
        values = torch.tensor(given, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidCameras(f"{name} is no array of numbers.") from error
    if values.shape != shape or not bool(torch.isfinite(values).all()):
        raise InvalidCameras(f"{name} must be finite, of shape {list(shape)}; it is {values.tolist()}.")
    return values
