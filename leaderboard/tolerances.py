"""How far a number may be from the same number computed again.

On one machine with the same software the same scenes give the same bits, and `--exact` asks for that.
Elsewhere sums are rounded in another order, and what decides (is this pixel visible, is this match right) may
decide a borderline case otherwise. The relative tolerances cover that and stay far below 1 %:

    1e-4    smooth functions of pixels, depth and features
    1e-3    what decides pixel by pixel or picture by picture, and differences of large sums (KID)
    5e-3    what searches: matches, reconstruction, the nearest neighbour

Of the values of single scenes and views, where one decision weighs more, 99 % have to be that close. Of what
searches, 95 % within 1 %; there one value may always be off.

Measured on 8 scenes of `eg3d-small`, with the processor's own instructions and with those of one fifteen
years older: smooth numbers moved by up to 6e-6, those that decide by 6e-5, those that search by 1.6e-3.
"""

from __future__ import annotations

import math

__all__ = ["FLOOR", "difference", "rows_that_may_differ", "tolerance"]

SMOOTH, DECIDING, SEARCHING = 1e-4, 1e-3, 5e-3

FLOOR = 1e-9
"""Below it a number is zero."""

DECIDES = (
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "class_accuracy",
    "covisible",
    "textured",
    "warp",
    "geometric_share",
    "scale_jitter",
    "depth_round_trip",
    "chamfer",
    "loop",
    "janus",
    "delta",
    "modes",
)
SEARCHES = (
    "sed",
    "tsed",
    "matches",
    "parallax",
    "rotation_error",
    "adjacent_rotation_error",
    "translation_error",
    "registration",
    "models",
    "reprojection_error",
    "track_length",
    "holdout",
    "fit_psnr",
)
"""Beginnings of metric ids."""


def rows_that_may_differ(metric: str, rows: int, *, exact: bool = False) -> tuple[float, int]:
    """Largest relative difference of the single values of a metric, and how many of `rows` may be further off."""
    if exact:
        return 0.0, 0
    if metric.startswith(SEARCHES):
        return 2 * SEARCHING, max(1, rows // 20)
    return tolerance(metric), rows // 100


def tolerance(metric: str, *, exact: bool = False) -> float:
    """Largest relative difference of a value of this metric id, or of an end of its interval."""
    if exact:
        return 0.0
    if metric.startswith(SEARCHES):
        return SEARCHING
    return DECIDING if metric.startswith(DECIDES) else SMOOTH


def difference(claimed: float | None, found: float | None) -> float:
    """Relative to the larger of the two, from 0 to 2; infinite where only one is a number."""
    if claimed is None or found is None:
        return 0.0 if claimed is found else math.inf
    if math.isnan(claimed) and math.isnan(found):
        return 0.0
    scale = max(abs(claimed), abs(found))
    if scale < FLOOR:
        return 0.0
    return abs(claimed - found) / scale
