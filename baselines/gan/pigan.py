"""pi-GAN: a FiLM-SIREN drawn by volume rendering alone, hence the same object from everywhere
(Chan et al., "pi-GAN: periodic implicit generative adversarial networks for 3D-aware image synthesis", CVPR 2021)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from .arguments import check_choice
from .background import behind
from .base import Drawn, GanGenerator, Patch, SceneState, Views
from .equalised import full_precision
from .mapping import Condition
from .occupancy import occupancy_in
from .rendering import Field, Marching, rays_of, render
from .siren import FilmSiren, frequencies_of

__all__ = ["FilmMapping", "PiGANGenerator"]

Background = Literal["learned", "backdrop", "white", "black", "last"]
Activation = Literal["softplus", "relu"]
Placement = Literal["sample", "midpoint", "cell"]

LEAK = 0.2
SKY = 32  # latents of the background
FORWARD = (0.0, 0.0, -1.0)  # the direction of view that stands for all others when it is locked


class FilmMapping(nn.Module):
    """From normal numbers and a class to frequencies and phases (section 3.2; initialised as its authors do).

    Args:
        latent_size: length of z.
        hidden: width of the layers.
        layers: layers before the last.
        outputs: length of the latents.
        classes: number of classes; their embedding, as long as z, is appended to it. 0 = unconditional.
        decay: of the running mean that truncation moves towards.
    """

    mean: Tensor

    def __init__(
        self, latent_size: int, hidden: int, layers: int, outputs: int, *, classes: int = 0, decay: float = 0.998
    ) -> None:
        super().__init__()
        self.condition = Condition(classes, False)
        self.embed = nn.Linear(classes, latent_size, bias=False) if classes else None
        sizes = [latent_size * (2 if classes else 1)] + [hidden] * layers
        parts: list[nn.Module] = []
        for a, b in pairwise(sizes):
            parts += [nn.Linear(a, b), nn.LeakyReLU(LEAK)]
        self.layers = nn.Sequential(*parts, nn.Linear(hidden, outputs))
        self.decay = decay
        self.register_buffer("mean", torch.zeros(outputs))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, a=LEAK, mode="fan_in", nonlinearity="leaky_relu")
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight *= 0.25
            if self.embed is not None:
                self.embed.weight.normal_()  # one-hot in, so that an embedding is as long as z

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """z [N, latent_size] to latents [N, outputs], float32; in training mode the running mean follows."""
        with full_precision(z):
            x = z.float()
            if self.embed is not None:
                x = torch.cat([x, self.embed(self.condition(label, None))], 1)
            latents: Tensor = self.layers(x)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(latents.mean(0), 1 - self.decay)
        return latents


class PiGANGenerator(GanGenerator):
    """pi-GAN's generator; it draws pictures of any size.

    Args:
        latent_size: length of z.
        hidden: width of the mapping network.
        mapping_layers: its layers before the last.
        width: of the FiLM-SIREN.
        layers: FiLM layers before the density; one more follows for the colour.
        near: distance along the ray at which samples begin.
        far: distance at which they end.
        coarse: stratified samples a ray.
        fine: importance samples a ray.
        box: side of the cube that points are scaled to [-1, 1] from.
        bound: radius of the sphere about the origin outside which nothing is; None = no such sphere.
        activation: what makes densities of raw ones.
        gain: multiplies the raw density.
        shift: then added to it.
        placement: what a sample stands for, see `Marching`.
        last_delta: length the last sample stands for, see `Marching`.
        smooth: whether importance samples follow widened weights, see `Marching`.
        view_dependent: whether colours know the direction of view.
        lock_view_dependence: tell them one direction throughout: the same object from everywhere, with weights that
            were trained without (GRAM's and pi-GAN's setting for videos).
        classes: number of classes; 0 = unconditional.
        background: "learned" (`SkyBackground`), "backdrop" (`Backdrop`), "white", "black", or "last": in evaluation
            mode the last sample of a ray takes all light that is left.
        decay: of the running mean of the latents.

    Raises:
        UnknownName: there is no such activation, placement or background.
    """

    def __init__(
        self,
        *,
        near: float,
        far: float,
        coarse: int,
        fine: int,
        box: float,
        bound: float | None = None,
        latent_size: int = 256,
        hidden: int = 256,
        mapping_layers: int = 3,
        width: int = 256,
        layers: int = 8,
        activation: Activation = "relu",
        gain: float = 1.0,
        shift: float = 0.0,
        placement: Placement = "sample",
        last_delta: float | None = 1e10,
        smooth: bool = False,
        view_dependent: bool = True,
        lock_view_dependence: bool = False,
        classes: int = 0,
        background: Background = "last",
        decay: float = 0.998,
    ) -> None:
        check_choice("activation of pi-GAN", activation, get_args(Activation))
        check_choice("placement of samples", placement, get_args(Placement))
        check_choice("background of pi-GAN", background, get_args(Background))
        super().__init__()
        self.settings: dict[str, Any] = {
            "near": near,
            "far": far,
            "coarse": coarse,
            "fine": fine,
            "box": box,
            "bound": bound,
            "latent_size": latent_size,
            "hidden": hidden,
            "mapping_layers": mapping_layers,
            "width": width,
            "layers": layers,
            "activation": activation,
            "gain": gain,
            "shift": shift,
            "placement": placement,
            "last_delta": last_delta,
            "smooth": smooth,
            "view_dependent": view_dependent,
            "lock_view_dependence": lock_view_dependence,
            "classes": classes,
            "background": background,
            "decay": decay,
        }
        self.latent_size, self.classes, self.background = latent_size, classes, background
        self.locked = lock_view_dependence
        self.siren = FilmSiren(width, layers, box, view_dependent=view_dependent, gain=gain)
        self.sky = behind(background, SKY, 3)
        outputs = 2 * self.siren.films * width + (SKY if self.sky is not None else 0)
        self.mapping = FilmMapping(latent_size, hidden, mapping_layers, outputs, classes=classes, decay=decay)
        self.marching = Marching(
            near=near,
            far=far,
            coarse=coarse,
            fine=fine,
            bound=bound,
            activation=activation,
            shift=shift,
            placement=placement,
            last_delta=last_delta,
            smooth=smooth,
        )

    def map(self, z: Tensor, label: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
        """Latents [N, L] of z [N, latent_size] and classes [N]: gammas, betas and the background's latents."""
        latents: Tensor = self.mapping(z, label)
        return latents

    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        """Latents [N, L] moved towards their running mean."""
        return latents if psi == 1.0 else self.mapping.mean.lerp(latents, psi)

    def scene(self, latents: Tensor) -> SceneState:
        """Frequencies gamma' and phases beta of each FiLM layer [N, films, width], and the background's latents."""
        films = self.siren.films
        film, sky = latents[:, : 2 * films * self.siren.density.in_features], latents[:, -SKY:]
        gamma, beta = film.unflatten(1, (2, films, -1)).unbind(1)
        state = {"frequencies": frequencies_of(gamma), "phases": beta}
        if self.sky is not None:
            state["sky"] = sky
        return state

    def draw(
        self,
        scene: SceneState,
        views: Views,
        size: int,
        *,
        patch: Patch | None = None,
        generator: torch.Generator | None = None,
        density_noise: float = 0.0,
    ) -> Drawn:
        """Pictures [N, 3, size, size] with depth and alpha of the same size."""
        rays = rays_of(views, size, size, patch)
        marching = self.marching
        if self.background == "last" and not self.training:
            marching = replace(marching, last_back=True)
        rendered = render(
            self._field(scene),
            rays,
            marching,
            generator=generator,
            density_noise=density_noise,
            background=self._behind(scene, rays.directions),
            shared=len(scene["phases"]) == 1,
            occupancy=occupancy_in(scene, marching),
        )
        rgb = (rendered.values * 2 - 1).transpose(1, 2).unflatten(2, (size, size))
        depth, alpha = rendered.depth.unflatten(1, (size, size)), rendered.alpha.unflatten(1, (size, size))
        return Drawn(rgb=rgb, depth=depth, alpha=alpha, raw=None, points=rendered.points)

    def density(self, scene: SceneState, points: Tensor) -> Tensor:
        """Densities [N, P] at world points [N, P, 3]; zero outside the bounding sphere."""
        with full_precision(points):
            folded = self.siren.fold(scene["frequencies"], scene["phases"])
            found = self.marching.density(self.siren.raw_density(self.siren.hidden(folded, points)))
        if self.marching.bound is None:
            return found
        return torch.where(points.norm(dim=-1) <= self.marching.bound, found, 0.0)

    def sharpen(self, factor: float) -> None:
        """From now on raw densities are `factor` times those of `settings`."""
        self.siren.gain = self.settings["gain"] * factor

    def _field(self, scene: SceneState) -> Field:
        with full_precision(scene["phases"]):
            folded = self.siren.fold(scene["frequencies"], scene["phases"])

        def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
            if self.locked:
                units = units.new_tensor(FORWARD).expand_as(units)
            found: tuple[Tensor, Tensor] = self.siren(folded, points, units)
            return found

        return field

    def _behind(self, scene: SceneState, directions: Tensor) -> Tensor | None:
        """The colours of rays [N, R, 3] that meet nothing."""
        if self.sky is not None:
            colours: Tensor = self.sky(scene["sky"], directions).sigmoid()
            return colours
        return directions.new_ones(1) if self.background == "white" else None
