"""All views of a scene seen from one camera, combined into the condition of a new view.

Two rules for samples that several sources show:

    nearest   the nearest surface counts; colour is the weighted mean of the sources that see it (within
              `same_surface`), depth their plain mean
    none      the authors' (arXiv 2303.17905): no occlusion between sources. Colour is the weighted mean of
              all, depth the plain mean, in window space, of all that are not hull; where all are hull
              the farthest bounds best. Window-space z is affine in 1 / depth whatever its planes, so
              its mean is that of 1 / depth.

Memory does not grow with the number of sources: samples are combined in bands of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from .depth_code import DepthCode
from .mesh import COLOUR_WEIGHT, Mesh, Views, join, prepare
from .sampling import Condition
from .visible import Seen, see
from .warp_settings import SMALL, WarpSettings

__all__ = ["Samples", "Sources", "aggregate", "combine", "look", "masked"]

BAND = 4_000_000  # samples of all sources combined at once
NOTHING = -1.0  # depth code of the near plane: bounds nothing


@dataclass(frozen=True)
class Samples:
    """What all sources together show from one camera.

    Args:
        rgb: colours in [-1, 1], [3, h, w]; of the hull where nobody knows (rule "none"), else 0 there.
        depth: z-depth, [h, w]; NaN where nobody knows.
        colour: where colour counts, bool, [h, w].
        hull: z-depth before which nothing can stand, [h, w]: `depth` where it is known, else the
            farthest hull; NaN where nothing was hit.
    """

    rgb: Tensor
    depth: Tensor
    colour: Tensor
    hull: Tensor


class Sources:
    """The views of one scene drawn so far, each meshed once.

    Example:
        >>> code = DepthCode()
        >>> sources = Sources(code)
        >>> camera = Cameras.orbit([0.0], [0.0])
        >>> sources.add(torch.zeros(1, 4, 16, 16), camera)
        >>> sources.condition(camera, 16).mask.shape
        torch.Size([1, 1, 16, 16])
    """

    def __init__(self, code: DepthCode, settings: WarpSettings = SMALL) -> None:
        self.code, self.settings = code, settings
        self._meshes: list[Mesh] = []

    def __len__(self) -> int:
        return len(self._meshes)

    def add(self, pictures: Tensor, cameras: Cameras) -> None:
        """Take in RGBD pictures [n, 4, H, W] in [-1, 1], seen from n cameras."""
        depth = self.code.planes(pictures[:, 3])
        views = Views(pictures[:, :3], depth, torch.zeros_like(depth, dtype=torch.bool), cameras)
        mesh = prepare(views, self.settings)
        self._meshes += [mesh[k : k + 1] for k in range(len(mesh))]

    def condition(self, camera: Cameras, size: int, *, only: Sequence[int] | None = None) -> Condition:
        """What the views (or those numbered in `only`) show from one camera, one picture of `size` x `size`."""
        chosen = self._meshes if only is None else [self._meshes[k] for k in only]
        samples = look(join(chosen), camera, size * self.settings.supersampling, self.settings)
        return _condition(samples, self.code, self.settings)


def aggregate(seen: Seen, code: DepthCode, settings: WarpSettings = SMALL) -> Condition:
    """Combine what all sources show from one camera into the condition of one view.

    A pixel is known where more than 75 % of its samples are and these lie on one surface; colour is
    known `settings.erode` rings of pixels further in. Where nobody knows anything the masks are 0.
    (The authors drop a whole ring along depth edges; at 64 pixels that would erase legs and handles.)

    Args:
        seen: N sources at `settings.supersampling` x the picture's size.

    Returns:
        a condition with one picture.
    """
    return _condition(combine(seen, settings), code, settings)


def look(mesh: Mesh, camera: Cameras, samples: int, settings: WarpSettings = SMALL) -> Samples:
    """What N meshes together show from one camera, at `samples` x `samples` samples."""
    targets = camera[[0] * len(mesh)]
    band = max(1, BAND // (samples * len(mesh)))
    parts = [
        combine(see(mesh, targets, samples, settings, rows=(first, min(first + band, samples))), settings)
        for first in range(0, samples, band)
    ]
    return Samples(*(torch.cat([getattr(part, field.name) for part in parts], -2) for field in fields(Samples)))


def combine(seen: Seen, settings: WarpSettings = SMALL) -> Samples:
    """Sources [N, ...] to samples, by the rule `settings.occlusion`."""
    nothing = torch.full_like(seen.depth[0], float("nan"))
    known = seen.known
    if settings.occlusion == "nearest":
        depth = torch.where(known, seen.depth, torch.full_like(seen.depth, float("inf")))
        known &= depth <= depth.amin(0) * (1 + settings.same_surface)
        weight, value = seen.weight * known, seen.depth
    else:
        weight, value = seen.weight, 1 / seen.depth
    count = known.sum(0)
    mean = torch.where(known, value, torch.zeros_like(value)).sum(0) / count.clamp(min=1)
    mean = torch.where(count > 0, mean if settings.occlusion == "nearest" else 1 / mean, nothing)
    total = weight.sum(0)
    rgb = (seen.rgb * weight[:, None]).sum(0) / total.clamp(min=1e-30)
    farthest = torch.where(seen.hull, seen.depth, torch.zeros_like(seen.depth)).amax(0)
    hull = torch.where(count > 0, mean, torch.where(farthest > 0, farthest, nothing))
    return Samples(rgb, mean, (count > 0) & (total > COLOUR_WEIGHT), hull)


def masked(
    rgb: Tensor,
    depth: Tensor,
    known: Tensor,
    code: DepthCode,
    settings: WarpSettings = SMALL,
    *,
    erode: Tensor,
    colour: Tensor | None = None,
    hull: Tensor | None = None,
) -> Condition:
    """Samples [N, (3,) h, w] to conditions at the picture's size, with ivid's mask rules.

    Args:
        erode: rings of pixels taken off the colour mask, one number a picture, [N].
        colour: samples whose colour counts, if not all that are known.
        hull: z-depth of the hull, NaN = none; given, the condition carries it.
    """
    side = settings.supersampling
    channels = torch.cat([rgb, code.encode(depth)[:, None]], 1)
    share = nn.functional.avg_pool2d(known[:, None].float(), side)
    filled = nn.functional.avg_pool2d(channels * known[:, None], side) / share.clamp(min=1e-6)
    mask = share > 0.75
    if settings.depth_edges:
        mask &= ~_on_edge(filled[:, 3:], mask, code, settings)
    else:
        u = channels[:, 3:]
        lowest = -nn.functional.max_pool2d(torch.where(known[:, None], -u, -9.0), side)
        highest = nn.functional.max_pool2d(torch.where(known[:, None], u, -9.0), side)
        mask &= highest - lowest < settings.one_surface
    rgb_mask = mask.float()
    for ring in range(1, int(erode.max()) + 1):
        smaller = -nn.functional.max_pool2d(-rgb_mask, 3, 1, 1)
        rgb_mask = torch.where((erode >= ring)[:, None, None, None], smaller, rgb_mask)
    if colour is not None:
        coloured = nn.functional.avg_pool2d(colour[:, None].float(), side)
        rgb_mask = rgb_mask * (coloured > 0.75)
        filled = torch.cat(
            [nn.functional.avg_pool2d(rgb * colour[:, None], side) / coloured.clamp(min=1e-6), filled[:, 3:]], 1
        )
    depths = mask.float()
    bound = None if hull is None else _bound(hull, code, side)
    return Condition(filled[:, :3] * rgb_mask, filled[:, 3:] * depths, rgb_mask, depths, bound)


def _condition(samples: Samples, code: DepthCode, settings: WarpSettings) -> Condition:
    known = torch.isfinite(samples.depth)[None]
    return masked(
        samples.rgb[None],
        samples.depth[None],
        known,
        code,
        settings,
        erode=torch.tensor([settings.erode], device=known.device),
        colour=samples.colour[None] if settings.erode_source else None,
        hull=samples.hull[None] if settings.hull else None,
    )


def _on_edge(depth: Tensor, mask: Tensor, code: DepthCode, settings: WarpSettings) -> Tensor:
    """Pixels among whose known 3 x 3 neighbours depth steps as at a discontinuity, bool, [N, 1, H, W]."""
    planes = code.planes(depth)
    farthest = nn.functional.max_pool2d(torch.where(mask, planes, 0.0), 3, 1, 1)
    disparity = nn.functional.max_pool2d(torch.where(mask, 1 / planes, 0.0), 3, 1, 1)
    nearest = 1 / disparity.clamp(min=1e-6)
    step = (farthest - nearest > settings.absolute_step) & (disparity - 1 / farthest > settings.relative_step)
    return step & mask


def _bound(hull: Tensor, code: DepthCode, side: int) -> Tensor:
    """Hull z-depths [N, h, w] to codes [N, 1, H, W]; the near plane where too few samples have one."""
    hit = torch.isfinite(hull)[:, None].float()
    share = nn.functional.avg_pool2d(hit, side)
    mean = nn.functional.avg_pool2d(code.encode(hull)[:, None] * hit, side) / share.clamp(min=1e-6)
    return torch.where(share > 0.75, mean, NOTHING)
