"""Motion from a single picture: the signal is a flow field, the forward model warps the picture with it.

Where pixels of the later picture were in the given one is what nobody tells the network; it is shown later pictures
alone. Several motions are possible, and each sample is one of them (DFM, section 4: "single-image motion prediction").

With `bases` the motions possible are few: a second network sees the given picture alone and answers with a few fields,
and each flow is a sum of these, fitted to what the first one found. What moves together in one motion moves together in
all; where a surface is plain, or the later picture noisy, the rest of it says how it went. (Flows of rigid things lie
near a space of few dimensions: Irani, "Multi-frame optical flow estimation using subspace constraints", ICCV 1999.)

With `answers` a signal is several flows and how likely each is, and what is observed is the mean of what they show. The
reverse process asks for the mean of all that may be. Where little is known yet no single flow shows that mean; the
nearest to it is a small motion between the possible ones, and so far ones come too seldom. A sample is the likeliest
flow of the last step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..gan.arguments import arguments
from .core import Batch, InverseProblem, Tensors
from .network import PictureNetwork
from .process import kept

__all__ = ["MotionProblem", "warp"]

RIDGE = 1e-3
"""Added to the squares of the fields, pixels, so that fields that are hardly there ask for no huge multiple."""

FAINT = 0.1
"""Several answers begin with flows of a fraction of a pixel, each another."""

INEXACT = 0.003
"""Mean square by which a picture differs from what the right flow shows: what comes into view is not in the picture."""

NAMED, LEAST = 0.01, 1e-6
"""Weight of the log-likelihood of the answer that turns out to be the nearest, and the least likelihood counted."""

ROUNDS = 2
"""Flows of a few pixels settle in so many steps."""

LEVELS = 3
"""Pictures are compared at full, half and quarter resolution: far off, a warp's gradient knows the way only there."""


class MotionProblem(InverseProblem):
    """Context: "picture" [N, 3, H, W]. Signal: "flow" [N, 2, H, W], pixels, and the picture it moves.

    With several answers the signal has "flows" [N, A, 2, H, W] and "likely" [N, A] besides; "flow" is the likeliest.

    Parameters: "share" [N], how much of the motion: 1 = all of it; others play it back.

    Args:
        size: picture height and width.
        reach: longest flow in each direction, pixels.
        smoothness: weight of the flow's variation.
        bases: how many fields a flow is a sum of; 0 = each pixel moves for itself.
        answers: how many flows a signal is made of.
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
        answers: int = 1,
        deterministic: bool = False,
        network: dict[str, Any] | None = None,
        basis_network: dict[str, Any] | None = None,
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.observed, self.deterministic = (3, size, size), deterministic
        self.reach, self.smoothness, self.answers = reach, smoothness, answers
        channels = 2 if answers == 1 else 3 * answers
        self.network = PictureNetwork(size, 6, channels, zero=answers == 1, **(network or {}))
        if answers > 1:  # flows that begin alike would stay alike
            nn.init.zeros_(self.network.unet.conv_out.bias)
            self.network.unet.conv_out.weight.data *= FAINT
        own = basis_network or network or {}
        self.basis = PictureNetwork(size, 3, 2 * bases, **own) if bases else None

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        picture = context["picture"]
        found = self.network(torch.cat([picture, noisy], 1), time).float()
        free = found[:, : 2 * self.answers].tanh().unflatten(1, (-1, 2)) * self.reach
        flows = free
        if self.basis is not None:
            fields = self.basis(picture, torch.zeros_like(time)).float().unflatten(1, (-1, 2))
            each = fields.repeat_interleave(self.answers, 0)
            flows = within(each, free.flatten(0, 1)).unflatten(0, free.shape[:2])
        signal = {"flow": flows[:, 0], "picture": picture}
        if self.answers > 1:
            likely = self._likely(found[:, 2 * self.answers :], picture, flows, noisy, time, parameters)
            best = likely.argmax(1)[:, None, None, None, None].expand(-1, 1, *flows.shape[2:])
            signal |= {"flow": flows.gather(1, best)[:, 0], "flows": flows, "likely": likely}
        return signal if self.basis is None and self.answers == 1 else {**signal, "free": free}

    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        share = parameters["share"][:, None, None, None]
        if "flows" not in signal:
            return warp(signal["picture"], signal["flow"] * share)
        shown = self._shown(signal["picture"], signal["flows"] * share[:, None])
        return (shown * signal["likely"][:, :, None, None, None]).sum(1)

    def _likely(
        self, told: Tensor, picture: Tensor, flows: Tensor, noisy: Tensor, time: Tensor, parameters: Tensors
    ) -> Tensor:
        """How likely each of the flows [N, A, 2, H, W] is, [N, A]: Bayes' rule, the noise is Gaussian and known.

        What the network was taught of them beforehand (`told`, [N, A, H, W]) is the prior.
        """
        share = parameters["share"][:, None, None, None, None]
        signal = kept(time)[:, None, None, None, None]
        off = (noisy[:, None] - signal.sqrt() * self._shown(picture, flows.detach() * share)).square()
        return (told.mean((2, 3)) - (off / (2 * (1 - signal + signal * INEXACT))).sum((2, 3, 4))).softmax(1)

    def settled(self, signal: Tensors) -> Tensors:
        return {name: signal[name] for name in ("flow", "picture")}

    def _shown(self, picture: Tensor, flows: Tensor) -> Tensor:
        """What each of the flows [N, A, 2, H, W] makes of a picture, [N, A, 3, H, W]."""
        many = picture.repeat_interleave(flows.shape[1], 0)
        shown: Tensor = warp(many, flows.flatten(0, 1)).unflatten(0, flows.shape[:2])
        return shown

    def error(self, estimate: Tensor, picture: Tensor) -> Tensor:
        total = estimate.new_zeros(())
        for level in range(LEVELS):
            if level:
                estimate, picture = F.avg_pool2d(estimate, 2), F.avg_pool2d(picture, 2)
            total = total + (estimate - picture).square().mean()
        return total / LEVELS

    def prior(self, signal: Tensors, batch: Batch) -> dict[str, Tensor]:
        flow = signal.get("flows", signal["flow"])
        across, along = flow.diff(dim=-1).abs().mean(), flow.diff(dim=-2).abs().mean()
        found = {"smooth": (across + along) * self.smoothness}
        if "free" in signal:
            # learns at every pixel what the sum of fields would only tell it as a whole; of several answers the
            # nearest learns, so that each comes to stand for one motion
            target = batch.target
            free = signal["free"] * target.parameters["share"][:, None, None, None, None]
            shown = self._shown(signal["picture"], free)
            with torch.no_grad():
                off = (shown - target.picture[:, None]).square().mean((2, 3, 4))
            best = off.argmin(1)
            nearest = shown[torch.arange(len(shown), device=shown.device), best]
            found["free"] = self.error(nearest, target.picture)
            if "likely" in signal:
                found["likely"] = F.nll_loss(signal["likely"].clamp(min=LEAST).log(), best) * NAMED
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
