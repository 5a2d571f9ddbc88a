"""RGBD pictures as meshes, and what they show from another camera.

One vertex a pixel centre, two triangles a square of four, split along the shorter 3D diagonal. A
face across a depth discontinuity is *hull*: what lies behind it was not seen, so it hides whatever
is behind it and shows nothing itself. Discontinuity test, weights and mask rules follow ivid's
public code (weights ``exp(max(-20 theta, -50))``, floor 1e-4, theta between the source camera's
direction and the face's normal); thresholds are scaled to pictures of 64 pixels, where a table top
seen at a flat angle already steps by 0.07 from one pixel to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from .depth_code import DepthCode
from .rasterise import rasterise
from .sampling import Condition
from .warp_settings import PAPER, SMALL, WarpSettings

__all__ = ["PAPER", "SMALL", "SUPERSAMPLING", "Seen", "Views", "WarpSettings", "aggregate", "masked", "see"]

SUPERSAMPLING = SMALL.supersampling


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
class Seen:
    """What N views show from one camera each, at h x w samples.

    Args:
        rgb: [N, 3, h, w].
        depth: [N, h, w]; NaN where nothing is hit.
        hull: bool, [N, h, w]; hit, but only bounding what was not seen.
        weight: how squarely the source saw it, [N, h, w].
    """

    rgb: Tensor
    depth: Tensor
    hull: Tensor
    weight: Tensor

    @property
    def known(self) -> Tensor:
        return torch.isfinite(self.depth) & ~self.hull


def see(views: Views, targets: Cameras, samples: int, settings: WarpSettings = SMALL) -> Seen:
    """View n from camera n of `targets`, `samples` x `samples` samples each."""
    count, height, width = views.depth.shape
    points = views.cameras.unproject(views.depth.nan_to_num(nan=1.0)).reshape(count, -1, 3)
    corner = _faces(points, height, width)
    flat_depth = views.depth.reshape(count, -1)
    face_depth = _gather(flat_depth[..., None], corner)[..., 0]
    known = torch.isfinite(face_depth).all(-1)
    steep = (face_depth.amax(-1) - face_depth.amin(-1) > settings.absolute_step) & (
        1 / face_depth.amin(-1) - 1 / face_depth.amax(-1) > settings.relative_step
    )
    hull = steep | _gather(views.hull.reshape(count, -1, 1), corner)[..., 0].any(-1)
    place = _gather(points, corner)
    weight = _weights(place, views.cameras.positions)
    uv, z = targets.project(points)
    screen = torch.cat([uv * samples, z[..., None]], -1).float()
    corners = _gather(screen, corner)
    hits = rasterise(corners, known & (corners[..., 2] > settings.nearest).all(-1), samples, samples)
    hit = hits.face >= 0
    face = hits.face.clamp(min=0).reshape(count, -1)
    ids = corner.gather(1, face[..., None].expand(-1, -1, 3))
    colour = _gather(views.rgb.flatten(2).transpose(1, 2), ids)
    rgb = (colour * hits.weights.reshape(count, -1, 3, 1)).sum(2)
    shape = (count, samples, samples)
    return Seen(
        rgb.transpose(1, 2).reshape(count, 3, samples, samples),
        hits.depth,
        hull.gather(1, face).reshape(shape) & hit,
        weight.gather(1, face).reshape(shape) * hit,
    )


def aggregate(seen: Seen, code: DepthCode, settings: WarpSettings = SMALL) -> Condition:
    """Combine what all sources show from one camera into the condition of one view.

    Where sources see different surfaces the nearest counts. Colour is the weighted mean of those
    that see it, depth their plain mean. A pixel is known where more than 75 % of its samples are
    and these lie on one surface; colour is known `settings.erode` rings of pixels further in. (The authors
    drop a whole ring along depth edges; at 64 pixels that would erase legs and handles.)

    Args:
        seen: N sources at `settings.supersampling` x the picture's size.

    Returns:
        a condition with one picture.
    """
    known = seen.known
    depth = torch.where(known, seen.depth, torch.full_like(seen.depth, float("inf")))
    nearest = depth.amin(0)
    agrees = known & (depth <= nearest * (1 + settings.same_surface))
    weight = seen.weight * agrees
    total = weight.sum(0).clamp(min=1e-12)
    rgb = (seen.rgb * weight[:, None]).sum(0) / total
    count = agrees.sum(0)
    mean = torch.where(agrees, seen.depth, torch.zeros_like(seen.depth)).sum(0) / count.clamp(min=1)
    some = count > 0
    far = torch.full_like(mean, code.far)
    erode = torch.tensor([settings.erode])
    return masked(rgb[None], torch.where(some, mean, far)[None], some[None], code, settings, erode=erode)


def masked(
    rgb: Tensor, depth: Tensor, known: Tensor, code: DepthCode, settings: WarpSettings = SMALL, *, erode: Tensor
) -> Condition:
    """Samples [N, (3,) h, w] to conditions at the picture's size, with ivid's mask rules.

    Args:
        erode: rings of pixels taken off the colour mask, one number a picture, [N].
    """
    channels = torch.cat([rgb, code.encode(depth)[:, None]], 1)
    share = nn.functional.avg_pool2d(known[:, None].float(), settings.supersampling)
    filled = nn.functional.avg_pool2d(channels * known[:, None], settings.supersampling) / share.clamp(min=1e-6)
    u = channels[:, 3:]
    lowest = -nn.functional.max_pool2d(torch.where(known[:, None], -u, -9.0), settings.supersampling)
    highest = nn.functional.max_pool2d(torch.where(known[:, None], u, -9.0), settings.supersampling)
    mask = ((share > 0.75) & (highest - lowest < settings.one_surface)).float()
    rgb_mask = mask.clone()
    for ring in range(1, int(erode.max()) + 1):
        smaller = -nn.functional.max_pool2d(-rgb_mask, 3, 1, 1)
        rgb_mask = torch.where((erode >= ring)[:, None, None, None], smaller, rgb_mask)
    return Condition(filled[:, :3] * rgb_mask, filled[:, 3:] * mask, rgb_mask, mask)


def _faces(points: Tensor, height: int, width: int) -> Tensor:
    """Vertex indices of the faces, [N, 2 (H-1)(W-1), 3], front faces towards their own camera."""
    grid = torch.arange(height * width).reshape(height, width)
    a, b = grid[:-1, :-1].reshape(-1), grid[:-1, 1:].reshape(-1)
    c, d = grid[1:, :-1].reshape(-1), grid[1:, 1:].reshape(-1)
    falling = (points[:, a] - points[:, d]).square().sum(-1)
    rising = (points[:, b] - points[:, c]).square().sum(-1)
    along_falling = torch.stack([torch.stack([a, b, d], -1), torch.stack([a, d, c], -1)])
    along_rising = torch.stack([torch.stack([a, b, c], -1), torch.stack([b, d, c], -1)])
    choice = (falling <= rising)[:, None, :, None]
    return torch.where(choice, along_falling[None], along_rising[None]).flatten(1, 2)


def _gather(values: Tensor, index: Tensor) -> Tensor:
    """values [N, P, C] at index [N, F, 3] -> [N, F, 3, C]."""
    count, _, channels = values.shape
    flat = index.reshape(count, -1, 1).expand(-1, -1, channels)
    return values.gather(1, flat).reshape(*index.shape, channels)


def _weights(place: Tensor, eye: Tensor) -> Tensor:
    """exp(-20 theta) of faces [N, F, 3, 3] seen from eyes [N, 3], between 1e-4 and 1."""
    normal = torch.linalg.cross(place[:, :, 1] - place[:, :, 0], place[:, :, 2] - place[:, :, 0])
    direction = eye[:, None] - place.mean(2)
    cosine = nn.functional.cosine_similarity(normal, direction, dim=-1).abs()
    return torch.exp((-20 * torch.arccos(cosine.clamp(max=1.0))).clamp(min=-50)).clamp(min=1e-4).float()
