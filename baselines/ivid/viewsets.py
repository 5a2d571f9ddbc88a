"""The sets of views ivid is sampled with, by the authors' names: `uncond`, `random`, `3x9`, and `360`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...scenes.cameras import Cameras
from ...scenes.errors import UnknownName
from ...scenes.sweeps import FOV, RADIUS, gaussian_poses, grid_3x9, sweep360

__all__ = ["VIEWSETS", "viewset"]

VIEWSETS = ("uncond", "random", "3x9", "360")


def viewset(
    name: str,
    seeds: Sequence[int],
    *,
    radius: float = RADIUS,
    fov: float = FOV,
    views: int = 24,
    pitch: float = 0.0,
    shared_pose: bool = False,
) -> list[Cameras]:
    """One sweep a seed.

    Args:
        name: `uncond` = the frontal view alone; `random` = the frontal view and one with yaw
            ~ N(0, 0.3), pitch ~ N(0, 0.15), radians; `3x9` = 27 views, whose first 1, 9, 15, 21 and 27
            are the paper's ranges; `360` = `views` on a full circle at `pitch` (radians).
        seeds: of the scenes; the random view depends on its scene's own seed alone.
        radius, fov: of all cameras; take them from the pipeline's config.
        shared_pose: whether all sweeps have the random view of the first seed, as all scenes of one
            batch have in the authors' code.

    Raises:
        UnknownName: a view set nobody registered.
    """
    count = len(seeds)
    if name == "uncond":
        return [Cameras.orbit([0.0], [0.0], radius=radius, fov=fov)] * count
    if name == "3x9":
        return [grid_3x9(radius=radius, fov=fov)] * count
    if name == "360":
        return [sweep360(views, pitch, radius=radius, fov=fov)] * count
    if name != "random":
        raise UnknownName("view set", name, VIEWSETS)
    chosen = [seeds[0]] * count if shared_pose and count else seeds
    poses = gaussian_poses(chosen, radius=radius, fov=fov)
    front = Cameras.orbit([0.0], [0.0], radius=radius, fov=fov)
    return [
        Cameras(
            torch.cat([front.cam_to_world, poses.cam_to_world[[row]]]),
            torch.cat([front.intrinsics, poses.intrinsics[[row]]]),
        )
        for row in range(count)
    ]
