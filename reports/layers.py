"""What a view shows beside its colours: depth, the normals behind it, and where its neighbours contradict it.

    depth    z-depth, near bright; no surface = NaN
    normals  from the depth map, as seen from the camera: right is red, up green, towards the camera blue
    warp     RMS colour difference to the neighbouring views, carried over by depth (what `warp_psnr` sums up);
             NaN where no neighbour shows the pixel clear of edges

These are pictures for people; the scores come from the same arrays, but in float64 and before any shrinking.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray

from ..metrics.depth_accuracy import depth_normals
from ..metrics.pairs import adjacent_pairs
from ..metrics.shared_warps import shared
from ..metrics.warp_error import TOLERANCE, clear_of_edges
from ..scenes.scene import Scene

__all__ = [
    "DEPTH_MAP",
    "HEAT_LIMIT",
    "HEAT_MAP",
    "LAYERS",
    "colour_stops",
    "coloured",
    "depth_colours",
    "heat_colours",
    "normal_colours",
    "palette",
    "warp_differences",
]

LAYERS = {"depth": "Depth", "normals": "Normals", "warp": "Warp error"}
"""What can stand beside the colours, with its title."""

HEAT_LIMIT = 0.2
"""RMS colour difference, of colours in [0, 1], at the upper end of the scale; larger ones look like it."""

DEPTH_MAP, HEAT_MAP = "viridis", "inferno"
UNJUDGED = (128, 128, 134, 110)

Floats = NDArray[np.float32]
Colours = NDArray[np.uint8]


def palette(name: str) -> Colours:
    """256 colours of a perceptually uniform map with full opacity, dark to bright, [256, 4]."""
    colours = matplotlib.colormaps[name](np.arange(256))
    return np.round(np.asarray(colours) * 255).astype(np.uint8)


def colour_stops(name: str, count: int = 12, *, falling: bool = False) -> list[tuple[str, str]]:
    """The colours of a map as (offset in percent, #rrggbb), for a legend; bright to dark when `falling`."""
    colours = palette(name)[:: -1 if falling else 1]
    offsets = [place / (count - 1) for place in range(count)]
    found = [colours[round(offset * 255)] for offset in offsets]
    return [
        (f"{100 * offset:.0f}%", f"#{int(c[0]):02x}{int(c[1]):02x}{int(c[2]):02x}")
        for offset, c in zip(offsets, found, strict=True)
    ]


def coloured(share: Floats, name: str) -> Colours:
    """Values in [0, 1] as colours of a map, transparent where they are NaN; [...] to [..., 4]."""
    known = np.isfinite(share)
    level = np.round(np.clip(np.where(known, share, 0.0), 0.0, 1.0) * 255).astype(np.uint8)
    return np.where(known[..., None], palette(name)[level], np.uint8(0)).astype(np.uint8)


def depth_colours(depth: Floats, shown: tuple[float, float]) -> Colours:
    """Depth in colour, near bright, far dark; transparent without a surface."""
    low, high = shown
    return coloured(1.0 - np.clip((depth - low) / (high - low), 0.0, 1.0), DEPTH_MAP)


def normal_colours(scene: Scene) -> Colours:
    """The normals of the depth maps in their cameras' axes, uint8 [V, H, W, 4]; transparent where there are none.

    Args:
        scene: with depth and cameras.
    """
    assert scene.depth is not None
    assert scene.cameras is not None
    world = depth_normals(scene.depth.to("cpu", torch.float64), scene.cameras)
    turned = torch.einsum("vhwc,vcd->vhwd", world, scene.cameras.cam_to_world[:, :3, :3].double())
    # the camera's axes are right, down, forward; a picture of normals has right, up, towards the camera
    seen = turned.numpy() * np.array([1.0, -1.0, -1.0])
    known = np.isfinite(seen).all(-1)
    colour = np.round((np.where(known[..., None], seen, 0.0) * 0.5 + 0.5) * 255).astype(np.uint8)
    opacity = np.where(known, np.uint8(255), np.uint8(0))[..., None]
    return np.concatenate([colour * known[..., None], opacity], -1).astype(np.uint8)


def warp_differences(scene: Scene) -> Floats:
    """RMS colour difference of each pixel to its neighbouring views, colours in [0, 1], float32 [V, H, W].

    NaN where no neighbour shows the pixel at the same depth and clear of edges.

    Args:
        scene: with depth and cameras.
    """
    warps = shared(scene)
    surfaces, clear = warps.surfaces, clear_of_edges(warps.surfaces)
    colour = (scene.rgb.to("cpu", torch.float64) / 255).permute(3, 0, 1, 2).contiguous()
    own = [surfaces.of_pixels(channel).flatten() for channel in colour]
    places = (surfaces.pixel + torch.arange(scene.views)[:, None] * (surfaces.height * surfaces.width)).flatten()
    total = torch.zeros(scene.views * surfaces.height * surfaces.width, dtype=torch.float64)
    count = torch.zeros_like(total)
    for crossing in warps.crossings(adjacent_pairs(surfaces.cameras)):
        mine, footprints = crossing.chosen(crossing.warp.agrees(TOLERANCE) & clear[crossing.targets])
        squares = torch.zeros(len(mine), dtype=torch.float64)
        for channel, shown in zip(colour, own, strict=True):
            squares += surfaces.sample(channel, footprints).sub_(shown.index_select(0, mine)).square_().div_(3)
        pixel = places.index_select(0, mine)
        total.index_add_(0, pixel, squares)
        count.index_add_(0, pixel, torch.ones_like(squares))
    rms = torch.where(count > 0, (total / count.clamp_min(1)).sqrt(), torch.nan)
    return rms.reshape(scene.views, surfaces.height, surfaces.width).float().numpy()


def heat_colours(differences: Floats, depth: Floats) -> Colours:
    """`warp_differences` in colour; grey where a surface was not judged, transparent without one."""
    colours = coloured(differences / HEAT_LIMIT, HEAT_MAP)
    colours[np.isnan(differences) & np.isfinite(depth)] = UNJUDGED
    return colours
