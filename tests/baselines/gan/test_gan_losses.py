"""Losses, schedules, augmentations and cameras of the training: known answers and invariances."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.gan.augmentation import augment, blur
from viewsweep.baselines.gan.base import GanGenerator, Views
from viewsweep.baselines.gan.data import CameraPrior, mirrored, resized
from viewsweep.baselines.gan.losses import (
    density_variation,
    direction_error,
    discriminator_loss,
    generator_loss,
    hardest_to_tell,
    r1_penalty,
)
from viewsweep.baselines.gan.recipe import Recipe
from viewsweep.baselines.gan.schedules import Fade, Stage, stage_at, top_share
from viewsweep.baselines.gan.steps import adam
from viewsweep.baselines.gan.viewpoint import Viewpoint
from viewsweep.scenes.cameras import Cameras


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_undecided_networks_lose_log_2_each() -> None:
    zero = torch.zeros(5)
    assert float(generator_loss(zero)) == pytest.approx(math.log(2))
    assert float(discriminator_loss(zero, zero)) == pytest.approx(2 * math.log(2))


def test_losses_go_the_right_way_and_do_not_saturate() -> None:
    sure = torch.tensor([-20.0], requires_grad=True)
    generator_loss(sure).backward()
    assert float(sure.grad) == pytest.approx(-1, abs=1e-6)  # type: ignore[arg-type]  # full strength where D is sure
    assert float(discriminator_loss(torch.tensor([9.0]), torch.tensor([-9.0]))) < 1e-3
    assert float(discriminator_loss(torch.tensor([-9.0]), torch.tensor([9.0]))) > 17


def test_losses_stay_finite_for_large_logits_in_half_precision() -> None:
    logits = torch.tensor([3000.0, -3000.0], dtype=torch.bfloat16)
    assert math.isfinite(float(generator_loss(logits)))
    assert math.isfinite(float(discriminator_loss(logits, logits)))


def test_r1_of_a_known_function() -> None:
    """D(x) = 3 sum x + sum y^2: the gradient is 3 for each of 4 values and 2 y for each of 2."""
    x = torch.randn(5, 4, generator=random(), requires_grad=True)
    y = torch.randn(5, 2, generator=random(1), requires_grad=True)
    logits = 3 * x.sum(1) + y.square().sum(1)
    expected = 0.7 / 2 * (9 * 4 + (2 * y).square().sum(1).mean())
    torch.testing.assert_close(r1_penalty(logits, [x, y], 0.7), expected)


def test_r1_teaches_the_weights() -> None:
    """With D(x) = w x the penalty is gamma / 2 w^2, whose derivative is gamma w."""
    weight = torch.tensor(2.0, requires_grad=True)
    x = torch.ones(3, 1, requires_grad=True)
    r1_penalty((weight * x).sum(1), [x], 5.0).backward()
    assert weight.grad is not None
    assert float(weight.grad) == pytest.approx(10.0)


def test_direction_error_does_not_wrap() -> None:
    """Two cameras behind the object, one degree apart, whose yaws are +179.5 and -179.5 degrees."""
    views = Views.of(Cameras.orbit([math.radians(179.5), math.radians(-179.5)], [0.0, 0.0]))
    assert float(direction_error(views.directions[:1], views.directions[1:])) == pytest.approx(
        math.radians(1) ** 2 / 3, rel=1e-3
    )


def test_the_most_convincing_pictures_teach() -> None:
    logits = torch.tensor([0.1, 5.0, -3.0, 2.0])
    assert sorted(hardest_to_tell(logits, 0.5).tolist()) == [1, 3]
    assert hardest_to_tell(logits, 0.01).tolist() == [1]
    assert len(hardest_to_tell(logits, 1.0)) == 4


class Slope(GanGenerator):
    """Density 7 x everywhere."""

    def density(self, scene: dict[str, Tensor], points: Tensor) -> Tensor:
        return 7 * points[..., 0] + scene["offset"][:, None]

    map = truncate = scene = draw = None  # type: ignore[assignment]


def test_density_variation_of_a_slope() -> None:
    """|7 n| with n ~ N(0, s): the mean is 7 s sqrt(2 / pi), whatever the offset."""
    Slope.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    change = density_variation(
        Slope(), {"offset": torch.tensor([0.0, 50.0])}, reach=0.5, step=0.1, points=20_000, random=random()
    )
    assert float(change) == pytest.approx(0.7 * math.sqrt(2 / math.pi), rel=0.02)


def test_lazy_regularisation_corrects_rate_and_betas() -> None:
    """StyleGAN2, appendix B: with a pass after every 16 steps, c = 16 / 17."""
    group = adam(torch.nn.Linear(1, 1), 0.002, (0.5, 0.99), 16).param_groups[0]
    assert group["lr"] == pytest.approx(0.002 * 16 / 17)
    assert group["betas"] == pytest.approx((0.5 ** (16 / 17), 0.99 ** (16 / 17)))
    plain = adam(torch.nn.Linear(1, 1), 0.002, (0.0, 0.99)).param_groups[0]
    assert (plain["lr"], plain["betas"]) == (0.002, (0.0, 0.99))


def test_fades() -> None:
    fade = Fade(1.0, 0.5, 100)
    assert [fade.at(step) for step in (0, 50, 100, 1000)] == [1.0, 0.75, 0.5, 0.5]
    assert Fade(3.0, 2.0, 0).at(1) == 2.0


def test_stages_follow_each_other_and_fade_in() -> None:
    stages = (Stage(10, 32, 16), Stage(20, 64, 8, 5))
    found = [(stage.size, share) for stage, share in (stage_at(stages, step) for step in (1, 10, 11, 15, 16, 99))]
    assert found == [(32, 1.0), (32, 1.0), (64, 0.2), (64, 1.0), (64, 1.0), (64, 1.0)]


def test_share_of_teachers_falls_to_its_least() -> None:
    assert top_share(0, decay=0.99, every=2000, least=0.6) == 1.0
    assert top_share(2000, decay=0.99, every=2000, least=0.6) == pytest.approx(0.99)
    assert top_share(10**6, decay=0.99, every=2000, least=0.6) == 0.6


def test_rates_fall_over_the_last_third() -> None:
    recipe = Recipe(steps=900, rate_end=0.1)
    assert [recipe.rate_at(step) for step in (1, 600, 750, 900)] == pytest.approx([1.0, 1.0, 0.55, 0.1])
    assert Recipe(steps=900).rate_at(900) == 1.0
    waiting = replace(recipe, alone=100)
    assert [waiting.generator_rate_at(step) for step in (1, 100, 150, 200, 600, 900)] == pytest.approx(
        [0.0, 0.0, 0.5, 1.0, 1.0, 0.1]
    )
    assert recipe.generator_rate_at(1) == 1.0


ALL = {"brightness": 0.3, "saturation": 0.5, "contrast": 0.4, "translation": 0.2, "cutout": 0.4}


def test_no_strength_changes_nothing() -> None:
    pictures = torch.randn(3, 6, 8, 8, generator=random())
    assert torch.equal(augment(pictures, {}, random()), pictures)
    still = augment(pictures, dict.fromkeys(ALL, 0.0), random())
    torch.testing.assert_close(still, pictures)


def test_both_pictures_of_a_pair_are_changed_alike() -> None:
    """Dual discrimination: six channels, of which the last three are the raw rendering."""
    one = torch.randn(4, 3, 8, 8, generator=random())
    changed = augment(
        torch.cat([one, one], 1), {name: ALL[name] for name in ("brightness", "translation", "cutout")}, random()
    )
    torch.testing.assert_close(changed[:, :3], changed[:, 3:])
    assert not torch.equal(changed[:, :3], one)


def test_augmentations_do_what_they_say() -> None:
    pictures = torch.rand(50, 3, 10, 10, generator=random()) - 0.5
    brighter = augment(pictures, {"brightness": 0.3}, random()) - pictures
    assert float(brighter.std((1, 2, 3)).max()) < 1e-6
    assert 0.25 < float(brighter.abs().max()) <= 0.3
    grey = pictures.mean(1, keepdim=True)
    saturated = augment(pictures, {"saturation": 0.5}, random())
    torch.testing.assert_close(saturated.mean(1, keepdim=True), grey)
    contrasted = augment(pictures, {"contrast": 0.4}, random())
    torch.testing.assert_close(contrasted.mean((1, 2, 3)), pictures.mean((1, 2, 3)))
    holes = (augment(torch.ones(50, 3, 10, 10), {"cutout": 0.4}, random()) == 0).float().mean((1, 2, 3))
    assert float(holes.max()) == pytest.approx(0.16, abs=0.05)
    dot = torch.zeros(50, 3, 10, 10)
    dot[:, :, 5, 5] = 1
    moved = augment(dot, {"translation": 0.2}, random()).nonzero()
    assert (moved[:, 2:].min(), moved[:, 2:].max()) == (3, 7)


def test_augmentations_let_gradients_through() -> None:
    pictures = torch.rand(4, 3, 8, 8, generator=random()).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, ALL, random(1)), pictures)


def test_blur_keeps_the_mean_and_hits_the_width() -> None:
    dot = torch.zeros(1, 2, 41, 41)
    dot[:, :, 20, 20] = 1
    soft = blur(dot, 3.0)
    assert float(soft.sum((2, 3))[0, 0]) == pytest.approx(1, abs=1e-5)
    places = torch.arange(41) - 20
    width = (soft[0, 0].sum(0) * places**2).sum().sqrt()
    assert float(width) == pytest.approx(3.0, rel=0.03)
    assert blur(dot, 0.2) is dot
    torch.testing.assert_close(blur(torch.full((1, 1, 8, 8), 0.3), 10.0), torch.full((1, 1, 8, 8), 0.3))


def test_mirrored_cameras_see_the_mirrored_world() -> None:
    """A point at (x, y, z) seen at column u is seen at 1 - u when it lies at (-x, y, z)."""
    intrinsics = torch.tensor([[1.2, 0.05, 0.47], [0, 1.3, 0.52], [0, 0, 1]], dtype=torch.float64)
    pose = Cameras.orbit([0.4, -2.0], [0.3, 0.1]).cam_to_world
    cameras = Cameras(pose, intrinsics)
    turned = mirrored(Views.of(cameras))
    other = Cameras(turned.cam_to_world, turned.intrinsics)  # refuses poses that are no rotations
    points = torch.randn(20, 3, generator=random()).double() * 0.3
    uv, depth = cameras.project(points)
    uv_other, depth_other = other.project(points * torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(uv_other[..., 0], 1 - uv[..., 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(uv_other[..., 1], uv[..., 1], rtol=0, atol=1e-5)
    torch.testing.assert_close(depth_other, depth, rtol=0, atol=1e-5)


def test_prior_has_the_spread_it_says() -> None:
    views = CameraPrior("normal", yaw=0.3, pitch=0.155, radius=1.0).draw(4000, random())
    cameras = Cameras(views.cam_to_world, views.intrinsics)
    assert float(cameras.yaw.std()) == pytest.approx(0.3, rel=0.05)
    assert float(cameras.pitch.std()) == pytest.approx(0.155, rel=0.05)
    uniform = CameraPrior("uniform", yaw=math.pi, pitch=0.2, pitch_mean=0.5, radius=2.0).draw(4000, random())
    cameras = Cameras(uniform.cam_to_world, uniform.intrinsics)
    assert (float(cameras.pitch.min()) > 0.3 - 1e-6) & (float(cameras.pitch.max()) < 0.7 + 1e-6)
    assert float(cameras.yaw.abs().max()) > 3.1
    torch.testing.assert_close(cameras.positions.norm(dim=1), torch.full((4000,), 2.0).double(), rtol=1e-6, atol=0)


def test_the_frontal_mean_camera_is_the_datas_own() -> None:
    yaw, pitch = torch.tensor([2.0, 0.02, -1.0, 3.1]), torch.tensor([0.1, 0.26, 0.4, 0.2])
    viewpoint = Viewpoint.of_data(Views.of(Cameras.orbit(yaw, pitch, radius=2.5, fov=0.6)))
    assert viewpoint.radius == pytest.approx(2.5)
    assert viewpoint.fov == pytest.approx(0.6)
    assert viewpoint.pitch == pytest.approx(0.24)
    assert viewpoint.yaw_limit == math.pi
    nearest = Views.of(Cameras.orbit(yaw[1:2], pitch[1:2], radius=2.5, fov=0.6)).labels[0]
    assert viewpoint.conditioning == tuple(nearest.tolist())


def test_smaller_pictures_keep_their_mean() -> None:
    pictures = torch.rand(2, 3, 16, 16, generator=random())
    assert resized(pictures, 16) is pictures
    torch.testing.assert_close(resized(pictures, 8).mean((2, 3)), pictures.mean((2, 3)), rtol=0, atol=0.01)
