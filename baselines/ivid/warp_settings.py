"""How depth pictures become meshes and what their warps count for: `WarpSettings`, `SMALL`, `PAPER`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ...scenes.errors import UserError

__all__ = ["PAPER", "SETTINGS", "SMALL", "WarpSettings"]


@dataclass(frozen=True)
class WarpSettings:
    """Thresholds and rules of warping and aggregation.

    Args:
        supersampling: samples a pixel, along each axis.
        absolute_step: depth difference within a face above which it may be a discontinuity, in the
            unit of the camera positions ...
        relative_step: ... if 1 / depth differs by more than this as well.
        erode: rings of pixels taken off the colour mask of the finished condition.
        erode_source: rings of vertices about a discontinuity whose colour does not count; their
            depth does.
        padding: "frustum" closes the sides of the source's field of view, as far as `padding_depth`,
            with faces that hide what is outside of it; "none" leaves the outside open.
        occlusion: "nearest" = where sources disagree the nearest counts; "none" = all count.
        depth_edges: whether pixels on a depth edge are taken off both masks, ring and all; if not,
            only pixels whose own samples lie on several surfaces are.
        same_surface: relative depth within which two sources are taken to see one surface
            (occlusion "nearest" only).
        hull: whether conditions carry the depth before which nothing can stand.
        one_surface: largest range of the depth code within a pixel (without `depth_edges`).
        nearest: faces with a corner closer to the camera than this are not drawn.
        padding_depth: z-depth in the source to which its frustum is closed.

    Raises:
        UserError: a number out of range.
    """

    supersampling: int = 2
    absolute_step: float = 0.12
    relative_step: float = 0.045
    erode: int = 1
    erode_source: int = 0
    padding: Literal["none", "frustum"] = "none"
    occlusion: Literal["nearest", "none"] = "nearest"
    depth_edges: bool = False
    hull: bool = False
    same_surface: float = 0.03
    one_surface: float = 0.25
    nearest: float = 0.05
    padding_depth: float = 0.1

    def __post_init__(self) -> None:
        if self.supersampling < 1:
            raise UserError(f"supersampling is {self.supersampling}; a pixel needs at least one sample.")
        if min(self.erode, self.erode_source) < 0:
            raise UserError(f"erode is {self.erode} and erode_source {self.erode_source}; rings are counted from 0.")
        if min(self.absolute_step, self.relative_step) < 0:
            raise UserError("absolute_step and relative_step must not be negative.")
        if min(self.nearest, self.padding_depth) <= 0:
            raise UserError("nearest and padding_depth are distances in front of a camera; they must be positive.")

    def scaled(self, unit: float, *, step: float = 1.0) -> WarpSettings:
        """The same for scenes whose lengths are `unit` times as large, and with steps `step` times as high."""
        return replace(
            self,
            absolute_step=self.absolute_step * unit * step,
            relative_step=self.relative_step / unit * step,
            nearest=self.nearest * unit,
            padding_depth=self.padding_depth * unit,
        )


SMALL = WarpSettings()
"""For pictures of 64 pixels at a camera radius of 1.6, where a table top seen at a flat angle steps
by 0.07 from one pixel to the next; what the shipped networks were trained with."""

PAPER = WarpSettings(
    supersampling=3,
    absolute_step=0.03,
    relative_step=0.03,
    erode=2,  # a window of 5 x 5, their erode_rgb 3
    erode_source=3,
    padding="frustum",
    occlusion="none",
    depth_edges=True,
    hull=True,
    nearest=0.01,
)
"""The authors' values, for pictures of 128 pixels at a camera radius of 1 (arXiv 2303.17905 and its public code)."""

SETTINGS = {"small": SMALL, "paper": PAPER}
"""By the names pipelines store."""
