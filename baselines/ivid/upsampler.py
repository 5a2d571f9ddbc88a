"""`UpsamplerPipeline`: RGBD sweeps at twice the size, view by view (cascaded diffusion).

Each view is drawn from its own small picture; what keeps views together is that the small pictures
agree and that, by default, all views of a scene start from the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging
from torch import Tensor

from ...scenes.errors import UserError
from .depth_code import DepthCode
from .networks import RGBDUNet
from .pipeline import IvidOutput
from .upsampler_pictures import anchored, enlarge, median
from .upsampler_sampling import Residual, draw_large

__all__ = ["UpsamplerPipeline", "load_upsampler"]

TOGETHER = 8
"""Views that go through the network at once: always the same number, so that a scene is the same in any batch."""


class UpsamplerPipeline(DiffusionPipeline):  # type: ignore[misc]  # diffusers carries no types
    """Draws sweeps at `factor` times their size.

    Args:
        network: an `RGBDUNet` with the four extra channels of the enlarged small picture.
        scheduler: its prediction type is that of the network; its steps draw no noise.
        near, far, background: the depth code the network speaks, see `DepthCode`; small depths are read
            and large ones written in it, so depth keeps its unit.
        rgb_residual, depth_residual: see `Residual`.
        anchor_depth: whether surfaces stand where the small pictures have them, and the drawing only says
            where they end, see `anchored`; else depth is what was drawn.
        depth_median: side of the median filter the drawn depth passes, pixels; 1 = none.
        factor: how many times larger the pictures become.
    """

    def __init__(
        self,
        network: RGBDUNet,
        scheduler: Any,
        near: float = 1.0,
        far: float = 4.0,
        background: float = 0.7,
        rgb_residual: float = 0.0,
        depth_residual: float = 0.0,
        anchor_depth: bool = False,
        depth_median: int = 1,
        factor: int = 2,
    ) -> None:
        super().__init__()
        if depth_median < 1 or depth_median % 2 == 0:
            raise UserError(f"depth_median is {depth_median}; a median filter has an odd side: 1, 3, 5 ...")
        self.register_modules(network=network, scheduler=scheduler)
        self.register_to_config(
            near=near,
            far=far,
            background=background,
            rgb_residual=rgb_residual,
            depth_residual=depth_residual,
            anchor_depth=anchor_depth,
            depth_median=depth_median,
            factor=factor,
        )

    @property
    def code(self) -> DepthCode:
        """The depth code of the pictures."""
        return DepthCode(near=self.config.near, far=self.config.far, background=self.config.background)

    @property
    def size(self) -> int:
        """Height and width of the large pictures."""
        return int(self.network.config.size)

    @torch.no_grad()
    def __call__(
        self,
        labels: Sequence[int],
        seeds: Sequence[int],
        rgb: Tensor,
        depth: Tensor,
        *,
        steps: int = 4,
        noise: Literal["shared", "separate"] = "shared",
    ) -> IvidOutput:
        """N sweeps of V views, larger; a sweep depends on its own label, seed and pictures alone.

        Args:
            labels: class indices, [N]; ignored by networks without classes.
            seeds: one a sweep.
            rgb: uint8 sRGB, [N, V, h, w, 3].
            depth: z-depth float32, [N, V, h, w]; NaN = no surface.
            steps: denoising steps of a view.
            noise: whether the views of a sweep start from the same noise or each from its own.

        Raises:
            UserError: pictures of another size, lists of unequal length, no steps, or a class the network does
                not know.
        """
        self._check(labels, seeds, rgb, depth)
        if noise not in ("shared", "separate"):
            raise UserError(f"noise is '{noise}'; the views of a sweep have 'shared' or 'separate' noise.")
        if steps < 1:
            raise UserError(f"steps is {steps}; a view takes at least one.")
        code = self.code
        colours = rgb.movedim(-1, 2).float() / 127.5 - 1
        small = torch.cat([colours, code.encode(depth)[:, :, None]], 2)
        sweeps = [
            self._sweep(int(label), seed, sweep, steps, noise)
            for label, seed, sweep in zip(labels, seeds, small, strict=True)
        ]
        pictures = torch.stack(sweeps)
        large = ((pictures[:, :, :3] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return IvidOutput(rgb=large.movedim(2, -1).contiguous(), depth=code.decode(pictures[:, :, 3]))

    def _sweep(self, label: int, seed: int, small: Tensor, steps: int, noise: str) -> Tensor:
        """One sweep [V, 4, h, w] at the large size, on the CPU."""
        drawn = []
        for first in range(0, len(small), TOGETHER):
            part = small[first : first + TOGETHER].to(self.device)
            count = len(part)
            streams = ["ivid.upsampler" + (f".{first + i}" if noise == "separate" else "") for i in range(count)]
            large = draw_large(
                self.network,
                self.scheduler,
                torch.full((count,), label),
                enlarge(part, self.config.factor),
                [seed] * count,
                steps=steps,
                residual=Residual(self.config.rgb_residual, self.config.depth_residual),
                streams=streams,
            )
            drawn.append(large.cpu())
        pictures = torch.cat(drawn)
        depth = median(pictures[:, 3:], self.config.depth_median)
        if self.config.anchor_depth:
            depth = anchored(depth, small[:, 3:])
        return torch.cat([pictures[:, :3], depth], 1)

    def _check(self, labels: Sequence[int], seeds: Sequence[int], rgb: Tensor, depth: Tensor) -> None:
        if not len(labels) == len(seeds) == len(rgb):
            raise UserError(
                f"{len(labels)} labels, {len(seeds)} seeds and {len(rgb)} sweeps: there must be equally many of each."
            )
        side = self.size // self.config.factor
        if rgb.ndim != 5 or tuple(rgb.shape[2:]) != (side, side, 3) or depth.shape != rgb.shape[:-1]:
            raise UserError(
                f"This upsampler takes pictures [N, V, {side}, {side}, 3] with depth [N, V, {side}, {side}], "
                f"not {list(rgb.shape)} with {list(depth.shape)}. Choose the upsampler of their size."
            )
        classes = self.network.null_class
        unknown = [label for label in labels if classes and not 0 <= label < classes]
        if unknown:
            raise UserError(f"Class {unknown[0]} was not trained; classes are 0 to {classes - 1}.")


def load_upsampler(folder: Path) -> UpsamplerPipeline:
    """The upsampler in `folder`, stored in half precision, computed in float32, without progress bars.

    Raises:
        UserError: the folder is not there or holds no pipeline.
    """
    if not (folder / "model_index.json").is_file():
        raise UserError(
            f"{folder}: there is no model_index.json, so there are no weights of an upsampler.",
            hint="Train one with `viewsweep train ivid-upsampler --config small --out DIR` and give DIR/pipeline.",
        )
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        pipeline: UpsamplerPipeline = UpsamplerPipeline.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
        return pipeline
    finally:
        if shown:
            logging.enable_progress_bar()
