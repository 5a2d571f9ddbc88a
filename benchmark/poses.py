"""Where a protocol puts its cameras: the same in every scene, or drawn for each.

    sweep360      a full circle at one pitch
    grid_3x9      ivid's 27 views, or a prefix of them
    random_view   the front, and one view drawn from the scene's seed
    training_view the one view a training object of the scene's seed is seen from

`shared` tells them apart: poses that are shared need no seed, and pictures of one view can be set
beside pictures of the same view.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from pydantic import Field

from ..scenes.cameras import Cameras
from ..scenes.errors import UserError
from ..scenes.generator import scene_generator
from ..scenes.sweeps import FOV, RADIUS, grid_3x9, sweep360
from .strict_yaml import StrictModel

__all__ = ["Grid3x9", "RandomView", "Sweep", "Sweep360", "TrainingView"]

HIGHEST_PITCH = 1.4
"""Radians; a drawn pitch stays clear of the poles, where a camera has no up."""


class Sweep(StrictModel, ABC):
    """Base of all: cameras at one distance that look at the origin."""

    shared: ClassVar[bool] = True

    radius: float = Field(default=RADIUS, gt=0, le=100)
    fov_deg: float = Field(default=math.degrees(FOV), gt=0, lt=180)

    @abstractmethod
    def cameras(self, seed: int | None = None) -> Cameras:
        """The cameras of the scene with this seed; where they are shared none is needed."""


class Sweep360(Sweep):
    """A full circle of `views` cameras at one pitch, starting in front."""

    kind: Literal["sweep360"]
    views: int = Field(ge=2, le=720)
    pitch_deg: float = Field(default=0.0, gt=-90, lt=90)

    def cameras(self, seed: int | None = None) -> Cameras:
        pitch, fov = math.radians(self.pitch_deg), math.radians(self.fov_deg)
        return sweep360(self.views, pitch, radius=self.radius, fov=fov)


class Grid3x9(Sweep):
    """ivid's 3x9 grid, or the prefix of it that is a full grid of `views` cameras."""

    kind: Literal["grid_3x9"]
    views: Literal[1, 9, 15, 21, 27] = 27

    def cameras(self, seed: int | None = None) -> Cameras:
        return grid_3x9(radius=self.radius, fov=math.radians(self.fov_deg))[: self.views]


class RandomView(Sweep):
    """View 0 in front, and view 1 at yaw ~ N(0, yaw_std) and pitch ~ N(0, pitch_std), radians.

    Each scene draws its own view from its own seed, so that it is the same in any batch. The authors
    of ivid draw one pose a batch, which leaves ten thousand pictures with a thousand poses.

    Args:
        yaw_limit, pitch_limit: what the angles are clipped to, both ways; None leaves the yaw as it
            is, and keeps the pitch from the poles.
    """

    shared: ClassVar[bool] = False

    kind: Literal["random_view"]
    yaw_std: float = Field(ge=0, le=math.pi)
    pitch_std: float = Field(ge=0, le=1)
    yaw_limit: float | None = Field(default=None, gt=0, le=math.pi)
    pitch_limit: float | None = Field(default=None, gt=0, le=HIGHEST_PITCH)

    def cameras(self, seed: int | None = None) -> Cameras:
        if seed is None:
            raise UserError("A random_view sweep has no cameras of its own: each scene draws its own from its seed.")
        yaw, pitch = torch.randn(2, generator=scene_generator(seed, "random view"), dtype=torch.float64)
        widest, highest = self.yaw_limit or math.inf, self.pitch_limit or HIGHEST_PITCH
        yaws = [0.0, max(-widest, min(widest, self.yaw_std * float(yaw)))]
        pitches = [0.0, max(-highest, min(highest, self.pitch_std * float(pitch)))]
        return Cameras.orbit(yaws, pitches, radius=self.radius, fov=math.radians(self.fov_deg))


class TrainingView(StrictModel):
    """One view, drawn from the scene's seed as tabletop's training views are (see `tabletop.train_cameras`)."""

    shared: ClassVar[bool] = False

    kind: Literal["training_view"]

    def cameras(self, seed: int | None = None) -> Cameras:
        if seed is None:
            raise UserError("A training_view sweep has no cameras of its own: each scene draws its own from its seed.")
        from ..scenes import tabletop

        return tabletop.train_cameras([seed])
