"""The volume renderer against closed forms, its plain reference, finite differences, and itself in other pieces."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.gan.base import Patch, Views
from viewsweep.baselines.gan.marching import shares_of
from viewsweep.baselines.gan.rendering import Marching, Rays, rays_of, render
from viewsweep.baselines.gan.rendering_reference import march_reference, sphere_reference
from viewsweep.scenes.cameras import Cameras

MARCHINGS = {
    "nerf": Marching(1.0, 2.2, 6, 5, activation="relu"),
    "pi-GAN": Marching(1.0, 2.2, 6, 5, 0.5, "relu", last_delta=1e10),
    "pi-GAN at evaluation": Marching(1.0, 2.2, 6, 5, 0.5, "relu", last_delta=1e10, last_back=True),
    "EG3D": Marching(1.0, 2.2, 7, 6, 0.5, "softplus", -1.0, "midpoint", smooth=True),
    "cells": Marching(1.0, 2.2, 6, 5, 0.5, "softplus", -1.0, "cell"),
    "coarse only": Marching(1.0, 2.2, 9, 0, 0.5, placement="cell"),
}


def views(count: int = 3, **camera: Any) -> Views:
    return Views.of(Cameras.orbit([0.4 * k for k in range(count)], [0.2 - 0.1 * k for k in range(count)], **camera))


def waves(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """A smooth field with colours that depend on the direction of view; each point for itself, hence bit for bit."""
    x, y, z = points.unbind(-1)
    raw = 6 * torch.sin(9 * x) * torch.cos(7 * y) + 8 * torch.sin(5 * z + 1)
    seen = units[:, :, None, 0].expand_as(x)
    return raw, torch.stack([torch.sin(4 * x), torch.cos(3 * y), seen, x * z], -1)


def ball(radius: float, density: float) -> Any:
    def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        inside = (points.norm(dim=-1) <= radius).to(points)
        return density * inside, torch.ones_like(points)

    return field


@pytest.mark.parametrize("size", [(5, 5), (6, 4)])
def test_rays_are_those_of_the_cameras(size: tuple[int, int]) -> None:
    cameras = Cameras.orbit([0.3, 2.0], [0.1, -0.4])
    skewed = cameras.intrinsics.clone()
    skewed[1, 0] = torch.tensor([1.3, 0.1, 0.45])
    cameras = Cameras(cameras.cam_to_world, skewed)
    rays = rays_of(Views.of(cameras), *size)
    origins, directions = cameras.rays(*size)
    torch.testing.assert_close(rays.directions.double(), directions.flatten(1, 2), atol=1e-6, rtol=0)
    torch.testing.assert_close(rays.origins.double(), origins, atol=1e-6, rtol=0)


def test_rays_of_a_patch_are_a_crop_of_the_pictures() -> None:
    seen = views(2)
    whole = rays_of(seen, 8, 8).directions.view(2, 8, 8, 3)
    offset = torch.tensor([[0.5, 0.25], [0.0, 0.125]])  # x, y
    patch = rays_of(seen, 4, 4, Patch(torch.tensor([0.5, 0.5]), offset)).directions.view(2, 4, 4, 3)
    torch.testing.assert_close(patch[0], whole[0, 2:6, 4:8], atol=1e-6, rtol=0)
    torch.testing.assert_close(patch[1], whole[1, 1:5, 0:4], atol=1e-6, rtol=0)


@pytest.mark.parametrize("placement", ["sample", "midpoint", "cell"])
def test_transmittance_of_a_ball_and_a_slab(placement: Any) -> None:
    density, radius = 3.0, 0.3
    marching = Marching(0.5, 3.0, 1500, 0, 0.5, "relu", placement=placement)
    seen = views(1)
    rays = rays_of(seen, 9, 9)
    units = torch.nn.functional.normalize(rays.directions.double(), dim=-1)
    half = (units * rays.origins[:, None].double()).sum(-1)
    chord = 2 * (radius**2 - (rays.origins[:, None].double().square().sum(-1) - half**2)).clamp(min=0).sqrt()
    found = render(ball(radius, density), rays, marching)
    torch.testing.assert_close(1 - found.alpha.double(), torch.exp(-density * chord), atol=1e-3, rtol=0)

    def slab(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        return density * (points[..., 2].abs() <= 0.1).to(points), torch.ones_like(points)

    front = rays_of(views(1, fov=math.radians(30)), 5, 5)
    units = torch.nn.functional.normalize(front.directions.double(), dim=-1)
    found = render(slab, front, Marching(0.5, 3.0, 4000, 0, None, "relu", placement=placement))
    torch.testing.assert_close(
        1 - found.alpha.double(), torch.exp(-density * 0.2 / units[..., 2].abs()), atol=1e-3, rtol=0
    )


def test_cells_are_exact_where_the_ball_fills_the_bound() -> None:
    """Their lengths add up to the ray's way, however few they are; NeRF's rule misses what precedes the first one."""
    rays = rays_of(views(1, fov=math.radians(5)), 1, 1)
    marching = Marching(0.5, 3.0, 3, 2, 0.3, "relu", placement="cell")
    exact = 1 - math.exp(-3 * 0.6)
    assert float(render(ball(1.0, 3.0), rays, marching).alpha) == pytest.approx(exact, abs=1e-5)
    assert float(render(ball(1.0, 3.0), rays, replace(marching, placement="sample")).alpha) < exact - 0.01


def test_depth_is_z_depth_not_distance() -> None:
    """A wall at z-depth 1.6 is equally deep everywhere; in the corners of 45 degrees the ray to it is 15.9 % longer."""
    seen = Views.of(Cameras.orbit([0.0], [0.0], fov=math.radians(45)))

    def wall(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        return 1e4 * (points[..., 2] < 0.0).to(points), torch.ones_like(points)

    marching = Marching(0.5, 3.0, 3000, 0, None, "relu", placement="cell")
    whole = render(wall, rays_of(seen, 6, 6), marching)
    torch.testing.assert_close(whole.depth, torch.full((1, 36), 1.6), atol=2e-3, rtol=0)
    corner = rays_of(seen, 1, 1, Patch(torch.tensor([1e-4]), torch.zeros(1, 2)))
    assert float(corner.directions.norm()) == pytest.approx(1.1589, abs=1e-3)
    assert float(render(wall, corner, marching).depth) == pytest.approx(1.6, abs=2e-3)


@pytest.mark.parametrize("name", MARCHINGS)
def test_it_renders_what_the_reference_does(name: str) -> None:
    marching = MARCHINGS[name]
    cameras = Cameras.orbit([0.3, 1.9], [0.1, -0.3], fov=math.radians(30))
    seen = Views(cameras.cam_to_world, cameras.intrinsics)  # float64, as the reference
    rays = rays_of(seen, 4, 4)
    found = render(waves, rays, marching)
    for item in range(2):
        for ray in range(16):
            origin, direction = rays.origins[item], rays.directions[item, ray]
            unit = direction / direction.norm()

            def look(distance: float, origin: Tensor = origin, unit: Tensor = unit) -> tuple[float, float, list[float]]:
                point = (origin + distance * unit)[None, None, None]
                raw, values = waves(point, unit[None, None])
                return distance, float(raw), values.flatten().tolist()

            begin, end = sphere_reference(origin, unit, marching)
            if end <= begin:
                assert float(found.alpha[item, ray]) == 0
                continue
            values, distance, alpha = march_reference(look, begin, end, marching)
            assert float(found.alpha[item, ray]) == pytest.approx(alpha, abs=1e-9)
            assert found.values[item, ray].tolist() == pytest.approx(values, abs=1e-9)
            depth = distance / float(direction.norm()) if alpha >= 0.5 else math.nan
            assert float(found.depth[item, ray]) == pytest.approx(depth, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", MARCHINGS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    marching = replace(MARCHINGS[name], fine=0)  # where importance samples fall is not differentiated
    torch.manual_seed(0)
    cameras = Cameras.orbit([0.3], [0.1], fov=math.radians(40))
    rays = rays_of(Views(cameras.cam_to_world, cameras.intrinsics), 3, 3)
    samples = marching.coarse
    inside = render(waves, rays, marching).points // samples
    raw = (2 + torch.randn(1, inside, samples, dtype=torch.float64)).requires_grad_()
    if marching.last_delta is not None:
        raw.data = raw.data.abs() + 0.1  # relu's corner is nowhere near
    values = torch.randn(1, inside, samples, 2, dtype=torch.float64, requires_grad=True)
    behind = torch.randn(1, 9, 2, dtype=torch.float64, requires_grad=True)

    def pictures(raw: Tensor, values: Tensor, behind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = render(lambda points, units: (raw, values), rays, marching, background=behind)
        return found.values, found.alpha, found.depth.nan_to_num(0.0)

    assert torch.autograd.gradcheck(pictures, (raw, values, behind))


def test_gradients_flow_through_importance_samples() -> None:
    scale = torch.tensor(1.0, requires_grad=True)

    def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        raw, values = waves(points, units)
        return raw * scale, values * scale

    rays = rays_of(views(2), 6, 6)
    found = render(field, rays, MARCHINGS["EG3D"], generator=torch.Generator().manual_seed(0), density_noise=0.1)
    (gradient,) = torch.autograd.grad(found.values.sum(), scale)
    assert float(gradient.abs()) > 0.1


def test_companions_change_nothing_bit_for_bit_and_pieces_only_the_last_bit() -> None:
    rays = rays_of(views(4, radius=1.3), 12, 12)
    marching = MARCHINGS["EG3D"]
    whole = render(waves, rays, marching)
    alone = render(waves, Rays(rays.origins[2:3], rays.directions[2:3]), marching)
    assert torch.equal(alone.values[0], whole.values[2])
    in_a_row = render(waves, rays, marching, shared=True)
    assert torch.equal(in_a_row.values, whole.values)
    assert in_a_row.points <= whole.points

    def noisy(memory: int) -> Tensor:
        random = torch.Generator().manual_seed(1)
        return render(waves, rays, marching, generator=random, density_noise=1.0, memory=memory).values

    with torch.no_grad():
        everything = noisy(2**20)
        for memory in (1, 500, 2**18):
            pieces = render(waves, rays, marching, memory=memory)
            torch.testing.assert_close(pieces.values, whole.values, atol=1e-6, rtol=0)
            torch.testing.assert_close(pieces.depth, whole.depth, atol=1e-5, rtol=0, equal_nan=True)
            assert pieces.points == whole.points
            torch.testing.assert_close(noisy(memory), everything, atol=1e-6, rtol=0)


def test_cameras_at_different_distances_share_a_batch() -> None:
    """Different numbers of rays meet the bound; lists are filled up, and what fills them is seen nowhere."""
    near, far = views(1, radius=1.0), views(1, radius=4.0)
    both = Views(torch.cat([near.cam_to_world, far.cam_to_world]), torch.cat([near.intrinsics, far.intrinsics]))
    marching = Marching(0.1, 6.0, 8, 4, 0.5, placement="cell")
    found = render(waves, rays_of(both, 10, 10), marching)
    for item, seen in enumerate((near, far)):
        torch.testing.assert_close(found.values[item], render(waves, rays_of(seen, 10, 10), marching).values[0])


def test_the_last_sample_takes_what_is_left() -> None:
    distances, begin, end = torch.linspace(1, 2, 6)[None], torch.tensor([0.9]), torch.tensor([2.1])
    endless = Marching(0.5, 3.0, 6, 0, activation="softplus", last_delta=1e10)
    raw = torch.randn(1, 6, generator=torch.Generator().manual_seed(0))
    assert float(shares_of(distances, raw, begin, end, endless).sum()) == pytest.approx(1.0, abs=1e-6)
    nothing = shares_of(distances, raw - 100, begin, end, replace(endless, activation="relu", last_back=True))
    torch.testing.assert_close(nothing, torch.tensor([[0.0, 0, 0, 0, 0, 1]]))


def test_midpoints_average_neighbours() -> None:
    """Two samples, one stretch between them: its density is that of the mean raw one, its value and place the means."""
    marching = Marching(1.0, 2.0, 2, 0, None, "softplus", -1.0, "midpoint")
    rays = Rays(torch.zeros(1, 3), torch.tensor([[[0.0, 0, 2.0]]]))
    raw, values = torch.tensor([[[3.0, 5.0]]]), torch.tensor([[[[1.0], [3.0]]]])
    found = render(lambda points, units: (raw, values), rays, marching)
    alpha = 1 - math.exp(-math.log1p(math.exp(3.0)) * 0.5)
    assert float(found.alpha) == pytest.approx(alpha, abs=1e-6)
    assert float(found.values) == pytest.approx(2 * alpha, abs=1e-5)
    assert float(found.depth) == pytest.approx(1.5 / 2, abs=1e-6)  # directions are twice as long as z


def test_importance_samples_go_where_something_is() -> None:
    seen: list[Tensor] = []

    def shell(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        seen.append((points - points.new_tensor([0, 0, 1.6])).norm(dim=-1))
        return 50.0 * ((seen[-1] > 1.5) & (seen[-1] < 1.6)).to(points), torch.ones_like(points)

    rays = rays_of(Views.of(Cameras.orbit([0.0], [0.0], fov=0.1)), 1, 1)
    render(shell, rays, Marching(1.1, 2.1, 10, 20, 0.5, "relu", placement="cell"))
    coarse, fine = seen
    assert float(coarse.min()) < 1.2
    assert float(((fine > 1.45) & (fine < 1.65)).float().mean()) > 0.95
    seen.clear()
    render(shell, rays, Marching(1.1, 2.1, 10, 20, 0.5, "relu", placement="cell", smooth=True))
    assert 0.3 < float(((seen[1] > 1.45) & (seen[1] < 1.65)).float().mean()) < 0.95


def test_jitter_comes_from_the_generator_alone() -> None:
    rays, marching = rays_of(views(1), 6, 6), MARCHINGS["cells"]

    def drawn(seed: int | None) -> Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return render(waves, rays, marching, generator=generator).values

    assert torch.equal(drawn(None), drawn(None))
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    with pytest.raises(ValueError, match="generator"):
        render(waves, rays, marching, density_noise=1.0)


def test_background_shines_through_and_thin_matter_has_no_depth() -> None:
    rays = rays_of(views(1), 16, 16)
    marching = Marching(1.0, 2.2, 64, 0, 0.5, "relu", placement="cell")
    behind = torch.tensor([0.2, 0.4, 0.6])
    found = render(ball(0.25, 1.0), rays, marching, background=behind)
    torch.testing.assert_close(found.values, found.alpha[..., None] + (1 - found.alpha[..., None]) * behind)
    assert torch.equal(found.values[0, 0], behind)  # the corner meets nothing
    assert 0.3 < float(found.alpha.max()) < 0.5
    assert bool(found.depth.isnan().all())
    solid = render(ball(0.25, 20.0), rays, marching)
    assert torch.equal(solid.depth.isnan(), solid.alpha < 0.5)
    assert bool((solid.depth[solid.alpha >= 0.5] > 1.3).all())


def test_cameras_inside_the_bound_and_the_object() -> None:
    inside_bound = Views.of(Cameras.orbit([0.0], [0.0], radius=0.4))
    marching = Marching(0.0, 2.2, 400, 0, 0.5, "relu", placement="cell")
    centre = render(ball(0.2, 50.0), rays_of(inside_bound, 1, 1), marching)
    assert float(centre.depth) == pytest.approx(0.2 + 1 / 50, abs=5e-3)  # mean depth of an exponential decay
    inside_object = Views.of(Cameras.orbit([0.0], [0.0], radius=0.1))
    found = render(ball(0.2, 50.0), rays_of(inside_object, 3, 3), marching)
    assert bool((found.alpha > 0.99).all())
    assert bool((found.depth < 0.05).all())


def test_cameras_that_look_away_see_the_background() -> None:
    cameras = Cameras.orbit([0.0], [0.0], target=(0.0, 0.0, 50.0))
    rays = Rays(torch.tensor([[0.0, 0, 51.6]]), -rays_of(Views.of(cameras), 4, 4).directions)
    found = render(waves, rays, MARCHINGS["EG3D"], background=torch.full((4,), 0.3))
    assert torch.equal(found.values, torch.full((1, 16, 4), 0.3))
    assert bool(found.depth.isnan().all())


def test_rays_that_miss_the_bound_cost_nothing() -> None:
    rays = rays_of(views(1), 64, 64)
    marching = Marching(1.1, 2.1, 12, 8, 0.5)
    found = render(waves, rays, marching)
    share = (math.tan(math.asin(0.5 / 1.6)) / math.tan(math.radians(20))) ** 2 * math.pi / 4
    assert found.points / (64 * 64 * 20) == pytest.approx(share, rel=0.03)


def test_it_renders_under_autocast() -> None:
    def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        raw, values = waves(points, units)
        return raw.bfloat16(), values.bfloat16()

    rays = rays_of(views(1), 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found = render(field, rays, MARCHINGS["EG3D"])
    assert found.values.dtype == found.depth.dtype == torch.float32
    torch.testing.assert_close(found.values, render(waves, rays, MARCHINGS["EG3D"]).values, atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"near": 2.5}, "near"),
        ({"bound": -1.0}, "bound"),
        ({"coarse": 0}, "samples"),
        ({"placement": "midpoint", "coarse": 1}, "samples"),
        ({"placement": "midpoint", "last_delta": 1e10}, "last_delta"),
    ],
)
def test_impossible_marchings_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Marching(**{"near": 1.0, "far": 2.0, "coarse": 4, "fine": 4, **wrong})
