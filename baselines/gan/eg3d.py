"""EG3D: tri-planes painted by a StyleGAN2 backbone, volume-rendered at low resolution, then super-resolved
(Chan et al., "Efficient geometry-aware 3D generative adversarial networks", CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from .arguments import arguments, check_choice
from .backbone import Backbone
from .background import behind
from .base import Drawn, Patch, SceneState, Views
from .decoder import PlaneDecoder, widened_sigmoid
from .mapping import MappingNetwork
from .occupancy import occupancy_in
from .rendering import Marching, rays_of, render
from .superresolution import SuperResolution
from .triplane import PLANE_AXES, Planes
from .triplane_generator import TriplaneGenerator

__all__ = ["EG3DGenerator"]

Background = Literal["black", "white", "learned", "backdrop"]

DENSITY_SHIFT = -1.0  # density = softplus(raw - 1), so that a new network starts nearly transparent


class EG3DGenerator(TriplaneGenerator):
    """EG3D's generator.

    Args:
        size: of the pictures.
        neural: resolution of the volume rendering.
        widths: channels of the backbone at 4, 8, ... up to the tri-planes' resolution.
        channels: of each tri-plane.
        features: channels that are volume-rendered; the first three are the raw picture.
        hidden: width of the decoder.
        start: resolution the features are brought to before super-resolution.
        upper: channels of the super-resolution's blocks.
        near: distance along the ray at which samples begin.
        far: distance at which they end.
        coarse: stratified samples a ray.
        fine: importance samples a ray.
        box: side of the cube the tri-planes span.
        bound: radius of the sphere about the origin outside which nothing is; None = no such sphere.
        latent_size: length of z.
        latent: length of w.
        layers: of the mapping network.
        classes: number of classes; 0 = unconditional.
        pose: whether a pose conditions the mapping (generator pose conditioning, section 4.4).
        pose_scale: multiplies the conditioning pose.
        planes: "full", or "official" for published weights that an adapter of yours brings over.
        background: "black" (nothing behind the object), "white", "learned" (`SkyBackground`) or "backdrop"
            (`Backdrop`).
        noise: whether the backbone has constant spatial noise.
        late: upsample after convolutions rather than before them (four times as cheap).

    Raises:
        UnknownName: there are no such planes, or no such background.
    """

    def __init__(
        self,
        *,
        size: int,
        neural: int,
        widths: Sequence[int],
        upper: Sequence[int],
        start: int,
        near: float,
        far: float,
        channels: int = 32,
        features: int = 32,
        hidden: int = 64,
        coarse: int = 48,
        fine: int = 48,
        box: float = 1.0,
        bound: float | None = None,
        latent_size: int = 512,
        latent: int = 512,
        layers: int = 2,
        classes: int = 0,
        pose: bool = True,
        pose_scale: float = 1.0,
        planes: Planes = "full",
        background: Background = "black",
        noise: bool = False,
        late: bool = False,
    ) -> None:
        settings = arguments(locals())
        check_choice("kind of tri-planes", planes, PLANE_AXES)
        check_choice("background of EG3D", background, get_args(Background))
        super().__init__()
        self.settings = settings
        self.size, self.neural, self.box = size, neural, box
        self.latent_size, self.classes, self.takes_pose = latent_size, classes, pose
        self.planes, self.background = planes, background
        self.mapping = MappingNetwork(
            latent_size, latent, layers=layers, classes=classes, pose=pose, pose_scale=pose_scale
        )
        self.backbone = Backbone(latent, widths, 3 * channels, noise=noise, late=late)
        self.decoder = PlaneDecoder(channels, hidden, features)
        self.sky = behind(background, latent, features)
        self.upper = SuperResolution(latent, features, start=start, widths=upper, size=size, late=late)
        self.marching = Marching(
            near=near,
            far=far,
            coarse=coarse,
            fine=fine,
            bound=bound,
            activation="softplus",
            shift=DENSITY_SHIFT,
            placement="midpoint",
            smooth=True,
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
        """Pictures [N, 3, size, size]; depth, alpha and raw are at the resolution of the volume rendering.

        Raises:
            ValueError: `size` is not the generator's, which its super-resolution fixes, or a patch was asked for.
        """
        if size != self.size or patch is not None:
            raise ValueError(f"This EG3D draws whole pictures of {self.size}x{self.size}; resize or cut them.")
        rays = rays_of(views, self.neural, self.neural)
        latents = scene["latents"].expand(len(views), -1)
        rendered = render(
            lambda points, _: self.field(scene["planes"], points),
            rays,
            self.marching,
            generator=generator,
            density_noise=density_noise,
            background=self._behind(latents, rays.directions),
            shared=len(latents) != len(scene["latents"]),
            occupancy=occupancy_in(scene, self.marching),
        )
        side = (self.neural, self.neural)
        features = (rendered.values * 2 - 1).transpose(1, 2).unflatten(2, side)
        rgb = self.upper(features, latents)
        return Drawn(
            rgb=rgb,
            depth=rendered.depth.unflatten(1, side),
            alpha=rendered.alpha.unflatten(1, side),
            raw=features[:, :3].float(),
            points=rendered.points,
        )

    def _behind(self, latents: Tensor, directions: Tensor) -> Tensor | None:
        """The features of rays [N, R, 3] that meet nothing."""
        if self.sky is not None:
            return widened_sigmoid(self.sky(latents, directions))
        return directions.new_ones(1) if self.background == "white" else None
