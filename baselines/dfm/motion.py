"""Motion from a single picture: the signal is a flow field, the forward model warps the picture with it.

Where pixels of the later picture were in the given one is what nobody tells the network; it is shown later pictures
alone. Several motions are possible, and each sample is one of them (DFM, section 4: "single-image motion prediction").
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..gan.arguments import arguments
from .core import Batch, InverseProblem, Tensors
from .network import PictureNetwork

__all__ = ["MotionProblem", "warp"]

LEVELS = 3
"""Pictures are compared at full, half and quarter resolution: far off, a warp's gradient knows the way only there."""


class MotionProblem(InverseProblem):
    """Context: "picture" [N, 3, H, W]. Signal: "flow" [N, 2, H, W], pixels, and the picture it moves.

    Parameters: "share" [N], how much of the motion: 1 = all of it; others play it back.

    Args:
        size: picture height and width.
        reach: longest flow in each direction, pixels.
        smoothness: weight of the flow's variation.
        deterministic: the twin without diffusion.
        network: arguments of `PictureNetwork`.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        reach: float = 8.0,
        smoothness: float = 0.002,
        deterministic: bool = False,
        network: dict[str, Any] | None = None,
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.observed, self.deterministic = (3, size, size), deterministic
        self.reach, self.smoothness = reach, smoothness
        self.network = PictureNetwork(size, 6, 2, zero=True, **(network or {}))

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        found = self.network(torch.cat([context["picture"], noisy], 1), time)
        return {"flow": found.float().tanh() * self.reach, "picture": context["picture"]}

    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        return warp(signal["picture"], signal["flow"] * parameters["share"][:, None, None, None])

    def error(self, estimate: Tensor, picture: Tensor) -> Tensor:
        total = estimate.new_zeros(())
        for level in range(LEVELS):
            if level:
                estimate, picture = F.avg_pool2d(estimate, 2), F.avg_pool2d(picture, 2)
            total = total + (estimate - picture).square().mean()
        return total / LEVELS

    def prior(self, signal: Tensors, batch: Batch) -> dict[str, Tensor]:
        flow = signal["flow"]
        across, along = flow.diff(dim=3).abs().mean(), flow.diff(dim=2).abs().mean()
        return {"smooth": (across + along) * self.smoothness}


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """What is seen at x is what `picture` [N, C, H, W] shows at x + flow(x); bilinear, its border goes on for ever.

    Args:
        flow: pixels, x right and y down, [N, 2, H, W].
    """
    height, width = picture.shape[2:]
    x = torch.arange(width, device=flow.device) + 0.5
    y = torch.arange(height, device=flow.device) + 0.5
    places = torch.stack([(x + flow[:, 0]) / width, (y[:, None] + flow[:, 1]) / height], -1) * 2 - 1
    return F.grid_sample(picture.float(), places.float(), padding_mode="border", align_corners=False)
