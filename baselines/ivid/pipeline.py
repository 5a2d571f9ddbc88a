"""`IvidPipeline`: sequential view sweeps from two diffusion models, as a diffusers pipeline.

The first view comes from G_u; every further view from G_c, conditioned on the aggregated warps of
*all* earlier views (arXiv 2303.17905). Any list of cameras in any order will do, a full circle too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import radians
from types import MappingProxyType
from typing import Any

import torch
from diffusers import DDIMScheduler, DiffusionPipeline
from diffusers.utils import BaseOutput
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from ...scenes.errors import UnknownName, UserError
from ...scenes.sweeps import FOV, RADIUS
from .depth_code import DepthCode
from .networks import RGBDUNet
from .sampling import DEPTH_PULL, RGB_PULL, Condition, draw_first, draw_next
from .warping import SUPERSAMPLING, Views, aggregate, see

__all__ = ["PAPER_SETTINGS", "WARPS", "IvidOutput", "IvidPipeline"]

WARPS = ("small", "paper")
"""Names of the warp settings a pipeline may store."""

PAPER_SETTINGS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "near": 0.6,
        "far": 5.0,
        "background": 1.0,
        "rgb_pull": 0.1,
        "depth_pull": 0.2,
        "hull_pull": 0.5,
        "depth_median": 1,
        "warp": "paper",
        "radius": 1.0,
        "fov": radians(45.0),
        "clamp": False,
    }
)
"""Stored settings of a pipeline that samples as the authors do. Planes are those of their sampling
(training has near 0.5, far 100); every pixel is a surface; clean estimates are never clipped."""


@dataclass
class IvidOutput(BaseOutput):  # type: ignore[misc]  # diffusers carries no types
    """N sweeps of V views.

    Args:
        rgb: uint8 sRGB, [N, V, H, W, 3].
        depth: z-depth float32, [N, V, H, W]; NaN = no surface.
    """

    rgb: Tensor
    depth: Tensor


class IvidPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Draws sweeps of RGBD views.

    Args:
        first: G_u, the class-conditional network of the first view.
        following: G_c, the network of the further views.
        scheduler: DDIM with trailing spacing; its prediction type is that of the networks.
        near, far: planes of the depth code, in the unit of the camera positions.
        background: depth codes above this are read as "no surface"; 1 = every pixel is a surface.
        rgb_pull, depth_pull, hull_pull: see `sampling.draw_next`.
        depth_median: side of the median filter that depth passes, pixels; 1 = none.
        warp: settings of the warps, "small" (for pictures of 64 pixels) or "paper" (the authors').
        radius: distance of the cameras to the origin the networks were trained for.
        fov: their field of view, radians.
        clamp: whether clean estimates are clipped to [-1, 1] at every step.
    """

    def __init__(
        self,
        first: RGBDUNet,
        following: RGBDUNet,
        scheduler: DDIMScheduler,
        near: float = 1.0,
        far: float = 4.0,
        background: float = 0.7,
        rgb_pull: float = RGB_PULL,
        depth_pull: float = DEPTH_PULL,
        hull_pull: float = 0.0,
        depth_median: int = 1,
        warp: str = "small",
        radius: float = RADIUS,
        fov: float = FOV,
        clamp: bool = True,
    ) -> None:
        super().__init__()
        if depth_median < 1 or depth_median % 2 == 0:
            raise UserError(f"depth_median is {depth_median}; a median filter has an odd side: 1, 3, 5 ...")
        if warp not in WARPS:
            raise UnknownName("warp", warp, WARPS)
        self.register_modules(first=first, following=following, scheduler=scheduler)
        self.register_to_config(
            near=near,
            far=far,
            background=background,
            rgb_pull=rgb_pull,
            depth_pull=depth_pull,
            hull_pull=hull_pull,
            depth_median=depth_median,
            warp=warp,
            radius=radius,
            fov=fov,
            clamp=clamp,
        )

    @property
    def code(self) -> DepthCode:
        """The depth code both networks speak."""
        return DepthCode(near=self.config.near, far=self.config.far, background=self.config.background)

    @property
    def size(self) -> int:
        """Height and width of the pictures."""
        return int(self.first.config.size)

    @torch.no_grad()
    def __call__(
        self,
        labels: Sequence[int],
        seeds: Sequence[int],
        cameras: Sequence[Cameras],
        *,
        first_steps: int = 50,
        next_steps: int = 20,
        first_guidance: float = 1.0,
        next_guidance: float = 0.0,
    ) -> IvidOutput:
        """One sweep a label.

        Args:
            labels: class indices, [N].
            seeds: one a sweep; a sweep depends on its own seed, label and cameras alone.
            cameras: N sweeps of equal length, views in the order they are drawn.
            first_steps, next_steps: denoising steps of view 0 and of each further view.
            first_guidance, next_guidance: s in (1 + s) conditional - s null; 0 skips the null branch.

        Raises:
            UserError: lists of unequal length, or a class the networks do not know.
        """
        lengths = {len(sweep) for sweep in cameras}
        if not len(labels) == len(seeds) == len(cameras) or len(lengths) != 1:
            raise UserError(
                f"{len(labels)} labels, {len(seeds)} seeds and {len(cameras)} sweeps of lengths {sorted(lengths)}: "
                "there must be equally many of each, and all sweeps equally long."
            )
        unknown = [label for label in labels if not 0 <= label < self.first.null_class]
        if unknown:
            raise UserError(f"Class {unknown[0]} was not trained; classes are 0 to {self.first.null_class - 1}.")
        label = torch.tensor(list(labels))
        clamp = self.config.clamp
        drawn = draw_first(
            self.first, self.scheduler, label, seeds, steps=first_steps, guidance=first_guidance, clamp=clamp
        )
        views = [self._settle(drawn)]
        for view in range(1, lengths.pop()):
            condition = _stack([self._condition(views, row, sweep, view) for row, sweep in enumerate(cameras)])
            drawn = draw_next(
                self.following,
                self.scheduler,
                label,
                seeds,
                _to(condition, self.device),
                view=view,
                steps=next_steps,
                guidance=next_guidance,
                rgb_pull=self.config.rgb_pull,
                depth_pull=self.config.depth_pull,
                hull_pull=self.config.hull_pull,
                clamp=clamp,
            )
            views.append(self._settle(drawn))
        pictures = torch.stack(views, 1)
        rgb = ((pictures[:, :, :3] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return IvidOutput(rgb=rgb.movedim(2, -1).contiguous(), depth=self.code.decode(pictures[:, :, 3]))

    def _settle(self, drawn: Tensor) -> Tensor:
        """Drawn RGBD pictures [N, 4, H, W] on the CPU, their depth median-filtered."""
        drawn, side = drawn.cpu(), self.config.depth_median
        if side > 1:
            padded = nn.functional.pad(drawn[:, 3:], (side // 2,) * 4, mode="replicate")
            patches = padded.unfold(2, side, 1).unfold(3, side, 1).flatten(-2)
            drawn = torch.cat([drawn[:, :3], patches.median(-1).values], 1)
        return drawn

    def _condition(self, views: list[Tensor], row: int, sweep: Cameras, view: int) -> Condition:
        """What views 0 ... view-1 of sweep `row` show from camera `view`."""
        earlier = torch.stack([picture[row] for picture in views])
        depth = self.code.planes(earlier[:, 3])
        sources = Views(earlier[:, :3], depth, torch.zeros(depth.shape, dtype=torch.bool), sweep[: len(views)])
        return aggregate(see(sources, sweep[[view] * len(views)], self.size * SUPERSAMPLING), self.code)


def _stack(conditions: list[Condition]) -> Condition:
    return Condition(
        torch.cat([one.rgb for one in conditions]),
        torch.cat([one.depth for one in conditions]),
        torch.cat([one.rgb_mask for one in conditions]),
        torch.cat([one.mask for one in conditions]),
    )


def _to(condition: Condition, device: torch.device) -> Condition:
    return Condition(
        condition.rgb.to(device), condition.depth.to(device), condition.rgb_mask.to(device), condition.mask.to(device)
    )
