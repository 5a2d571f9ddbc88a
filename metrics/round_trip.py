"""There and back: each surface pixel carried into a source view, and what that view shows carried home.

Every surface pixel p of the target at z-depth d is carried into the source. The point that the
source's own depth shows there is carried back into the target, to pixel p' at z-depth d'. From
this come the geometric check of multi-view stereo (Yao et al., "MVSNet", ECCV 2018) and everything
else that asks whether two depth maps describe the same solid.

Tested are all surface pixels of the target except those that no depth map could be blamed for:

    - out of the source's frame;
    - on a mixed footprint of the source, such as a silhouette (see `warping`);
    - hidden in the source, *and the target bears out what hides them*: the occluder is carried
      back into the target and must not stand in plain view before what the target shows there.
      Where the target sees past the claimed occluder the two depth maps contradict each other.

A point that stands before what the source shows, or in its empty background, is never excused: the
source would have seen it. How much may be excused in all is up to the metrics: at most half of the
surface, so that a method gains nothing from depth that flickers, leaves the frame or hides itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .warping import REFERENCE_HEIGHT, Surfaces, Warp, lift, project

__all__ = ["MAXIMUM_EXCUSED", "PIXELS", "TOLERANCE", "RoundTrip", "round_trip"]

PIXELS = 1.0  # at the reference height
TOLERANCE = 0.01
MAXIMUM_EXCUSED = 0.5
OCCLUDER_TOLERANCE = 0.005
"""How far before the target's surface an occluder may stand, relative: half of what a pixel may be
off, lest a surface that is slightly off passes for its own occluder."""


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """How the surface pixels of P targets come home from as many sources, each [P, n].

    Args:
        distance: between p' and p, in pixels; NaN where the source shows nothing solid.
        off: relative difference of depth, |d' - d| / d; NaN likewise.
        passed: back within one pixel at the reference height and 1 % of depth.
        tested: those that could be expected to come home.
    """

    distance: Tensor
    off: Tensor
    passed: Tensor
    tested: Tensor


def round_trip(surfaces: Surfaces, targets: Tensor, sources: Tensor, out: Warp) -> RoundTrip:
    """The way back from `out`, the warp of the surface pixels of `targets` [P] into `sources` [P]."""
    depth, own = surfaces.depth[targets], surfaces.uv.movedim(-1, 0)
    seen = lift(surfaces.cameras, sources, out.uv, out.found.depth)
    back_uv, back_depth = project(surfaces.cameras, targets, seen)
    across = (back_uv[..., 0] - own[0, targets]).mul_(surfaces.width).square_()
    along = (back_uv[..., 1] - own[1, targets]).mul_(surfaces.height).square_()
    distance = across.add_(along).sqrt_()
    off = (back_depth - depth).abs_().div_(depth)
    # false where the source is not solid
    passed = (distance < PIXELS * surfaces.height / REFERENCE_HEIGHT) & (off < TOLERANCE)

    hidden = out.found.solid & (out.found.depth <= (1 - TOLERANCE) * out.depth)
    behind = surfaces.lookup(targets, back_uv)
    exposed = behind.empty | (behind.solid & (behind.depth > (1 + OCCLUDER_TOLERANCE) * back_depth))
    tested = (out.found.solid | out.found.empty) & ~(hidden & ~exposed & ~passed)
    return RoundTrip(distance, off, passed, tested)
