"""Scenes whose answer is known: solids hit by rays in closed form, painted with a smooth solid texture.

The colour of a point is a function of its place alone, so the pictures are exactly consistent; depth is
exact up to float32. Corruptions return a new scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from viewsweep.scenes import Cameras, Scene, sweep360

NAN = float("nan")
PAIR_OF_BALLS = ((0.22, 0.0, 0.1, 0.2), (-0.2, 0.05, -0.12, 0.24), (0.0, -0.15, 0.0, 0.18))
"""Centres and radii: nothing about them is symmetric, and they hide one another."""


def balls(
    cameras: Cameras | None = None, size: int = 64, solids: tuple[tuple[float, ...], ...] = PAIR_OF_BALLS
) -> Scene:
    """Spheres in front of nothing, 24 views at 15 degrees unless other cameras are given."""
    cameras = cameras or sweep360(24, 0.26)
    origins, directions = cameras.rays(size, size)
    origins = origins[:, None, None]
    depth = torch.full(directions.shape[:3], math.inf, dtype=torch.float64)
    for *centre, radius in solids:
        start = origins - torch.tensor(centre, dtype=torch.float64)
        a, b = (directions**2).sum(-1), (start * directions).sum(-1)
        c = (start**2).sum(-1) - radius**2
        hit = (-b - (b * b - a * c).sqrt()) / a  # NaN where the ray misses
        depth = torch.where(hit < depth, hit, depth)
    return painted(cameras, depth)


def plane(cameras: Cameras, size: int = 64, normal: tuple[float, ...] = (0.0, 0.0, 1.0), half: float = 0.35) -> Scene:
    """A card through the origin, `half` wide in x and y, vertical unless `normal` says otherwise."""
    origins, directions = cameras.rays(size, size)
    axis = torch.tensor(normal, dtype=torch.float64)
    depth = -(origins[:, None, None] @ axis) / (directions @ axis)
    point = origins[:, None, None] + depth[..., None] * directions
    inside = (point[..., :2].abs() < half).all(-1) & (depth > 0)
    return painted(cameras, depth.where(inside, depth.new_full((), math.inf)))


def painted(cameras: Cameras, depth: Tensor) -> Scene:
    """A scene of this float64 depth (infinite = background) and a colour that is a function of place."""
    depth = depth.where(torch.isfinite(depth), depth.new_full((), NAN))
    point = cameras.unproject(depth)
    waves = torch.tensor([[9.0, 4.0, -3.0], [-5.0, 8.0, 6.0], [4.0, -7.0, 9.0]], dtype=torch.float64)
    colour = 0.5 + 0.45 * torch.sin(point @ waves)
    rgb = (torch.nan_to_num(colour, nan=0.8) * 255).round().to(torch.uint8)
    return Scene(rgb, cameras, depth.float())


def frozen(scene: Scene) -> Scene:
    """The first view's picture and depth at every camera."""
    assert scene.depth is not None
    return replace(scene, rgb=_repeat(scene.rgb), depth=_repeat(scene.depth))


def scaled(scene: Scene, amount: float, seed: int = 0) -> Scene:
    """Each view's depth times its own factor, off by `amount` (standard deviation)."""
    assert scene.depth is not None
    return replace(scene, depth=scene.depth * (1 + amount * _normal((scene.views, 1, 1), seed)))


def wobbled(scene: Scene, amount: float, seed: int = 0) -> Scene:
    """Depth that breathes: another smooth relative error in each view."""
    assert scene.depth is not None
    coarse = _normal((scene.views, 1, 5, 5), seed)
    field = torch.nn.functional.interpolate(coarse, scene.size, mode="bicubic", align_corners=False)[:, 0]
    return replace(scene, depth=scene.depth * (1 + amount * field))


def noisy(scene: Scene, amount: float, seed: int = 0) -> Scene:
    """Independent noise on every colour; `amount` is a share of full scale."""
    rgb = scene.rgb.double() + 255 * amount * _normal(tuple(scene.rgb.shape), seed)
    return replace(scene, rgb=rgb.round().clamp(0, 255).to(torch.uint8))


def disobedient(draw: Callable[[Cameras], Scene], cameras: Cameras, degrees: float, seed: int = 0) -> Scene:
    """Views from azimuths off by `degrees` (standard deviation), said to be those asked for."""
    yaw = cameras.yaw + math.radians(degrees) * _normal((len(cameras),), seed)
    return replace(draw(Cameras.orbit(yaw, cameras.pitch)), cameras=cameras)


def static(scene: Scene, seed: int = 0) -> Scene:
    """Noise for colour and for depth."""
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.randint(0, 256, scene.rgb.shape, generator=generator, dtype=torch.uint8)
    return replace(scene, rgb=rgb, depth=1.1 + torch.rand(scene.rgb.shape[:3], generator=generator))


def _repeat(views: Tensor) -> Tensor:
    return views[:1].expand_as(views).contiguous()


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def flickering(scene: Scene, amount: float, seed: int = 0) -> Scene:
    """Each view's brightness times its own factor, off by `amount` (standard deviation)."""
    gain = 1 + amount * _normal((scene.views, 1, 1, 1), seed).double()
    return replace(scene, rgb=(scene.rgb.double() * gain).round().clamp(0, 255).to(torch.uint8))


def drifting(scene: Scene, amount: float) -> Scene:
    """Colours that turn slowly into those of another texture; `amount` is how far the last view has come."""
    other = (255 - scene.rgb.double().roll(1, -1)) / 2
    share = torch.linspace(0, amount, scene.views, dtype=torch.float64)[:, None, None, None]
    return replace(scene, rgb=((1 - share) * scene.rgb.double() + share * other).round().to(torch.uint8))


def switched(scene: Scene, other: Scene) -> Scene:
    """The second half of the views shows another scene."""
    assert scene.depth is not None
    assert other.depth is not None
    half = scene.views // 2
    rgb, depth = torch.cat([scene.rgb[:half], other.rgb[half:]]), torch.cat([scene.depth[:half], other.depth[half:]])
    return replace(scene, rgb=rgb, depth=depth)


def shifted(scene: Scene, pixels: float, seed: int = 0) -> Scene:
    """Pictures bent in the plane: another smooth displacement in each view, off by `pixels`; depth stays."""
    height, width = scene.size
    coarse = _normal((scene.views, 2, 5, 5), seed)
    field = torch.nn.functional.interpolate(coarse, scene.size, mode="bicubic", align_corners=False)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([column + pixels * field[:, 0], row + pixels * field[:, 1]], -1)
    grid = (places + 0.5) * 2 / torch.tensor([width, height]) - 1
    pictures = scene.rgb.float().movedim(-1, 1)
    moved = torch.nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return replace(scene, rgb=moved.movedim(1, -1).round().clamp(0, 255).to(torch.uint8))
