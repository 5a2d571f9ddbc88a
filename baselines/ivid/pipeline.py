"""`IvidPipeline`: sequential view sweeps from two diffusion models, as a diffusers pipeline.

The first view comes from G_u, or is given; every further view from G_c, conditioned on the warps of
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
from ...scenes.scene import Scene
from ...scenes.sweeps import FOV, RADIUS
from .conditioning import DEPTH_PULL, HULL_PULL, RGB_PULL, Condition
from .depth_code import DepthCode
from .given import Given
from .networks import RGBDUNet
from .sampling import ALWAYS, draw_first, draw_next
from .scene_in_progress import SceneInProgress
from .warping import SETTINGS

__all__ = ["CONDITIONINGS", "ORDERS", "PAPER_SETTINGS", "PRECISIONS", "IvidOutput", "IvidPipeline"]

CONDITIONINGS = ("aggregated", "stochastic")
ORDERS = ("asked", "outward")
PRECISIONS = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}

PAPER_SETTINGS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "near": 0.6,
        "far": 5.0,
        "background": 1.0,
        "rgb_pull": RGB_PULL,
        "depth_pull": DEPTH_PULL,
        "hull_pull": HULL_PULL,
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
        if warp not in SETTINGS:
            raise UnknownName("warp", warp, SETTINGS)
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
        self._precision: torch.dtype | None = None

    @property
    def code(self) -> DepthCode:
        """The depth code both networks speak."""
        return DepthCode(near=self.config.near, far=self.config.far, background=self.config.background)

    @property
    def size(self) -> int:
        """Height and width of the pictures."""
        return int(self.first.config.size)

    def accelerate(self, *, precision: str = "no", compiled: bool = False) -> IvidPipeline:
        """Choose what the networks compute in; nothing of it is stored.

        Args:
            precision: "no" = float32, "bf16" or "fp16" = autocast. Pictures then differ a little, and
                with the size of the batch.
            compiled: whether the networks are compiled by `torch.compile` when first asked; worth its
                minute for long runs on a GPU.

        Raises:
            UnknownName: another precision.
        """
        if precision not in PRECISIONS:
            raise UnknownName("precision", precision, PRECISIONS)
        self._precision = PRECISIONS[precision]
        if compiled:
            self.first.compile()
            self.following.compile()
        return self

    @torch.no_grad()
    def __call__(
        self,
        labels: Sequence[int | None] | None,
        seeds: Sequence[int],
        cameras: Sequence[Cameras],
        *,
        first_steps: int = 50,
        next_steps: int = 20,
        first_guidance: float = 1.0,
        next_guidance: float = 0.0,
        first_interval: tuple[float, float] = ALWAYS,
        next_interval: tuple[float, float] = ALWAYS,
        first_sampler: str = "ddim",
        next_sampler: str = "ddim",
        eta: float = 0.0,
        grid: str = "trailing",
        conditioning: str = "aggregated",
        order: str = "asked",
        rgb_pull: float | None = None,
        depth_pull: float | None = None,
        hull_pull: float | None = None,
        given: Sequence[Given | Scene] | None = None,
    ) -> IvidOutput:
        """One sweep a seed.

        Cameras are scaled so that the first (of the given views, or of the sweep) stands `radius` from
        the origin, as in training, and depth is scaled back. A camera that sees nothing of earlier
        views, because it looks away or stands behind the scene, gets a view drawn freely.

        Args:
            labels: class indices, [N]; None for networks without classes.
            seeds: one a sweep; a sweep depends on its own seed, label, cameras and given views alone: on a CPU
                to the last bit, on a GPU up to rounding.
            cameras: N sweeps of equal length.
            first_steps, next_steps: denoising steps of view 0 and of each further view.
            first_guidance, next_guidance: s in (1 + s) conditional - s null; 0 skips the null branch.
            first_interval, next_interval: at which share of the times guidance is on, see `draw_first`.
            first_sampler, next_sampler: "ddim", "ddpm", "dpm++" or "unipc".
            eta: share of ancestral noise in DDIM steps.
            grid: "trailing", "official" or "quadratic", see `steppers.times_of`.
            conditioning: "aggregated" = each step sees all earlier views together; "stochastic" = one of
                them, drawn anew at each step.
            order: in which views are drawn after the first: "asked" = as the cameras come; "outward" = the nearest
                to where the sweep starts first, to both sides in turn, as the authors' grids go. What was drawn
                is then never far, and errors have half as many views of a circle to add up over.
            rgb_pull, depth_pull, hull_pull: see `draw_next`, from 0 to 1; None = the stored ones.
            given: for each sweep views to go on from, equally many each. A camera of the sweep that is
                the camera of a given view gets that view as it stands; all others are drawn by G_c.

        Raises:
            UserError: lists of unequal length, a class the networks do not know, guidance of networks
                without classes, given views that do not fit, or settings out of range.
            UnknownName: a sampler, grid, order or way of conditioning nobody registered.
        """
        first: dict[str, Any] = {"steps": first_steps, "guidance": first_guidance, "interval": first_interval}
        later: dict[str, Any] = {"steps": next_steps, "guidance": next_guidance, "interval": next_interval}
        label = self._labels(labels, len(seeds))
        views = self._count(len(label), seeds, cameras)
        if conditioning not in CONDITIONINGS:
            raise UnknownName("way of conditioning", conditioning, CONDITIONINGS)
        if order not in ORDERS:
            raise UnknownName("order of views", order, ORDERS)
        if self.first.null_class == 0 and (first_guidance or next_guidance):
            raise UserError(
                "These networks have no classes, so there is nothing to guide towards: set first_guidance and "
                "next_guidance to 0."
            )
        if eta and "ddim" not in (first_sampler, next_sampler):
            raise UserError(f"eta is {eta}, which only the sampler ddim has.")
        first |= {"sampler": first_sampler, "eta": eta if first_sampler == "ddim" else 0.0}
        later |= {"sampler": next_sampler, "eta": eta if next_sampler == "ddim" else 0.0}
        shared: dict[str, Any] = {"grid": grid, "clamp": self.config.clamp, "precision": self._precision}
        pulls = self._pulls(rgb_pull=rgb_pull, depth_pull=depth_pull, hull_pull=hull_pull)
        sweeps = [
            SceneInProgress(
                sweep,
                start,
                radius=self.config.radius,
                code=self.code,
                warp=SETTINGS[self.config.warp],
                size=self.size,
                device=self.device,
            )
            for sweep, start in zip(cameras, _starts(given, len(cameras)), strict=True)
        ]
        orders = [sweep.order(outward=order == "outward") for sweep in sweeps]
        turns = [(place, view) for place in range(views) for view in sorted({drawn[place] for drawn in orders})]
        for place, view in turns:
            due = [row for row, sweep in enumerate(sweeps) if orders[row][place] == view and not sweep.keeps(view)]
            for rows in self._together(due):
                named, seeded = label[rows], [seeds[row] for row in rows]
                if view == 0 and given is None:
                    drawn = draw_first(self.first, self.scheduler, named, seeded, **first, **shared)
                else:
                    drawn = draw_next(
                        self.following,
                        self.scheduler,
                        named,
                        seeded,
                        _conditions([sweeps[row] for row in rows], view, stochastic=conditioning == "stochastic"),
                        view=view,
                        **later,
                        **shared,
                        **pulls,
                    )
                for row, picture in zip(rows, self._settle(drawn), strict=True):
                    sweeps[row].add(view, picture)
        return IvidOutput(*(torch.stack(parts) for parts in zip(*(sweep.result() for sweep in sweeps), strict=True)))

    def _together(self, rows: list[int]) -> list[list[int]]:
        """Which sweeps go through the networks at once: on a CPU each alone, which costs no more.

        Sums over a batch of another size are rounded otherwise, and a sweep makes much of little. A GPU, which one
        picture does not fill, is given all.
        """
        return [[row] for row in rows] if self.device.type == "cpu" else [rows] if rows else []

    def _pulls(self, **asked: float | None) -> dict[str, Any]:
        """What was asked for, else what is stored."""
        pulls = {name: self.config[name] if value is None else value for name, value in asked.items()}
        for name, value in pulls.items():
            if not 0 <= value <= 1:
                raise UserError(f"{name} is {value}; it is a share of the way to the condition, from 0 to 1.")
        return pulls

    def _labels(self, labels: Sequence[int | None] | None, count: int) -> Tensor:
        classes = self.first.null_class
        if classes == 0:
            return torch.zeros(count if labels is None else len(labels), dtype=torch.long)
        if labels is None or None in labels:
            raise UserError(f"These networks draw classes: give each sweep a label from 0 to {classes - 1}.")
        unknown = [label for label in labels if label is not None and not 0 <= label < classes]
        if unknown:
            raise UserError(f"Class {unknown[0]} was not trained; classes are 0 to {classes - 1}.")
        return torch.tensor(list(labels), dtype=torch.long)

    def _count(self, labels: int, seeds: Sequence[int], cameras: Sequence[Cameras]) -> int:
        """Views a sweep."""
        lengths = sorted({len(sweep) for sweep in cameras})
        if not labels == len(seeds) == len(cameras) or len(lengths) != 1:
            raise UserError(
                f"{labels} labels, {len(seeds)} seeds and {len(cameras)} sweeps of lengths {lengths}: "
                "there must be equally many of each, and all sweeps equally long."
            )
        return lengths[0]

    def _settle(self, drawn: Tensor) -> Tensor:
        """Drawn RGBD pictures [N, 4, H, W], their depth median-filtered."""
        side = self.config.depth_median
        if side > 1:
            padded = nn.functional.pad(drawn[:, 3:], (side // 2,) * 4, mode="replicate")
            patches = padded.unfold(2, side, 1).unfold(3, side, 1).flatten(-2)
            drawn = torch.cat([drawn[:, :3], patches.median(-1).values], 1)
        return drawn


def _conditions(sweeps: Sequence[SceneInProgress], view: int, *, stochastic: bool) -> Condition | list[Condition]:
    """What the views so far say of `view`: together, or each on its own."""
    if stochastic:
        return [Condition.join(parts) for parts in zip(*(sweep.conditions(view) for sweep in sweeps), strict=True)]
    return Condition.join([sweep.condition(view) for sweep in sweeps])


def _starts(given: Sequence[Given | Scene] | None, sweeps: int) -> list[Given | None]:
    """What each sweep starts from."""
    if given is None:
        return [None] * sweeps
    counts = sorted({len(one.rgb) for one in given})
    if len(given) != sweeps or len(counts) != 1:
        raise UserError(
            f"There are given views for {len(given)} of {sweeps} sweeps, {counts} each. Give each sweep some, and all "
            "equally many."
        )
    return [Given.of(one) if isinstance(one, Scene) else one for one in given]
