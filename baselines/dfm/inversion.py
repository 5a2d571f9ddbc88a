"""GAN inversion: the signal is a latent of a frozen generator, the forward model draws it.

From part of a picture all of the object follows only so far; each sample is a latent whose picture agrees where the
picture is given (DFM, section 4: "GAN inversion"). Latents are given in units of their own spread: w = mean + L u,
with the mean and the Cholesky factor L of what the generator's mapping makes of random numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..gan.arguments import arguments
from ..gan.base import GanGenerator, Views
from .core import Batch, InverseProblem, Tensors
from .network import PictureEncoder

__all__ = ["InversionProblem", "latent_statistics"]

POSE = 25

REFINE_RATE = 0.05
"""Step of `InversionProblem.refined`, in standard deviations of the latents."""


class InversionProblem(InverseProblem):
    """Context: "picture" [N, 3, H, W], zero where not given, "mask" [N, 1, H, W], "pose" [N, 4, 4], "lens" [N, 3, 3].

    Signal: "latent" [N, L], w. Parameters: "pose" [N, 4, 4] and "lens" [N, 3, 3] of a camera.

    Args:
        size: picture height and width.
        latent: length of w.
        closeness: weight of the mean square of u, which keeps latents where the generator knows them.
        deterministic: the twin without diffusion: an encoder.
        network: arguments of `PictureEncoder`.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        size: int = 64,
        *,
        latent: int = 128,
        closeness: float = 0.002,
        deterministic: bool = False,
        network: dict[str, Any] | None = None,
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.observed, self.deterministic, self.closeness = (3, size, size), deterministic, closeness
        self.network = PictureEncoder(size, 7, POSE, latent, **(network or {}))
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("spread", torch.eye(latent))
        self._generator: list[GanGenerator] = []  # in a list: its weights are its own, not part of this network

    def invert(self, generator: GanGenerator) -> InversionProblem:
        """Say which generator is inverted; it is frozen, and not saved with this network."""
        self._generator[:] = [generator.eval().requires_grad_(False)]
        return self

    @property
    def generator(self) -> GanGenerator:
        if not self._generator:
            raise RuntimeError("say first which generator is inverted, with `invert`")
        return self._generator[0]

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        pose = torch.cat([context["pose"].flatten(1), context["lens"].flatten(1)], 1)
        seen = torch.cat([context["picture"], context["mask"], noisy], 1)
        units = self.network(seen, time, pose)
        return {"latent": self.mean + units @ self.spread.T, "units": units}

    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        views = Views(parameters["pose"], parameters["lens"])
        drawn = self.generator.draw(self.generator.scene(signal["latent"]), views, self.observed[1])
        return drawn.rgb

    def refined(self, signal: Tensors, context: Tensors, steps: int) -> Tensors:
        """The latents carried downhill (Adam) on the error where the picture is given, from where sampling left them.

        Optimisation after encoding, as in "In-domain GAN inversion" (Zhu et al., ECCV 2020). What is not given follows
        from where it starts, so samples stay different.
        """
        if not steps:
            return signal
        units = signal["units"].detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([units], REFINE_RATE)
        given = context["mask"].expand_as(context["picture"])
        with torch.enable_grad():
            for _ in range(steps):
                drawn = self.observe({"latent": self.mean + units @ self.spread.T}, context)
                error = ((drawn - context["picture"]).square() * given).flatten(1).sum(1) / given.flatten(1).sum(1)
                total = (error + self.closeness * units.square().mean(1)).sum()
                (units.grad,) = torch.autograd.grad(total, [units])
                optimiser.step()
        units = units.detach()
        return {"latent": self.mean + units @ self.spread.T, "units": units}

    def without(self, context: Tensors) -> Tensors:
        free = super().without(context)
        return free | {name: context[name] for name in ("pose", "lens")}

    def prior(self, signal: Tensors, batch: Batch) -> dict[str, Tensor]:
        return {"close": signal["units"].square().mean() * self.closeness}


@torch.no_grad()
def latent_statistics(generator: GanGenerator, conditioning: Tensor | None, count: int = 4096) -> tuple[Tensor, Tensor]:
    """Mean [L] and Cholesky factor [L, L] of the covariance of w, over random z and all classes.

    Args:
        conditioning: the pose label the generator is conditioned on, [25], if it is.
    """
    random = torch.Generator().manual_seed(0)
    device = next(generator.parameters()).device
    z = torch.randn(count, generator.latent_size, generator=random).to(device)
    label = torch.arange(count, device=device) % generator.classes if generator.classes else None
    pose = conditioning.to(device).expand(count, -1) if conditioning is not None and generator.takes_pose else None
    latents = generator.map(z, label, pose).double()
    mean = latents.mean(0)
    covariance = torch.cov(latents.T) + 1e-6 * latents.var() * torch.eye(latents.shape[1], device=device)
    return mean.float().cpu(), torch.linalg.cholesky(covariance).float().cpu()
