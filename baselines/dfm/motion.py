"""Motion from a single picture: the signal is a flow field, the forward model warps the picture with it.

Where pixels of the later picture were in the given one is what nobody tells the network; it is shown later pictures
alone. Several motions are possible, and each sample is one of them (DFM, section 4: "single-image motion prediction").

With `bases` the motions possible are few: a second network sees the given picture alone and answers with a few fields,
and each flow is a sum of these, fitted to what the first one found. What moves together in one motion moves together in
all; where a surface is plain, or the later picture noisy, the rest of it says how it went. (Flows of rigid things lie
near a space of few dimensions: Irani, "Multi-frame optical flow estimation using subspace constraints", ICCV 1999.)
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

RIDGE = 1e-3
"""Added to the squares of the fields, pixels, so that fields that are hardly there ask for no huge multiple."""

ROUNDS = 2
"""Flows of a few pixels settle in so many steps."""

LEVELS = 3
"""Pictures are compared at full, half and quarter resolution: far off, a warp's gradient knows the way only there."""


class MotionProblem(InverseProblem):
    """Context: "picture" [N, 3, H, W]. Signal: "flow" [N, 2, H, W], pixels, and the picture it moves.

    Parameters: "share" [N], how much of the motion: 1 = all of it; others play it back.

    Args:
        size: picture height and width.
        reach: longest flow in each direction, pixels.
        smoothness: weight of the flow's variation.
        bases: how many fields a flow is a sum of; 0 = each pixel moves for itself.
        deterministic: the twin without diffusion.
        network: arguments of `PictureNetwork`.
        basis_network: of the one that answers with the fields; None = as `network`.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        reach: float = 8.0,
        smoothness: float = 0.002,
        bases: int = 0,
        deterministic: bool = False,
        network: dict[str, Any] | None = None,
        basis_network: dict[str, Any] | None = None,
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.observed, self.deterministic = (3, size, size), deterministic
        self.reach, self.smoothness = reach, smoothness
        self.network = PictureNetwork(size, 6, 2, zero=True, **(network or {}))
        own = basis_network or network or {}
        self.basis = PictureNetwork(size, 3, 2 * bases, **own) if bases else None

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        picture = context["picture"]
        flow = self.network(torch.cat([picture, noisy], 1), time).float().tanh() * self.reach
        if self.basis is None:
            return {"flow": flow, "picture": picture}
        fields = self.basis(picture, torch.zeros_like(time)).float().unflatten(1, (-1, 2))
        return {"flow": within(fields, flow), "picture": picture, "free": flow}

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
        found = {"smooth": (across + along) * self.smoothness}
        if "free" in signal:  # learns at every pixel what the sum of fields would only tell it as a whole
            alone = self.observe({**signal, "flow": signal["free"]}, batch.target.parameters)
            found["free"] = self.error(alone, batch.target.picture)
        return found


def within(fields: Tensor, flow: Tensor) -> Tensor:
    """The sum of fields that is nearest to a flow, [N, 2, H, W], by least squares.

    Args:
        fields: motions of the given picture's points, pixels, [N, B, 2, H, W].
        flow: pixels, at the places of the later picture, [N, 2, H, W].
    """
    with torch.autocast(flow.device.type, enabled=False):
        there = _at(fields, flow.detach()).flatten(2)  # as the later picture's places would move
        wanted = flow.flatten(1)[..., None]
        square = there @ there.mT / wanted.shape[1]
        square = square + RIDGE * torch.eye(square.shape[1], device=flow.device)
        share = torch.linalg.solve(square, there @ wanted / wanted.shape[1])[..., None, None]
        found = flow.detach()
        for _ in range(ROUNDS):
            found = (_at(fields, found) * share).sum(1)
        return found


def _at(fields: Tensor, flow: Tensor) -> Tensor:
    """Fields [N, B, 2, H, W] where a flow says that the later picture's places were."""
    found: Tensor = warp(fields.flatten(1, 2), flow).unflatten(1, fields.shape[1:3])
    return found


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
