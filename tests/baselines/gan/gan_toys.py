"""A GAN so small that what the training loop does with it takes milliseconds."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from viewsweep.baselines.gan.base import (
    Drawn,
    GanDiscriminator,
    GanGenerator,
    Patch,
    SceneState,
    Verdict,
    Views,
)
from viewsweep.baselines.gan.recipe import Recipe
from viewsweep.baselines.gan.schedules import Fade
from viewsweep.scenes.cameras import Cameras

__all__ = ["ALIKE", "RECIPE", "ToyDiscriminator", "ToyGenerator", "ToyPictures"]


class ToyGenerator(GanGenerator):
    """Each scene is one colour, which a linear layer makes of z; with noise of its own, as StyleGAN's layers have."""

    takes_pose = True

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.settings = {"classes": classes}
        self.latent_size, self.classes = 4, classes
        self.colour = torch.nn.Linear(4 + classes, 3)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(4 + classes))

    def map(self, z: Tensor, label: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
        assert label is not None
        assert pose is not None
        latents = torch.cat([z, torch.nn.functional.one_hot(label, self.classes).float()], 1)
        if self.training:
            self.mean.lerp_(latents.mean(0), 0.01)
        return latents

    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        return self.mean.lerp(latents, psi)

    def scene(self, latents: Tensor) -> SceneState:
        colour = self.colour(latents)
        return {"colour": colour + 0.01 * torch.randn_like(colour) if self.training else colour}

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
        rgb = scene["colour"].expand(len(views), 3)[:, :, None, None].expand(-1, -1, size, size)
        if generator is not None:
            rgb = rgb + 0.01 * torch.rand(rgb.shape, generator=generator)
        depth = torch.full((len(views), size, size), 1.6)
        return Drawn(rgb, depth, torch.ones_like(depth), rgb[:, :, ::2, ::2], len(views) * size * size)

    def density(self, scene: SceneState, points: Tensor) -> Tensor:
        return points.square().sum(-1) * scene["colour"].square().sum(1)[:, None]


class ToyDiscriminator(GanDiscriminator):
    """A few layers on pictures, class and pose."""

    takes_pose = True

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.settings = {"classes": classes}
        self.classes = classes
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(6 + classes + 25, 16), torch.nn.LeakyReLU(0.2), torch.nn.Linear(16, 1)
        )

    def forward(
        self,
        pictures: Tensor,
        label: Tensor | None = None,
        pose: Tensor | None = None,
        *,
        patch: Patch | None = None,
        fade: float = 1.0,
    ) -> Verdict:
        assert label is not None
        assert pose is not None
        kinds = torch.nn.functional.one_hot(label, self.classes).float()
        return Verdict(self.layers(torch.cat([pictures.mean((2, 3)), kinds, pose], 1))[:, 0])


class ToyPictures:
    """Class 0 is reddish, class 1 bluish."""

    classes = ("red", "blue")
    description = identity = "toy"

    def __init__(self, count: int = 64, size: int = 8) -> None:
        random = torch.Generator().manual_seed(0)
        self.kind = torch.arange(count) % 2
        colour = torch.tensor([[0.8, -0.5, -0.5], [-0.5, -0.5, 0.8]])[self.kind]
        colour = colour + 0.15 * torch.randn(count, 3, generator=random)
        self.rgb = colour[:, :, None, None].expand(-1, -1, size, size).contiguous()
        self.views = Views.of(Cameras.orbit(torch.linspace(-3, 3, count), torch.full((count,), 0.2)))

    def __len__(self) -> int:
        return len(self.rgb)

    def batch(self, index: Tensor) -> Tensor:
        return self.rgb[index]

    def labels(self, index: Tensor) -> Tensor:
        return self.kind[index]


RECIPE = Recipe(
    size=8,
    steps=12,
    batch=8,
    generator_rate=0.01,
    discriminator_rate=0.01,
    r1_every=3,
    density_weight=0.25,
    density_every=2,
    density_points=8,
    swap=Fade(1.0, 0.5, 10),
    augment={"brightness": 0.1, "translation": 0.125},
    quality_every=4,
    quality_pictures=10,
    patience=100,
)

ALIKE = replace(RECIPE, steps=3, density_every=1, r1_every=2)
"""A few steps in which every pass of a step occurs."""
