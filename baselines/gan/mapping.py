"""The mapping network: from normal numbers, a class and a conditioning pose to the latents that style a scene."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .equalised import EqualLinear, full_precision, normalise_moment

__all__ = ["POSE_LENGTH", "Condition", "Embeddings", "MappingNetwork"]

POSE_LENGTH = 25  # EG3D's label of a camera: 4x4 pose and 3x3 intrinsics


class Condition(nn.Module):
    """Class and pose as the vectors that networks are told.

    Args:
        classes: number of classes; 0 = none.
        pose: whether there is a pose.
        pose_scale: multiplies the pose label (EG3D's c_scale).
    """

    def __init__(self, classes: int, pose: bool, pose_scale: float = 1.0) -> None:
        super().__init__()
        self.classes, self.pose, self.pose_scale = classes, pose, pose_scale
        self.lengths = [classes] * bool(classes) + [POSE_LENGTH] * pose
        self.length = sum(self.lengths)

    def forward(self, label: Tensor | None, pose: Tensor | None) -> Tensor:
        """Class indices [N] and pose labels [N, 25] in one vector, [N, length]; see `parts`."""
        return torch.cat(self.parts(label, pose), 1)

    def parts(self, label: Tensor | None, pose: Tensor | None) -> list[Tensor]:
        """Class indices [N] and pose labels [N, 25] to vectors [N, length], one for each of `lengths`.

        Raises:
            ValueError: what the network is conditioned on was not given.
        """
        parts = []
        if self.classes:
            if label is None:
                raise ValueError(f"This network is conditioned on {self.classes} classes; a label is missing.")
            parts.append(F.one_hot(label, self.classes).float())
        if self.pose:
            if pose is None:
                raise ValueError("This network is conditioned on a pose; it is missing.")
            parts.append(pose.float() * self.pose_scale)
        return parts


class Embeddings(nn.Module):
    """Vectors of several kinds, each embedded and brought to a mean square of one, so that none drowns another.

    Args:
        lengths: of the vectors.
        width: of each embedding.
    """

    def __init__(self, lengths: Sequence[int], width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EqualLinear(length, width) for length in lengths)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """[N, length] each to [N, width * number of parts]."""
        embedded = (layer(part) for layer, part in zip(self.layers, parts, strict=True))
        return torch.cat([normalise_moment(x) for x in embedded], 1)


class MappingNetwork(nn.Module):
    """z, class and pose to latents w (Karras et al. 2019; conditioning as EG3D: Chan et al. 2022, section 4.4).

    Args:
        latent_size: length of z.
        width: length of w and of the layers.
        layers: fully connected layers.
        classes: number of classes; 0 = unconditional.
        pose: whether a pose conditions.
        pose_scale: multiplies the pose label.
        rate: learning rate of the layers relative to the rest of the generator.
        decay: of the running mean of w that truncation moves towards.
    """

    mean: Tensor

    def __init__(
        self,
        latent_size: int,
        width: int,
        *,
        layers: int = 2,
        classes: int = 0,
        pose: bool = False,
        pose_scale: float = 1.0,
        rate: float = 0.01,
        decay: float = 0.998,
    ) -> None:
        super().__init__()
        self.condition = Condition(classes, pose, pose_scale)
        self.embed = Embeddings(self.condition.lengths, width) if self.condition.lengths else None
        sizes = [latent_size + width * len(self.condition.lengths)] + [width] * layers
        self.layers = nn.Sequential(
            *(EqualLinear(a, b, rate=rate, activation="leaky_relu") for a, b in pairwise(sizes))
        )
        self.decay = decay
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, z: Tensor, label: Tensor | None, pose: Tensor | None) -> Tensor:
        """z [N, latent_size] to w [N, width], float32; in training mode the running mean follows."""
        with full_precision(z):
            x = normalise_moment(z.float())
            if self.embed is not None:
                x = torch.cat([x, self.embed(self.condition.parts(label, pose))], 1)
            latents: Tensor = self.layers(x)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(latents.mean(0), 1 - self.decay)
        return latents

    def truncate(self, latents: Tensor, psi: float) -> Tensor:
        """Latents [N, width] moved towards the running mean (psi 1: not at all; 0: onto it)."""
        return latents if psi == 1.0 else self.mean.to(latents.dtype).lerp(latents, psi)
