"""EpiGRAF: tri-planes rendered at full resolution, without super-resolution, and therefore learned from patches
(Skorokhodov et al., "EpiGRAF: Rethinking training of 3D GANs", NeurIPS 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from .arguments import arguments, check_choice
from .backbone import Backbone
from .background import behind
from .base import Drawn, Patch, SceneState, Views
from .decoder import PlaneDecoder
from .equalised import Activation
from .mapping import MappingNetwork
from .occupancy import occupancy_in
from .rendering import Marching, rays_of, render
from .triplane_generator import TriplaneGenerator

__all__ = ["EpiGRAFGenerator"]

Background = Literal["last", "white", "learned", "backdrop"]

LAST_DELTA = 1e10  # the last sample is opaque: it is the background


class EpiGRAFGenerator(TriplaneGenerator):
    """EpiGRAF's generator.

    Args:
        size: of the pictures it is trained for; it draws any.
        widths: channels of the backbone at 4, 8, ... up to the tri-planes' resolution.
        near: distance along the ray at which samples begin.
        far: distance at which they end.
        box: side of the cube the tri-planes span.
        channels: of each tri-plane.
        hidden: width of the decoder.
        coarse: stratified samples a ray.
        fine: importance samples a ray.
        shift: added to raw densities before softplus.
        gain: multiplies raw densities before that.
        squash: bring colours into [-1, 1]; without, nothing keeps them there.
        activation: of the decoder's hidden layer.
        bound: radius of the sphere about the origin outside which nothing is; None = no such sphere.
        latent_size: length of z.
        latent: length of w.
        layers: of the mapping network.
        classes: number of classes; 0 = unconditional.
        pose: whether a pose conditions the mapping.
        pose_scale: multiplies the conditioning pose.
        background: "last" (the last sample of a ray takes all light that is left, as in the paper), "white",
            "learned" (`SkyBackground`) or "backdrop" (`Backdrop`).
        noise: whether the backbone has spatial noise: constant, so that a scene is the same from everywhere.
        late: upsample after convolutions rather than before them (four times as cheap).

    Raises:
        UnknownName: there is no such activation, or no such background.
    """

    align_corners = True

    def __init__(
        self,
        *,
        size: int,
        widths: Sequence[int],
        near: float,
        far: float,
        box: float,
        channels: int = 32,
        hidden: int = 64,
        coarse: int = 48,
        fine: int = 48,
        shift: float = 0.0,
        gain: float = 1.0,
        squash: bool = False,
        activation: Activation = "leaky_relu",
        bound: float | None = None,
        latent_size: int = 512,
        latent: int = 512,
        layers: int = 2,
        classes: int = 0,
        pose: bool = False,
        pose_scale: float = 1.0,
        background: Background = "last",
        noise: bool = True,
        late: bool = False,
    ) -> None:
        settings = arguments(locals())
        check_choice("activation of EpiGRAF", activation, get_args(Activation))
        check_choice("background of EpiGRAF", background, get_args(Background))
        super().__init__()
        self.settings = settings
        self.size, self.box, self.gain, self.squash = size, box, gain, squash
        self.latent_size, self.classes, self.takes_pose = latent_size, classes, pose
        self.background = background
        self.mapping = MappingNetwork(
            latent_size, latent, layers=layers, classes=classes, pose=pose, pose_scale=pose_scale
        )
        self.backbone = Backbone(latent, widths, 3 * channels, noise=noise, late=late)
        self.decoder = PlaneDecoder(channels, hidden, 3, activation=activation, output="linear")
        self.sky = behind(background, latent, 3)
        self.marching = Marching(
            near=near,
            far=far,
            coarse=coarse,
            fine=fine,
            bound=bound,
            activation="softplus",
            shift=shift,
            placement="sample" if background == "last" else "cell",
            last_delta=LAST_DELTA if background == "last" else None,
        )

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
        """Pictures [N, 3, size, size] of whole views or patches; depth and alpha have their resolution."""
        rays = rays_of(views, size, size, patch)
        planes, latents = scene["planes"], scene["latents"]
        rendered = render(
            lambda points, _: self.field(planes, points),
            rays,
            self.marching,
            generator=generator,
            density_noise=density_noise,
            background=self._behind(latents, rays.directions),
            shared=len(planes) != len(views),
            occupancy=occupancy_in(scene, self.marching),
        )
        return Drawn(
            rgb=rendered.values.transpose(1, 2).unflatten(2, (size, size)),
            depth=rendered.depth.unflatten(1, (size, size)),
            alpha=rendered.alpha.unflatten(1, (size, size)),
            raw=None,
            points=rendered.points,
        )

    def sharpen(self, factor: float) -> None:
        """From now on raw densities are `factor` times those of `settings`."""
        self.gain = self.settings["gain"] * factor

    def _behind(self, latents: Tensor, directions: Tensor) -> Tensor | None:
        """The colours of rays [N, R, 3] that meet nothing."""
        if self.sky is not None:
            colours: Tensor = self.sky(latents, directions).tanh()  # pictures are in [-1, 1]
            return colours
        return directions.new_ones(1) if self.background == "white" else None
