"""What EG3D and EpiGRAF have in common: mapping network, backbone, tri-planes, decoder."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .backbone import Backbone
from .base import GanGenerator, SceneState
from .decoder import PlaneDecoder
from .mapping import MappingNetwork
from .rendering import Marching
from .triplane import Planes, sample_planes

__all__ = ["TriplaneGenerator"]


class TriplaneGenerator(GanGenerator):
    """A generator whose scenes are tri-planes; how they are drawn is the subclass's business.

    A scene holds `planes` [N, 3, C, R, R], float32, and `latents` [N, latent], which style what is not in the planes.

    Attributes:
        mapping: z, class and pose to latents.
        backbone: latents to the three planes, one after the other.
        decoder: what the planes hold at a point to raw density and values.
        marching: where along rays the field is looked at.
        box: side of the cube that the planes span.
        planes: which planes there are.
        gain: multiplies raw densities; a larger one makes opaque surfaces with smaller weights.
        squash: whether values are brought into [-1, 1].
    """

    mapping: MappingNetwork
    backbone: Backbone
    decoder: PlaneDecoder
    marching: Marching
    box: float
    planes: Planes = "full"
    gain: float = 1.0
    squash: bool = False
    align_corners: ClassVar[bool] = False

    def map(self, z: Tensor, label: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
        """Latents [N, latent] of z [N, latent_size], classes [N] and, where wanted, conditioning poses [N, 25]."""
        latents: Tensor = self.mapping(z, label, pose)
        return latents

    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        """Latents [N, latent] moved towards their running mean: psi 1 leaves them, 0 gives the mean."""
        return self.mapping.truncate(latents, psi)

    def scene(self, latents: Tensor) -> SceneState:
        """The tri-planes of latents [N, latent], and the latents."""
        painted: Tensor = self.backbone(latents).float()
        return {"planes": painted.unflatten(1, (3, -1)), "latents": latents}

    def density(self, scene: SceneState, points: Tensor) -> Tensor:
        """Densities [N, P] at world points [N, P, 3], per unit length; zero outside the bounding sphere."""
        raw, _ = self.field(scene["planes"], points)
        found = self.marching.density(raw)
        if self.marching.bound is None:
            return found
        return torch.where(points.norm(dim=-1) <= self.marching.bound, found, torch.zeros_like(found))

    def field(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw densities [N, ...] and values [N, ..., C] at world points [N, ..., 3]."""
        features = sample_planes(planes, points, box=self.box, axes=self.planes, align_corners=self.align_corners)
        raw, values = self.decoder(features)
        return raw * self.gain if self.gain != 1 else raw, values.tanh() if self.squash else values
