"""`billboard`: the cheat that stands a flat card in the world.

The card carries the oracle's frontal view cut out along its outline and stands upright in the plane
z = 0. Each picture is the exact perspective view of that card, so every multi-view metric is
satisfied: what shows the cheat is that its geometry is flat, that it is mirrored from behind and
that it vanishes edge-on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ...scenes import tabletop
from ...scenes.cameras import Cameras
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ...scenes.tabletop import TabletopObject

__all__ = ["Billboard"]

FAR = 100.0  # units away, where a camera looking outwards sees the background alone


class Billboard:
    """The oracle's frontal view as a textured card at the origin, facing +z."""

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="billboard",
            description="A cheat: the frontal view on a flat card, rendered exactly.",
            classes=tuple(tabletop.CLASSES),
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            yield _render(request)


def _render(request: Request) -> Scene:
    thing = tabletop.sample(request.seed, request.label)
    card, frontal = _card(thing, request)
    behind = _background(thing, request.cameras, request.size)
    colour, coverage, depth = _look_up(card, frontal, request.cameras, request.size)
    rgb = colour + (1 - coverage[..., None]) * behind
    facing = torch.where(request.cameras.positions[:, 2] >= 0, 1.0, -1.0).float()
    normals = torch.zeros(*depth.shape, 3)
    normals[..., 2] = facing[:, None, None]
    normals[torch.isnan(depth)] = float("nan")
    return Scene(
        rgb=(rgb * 255).round().clamp(0, 255).to(torch.uint8),
        cameras=request.cameras,
        depth=depth,
        alpha=(coverage * 255).round().clamp(0, 255).to(torch.uint8),
        normals=normals,
        label=request.label,
        seed=request.seed,
    )


def _card(thing: TabletopObject, request: Request) -> tuple[Tensor, Cameras]:
    """The texture [4, H, W] (colour times coverage, and coverage, in [0, 1]) and the camera it is from."""
    pose = Cameras.orbit([0.0], [0.0], radius=float(request.cameras.positions[0].norm())).cam_to_world
    frontal = Cameras(pose, request.cameras.intrinsics[:1])
    picture = thing.render(frontal, request.size)
    assert picture.alpha is not None  # tabletop always has one
    coverage = picture.alpha[0].float() / 255
    behind = _background(thing, frontal, request.size)[0]
    colour = picture.rgb[0].float() / 255 - (1 - coverage[..., None]) * behind
    return torch.cat([colour, coverage[..., None]], -1).permute(2, 0, 1), frontal


def _background(thing: TabletopObject, cameras: Cameras, size: int) -> Tensor:
    """What is seen without the object, [V, H, W, 3] in [0, 1]: the backdrop depends on direction alone."""
    pose = cameras.cam_to_world.clone()
    pose[:, :3, 3] = FAR * pose[:, :3, 2]  # beyond the object, looking away from it
    return thing.render(Cameras(pose, cameras.intrinsics), size).rgb.float() / 255


def _look_up(card: Tensor, frontal: Cameras, cameras: Cameras, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Colour times coverage [V, H, W, 3], coverage [V, H, W] and z-depth [V, H, W] of the card."""
    origins, directions = cameras.rays(size, size)
    distance = -origins[:, None, None, 2] / directions[..., 2]  # of the plane z = 0; infinite edge-on
    ahead = torch.isfinite(distance) & (distance > 1e-6)
    depth = torch.where(ahead, distance, 1.0)
    points = origins[:, None, None] + depth[..., None] * directions
    place, _ = frontal.project(points.reshape(-1, 3))
    grid = (2 * place.reshape(len(cameras), size, size, 2) - 1).float()
    sampled = grid_sample(card.expand(len(cameras), -1, -1, -1), grid, mode="bilinear", align_corners=False)
    sampled = torch.where(ahead[:, None], sampled, 0.0).permute(0, 2, 3, 1)
    colour, coverage = sampled[..., :3], sampled[..., 3]
    visible = ahead & (coverage >= 0.5)
    return colour, coverage, torch.where(visible, depth, torch.nan).float()
