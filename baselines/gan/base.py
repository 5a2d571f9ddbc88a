"""What every GAN here is made of: cameras in batches, what a generator draws, the two networks.

A generator works in three steps, so that a sweep moves the camera and nothing else:

    latents = generator.map(z, label, pose)     the mapping network; `pose` conditions, it does not look
    scene = generator.scene(latents)            the 3D scene, e.g. tri-planes: once for all views
    drawn = generator.draw(scene, views, size)  pictures and z-depth from any cameras

The renderer and the networks are float32 on any device; `scenes.Cameras` stay float64 on the CPU and come in by
`Views.of`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError

__all__ = ["Drawn", "GanDiscriminator", "GanGenerator", "Patch", "SceneState", "Verdict", "Views"]

SceneState = dict[str, Tensor]
"""A scene's tensors, each with the batch first; what they mean is the generator's business."""


@dataclass(frozen=True, eq=False)
class Views:
    """One camera for each picture of a batch, as float32 tensors on a device.

    Args:
        cam_to_world: OpenCV axes, [N, 4, 4].
        intrinsics: normalised by the image size, [N, 3, 3].
    """

    cam_to_world: Tensor
    intrinsics: Tensor

    @classmethod
    def of(cls, cameras: Cameras, device: str | torch.device = "cpu") -> Views:
        """The views of `cameras`, on `device`."""
        return cls(cameras.cam_to_world.float().to(device), cameras.intrinsics.float().to(device))

    def __len__(self) -> int:
        return len(self.cam_to_world)

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> Views:
        return Views(self.cam_to_world[index], self.intrinsics[index])

    @property
    def labels(self) -> Tensor:
        """EG3D's description of a camera, [N, 25]: the pose row by row, then the intrinsics."""
        return torch.cat([self.cam_to_world.flatten(1), self.intrinsics.flatten(1)], 1)

    @property
    def directions(self) -> Tensor:
        """Where each camera stands, seen from the origin: unit vectors [N, 3], which do not wrap around like angles."""
        return nn.functional.normalize(self.cam_to_world[:, :3, 3], dim=1)


@dataclass(frozen=True, eq=False)
class Patch:
    """Which square of the picture each item shows (EpiGRAF).

    Args:
        scale: side of the square as a share of the picture's, (0, 1], [N].
        offset: left and upper edge as shares of the picture, in [0, 1 - scale], (x, y), [N, 2].
    """

    scale: Tensor
    offset: Tensor

    @property
    def code(self) -> Tensor:
        """Scale, x and y as a discriminator is told them, [N, 3]."""
        return torch.cat([self.scale[:, None], self.offset], 1)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a generator draws.

    Args:
        rgb: pictures in [-1, 1] (not clamped), [N, 3, H, W].
        depth: z-depth, [N, h, w], NaN where nothing is (alpha below a half); h may be lower than H.
        alpha: share of the light that comes from the object rather than the background, [N, h, w].
        raw: the volume rendering before super-resolution, [N, 3, h, w]; None where there is none.
        points: places at which the field was evaluated, over the whole batch.
    """

    rgb: Tensor
    depth: Tensor
    alpha: Tensor
    raw: Tensor | None
    points: int


@dataclass(frozen=True, eq=False)
class Verdict:
    """A discriminator's opinion.

    Args:
        logits: higher = more real, [N].
        direction: where it believes the camera stands, [N, 3] (pi-GAN); None where it does not say.
    """

    logits: Tensor
    direction: Tensor | None = None


class GanGenerator(nn.Module, ABC):
    """A 3D-aware generator.

    Attributes:
        settings: constructor arguments, JSON-able: `type(self)(**settings)` is the same architecture.
        latent_size: length of z.
        classes: number of classes; 0 = unconditional.
        takes_pose: whether `map` wants a conditioning pose.
    """

    settings: dict[str, Any]
    latent_size: int
    classes: int
    takes_pose: bool = False

    @abstractmethod
    def map(self, z: Tensor, label: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
        """Latents of the synthesis, batch first; in training mode their running mean is updated.

        Args:
            z: normal numbers, [N, latent_size].
            label: class indices, int64 [N]; None for unconditional generators.
            pose: EG3D's labels of the conditioning cameras, [N, 25]; None where `takes_pose` is false.
        """

    @abstractmethod
    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        """Latents moved towards their running mean: psi 1 leaves them, 0 gives the mean."""

    @abstractmethod
    def scene(self, latents: Tensor) -> SceneState:
        """The 3D scenes of latents, one an item."""

    @abstractmethod
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
        """Pictures of scenes.

        Args:
            scene: N scenes for N views, or one scene for all views.
            views: cameras, [N].
            size: picture height and width; with `patch` the height and width the patch is drawn at.
            patch: the part of the picture each item shows; None = all of it.
            generator: on the CPU; jitters where samples fall along the rays. None: fixed places, so that the same
                request gives the same picture.
            density_noise: standard deviation of noise added to raw densities.
        """

    @abstractmethod
    def density(self, scene: SceneState, points: Tensor) -> Tensor:
        """Densities (per unit length, not negative) [N, P] at world points [N, P, 3]."""

    def sharpen(self, factor: float) -> None:
        """From now on raw densities are `factor` times those of `settings`: more opaque surfaces of the same shape.

        Raises:
            UserError: this architecture has no gain that could be raised.
        """
        raise UserError(
            f"{type(self).__name__} has no gain of raw densities, so its surfaces cannot be sharpened.",
            hint="Leave `sharpness` out of its recipe.",
        )


class GanDiscriminator(nn.Module, ABC):
    """Tells real pictures from drawn ones.

    Attributes:
        settings: constructor arguments, JSON-able.
        classes: number of classes; 0 = unconditional.
        takes_pose: whether it judges how picture and camera fit.
    """

    settings: dict[str, Any]
    classes: int
    takes_pose: bool = False

    @abstractmethod
    def forward(
        self,
        pictures: Tensor,
        label: Tensor | None = None,
        pose: Tensor | None = None,
        *,
        patch: Patch | None = None,
        fade: float = 1.0,
    ) -> Verdict:
        """Judge pictures.

        Args:
            pictures: in [-1, 1], [N, C, H, W].
            label: class indices [N].
            pose: EG3D's labels of the cameras the pictures are seen from, [N, 25].
            patch: the part of the picture each item shows.
            fade: share of the newest resolution while it fades in (pi-GAN), (0, 1].
        """
