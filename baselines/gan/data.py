"""What GANs train on: single pictures, each with the camera it was taken from, or without.

EG3D and EpiGRAF are told the camera of every real picture, as in their papers, where it is estimated from
the picture; tabletop's are known. pi-GAN never sees which picture has which camera: it draws cameras from
the same distribution, or from a prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from ...scenes.sweeps import FOV, RADIUS
from ...scenes.tabletop import CLASSES
from ...scenes.tabletop.dataset import TabletopViews
from .base import Views

__all__ = ["CameraPrior", "Pictures", "TabletopPictures", "mirrored", "resized"]


class Pictures(Protocol):
    """N square pictures."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty = pictures have none."""
        ...

    @property
    def description(self) -> str:
        """What they are, for people."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever a picture would."""
        ...

    @property
    def views(self) -> Views | None:
        """The camera of each, on the CPU; None where they are not known."""
        ...

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> Tensor:
        """Pictures in [-1, 1], float32, [n, 3, S, S]."""
        ...

    def labels(self, index: Tensor) -> Tensor:
        """Their classes, int64, [n]; 0 where there are none."""
        ...


class TabletopPictures:
    """Rendered views of tabletop with their cameras.

    Args:
        views: what `prepare_views` rendered; read from its memory map, which processes share.
        seeds: which objects they show, for records.
        frontal_share: see `train_cameras`, for records.
    """

    classes = CLASSES

    def __init__(self, views: TabletopViews, seeds: range, frontal_share: float) -> None:
        self._rgb = views.rgb
        self._labels = torch.from_numpy(np.array(views.label))
        yaw, pitch = torch.from_numpy(np.array(views.camera)).double().unbind(1)
        self.views = Views.of(Cameras.orbit(yaw, pitch, radius=RADIUS, fov=FOV))
        self._seeds, self._frontal_share = seeds, frontal_share

    @property
    def description(self) -> str:
        """See `Pictures`."""
        return f"tabletop training seeds {self._seeds.start} to {self._seeds.stop - 1}, one view each, cameras known"

    @property
    def identity(self) -> str:
        """See `Pictures`."""
        return f"tabletop {self._seeds!r} {self._rgb.shape[1]} {self._frontal_share}"

    def __len__(self) -> int:
        return len(self._rgb)

    def batch(self, index: Tensor) -> Tensor:
        """See `Pictures`."""
        return torch.from_numpy(self._rgb[index.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1

    def labels(self, index: Tensor) -> Tensor:
        """See `Pictures`."""
        return self._labels[index]


@dataclass(frozen=True)
class CameraPrior:
    """Where pictures without cameras are supposed to be taken from: on a sphere about the origin, looking at it.

    Args:
        shape: "normal" with the spreads as standard deviations, or "uniform" with them as half-widths.
        yaw, pitch: spreads, radians; a yaw of pi with "uniform" is the full circle.
        pitch_mean: middle of the pitches, radians.
        radius, fov: distance and field of view, radians.
    """

    shape: str = "normal"
    yaw: float = 0.3
    pitch: float = 0.155
    pitch_mean: float = 0.0
    radius: float = 1.0
    fov: float = math.radians(12.0)

    def draw(self, count: int, generator: torch.Generator) -> Views:
        """Random cameras."""
        if self.shape == "uniform":
            spread = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 2 - 1
        else:
            spread = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        yaw, pitch = self.yaw * spread[:, 0], self.pitch_mean + self.pitch * spread[:, 1]
        return Views.of(Cameras.orbit(yaw, pitch.clamp(-1.5, 1.5), radius=self.radius, fov=self.fov))

    @property
    def front(self) -> Cameras:
        """The middle of the prior."""
        return Cameras.orbit([0.0], [self.pitch_mean], radius=self.radius, fov=self.fov)


def mirrored(views: Views) -> Views:
    """The cameras that see a world mirrored left to right, x -> -x, as mirrored pictures.

    Both the world and the camera's own x axis turn around, so that rotations stay rotations.
    """
    sign = views.cam_to_world.new_tensor([-1.0, 1, 1, 1])
    pose = sign[:, None] * views.cam_to_world * sign
    intrinsics = views.intrinsics.clone()
    intrinsics[:, 0, 2] = 1 - intrinsics[:, 0, 2]
    intrinsics[:, 0, 1] = -intrinsics[:, 0, 1]
    return Views(pose, intrinsics)


def resized(pictures: Tensor, size: int) -> Tensor:
    """Pictures [N, C, S, S] at another size, with antialiasing; as they are where they have it."""
    if pictures.shape[-1] == size:
        return pictures
    return nn.functional.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
