"""`WarpStructure`: do neighbouring views show the same pattern where they see the same surface? (C2)

Definition. As for `WarpError`: each surface pixel of a target view is carried into the source view
by depth and cameras, and compared where both see the same surface, clear of edges. Here the *luma*
(Rec. 601) of target and warped source is compared by zero-mean normalised cross-correlation. For
such a pixel p let W be the compared pixels in the s x s window around it. Then

    zncc(p) = cov_W(target, source) / sqrt(var_W(target) var_W(source))

    warp_zncc = mean of zncc(p) over the windows that hold texture

s is the largest odd number up to 7 H / 256, and at least 7. It does not shrink for small pictures: a
correlation of fewer than about fifty numbers says little. At least half of the window must be
compared pixels. A window holds texture where the deviation of the *target's* luma is at least 5 %
of that over all compared pixels of the pair, so that brighter pictures have as much of it as darker
ones; none does where the latter is below 1/255, what 8 bits can barely tell from nothing. Where the
target has texture and the source none, zncc is 0.

Between -1 and 1, higher is better; a gain or an offset of either view's brightness changes nothing.
With a high warp error and a high zncc it is the colours that differ; with both bad, geometry or
camera. Each pair counts in both directions, for each of the angles in `pairs`.

Worst value. A pair with less than 5 % of the surface covisible, or with no window to compare though
none of it is plain, scores -1. Where windows can be compared but none holds texture there is no
pattern to agree or to disagree: that is legitimate for a plain object, but earns nothing, and
scores 0. `textured` tells how many windows had texture; believe warp_zncc where it is not small.

When it misleads. Hue and flicker are nearly invisible, by design. Drift slow enough to be small
between neighbours shows at 60 degrees only. Shading that moves with the light, and glints, lower
it for honest methods too; compare with the oracle.

Source: the standard ZNCC of stereo matching; e.g. Hirschmueller and Scharstein, "Evaluation of
stereo matching costs on images with radiometric differences", PAMI 2009.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..scenes.scene import Scene
from .pair_metric import PairMetric
from .result import Definition
from .shared_warps import shared
from .warp_error import MINIMUM_COVISIBLE, TOLERANCE, clear_of_edges
from .warping import REFERENCE_HEIGHT, Surfaces

__all__ = ["WarpStructure", "luma", "warp_structures", "window_side"]

SIDE = 7  # up to the reference height
MINIMUM_FILLED = 0.5
LEAST_DEVIATION = 1 / 255
LEAST_SHARE_OF_DEVIATION = 0.05
WORST = -1.0
NO_TEXTURE = 0.0


class WarpStructure(PairMetric):
    """Correlation of local patterns under depth warps between neighbouring views.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = WarpStructure()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> metric.results()["warp_zncc"].status
        'ok'
    """

    name = "warp_structure"
    title = "Warp structure"
    version = 1
    unit = ""
    higher_is_better = True
    needs = frozenset({"rgb", "depth", "cameras"})

    _ids = (
        Definition(
            "warp_zncc",
            "Warp structure (ZNCC)",
            version,
            unit,
            True,
            "Correlation of brightness patterns of neighbouring views in 7x7 windows, where their depths say they see "
            "the same surface; -1 to 1, blind to exposure. 0 where there is no pattern at all; pairs that see "
            "nothing in common score -1.",
        ),
        Definition(
            "textured",
            "Textured windows",
            version,
            "share",
            None,
            "Share of the compared windows that hold a pattern; what the warp structure rests on.",
        ),
    )
    _bounds = ((-1.0, 1.0), (0.0, 1.0))

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        return warp_structures(scene, pairs)


def warp_structures(scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
    """Mean zncc and share of textured windows of each pair in both directions, float64, [2 P, 2].

    Args:
        scene: with depth and cameras.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target.
    """
    warps = shared(scene)
    surfaces, clear = warps.surfaces, clear_of_edges(warps.surfaces)
    grey = luma(scene)
    own = surfaces.of_pixels(grey).flatten()
    windows = _Windows(surfaces)
    rows = []
    for crossing in warps.crossings(pairs):
        covisible = crossing.warp.agrees(TOLERANCE)
        counted = covisible & clear[crossing.targets]
        mine, places = crossing.chosen(counted)
        target, source = own.index_select(0, mine), surfaces.sample(grey, places)
        counts = counted.sum(1)
        values, kind = windows.correlations(mine, counts, target, source)
        surface = surfaces.listed[crossing.targets].sum(1)
        enough = covisible.sum(1) >= MINIMUM_COVISIBLE * surface.clamp(min=1)
        split = counts.tolist()
        for zncc, how, fine in zip(torch.split(values, split), torch.split(kind, split), enough.tolist(), strict=True):
            textured, windows_held = zncc[how == TEXTURED].numpy(), int((how != UNFILLED).sum())
            if not fine or not windows_held:
                rows.append([WORST, 0.0])
            elif not len(textured):
                rows.append([NO_TEXTURE, 0.0])
            else:
                rows.append([float(textured.mean()), len(textured) / windows_held])
    return torch.tensor(rows, dtype=torch.float64)


def luma(scene: Scene) -> Tensor:
    """Rec. 601 luma in [0, 1], float64, [V, H, W]."""
    red, green, blue = scene.rgb.to("cpu", torch.float64).unbind(-1)
    return (299 * red + 587 * green + 114 * blue) / 255_000


def window_side(height: int) -> int:
    """Side of the windows in pixels, odd."""
    return max(SIDE, (SIDE * height // REFERENCE_HEIGHT - 1) // 2 * 2 + 1)


UNFILLED, PLAIN, TEXTURED = range(3)


class _Windows:
    """Statistics of windows around surface pixels, in the rectangle that holds all surfaces."""

    def __init__(self, surfaces: Surfaces) -> None:
        self.side = window_side(surfaces.height)
        half = self.side // 2
        row, column = surfaces.pixel // surfaces.width, surfaces.pixel % surfaces.width
        held = surfaces.listed
        top, left = (int(axis[held].min()) if bool(held.any()) else 0 for axis in (row, column))
        low, right = (int(axis[held].max()) if bool(held.any()) else 0 for axis in (row, column))
        # a margin of half a window all around: no window reaches from one row into the next
        self.width = right - left + self.side
        self.area = (low - top + self.side) * self.width
        self.place = ((row - top + half) * self.width + column - left + half).flatten()
        self.back = half * self.width + half
        self.most = surfaces.pixel.shape[1]

    def correlations(self, mine: Tensor, counts: Tensor, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Zncc of the windows around compared pixels, and what kind of windows these are.

        Args:
            mine: flat indices in the surface pixels [V, n], pair by pair, [K].
            counts: how many of them belong to each pair, [P].
            target, source: their values, float64, [K].
        """
        pair = torch.repeat_interleave(torch.arange(len(counts)), counts)
        place = self.place.index_select(0, mine) + pair * self.area
        # around the mean: nothing is lost when squares are subtracted
        target, spread = _centred(target, counts, pair)
        source, _ = _centred(source, counts, pair)
        size = len(counts) * self.area
        ones = torch.ones_like(target)
        maps = (ones, target, source, target * target, source * source, target * source)
        n, a, b, aa, bb, ab = (self._sums(values, place, size) for values in maps)
        var_a = (aa - a * a / n).clamp_(min=0)
        var_b = (bb - b * b / n).clamp_(min=0)
        cov = ab - a * b / n
        filled = n >= MINIMUM_FILLED * self.side**2
        # a hair less, so that rounding decides no tie
        least = (LEAST_SHARE_OF_DEVIATION * (1 - 1e-9) * spread).masked_fill_(spread < LEAST_DEVIATION, math.inf)
        textured = filled & (var_a >= n * least.square().index_select(0, pair))
        norm = (var_a * var_b).sqrt_()
        # a source that is plain up to rounding agrees with nothing
        zncc = (cov / norm).clamp_(-1, 1).masked_fill_(var_b <= 1e-12 * n, 0.0)
        return zncc, filled.long() + textured.long()

    def _sums(self, values: Tensor, place: Tensor, size: int) -> Tensor:
        """Sums over each window of `values` [K] that lie at `place` [K], zero elsewhere."""
        image = torch.zeros(size, dtype=torch.float64)
        image[place] = values
        sums = _running(_running(image, self.side, 1), self.side, self.width)
        return sums.index_select(0, place - self.back)


def _centred(values: Tensor, counts: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
    """Values minus the mean of their pair, and the deviation in each pair [P]."""
    parts = [part.numpy() for part in torch.split(values, counts.tolist())]
    mean = torch.tensor([float(part.mean()) if len(part) else 0.0 for part in parts], dtype=torch.float64)
    spread = torch.tensor([float(part.std()) if len(part) else 0.0 for part in parts], dtype=torch.float64)
    return values - mean.index_select(0, pair), spread


def _running(values: Tensor, count: int, stride: int) -> Tensor:
    """Sums of `count` values from each on, `stride` apart; shorter than `values` by what lacks successors.

    By doubling: sums of 1, 2, 4, ... values, and those that make up `count` joined.
    """
    length = len(values) - (count - 1) * stride
    total = values.new_zeros(length)
    used, size, block = 0, 1, values
    while used < count:
        if count & size:
            total += block[used * stride : used * stride + length]
            used += size
        if used < count:
            block = block[: len(block) - size * stride] + block[size * stride :]
            size *= 2
    return total
