"""RGBD pictures as meshes: one vertex a pixel centre, two triangles a square of four.

Squares are split along the shorter 3D diagonal. Faces are marked as in ivid's public code
(arXiv 2303.17905):

    discontinuity   depth within the face differs by more than `absolute_step` and 1 / depth by more
                    than `relative_step`: the face spans from one surface to another
    padding         the face belongs to a ring about the picture, pulled towards the camera along
                    the sides of its field of view
    eroded          a corner lies within `erode_source` pixels of a discontinuity: its colour may be a
                    blend of two surfaces

Discontinuities and padding are *hull*: what lies behind was not seen, so they hide it, and show
nothing themselves. A face's weight tells how squarely the camera saw it, theta being the angle
between its normal and the direction to the camera,

    w = max(exp(max(-20 theta, -50)), 1e-4),   times 1e-8 if eroded,   1e-16 if hull.

Depth counts where w > 1e-14, which is all but the hull; colour where w > 1e-6, neither hull nor eroded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from .warp_settings import SMALL, WarpSettings

__all__ = ["COLOUR_WEIGHT", "HULL_WEIGHT", "Mesh", "Views", "join", "prepare"]

FLOOR = 1e-4
ERODED = 1e-8
HULL_WEIGHT = 1e-16
COLOUR_WEIGHT = 1e-6


@dataclass(frozen=True)
class Views:
    """N pictures seen from known cameras.

    Args:
        rgb: colours in [-1, 1], [N, 3, H, W].
        depth: z-depth, the background on the far plane, [N, H, W]; NaN = not known at all.
        hull: pixels that only bound what was not seen, bool, [N, H, W].
        cameras: N cameras.
    """

    rgb: Tensor
    depth: Tensor
    hull: Tensor
    cameras: Cameras


@dataclass(frozen=True)
class Mesh:
    """N meshes of P vertices and F faces each.

    Args:
        points: vertices in the world, float64, [N, P, 3].
        colour: their colours in [-1, 1], [N, P, 3].
        corner: numbers of a face's vertices, int64, [N, F, 3]; front towards the mesh's own camera.
        drawn: faces whose depth is known, bool, [N, F].
        hull: faces that hide but do not show, bool, [N, F].
        weight: see above, float32, [N, F].
    """

    points: Tensor
    colour: Tensor
    corner: Tensor
    drawn: Tensor
    hull: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: slice | Sequence[int]) -> Mesh:
        return Mesh(*(getattr(self, field.name)[index] for field in fields(self)))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """The meshes of pictures of one size, one after the other."""
    return Mesh(*(torch.cat([getattr(mesh, field.name) for mesh in meshes]) for field in fields(Mesh)))


def prepare(views: Views, settings: WarpSettings = SMALL) -> Mesh:
    """The meshes of pictures, on the pictures' device. Independent of where they will be seen from."""
    depth, rgb, hull = views.depth, views.rgb, views.hull
    ring = torch.zeros_like(hull)
    padded = int(settings.padding == "frustum")
    if padded:
        depth, hull = (nn.functional.pad(m, (1,) * 4, value=v) for m, v in ((depth, settings.padding_depth), (hull, 0)))
        rgb, ring = nn.functional.pad(rgb, (1,) * 4, mode="replicate"), nn.functional.pad(ring, (1,) * 4, value=1)
    count, height, width = depth.shape
    points = unproject(views.cameras, depth.nan_to_num(nan=1.0), padded).reshape(count, -1, 3)
    corner = _faces(points, height, width)
    face_depth = gather(depth.reshape(count, -1, 1), corner)[..., 0]
    nearest, farthest = face_depth.amin(-1), face_depth.amax(-1)
    steep = (farthest - nearest > settings.absolute_step) & (1 / nearest - 1 / farthest > settings.relative_step)
    padding = gather(ring.reshape(count, -1, 1), corner)[..., 0].any(-1)
    unseen = steep | padding | gather(hull.reshape(count, -1, 1), corner)[..., 0].any(-1)
    weight = _angle_weights(gather(points, corner), views.cameras.positions.to(depth.device))
    if settings.erode_source:
        eroded = _within(corner, steep & ~padding, settings.erode_source, height, width)
        weight = torch.where(eroded, weight * ERODED, weight)
    weight = torch.where(unseen, torch.full_like(weight, HULL_WEIGHT), weight)
    colour = rgb.flatten(2).transpose(1, 2).contiguous()
    return Mesh(points, colour, corner, torch.isfinite(face_depth).all(-1), unseen, weight)


def gather(values: Tensor, index: Tensor) -> Tensor:
    """values [N, P, C] at index [N, F, 3] -> [N, F, 3, C]."""
    count, _, channels = values.shape
    flat = index.reshape(count, -1, 1).expand(-1, -1, channels)
    return values.gather(1, flat).reshape(*index.shape, channels)


def unproject(cameras: Cameras, depth: Tensor, ring: int = 0) -> Tensor:
    """World points [N, H, W, 3] of z-depth maps [N, H, W], `ring` pixels of which lie beyond the picture."""
    height, width = depth.shape[1:]
    kind, device = torch.float64, depth.device
    u = (torch.arange(-ring, width - ring, dtype=kind) + 0.5) / (width - 2 * ring)
    v = (torch.arange(-ring, height - ring, dtype=kind) + 0.5) / (height - 2 * ring)
    grid = torch.stack([*torch.meshgrid(u, v, indexing="xy"), torch.ones(height, width, dtype=kind)], -1)
    local = grid.to(device) @ torch.linalg.inv(cameras.intrinsics).to(device).transpose(1, 2)[:, None]
    pose = cameras.cam_to_world.to(device)
    directions = local @ pose[:, None, :3, :3].transpose(2, 3)
    points: Tensor = pose[:, None, None, :3, 3] + depth[..., None].to(torch.float64) * directions
    return points


def _faces(points: Tensor, height: int, width: int) -> Tensor:
    """Vertex indices of the faces, [N, 2 (H-1)(W-1), 3], front faces towards their own camera."""
    grid = torch.arange(height * width, device=points.device).reshape(height, width)
    a, b = grid[:-1, :-1].reshape(-1), grid[:-1, 1:].reshape(-1)
    c, d = grid[1:, :-1].reshape(-1), grid[1:, 1:].reshape(-1)
    falling = (points[:, a] - points[:, d]).square().sum(-1)
    rising = (points[:, b] - points[:, c]).square().sum(-1)
    along_falling = torch.stack([torch.stack([a, b, d], -1), torch.stack([a, d, c], -1)])
    along_rising = torch.stack([torch.stack([a, b, c], -1), torch.stack([b, d, c], -1)])
    choice = (falling <= rising)[:, None, :, None]
    return torch.where(choice, along_falling[None], along_rising[None]).flatten(1, 2)


def _within(corner: Tensor, chosen: Tensor, rings: int, height: int, width: int) -> Tensor:
    """Faces with a corner at most `rings` pixels (along both axes) from a corner of `chosen` faces, [N, F]."""
    count = len(corner)
    marked = torch.zeros(count, height * width, device=corner.device)
    marked.scatter_reduce_(1, corner.flatten(1), chosen.float().repeat_interleave(3, 1), "amax")
    near = nn.functional.max_pool2d(marked.reshape(count, 1, height, width), 2 * rings + 1, 1, rings)
    return gather(near.reshape(count, -1, 1), corner)[..., 0].amax(-1) > 0


def _angle_weights(place: Tensor, eye: Tensor) -> Tensor:
    """exp(-20 theta) of faces [N, F, 3, 3] seen from eyes [N, 3], between 1e-4 and 1."""
    normal = torch.linalg.cross(place[:, :, 1] - place[:, :, 0], place[:, :, 2] - place[:, :, 0])
    direction = eye[:, None] - place.mean(2)
    cosine = nn.functional.cosine_similarity(normal, direction, dim=-1).abs()
    return torch.exp((-20 * torch.arccos(cosine.clamp(max=1.0))).clamp(min=-50)).clamp(min=FLOOR).float()
