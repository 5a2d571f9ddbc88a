"""Warps of RGBD pictures: what views seen from known cameras show from another one.

To look once at N views, each from a camera of its own (training pairs):

    seen = see(Views(rgb, depth, hull, cameras), targets, samples, settings)
    condition = masked(seen.rgb, seen.depth, seen.known, code, settings, erode=rings)

To sample a sweep, where each new view is conditioned on all earlier ones, each picture is meshed once:

    sources = Sources(code, settings)            # one scene
    sources.add(picture[None], cameras[k])       # RGBD [1, 4, H, W], after each view drawn
    condition = sources.condition(cameras[k + 1], size)            # the aggregate of all, or
    condition = sources.condition(cameras[k + 1], size, only=[3])  # of those picked

To draw any camera, `look(join(meshes), camera, samples, settings)`.

A condition is 0 in masks and channels where nobody saw anything; cameras that see nothing at all get
one that is empty. All runs on the device of the pictures.

Parts: `mesh` (pictures to meshes), `rasterise` (z-buffer), `visible` (meshes from other cameras),
`aggregation` (several sources to one condition), `warp_settings` (thresholds; `SMALL`, `PAPER`).
"""

from __future__ import annotations

from .aggregation import Samples, Sources, aggregate, combine, look, masked
from .mesh import Mesh, Views, join, prepare
from .visible import Seen, see
from .warp_settings import PAPER, SETTINGS, SMALL, WarpSettings

__all__ = [
    "PAPER",
    "SETTINGS",
    "SMALL",
    "SUPERSAMPLING",
    "Mesh",
    "Samples",
    "Seen",
    "Sources",
    "Views",
    "WarpSettings",
    "aggregate",
    "combine",
    "join",
    "look",
    "masked",
    "prepare",
    "see",
]

SUPERSAMPLING = SMALL.supersampling
