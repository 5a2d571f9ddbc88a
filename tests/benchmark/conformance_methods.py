"""A tiny honest method, two textured balls traced exactly, and versions of it that each break one rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from viewsweep.scenes import Cameras, GeneratorInfo, Request, Scene
from viewsweep.scenes.converters import focal_of_eg3d_fov, to_opengl, z_to_ray
from viewsweep.scenes.generator import scene_generator

BALLS = ((-0.08, -0.05, 0.0, 0.34), (0.24, 0.16, 0.14, 0.2))  # x, y, z, radius


class Honest:
    """Keeps every rule; the others change one of its methods."""

    classes: tuple[str, ...] = ("a", "b")
    has_depth = True
    yaw_limit = math.pi

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            f"balls-{type(self).__name__.lower()}",
            "Two balls.",
            has_depth=self.has_depth,
            classes=self.classes,
            yaw_limit=self.yaw_limit,
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            yield self.draw(request)

    def draw(self, request: Request) -> Scene:
        cameras = self.cameras(request.cameras)
        depth, points = trace(cameras, request.size)
        waves = self.numbers(request)
        surface = (points[..., None, :] * waves[:, :3]).sum(-1).add(waves[:, 3]).sin() * 0.4 + 0.5
        background = torch.linspace(0.55, 0.75, request.size)[None, :, None, None].expand_as(surface)
        colour = torch.where(depth.isnan()[..., None], background, surface.float())
        return Scene(
            rgb=self.picture(colour),
            cameras=request.cameras,
            depth=self.depth(depth.float(), request.cameras) if self.has_depth else None,
            label=request.label,
            seed=request.seed,
        )

    def cameras(self, cameras: Cameras) -> Cameras:
        return cameras

    def numbers(self, request: Request) -> Tensor:
        random = scene_generator(request.seed, f"balls {request.label}")
        return torch.randn(3, 4, generator=random, dtype=torch.float64) * 12

    def picture(self, colour: Tensor) -> Tensor:
        return (colour * 255).round().to(torch.uint8)

    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return depth


def trace(cameras: Cameras, size: int) -> tuple[Tensor, Tensor]:
    """z-depth [V, H, W] of the balls, NaN beside them, and the points they are hit at [V, H, W, 3]."""
    origins, directions = cameras.rays(size, size)
    nearest = torch.full(directions.shape[:3], math.inf, dtype=torch.float64)
    square = directions.square().sum(-1)
    for *centre, radius in BALLS:
        offset = origins[:, None, None] - torch.tensor(centre, dtype=torch.float64)
        half = (directions * offset).sum(-1)
        root = half.square() - square * (offset.square().sum(-1) - radius**2)
        hit = (-half - root.clamp(min=0).sqrt()) / square
        nearest = torch.where((root > 0) & (hit > 0) & (hit < nearest), hit, nearest)
    depth = torch.where(nearest.isinf(), torch.nan, nearest)
    return depth, origins[:, None, None] + depth.nan_to_num()[..., None] * directions


class Classless(Honest):
    classes = ()


class Flatlander(Honest):
    has_depth = False


class RayDepth(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return z_to_ray(depth, cameras)


class Disparity(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return 1 / depth


class Inverted(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return 2.9 - depth


class OtherUnit(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return depth * 2.7 / 1.6


class NoiseDepth(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        return depth + torch.rand(depth.shape, generator=torch.Generator().manual_seed(0))


class MirroredYaw(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        return mirrored(cameras, 0)


class MirroredPictures(Honest):
    def draw(self, request: Request) -> Scene:
        scene = super().draw(request)
        assert scene.depth is not None
        return replace(scene, rgb=scene.rgb.flip(2), depth=scene.depth.flip(2))


class MirroredPitch(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        return mirrored(cameras, 1)


class MirroredYawAndRayDepth(MirroredYaw, RayDepth):
    pass


class DiagonalView(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        matrix = cameras.intrinsics.clone()
        matrix[:, 0, 0] = matrix[:, 1, 1] = focal_of_eg3d_fov(2 * math.atan(0.5 / float(matrix[0, 0, 0])))
        return Cameras(cameras.cam_to_world, matrix)


class OtherAxes(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        return Cameras(to_opengl(cameras), cameras.intrinsics)


class Disobedient(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        off = 0.12 * (-1) ** torch.arange(len(cameras))
        return Cameras.orbit(cameras.yaw + off, cameras.pitch)


class Frozen(Honest):
    def cameras(self, cameras: Cameras) -> Cameras:
        return cameras[[0] * len(cameras)]


class Leaky(Honest):
    """Batch-mates share their mean."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        mean = torch.stack([self.numbers(request) for request in requests]).mean(0)
        for request in requests:
            own = self.numbers(request)
            clone = Honest()
            clone.numbers = lambda request, own=own: own + 0.5 * mean  # type: ignore[method-assign]
            yield clone.draw(request)


class SeedIgnored(Honest):
    def numbers(self, request: Request) -> Tensor:
        return super().numbers(replace(request, seed=0))


class LabelIgnored(Honest):
    def numbers(self, request: Request) -> Tensor:
        return super().numbers(replace(request, label=0))


class GlobalRandom(Honest):
    def numbers(self, request: Request) -> Tensor:
        return torch.randn(3, 4, dtype=torch.float64) * 12


class Reseeder(Honest):
    def numbers(self, request: Request) -> Tensor:
        torch.manual_seed(request.seed)
        return torch.randn(3, 4, dtype=torch.float64) * 12 + (request.label or 0)


class Counting(Honest):
    def __init__(self) -> None:
        self.count = itertools.count()

    def numbers(self, request: Request) -> Tensor:
        return super().numbers(request) + next(self.count)


class Backwards(Honest):
    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        return super().generate(requests[::-1])


class FloatPictures(Honest):
    def picture(self, colour: Tensor) -> Tensor:
        return colour


class UnitPictures(Honest):
    def picture(self, colour: Tensor) -> Tensor:
        return colour.to(torch.uint8)


class SignedPictures(Honest):
    def picture(self, colour: Tensor) -> Tensor:
        return (2 * (colour - 0.5).sign()).clamp(-1, 1).to(torch.int8).view(torch.uint8)


class GreyPictures(Honest):
    def picture(self, colour: Tensor) -> Tensor:
        return torch.full(colour.shape, 128, dtype=torch.uint8)


class Holes(Honest):
    def depth(self, depth: Tensor, cameras: Cameras) -> Tensor:
        holes = torch.rand(depth.shape, generator=torch.Generator().manual_seed(0)) < 0.03
        return torch.where(holes, torch.nan, depth)


class Raising(Honest):
    def numbers(self, request: Request) -> Tensor:
        raise ValueError("no such class")


class Short(Honest):
    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        yield from super().generate(requests[:1])


class Endless(Honest):
    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        while True:
            yield from super().generate(requests)


class OtherCameras(Honest):
    def draw(self, request: Request) -> Scene:
        return replace(super().draw(request), cameras=mirrored(request.cameras, 0))


class Degrees(Honest):
    yaw_limit = 180.0


def mirrored(cameras: Cameras, axis: int) -> Cameras:
    """Cameras at minus their yaw (axis 0) or pitch (axis 1)."""
    sign = torch.ones(2, dtype=torch.float64)
    sign[axis] = -1
    return Cameras.orbit(cameras.yaw * sign[0], cameras.pitch * sign[1])
