"""Feature networks: what turns pictures into the vectors and class probabilities of the set metrics.

Any object with the four members of `FeatureNetwork` will do. Its name goes into the metric's id
(`fid[tabletop]`), for numbers from different networks cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

__all__ = ["FeatureNetwork", "Features", "extract", "sharpness"]


@dataclass(frozen=True, eq=False)
class Features:
    """What is known about N pictures: what a network says, and what can be measured without one.

    Args:
        embedding: float32, [N, D].
        log_probabilities: natural logarithm of the class probabilities, float32, [N, C].
        sharpness: mean squared Laplacian of the grey picture (see `sharpness`), float32, [N]; NaN
            = not measured.
        azimuth_deg: where the camera stood, degrees in [-180, 180), float32, [N]; NaN = unknown.
        pitch_deg: how high it stood, degrees, float32, [N]; NaN = unknown.

    Raises:
        ValueError: shapes that do not fit together, or an embedding that is not finite.
    """

    embedding: Tensor
    log_probabilities: Tensor
    sharpness: Tensor = field(default_factory=lambda: torch.full((1,), math.nan))
    azimuth_deg: Tensor = field(default_factory=lambda: torch.full((1,), math.nan))
    pitch_deg: Tensor = field(default_factory=lambda: torch.full((1,), math.nan))

    def __post_init__(self) -> None:
        shapes = f"embedding {list(self.embedding.shape)}, log_probabilities {list(self.log_probabilities.shape)}"
        if self.embedding.ndim != 2 or self.log_probabilities.ndim != 2:
            raise ValueError(f"Features are two matrices, [N, D] and [N, C]; got {shapes}.")
        if len(self.embedding) != len(self.log_probabilities):
            raise ValueError(f"Features must have one row a picture in both matrices; got {shapes}.")
        for name in ("sharpness", "azimuth_deg", "pitch_deg"):
            held = getattr(self, name).detach().to("cpu", torch.float32)
            if held.shape not in ((1,), (len(self),)):
                raise ValueError(f"{name} has shape {list(held.shape)} for {len(self)} pictures.")
            object.__setattr__(self, name, held.expand(len(self)))
        for name in ("embedding", "log_probabilities"):
            object.__setattr__(self, name, getattr(self, name).detach().to("cpu", torch.float32))
        if not bool(torch.isfinite(self.embedding).all()):
            row = int(torch.nonzero(~torch.isfinite(self.embedding).all(1))[0, 0])
            raise ValueError(f"The embedding of picture {row} is not finite.")
        if bool((torch.isnan(self.log_probabilities) | (self.log_probabilities > 1e-3)).any()):
            raise ValueError("log_probabilities must be logarithms of probabilities: at most 0, and numbers.")

    def __len__(self) -> int:
        return len(self.embedding)

    def __getitem__(self, rows: slice | Sequence[int] | Tensor) -> Features:
        return Features(*(getattr(self, entry.name)[rows] for entry in fields(self)))

    @staticmethod
    def cat(parts: Sequence[Features]) -> Features:
        """The rows of all parts, in order."""
        return Features(*(torch.cat([getattr(part, entry.name) for part in parts]) for entry in fields(Features)))


@runtime_checkable
class FeatureNetwork(Protocol):
    """A network in evaluation mode: each picture's row depends on that picture alone."""

    @property
    def name(self) -> str:
        """Short name that goes into metric ids."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        ...

    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 sRGB pictures [N, H, W, 3]."""
        ...


def sharpness(images: Tensor) -> Tensor:
    """Mean squared Laplacian of the grey pictures, [N]: how much fine detail they hold.

    The 3x3 Laplacian (4 neighbours) of luma (Rec. 601) in [0, 1], over pixels that have all four.
    Pictures of one size only can be compared. Zero for a flat picture and for one too small.

    Args:
        images: uint8 sRGB, [N, H, W, 3].
    """
    luma = images.new_tensor([0.299 / 255, 0.587 / 255, 0.114 / 255], dtype=torch.float32)
    grey = images.to(torch.float32) @ luma
    if min(grey.shape[1:]) < 3:
        return torch.zeros(len(grey))
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1]
    for side in (grey[:, 1:-1, :-2], grey[:, 1:-1, 2:]):
        laplacian += side
    laplacian.sub_(grey[:, 1:-1, 1:-1], alpha=4)  # in place: several passes over every picture of a folder
    return laplacian.square_().mean((1, 2))


def extract(
    network: FeatureNetwork,
    images: Tensor,
    batch_size: int = 64,
    *,
    azimuth_deg: Tensor | None = None,
    pitch_deg: Tensor | None = None,
) -> Features:
    """Features and sharpness of all `images`, a batch at a time.

    Rows are those of any other batch size up to float32 rounding. For bit-identical numbers in
    spite of interruptions extract scene by scene, so that batches always hold the same pictures.

    Args:
        network: the feature network.
        images: uint8 sRGB, [N, H, W, 3], at least one.
        batch_size: pictures at once; bounds the memory.
        azimuth_deg, pitch_deg: of each picture's camera, [N], where they are known.

    Raises:
        ValueError: images of another type or shape, none at all, or a network that returns
            another number of rows.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
        raise ValueError(
            f"images are {images.dtype} with shape {list(images.shape)}; they must be uint8, [N, H, W, 3]."
        )
    if len(images) == 0 or batch_size < 1:
        raise ValueError(f"{len(images)} images in batches of {batch_size}: at least one of each is needed.")
    parts = []
    with torch.inference_mode():
        for batch in torch.split(images, batch_size):
            part = network(batch)
            if len(part) != len(batch):
                raise ValueError(f"{network.name} returned {len(part)} rows for {len(batch)} images.")
            parts.append(replace(part, sharpness=sharpness(batch)))
    found = Features.cat(parts)  # outside inference mode, so that these are ordinary tensors
    known = {"azimuth_deg": azimuth_deg, "pitch_deg": pitch_deg}
    return replace(found, **{name: angles for name, angles in known.items() if angles is not None})
