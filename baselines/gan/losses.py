"""What the two networks minimise.

    adversarial     non-saturating logistic loss (Goodfellow et al. 2014, sec. 3; StyleGAN's form with softplus)
    R1              gamma / 2 |gradient of D at real pictures|^2 (Mescheder et al. 2018, eq. 9)
    direction       squared error of the camera a discriminator recognises (pi-GAN, sec. 3.4: "pose loss")
    smooth density  |density(x) - density(x + n)| (EG3D, supplement: "density regularization")

All take and return float32, whatever the precision of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import GanGenerator, SceneState

__all__ = [
    "density_variation",
    "direction_error",
    "discriminator_loss",
    "generator_loss",
    "hardest_to_tell",
    "r1_penalty",
]


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(fake) + softplus(-real), the mean over the batch; logits [N]."""
    return nn.functional.softplus(fake.float()).mean() + nn.functional.softplus(-real.float()).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """softplus(-fake), the mean over the batch; logits [N]. Its gradient does not vanish where D is sure."""
    return nn.functional.softplus(-fake.float()).mean()


def hardest_to_tell(fake: Tensor, share: float) -> Tensor:
    """Indices of the `share` of pictures with the highest logits, at least one.

    Only these teach the generator (Sinha et al. 2020, "Top-k training of GANs"), as in pi-GAN.
    """
    count = max(1, round(share * len(fake)))
    return fake.detach().float().topk(count).indices


def r1_penalty(real: Tensor, inputs: Sequence[Tensor], gamma: float) -> Tensor:
    """gamma / 2 times the squared length of the gradient of D, the mean over the batch.

    Args:
        real: logits of real pictures, [N], a function of `inputs`, each item of its own pictures only.
        inputs: what is differentiated for; with dual discrimination both pictures, [N, ...] each.
        gamma: weight.
    """
    found = torch.autograd.grad(real.float().sum(), list(inputs), create_graph=True)
    squares = sum(
        (gradient.float().square().flatten(1).sum(1) for gradient in found), real.new_zeros(len(real)).float()
    )
    return squares.mean() * (gamma / 2)


def direction_error(said: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of unit vectors [N, 3], which unlike angles do not wrap around."""
    return nn.functional.mse_loss(said.float(), true.float())


def density_variation(
    generator: GanGenerator, scene: SceneState, *, reach: float, step: float, points: int, random: torch.Generator
) -> Tensor:
    """Mean change of density over a small random step: what makes floating specks expensive.

    EG3D compares the network's raw output; here it is the density itself, so that places where it is
    nearly zero anyway weigh nothing.

    Args:
        scene: of N scenes.
        reach: points are drawn uniformly from the cube [-reach, reach]^3, world units.
        step: standard deviation of the step, world units.
        points: pairs a scene.
        random: on the CPU.
    """
    first = next(iter(scene.values()))
    count = len(first)
    places = (torch.rand(count, points, 3, generator=random) * 2 - 1) * reach
    moved = places + torch.randn(places.shape, generator=random) * step
    both = generator.density(scene, torch.cat([places, moved], 1).to(first.device))
    return (both[:, :points] - both[:, points:]).abs().float().mean()
