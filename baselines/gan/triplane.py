"""Tri-planes: three feature pictures a point in space is looked up in (EG3D: Chan et al. 2022, section 4.1)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

__all__ = ["PLANE_AXES", "Planes", "sample_planes"]

Planes = Literal["full", "official"]

PLANE_AXES: dict[str, tuple[int, ...]] = {
    "full": (0, 1, 0, 2, 1, 2),
    # EG3D's published weights were trained with (x, y), (x, z), (z, x): no plane tells y from z without x
    "official": (0, 1, 0, 2, 2, 0),
}
"""The two world axes (0 = x) that run along each plane's width and height, plane after plane."""


def sample_planes(
    planes: Tensor, points: Tensor, *, box: float, axes: Planes = "full", align_corners: bool = False
) -> Tensor:
    """Features of points: the mean over the three planes, bilinear, zero outside.

    Args:
        planes: [N, 3, C, R, R], or [1, ...] for one scene seen by all.
        points: world points, [N, ..., 3].
        box: side of the cube the planes span, centred on the origin.
        axes: which planes there are.
        align_corners: whether the cube's faces lie on the outermost samples (EpiGRAF) or half a sample outside (EG3D).

    Returns:
        [N, ..., C], float32.
    """
    shape = points.shape[:-1]
    scenes, _, channels = planes.shape[:3]
    points = points.reshape(scenes, -1, 3) * (2 / box)
    grid = points[..., list(PLANE_AXES[axes])].unflatten(-1, (3, 2)).transpose(1, 2)  # [N, 3, P, 2]
    found = F.grid_sample(
        planes.flatten(0, 1).to(points.dtype),
        grid.flatten(0, 1)[:, :, None].contiguous(),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=align_corners,
    )
    found = found.view(scenes, 3, channels, -1).mean(1)
    return found.transpose(1, 2).reshape(*shape, channels)
