"""Depth known up to scale, or up to scale and shift: the fit to a reference, once for a whole sweep.

Everything here takes *all* views of a sweep at once. Aligned view by view, depth whose scale jumps from
view to view would be forgiven just that.

    scale    aligned = s d
    affine   aligned = s d + t                 in depth (volumes and meshes)
             aligned = 1 / (s / d + t)         in disparity (monocular networks such as MiDaS)

Affine in depth is not affine in disparity: on an object that spans a fifth of its distance the two
differ in the third digit, on a room they are different answers. A number must name its space.

Least squares minimises the squared error in that space and follows outliers. The robust fit takes the
median as the shift and the mean distance from it as the scale of both sides (for a scale alone, the
median of the ratios), after MiDaS (Ranftl et al., "Towards robust monocular depth estimation", TPAMI
2022), and holds for less than half outliers in the median, though not in the mean distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Alignment", "Fit", "Space", "align_affine", "align_scale"]

Array = npt.NDArray[np.float64]
Space = Literal["depth", "disparity"]
Fit = Literal["least squares", "robust"]

FARTHEST = 100.0
"""Disparity that a fit makes zero or negative is read as this many times the reference's median depth."""


@dataclass(frozen=True)
class Alignment:
    """The map from a method's depth to the reference's.

    Args:
        scale, shift: in `space`.
        space: where it is affine.
        floor: the smallest disparity handed back, in the reference's unit; for `space` disparity only.
    """

    scale: float
    shift: float
    space: Space = "depth"
    floor: float = 0.0

    def apply(self, depth: npt.ArrayLike) -> Array:
        """Aligned depth, float64, of the shape of `depth`; NaN stays NaN."""
        given = np.asarray(depth, dtype=np.float64)
        if self.space == "depth":
            return self.scale * given + self.shift
        with np.errstate(invalid="ignore"):
            return 1 / np.maximum(self.scale / given + self.shift, self.floor)


def align_scale(depth: npt.ArrayLike, reference: npt.ArrayLike, *, fit: Fit = "robust") -> Alignment:
    """The one factor for all views.

    Args:
        depth, reference: positive depth of one shape, any number of views; pixels that are NaN in either are left out.
        fit: "robust": the median of reference / depth. "least squares": sum(d r) / sum(d d), which far pixels rule.

    Raises:
        ValueError: shapes that differ, or no pixel with both.
    """
    ours, theirs = _both(depth, reference, least=1)
    if fit == "robust":
        return Alignment(float(np.median(theirs / ours)), 0.0)
    return Alignment(float(np.mean(ours * theirs) / np.mean(ours * ours)), 0.0)


def align_affine(
    depth: npt.ArrayLike, reference: npt.ArrayLike, *, space: Space = "depth", fit: Fit = "least squares"
) -> Alignment:
    """The one factor and shift for all views.

    The factor may come out negative: depth turned inside out is aligned as well as can be, and its error
    tells. Depth that is the same everywhere has no scale; it becomes the reference's mean (or median).

    Args:
        depth, reference: as for `align_scale`.
        space: whether depth or disparity is affine. State it with every number.
        fit: "least squares", or "robust" by median and mean distance from it, whose factor is never negative.

    Raises:
        ValueError: shapes that differ, or fewer than two pixels with both.
    """
    ours, theirs = _both(depth, reference, least=2)
    floor = 0.0
    if space == "disparity":
        floor = 1 / (FARTHEST * float(np.median(theirs)))
        ours, theirs = 1 / ours, 1 / theirs
    if fit == "robust":
        centre, middle = float(np.median(ours)), float(np.median(theirs))
        wide = float(np.mean(np.abs(ours - centre)))
        scale = float(np.mean(np.abs(theirs - middle))) / wide if _varies(ours) else 0.0
    else:
        centre, middle = float(np.mean(ours)), float(np.mean(theirs))
        away = ours - centre
        scale = float(np.mean(away * (theirs - middle)) / np.mean(away * away)) if _varies(ours) else 0.0
    return Alignment(scale, middle - scale * centre, space, floor)


def _varies(values: Array) -> bool:
    """More than float32 rounds."""
    return float(np.ptp(values)) > 1e-6 * float(np.abs(values).max())


def _both(depth: npt.ArrayLike, reference: npt.ArrayLike, least: int) -> tuple[Array, Array]:
    ours, theirs = np.asarray(depth, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"depth has shape {list(ours.shape)}, its reference {list(theirs.shape)}; they must be one.")
    held = np.isfinite(ours) & np.isfinite(theirs)
    if int(held.sum()) < least:
        raise ValueError(
            f"an alignment needs at least {least} pixels with both depths; there are {int(held.sum())} of {held.size}."
        )
    return ours[held], theirs[held]
