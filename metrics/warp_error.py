"""`WarpError`: do neighbouring views show the same colours where they see the same surface? (C1)

Definition. For a target view i and a source view j next to it, every surface pixel of i is carried
into j by i's depth and both cameras. It is *covisible* where j shows a surface at the same z-depth
up to 1 % (in the frame, on a solid footprint; see `warping`). Over the covisible pixels that keep
max(1, 2 H / 256) pixels clear of depth edges in i, where colours are blends with the background,

    mse  = mean over pixels and channels of (rgb_i - bilinear rgb_j)^2,   rgb in [0, 1], sRGB
    psnr = -10 log10(max(mse, 1e-6)) dB,   so at most 60 dB; rounding to 8 bits alone gives 59 dB
    covisible = covisible pixels / surface pixels of i, before keeping clear of edges

Each pair of neighbours counts in both directions; the loop is closed where the sweep is a circle.
A scene's value is the mean over its directed pairs, a view's over those that have it as target.

Worst value. A pair with less than 5 % of the surface covisible, or no pixel clear of edges, is
the method's own doing (its depths contradict each other, or there is no surface): it scores mse 1
and psnr 0 and is counted like any other.

When it misleads. Errors of depth thin out the covisible pixels rather than raise the error: always
read it beside `covisible`. Blur lowers it, as does drift slow enough to be small between
neighbours. A surface of revolution hides frozen depth, but not frozen colour.

Sources: masked depth-warp error after Lai et al., "Learning blind video temporal consistency",
ECCV 2018, and Carver (NeurIPS 2023 Datasets and Benchmarks), with the occlusion test those lack.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .pair_metric import PairMetric
from .result import Definition
from .shared_warps import shared
from .warping import REFERENCE_HEIGHT, Surfaces

__all__ = ["EDGE_PIXELS", "MINIMUM_COVISIBLE", "TOLERANCE", "WarpError", "clear_of_edges", "warp_errors"]

TOLERANCE = 0.01
EDGE_PIXELS = 2.0  # at the reference height
MINIMUM_COVISIBLE = 0.05
WORST_MSE = 1.0
SMALLEST_MSE = 1e-6


class WarpError(PairMetric):
    """Photometric error of depth warps between neighbouring views, with the share they rest on.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = WarpError()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> metric.results()["warp_psnr"].status
        'ok'
    """

    name = "warp_error"
    title = "Warp error"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "depth", "cameras"})

    _ids = (
        Definition(
            "warp_psnr",
            "Warp PSNR",
            version,
            "dB",
            True,
            "Colour agreement of neighbouring views where their depths say they see the same surface; 0 to 60 dB, "
            "colours in [0, 1]. Pairs that see nothing in common score 0.",
        ),
        Definition(
            "warp_mse",
            "Warp MSE",
            version,
            "",
            False,
            "Mean squared colour difference of the same pixels, colours in [0, 1]. "
            "Pairs that see nothing in common score 1.",
        ),
        Definition(
            "covisible",
            "Covisible share",
            version,
            "share",
            None,
            "Share of surface pixels that the neighbouring view shows at the same depth (within 1 %); "
            "what the warp error rests on. Occlusion keeps it below 1 even for a perfect scene.",
        ),
    )
    _bounds = ((0.0, 10 * math.log10(1 / SMALLEST_MSE)), (0.0, 1.0), (0.0, 1.0))

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        return warp_errors(scene, pairs)


def warp_errors(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """Psnr, mse and covisible share of each pair in both directions, float64, [2 P, 3].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target.
    """
    warps = shared(scene)
    surfaces, clear = warps.surfaces, clear_of_edges(warps.surfaces)
    colour = (scene.rgb.to("cpu", torch.float64) / 255).permute(3, 0, 1, 2).contiguous()  # [3, V, H, W]
    own = [surfaces.of_pixels(channel).flatten() for channel in colour]
    rows = []
    for crossing in warps.crossings(pairs):
        targets, covisible = crossing.targets, crossing.warp.agrees(TOLERANCE)
        counted = covisible & clear[targets]
        mine, places = crossing.chosen(counted)
        squares = torch.zeros(len(mine), dtype=torch.float64)
        for channel, shown in zip(colour, own, strict=True):
            squares += surfaces.sample(channel, places).sub_(shown.index_select(0, mine)).square_().div_(3)
        parts = torch.split(squares, counted.sum(1).tolist())
        for target, seen, errors in zip(targets.tolist(), covisible.sum(1).tolist(), parts, strict=True):
            surface = int(surfaces.listed[target].sum())
            share = seen / surface if surface else 0.0
            enough = share >= MINIMUM_COVISIBLE and len(errors) > 0
            # numpy's sum: one thread, one order
            mse = float(errors.numpy().mean()) if enough else WORST_MSE
            rows.append([10 * math.log10(1 / max(mse, SMALLEST_MSE)), mse, share])
    return torch.tensor(rows, dtype=torch.float64)


def clear_of_edges(surfaces: Surfaces) -> Tensor:
    """Surface pixels far enough from depth edges to show one surface only, bool, [V, n]."""
    return surfaces.interior(max(1, round(EDGE_PIXELS * surfaces.height / REFERENCE_HEIGHT)))
