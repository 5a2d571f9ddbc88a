"""The cameras of other people's models: world axes, camera axes, angles, field of view, distance.

    MODELS["epigraf"].poses(cameras)            ours to what the model calls a pose
    MODELS["epigraf"].cameras(poses, matrix)    and back
    MODELS["epigraf"].orbit(yaw, vertical)      ours of the angles its samplers draw
    MODELS["epigraf"].fov_of(focal, size)       the number it must be given to look as we do

| model | world, frontal camera | axes | angles | "fov" | radius |
| --- | --- | --- | --- | --- | --- |
| EG3D, PanoHead | y up, +z | OpenCV | arccos | across the diagonal; better hand a matrix over | 2.7 |
| pi-GAN, GRAM | y up, +z | OpenGL | yaw to -x | between the centres of the outermost pixels | 1 |
| EpiGRAF | y up, +x | OpenGL | yaw to +z of its own | between the centres of the outermost pixels | 1 |
| 3DGP | y up, +z | OpenGL | yaw to -x | across the side | 1 |
| StyleNeRF | z up, +x | OpenGL | | across the side | 1 |
| StyleSDF | y up, +z | OpenGL | elevation | half of it | 1 |
| ivid | y up, +z | OpenGL, world to camera | elevation | across the side | 1 |
| GRAF, GIRAFFE | z up, +x | OpenGL | turns and (1 - cos) / 2 | across the side | 3.4, 2.732 |

Source: the models' public code, each formula checked numerically. Where GRAF's front lies nothing says; +x, u = 0,
is a choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .cameras import Cameras, look_at
from .converters import ANGLES, FLIP_Y_AND_Z, AngleConvention, focal_of_eg3d_fov, focal_of_fov
from .sweeps import RADIUS

__all__ = ["MODELS", "ModelCameras", "corner_focal_of_fov"]

Axes = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]

SAME: Axes = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
X_IN_FRONT: Axes = ((0, 0, -1), (0, 1, 0), (1, 0, 0))
"""EpiGRAF's (X, Y, Z) is our (-Z, Y, X)."""

Z_UP: Axes = ((0, 1, 0), (0, 0, 1), (1, 0, 0))
"""StyleNeRF's (X, Y, Z) is our (Y, Z, X)."""


def corner_focal_of_fov(fov: float, size: int) -> float:
    """Normalised focal length where the *centres* of the first and last pixel lie on the edge of the field of view.

    pi-GAN, GRAM and EpiGRAF place rays at linspace(-1, 1, size), so the picture sees a little more than `fov`, and
    the focal length depends on its size: 12 degrees give 4.683 at 64 pixels and 4.739 at 256, not 4.757.

    Args:
        fov: radians.
        size: pixels of the picture's side.
    """
    return (size - 1) / size * focal_of_fov(fov)


@dataclass(frozen=True)
class ModelCameras:
    """How a model family describes its cameras.

    Args:
        angles: of its samplers.
        world: rows of the matrix from its world axes to ours.
        axes: of the camera: ``opencv`` (x right, y down, z forward) or ``opengl`` (y up, z backward).
        stores: what it calls a pose.
        fov: what it calls a field of view: the angle across the ``side`` of the picture, between the centres of its
            outermost pixels (``corners``), across the ``diagonal`` by EG3D's formula, or the ``half`` of the first.
        fov_deg: the field of view it was made for, in its own words, degrees.
        radius: how far from the origin its cameras stand, in its own unit.
        near, far: distances along the ray between which it renders, in its own unit.
    """

    angles: AngleConvention
    world: Axes
    axes: Literal["opencv", "opengl"]
    fov: Literal["side", "corners", "diagonal", "half"]
    fov_deg: float
    radius: float
    near: float
    far: float
    stores: Literal["cam_to_world", "world_to_cam"] = "cam_to_world"

    def poses(self, cameras: Cameras, radius: float = RADIUS) -> Tensor:
        """The model's poses [V, 4, 4] of `cameras`, float64.

        Args:
            radius: how far `cameras` stand from the origin; positions are scaled to the model's unit.
        """
        pose = self._turn.T @ cameras.cam_to_world
        pose[:, :3, 3] *= self.radius / radius
        if self.axes == "opengl":
            pose = pose @ FLIP_Y_AND_Z
        return torch.linalg.inv(pose) if self.stores == "world_to_cam" else pose

    def cameras(self, poses: Tensor, intrinsics: Tensor, radius: float = RADIUS) -> Cameras:
        """Ours of the model's poses [V, 4, 4]; the inverse of `poses`.

        Args:
            intrinsics: normalised pinhole matrices, [V, 3, 3] or [3, 3].
            radius: how far from the origin the cameras shall stand where the model's stand at its own radius.

        Raises:
            InvalidCameras: the poses are no rigid motions.
        """
        pose = torch.as_tensor(poses, dtype=torch.float64)
        pose = torch.linalg.inv(pose) if self.stores == "world_to_cam" else pose
        pose = self._turn @ (pose @ FLIP_Y_AND_Z if self.axes == "opengl" else pose)
        pose[:, :3, 3] *= radius / self.radius
        return Cameras(pose, intrinsics)

    def orbit(
        self,
        yaw: Sequence[float],
        vertical: Sequence[float],
        *,
        size: int,
        radius: float = RADIUS,
        pivot: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Cameras:
        """Ours of the model's two angles and its field of view.

        Args:
            yaw, vertical: in the model's words, [V].
            size: pixels of the picture's side.
            radius: how far from the origin the cameras shall stand.
            pivot: the point in our axes that they look at, in the unit of `radius`; a camera stays on the sphere
                about the *origin* wherever it looks (EG3D's faces: (0, 0, .2) at radius 2.7).
        """
        ours = [self.angles.from_native(*pair) for pair in zip(yaw, vertical, strict=True)]
        standing = Cameras.orbit([one for one, _ in ours], [other for _, other in ours], radius=radius)
        target = torch.tensor(list(pivot), dtype=torch.float64)
        return Cameras(look_at(standing.positions, target), self.matrix(math.radians(self.fov_deg), size))

    def focal_of(self, fov: float, size: int) -> float:
        """Normalised focal length of the model's "fov", radians, in a picture of `size` pixels."""
        if self.fov == "corners":
            return corner_focal_of_fov(fov, size)
        return {"side": focal_of_fov, "diagonal": focal_of_eg3d_fov, "half": _focal_of_half}[self.fov](fov)

    def fov_of(self, focal: float, size: int) -> float:
        """The "fov" to give the model, radians, for a normalised focal length: the inverse of `focal_of`."""
        if self.fov == "diagonal":
            return 2 * math.atan(1 / (1.414 * focal))
        fov = 2 * math.atan(0.5 / focal * ((size - 1) / size if self.fov == "corners" else 1.0))
        return fov / 2 if self.fov == "half" else fov

    def matrix(self, fov: float, size: int) -> Tensor:
        """Normalised intrinsics [3, 3] of the model's "fov", radians."""
        focal = self.focal_of(fov, size)
        return torch.tensor([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]], dtype=torch.float64)

    @property
    def _turn(self) -> Tensor:
        turn = torch.eye(4, dtype=torch.float64)
        turn[:3, :3] = torch.tensor(self.world, dtype=torch.float64)
        return turn


def _focal_of_half(fov: float) -> float:
    return focal_of_fov(2 * fov)


MODELS = {
    "eg3d": ModelCameras(ANGLES["eg3d"], SAME, "opencv", "diagonal", 18.837, 2.7, 2.25, 3.3),
    "panohead": ModelCameras(ANGLES["panohead"], SAME, "opencv", "diagonal", 18.837, 2.7, 2.25, 3.3),
    "pigan": ModelCameras(ANGLES["pigan"], SAME, "opengl", "corners", 12.0, 1.0, 0.88, 1.12),
    "gram": ModelCameras(ANGLES["gram"], SAME, "opengl", "corners", 12.0, 1.0, 0.88, 1.12),
    "epigraf": ModelCameras(ANGLES["epigraf"], X_IN_FRONT, "opengl", "corners", 12.0, 1.0, 0.88, 1.12),
    "3dgp": ModelCameras(ANGLES["3dgp"], SAME, "opengl", "side", 18.0, 1.0, 0.75, 1.25),
    "stylenerf": ModelCameras(ANGLES["stylenerf"], Z_UP, "opengl", "side", 12.0, 1.0, 0.88, 1.12),
    "stylesdf": ModelCameras(ANGLES["stylesdf"], SAME, "opengl", "half", 6.0, 1.0, 0.88, 1.12),
    "ivid": ModelCameras(ANGLES["ivid"], SAME, "opengl", "side", 45.0, 1.0, 0.6, 5.0, "world_to_cam"),
    "graf": ModelCameras(ANGLES["graf"], Z_UP, "opengl", "side", 90.0, 3.4, 1.0, 6.0),
    "giraffe": ModelCameras(ANGLES["giraffe"], Z_UP, "opengl", "side", 49.13, 2.732, 0.5, 6.0),
}
"""Camera conventions by model family, with the numbers of their faces; cars and others have numbers of their own.
3DGP draws the field of view of each sample from 10 to 45 degrees; 18 is only an example."""
