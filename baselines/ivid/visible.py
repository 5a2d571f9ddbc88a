"""What prepared meshes show from other cameras."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from .mesh import Mesh, Views, gather, prepare
from .rasterise import rasterise
from .warp_settings import SMALL, WarpSettings

__all__ = ["Seen", "see"]

FACES = 1 << 20  # projected at once, bounds the memory


@dataclass(frozen=True)
class Seen:
    """What N views show from one camera each, at h x w samples.

    Args:
        rgb: [N, 3, h, w].
        depth: [N, h, w]; NaN where nothing is hit.
        hull: bool, [N, h, w]; hit, but only bounding what was not seen.
        weight: how squarely the source saw it, [N, h, w]; see `mesh`; 0 where nothing is hit.
    """

    rgb: Tensor
    depth: Tensor
    hull: Tensor
    weight: Tensor

    @property
    def known(self) -> Tensor:
        return torch.isfinite(self.depth) & ~self.hull


def see(
    views: Views | Mesh,
    targets: Cameras,
    samples: int,
    settings: WarpSettings = SMALL,
    *,
    rows: tuple[int, int] | None = None,
) -> Seen:
    """View n from camera n of `targets`, `samples` x `samples` samples each.

    A camera behind the scene, or inside of it, sees what lies in front of it; one that sees nothing
    gets samples without depth.

    Args:
        views: pictures, or their meshes if they are looked at more than once.
        rows: first row of samples and the one after the last, if not all are wanted.
    """
    mesh = prepare(views, settings) if isinstance(views, Views) else views
    lot = max(1, FACES // max(1, mesh.corner.shape[1]))
    first, end = rows or (0, samples)
    parts = [
        _see(mesh[at : at + lot], targets[at : at + lot], samples, first, end, settings.nearest)
        for at in range(0, len(mesh), lot)
    ]
    if len(parts) == 1:
        return parts[0]
    return Seen(*(torch.cat([getattr(part, name) for part in parts]) for name in ("rgb", "depth", "hull", "weight")))


def _see(mesh: Mesh, targets: Cameras, samples: int, first: int, end: int, nearest: float) -> Seen:
    count = len(mesh)
    corners = gather(_project(mesh.points, targets, samples), mesh.corner)
    a, b, c = (corners[..., 2] > nearest).unbind(-1)
    hits = rasterise(corners, mesh.drawn & a & b & c, end - first, samples, first_row=first)
    hit = hits.face >= 0
    face = hits.face.clamp(min=0).reshape(count, -1)
    ids = mesh.corner.gather(1, face[..., None].expand(-1, -1, 3))
    weights = hits.weights.reshape(count, -1, 3)
    rgb = torch.zeros(count, face.shape[1], 3, device=face.device)
    for k in range(3):
        vertex = ids[..., k, None].expand(-1, -1, 3)
        rgb += mesh.colour.gather(1, vertex) * weights[..., k, None]
    shape = (count, end - first, samples)
    return Seen(
        rgb.transpose(1, 2).reshape(count, 3, *shape[1:]),
        hits.depth,
        mesh.hull.gather(1, face).reshape(shape) & hit,
        mesh.weight.gather(1, face).reshape(shape) * hit,
    )


def _project(points: Tensor, targets: Cameras, samples: int) -> Tensor:
    """World points [N, P, 3] to x and y in samples and z-depth, float32, [N, P, 3]."""
    inverse, matrix = targets.world_to_cam.to(points.device), targets.intrinsics.to(points.device)
    local = points @ inverse[:, :3, :3].transpose(1, 2) + inverse[:, None, :3, 3]
    image = local @ matrix.transpose(1, 2)
    return torch.cat([image[..., :2] / image[..., 2:] * samples, local[..., 2:]], -1).float()
