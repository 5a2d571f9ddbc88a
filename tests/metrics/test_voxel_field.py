from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus
from viewsweep.metrics.voxel_field import MASK_WEIGHT, NOTHING, Volume, VoxelField, _March, fit_field, seen_volume
from viewsweep.scenes import Cameras, sweep360
from viewsweep.scenes.errors import InvalidCameras

from .analytic import balls

UNIT = Volume((0.0, 0.0, 0.0), 1.0)


def uniform(size: int, raw: float, volume: Volume = UNIT) -> VoxelField:
    values = torch.tensor([raw, 0.2, 0.5, 0.9]).expand(size**3, 4).contiguous()
    return VoxelField(volume, size, torch.arange(size**3, dtype=torch.int32), values)


def frontal(size: int, fov: float = 0.02) -> Cameras:
    return Cameras.orbit([0.0], [0.0], radius=3.0, fov=fov)


def test_uniform_fog_lets_through_what_its_depth_says() -> None:
    size, raw = 33, -1.5
    rgb, through = uniform(size, raw).render(frontal(1), torch.ones(1, 1, 1, 3))
    expected = math.exp(-(size - 1) * math.log1p(math.exp(raw)))  # the diameter is size - 1 voxels
    assert float(through) == pytest.approx(expected, rel=1e-5)
    blend = (1 - expected) * torch.tensor([0.2, 0.5, 0.9]) + expected
    torch.testing.assert_close(rgb.flatten(), blend, rtol=1e-5, atol=1e-6)


def test_rays_beside_the_volume_see_the_backdrop() -> None:
    cameras = Cameras.orbit([0.0], [0.0], radius=3.0, fov=1.2)
    backdrop = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    field = uniform(9, 5.0)
    rgb, through = field.render(cameras, backdrop)
    crossed = field.crossed(cameras, 16, 16)
    assert 0 < int(crossed.sum()) < 256
    assert torch.equal(rgb[~crossed], backdrop[~crossed])
    assert bool((through[~crossed] == 1).all())
    assert float(through[0, 7:9, 7:9].max()) < 1e-6


def test_front_hides_back() -> None:
    size = 17
    z = torch.arange(size**3) // size**2
    values = torch.full((size**3, 4), 9.0)
    values[:, 1:] = torch.where(z[:, None] > size // 2, torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, 1]))
    field = VoxelField(UNIT, size, torch.arange(size**3, dtype=torch.int32), values)
    cameras = Cameras.orbit([0.0, math.pi], [0.0, 0.0], radius=3.0, fov=0.02)
    rgb, _ = field.render(cameras, torch.zeros(2, 1, 1, 3))
    torch.testing.assert_close(rgb.reshape(2, 3), torch.tensor([[1.0, 0, 0], [0, 0, 1]]), atol=1e-3, rtol=0)


def test_slope_is_that_of_the_loss() -> None:
    generator = torch.Generator().manual_seed(3)
    size = 6
    held = torch.rand(size**3, generator=generator) < 0.7
    index = torch.full((size**3,), -1, dtype=torch.int32)
    index[held] = torch.arange(int(held.sum()), dtype=torch.int32)
    values = torch.randn(int(held.sum()), 4, generator=generator)
    origins, directions = sweep360(3, 0.2, radius=3.0).rays(5, 5)
    start = origins[:, None, None].expand_as(directions).reshape(-1, 3).float()
    heading = torch.nn.functional.normalize(directions, dim=-1).reshape(-1, 3).float()
    target = torch.rand(75, 7, generator=generator)
    march = _March(size, index, start, heading)
    slope = march.scatter(len(values)).collect(march.slope(values, target))
    wanted = values.double().requires_grad_()
    _naive_loss(march, wanted, target.double()).backward()
    assert wanted.grad is not None
    torch.testing.assert_close(slope.double(), wanted.grad, rtol=1e-4, atol=1e-5)
    assert float(slope.abs().max()) > 0.1


def _naive_loss(march: _March, values: Tensor, target: Tensor) -> Tensor:
    """The definition, sample by sample."""
    loss = values.new_zeros(())
    for ray in range(len(march.start) - 1):
        colour, through = values.new_zeros(3), values.new_ones(())
        for sample in range(int(march.start[ray]), int(march.start[ray + 1])):
            weight = march.weight[sample].double()
            value = (weight[:, None] * values[march.corner[sample].long()]).sum(0)
            passed = torch.exp(-softplus(value[0] + NOTHING * (1 - weight.sum())))
            colour = colour + through * (1 - passed) * value[1:]
            through = through * passed
        colour = colour + through * target[ray, 4:]
        loss = loss + ((colour - target[ray, :3]) ** 2).sum() + MASK_WEIGHT * (through - (1 - target[ray, 3])) ** 2
    return loss


def pictures(cameras: Cameras, size: int) -> tuple[Tensor, Tensor, Tensor]:
    scene = balls(cameras, size)
    rgb = scene.rgb.float() / 255
    return rgb, scene.foreground.float(), torch.full_like(rgb, 0.8)


def test_fit_predicts_a_view_between() -> None:
    cameras = sweep360(12, 0.26)
    rgb, alpha, backdrop = pictures(cameras, 32)
    field = fit_field(rgb[::2], alpha[::2], backdrop[::2], cameras[::2], seen_volume(cameras))
    seen, through = field.render(cameras[1::2], backdrop[1::2])
    inside = alpha[1::2] > 0
    assert (
        float(((seen - rgb[1::2])[inside] ** 2).mean()) < 0.01
    )  # neighbours are 60 degrees apart; colours vary by 0.1
    assert float(through[inside].mean()) < 0.06
    assert float(through[~inside].mean()) > 0.97
    assert len(field.values) < 0.6 * field.size**3  # empty vertices were dropped


def test_same_bits_again_whatever_the_global_seed() -> None:
    cameras = sweep360(4, 0.1)
    given = pictures(cameras, 16)
    torch.manual_seed(1)
    first = fit_field(*given, cameras, seen_volume(cameras))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second = fit_field(*given, cameras, seen_volume(cameras))
    assert torch.equal(first.values, second.values)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("scale", "shift"), [(10.0, (0.0, 0.0, 0.0)), (1.0, (3.0, -2.0, 5.0)), (0.01, (1.0, 0, 0))])
def test_unit_and_place_of_the_world_do_not_matter(scale: float, shift: tuple[float, float, float]) -> None:
    cameras = sweep360(4, 0.1)
    pose = cameras.cam_to_world.clone()
    pose[:, :3, 3] = scale * pose[:, :3, 3] + torch.tensor(shift, dtype=torch.float64)
    moved = Cameras(pose, cameras.intrinsics)
    rgb, alpha, backdrop = pictures(cameras, 16)
    views = [
        fit_field(rgb, alpha, backdrop, own, seen_volume(own)).render(own, backdrop)[0] for own in (cameras, moved)
    ]
    torch.testing.assert_close(*views, atol=0.02, rtol=0)


def test_nothing_to_see_is_an_empty_field() -> None:
    cameras = sweep360(4, 0.1)
    rgb, alpha, backdrop = torch.full((4, 16, 16, 3), 0.3), torch.zeros(4, 16, 16), torch.full((4, 16, 16, 3), 0.3)
    field = fit_field(rgb, alpha, backdrop, cameras, seen_volume(cameras))
    seen, through = field.render(cameras, backdrop)
    assert float(through.min()) > 0.9
    torch.testing.assert_close(seen, rgb, atol=0.02, rtol=0)


def test_fewest_pixels_do_no_harm() -> None:
    cameras = sweep360(4, 0.1)
    rgb = torch.full((4, 1, 2, 3), 0.3)
    field = fit_field(rgb, torch.ones(4, 1, 2), torch.zeros_like(rgb), cameras, seen_volume(cameras))
    assert bool(torch.isfinite(field.render(cameras, rgb)[0]).all())


# the volume


def test_sweep_looks_at_the_ball_that_fills_its_frame() -> None:
    volume = seen_volume(sweep360(24, 0.26))
    assert volume.centre == pytest.approx((0, 0, 0), abs=1e-12)
    assert volume.radius == pytest.approx(1.6 * math.sin(math.radians(20)))
    moved = Cameras.orbit([0.0, 0.7, 1.5], [0.1, 0.2, 0.0], radius=2.0, fov=0.7, target=(1.0, -2.0, 3.0))
    assert seen_volume(moved).centre == pytest.approx((1, -2, 3), abs=1e-9)
    assert seen_volume(moved).radius == pytest.approx(2 * math.sin(0.35))


def test_parallel_axes_look_at_the_place_nearest_the_origin() -> None:
    volume = seen_volume(Cameras.orbit([0.3] * 4, [0.1] * 4))
    assert volume.centre == pytest.approx((0, 0, 0), abs=1e-9)


def test_close_cameras_stay_outside() -> None:
    wide = Cameras.orbit([0.0, 1.0, 2.0], [0.0] * 3, radius=1.0, fov=3.1)
    assert seen_volume(wide).radius == pytest.approx(0.9)


def test_cameras_that_look_outwards_are_refused() -> None:
    pose = sweep360(4).cam_to_world.clone()
    pose[:, :3, [0, 2]] *= -1  # turned about their vertical axis
    with pytest.raises(InvalidCameras) as caught:
        seen_volume(Cameras(pose, sweep360(4).intrinsics))
    assert str(caught.value) == (
        "Camera 0: the place that all cameras look at lies behind it. A reconstruction needs cameras around one object."
    )
