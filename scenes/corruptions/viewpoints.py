"""Faults of the camera: the object is seen exactly, but not from where it was commanded."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..cameras import Cameras
from ..scene import Scene
from ..tabletop import TabletopObject
from .base import deviates

__all__ = ["claimed", "disobedience", "field_of_view", "frozen", "half_turn", "reversed_way", "turned"]


def disobedience(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each view from an azimuth off by its own angle, `level` degrees (sd over the views)."""
    return _seen_from(thing, clean, torch.deg2rad(level * deviates(clean.views, generator)))


def frozen(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """The camera goes round by only 1 - `level` of the commanded angle; at 1 the first view stands still."""
    if level >= 1:
        return claimed(clean.select([0] * clean.views), _cameras(clean))
    return _seen_from(thing, clean, -level * _travelled(clean))


def reversed_way(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """The last `level` of the views (one at least) go back the way the camera came; at 1 all go the wrong way round."""
    travelled = _travelled(clean)
    steps = clean.views - 1
    turn = max(0, steps - max(1, round(level * steps)))  # the last view that obeys
    return _seen_from(thing, clean, -2 * (travelled - travelled[turn]) * (torch.arange(clean.views) > turn))


def field_of_view(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Pictures of a camera whose focal length is longer by the share `level` than the commanded one."""
    cameras = _cameras(clean)
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, (0, 1), (0, 1)] *= 1 + level
    return claimed(thing.render(Cameras(cameras.cam_to_world, intrinsics), clean.size[0]), cameras)


def half_turn(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Views within `level` degrees of the back show the object turned by half a turn: its front."""
    cameras = _cameras(clean)
    from_back = math.pi - cameras.yaw.abs()
    return _seen_from(thing, clean, math.pi * (from_back <= math.radians(level) + 1e-9))


def turned(cameras: Cameras, angle: Tensor) -> Cameras:
    """Cameras moved about the world's vertical axis by `angle` [V], radians, towards larger yaw."""
    rotation = torch.zeros(len(cameras), 4, 4, dtype=torch.float64)
    rotation[:, 0, 0] = rotation[:, 2, 2] = angle.cos()
    rotation[:, 0, 2], rotation[:, 2, 0] = angle.sin(), -angle.sin()
    rotation[:, 1, 1] = rotation[:, 3, 3] = 1.0
    return Cameras(rotation @ cameras.cam_to_world, cameras.intrinsics)


def claimed(shown: Scene, cameras: Cameras) -> Scene:
    """The same pictures, said to be taken by `cameras`: normals turn along, for they are given in the world."""
    normals = shown.normals
    if normals is not None and shown.cameras is not None:
        said, true = cameras.cam_to_world[:, :3, :3], shown.cameras.cam_to_world[:, :3, :3]
        moved = (said @ true.transpose(1, 2)).float()
        normals = (normals.flatten(1, 2) @ moved.transpose(1, 2)).reshape(normals.shape)
    return replace(shown, cameras=cameras, normals=normals)


def _seen_from(thing: TabletopObject, clean: Scene, angle: Tensor) -> Scene:
    """`clean` with those views rendered anew whose camera has moved by an `angle` [V] about the vertical axis."""
    cameras = _cameras(clean)
    moved = torch.nonzero(angle)[:, 0].tolist()
    if not moved:
        return clean
    seen = claimed(thing.render(turned(cameras, angle)[moved], clean.size[0]), cameras[moved])
    return with_views(clean, moved, seen)


def with_views(scene: Scene, where: list[int], other: Scene) -> Scene:
    """`scene` with the pictures, depth, alpha and normals of `other` as its views `where`."""

    def inserted(part: Tensor, new: Tensor) -> Tensor:
        part = part.clone()
        part[where] = new
        return part

    def put(part: Tensor | None, new: Tensor | None) -> Tensor | None:
        return None if part is None or new is None else inserted(part, new)

    return replace(
        scene,
        rgb=inserted(scene.rgb, other.rgb),
        depth=put(scene.depth, other.depth),
        alpha=put(scene.alpha, other.alpha),
        normals=put(scene.normals, other.normals),
    )


def _cameras(clean: Scene) -> Cameras:
    assert clean.cameras is not None  # checked by Corruption.apply
    return clean.cameras


def _travelled(clean: Scene) -> Tensor:
    """How far round each view is from the first, radians, [V], counted on over full circles."""
    yaw = _cameras(clean).yaw
    step = torch.remainder(yaw.diff() + math.pi, 2 * math.pi) - math.pi
    return torch.cat([torch.zeros(1, dtype=yaw.dtype), step.cumsum(0)])
