"""EG3D: one scene from many cameras, what conditions it and what does not, its formulas, its two pictures."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from viewsweep.baselines.gan.base import Patch, Views
from viewsweep.baselines.gan.dual import dual_pictures, real_raw
from viewsweep.baselines.gan.eg3d import EG3DGenerator
from viewsweep.baselines.gan.eg3d_configs import DISCRIMINATORS, GENERATORS
from viewsweep.baselines.gan.eg3d_discriminator import EG3DDiscriminator
from viewsweep.baselines.gan.superresolution import SuperResolution
from viewsweep.scenes.cameras import Cameras

SIZE = GENERATORS["tiny"]["size"]


@pytest.fixture
def eg3d() -> EG3DGenerator:
    torch.manual_seed(0)
    return EG3DGenerator(**GENERATORS["tiny"]).eval()


def cameras(count: int) -> Views:
    return Views.of(Cameras.orbit([0.3 + 2 * view for view in range(count)], [0.2] * count))


def latents_of(eg3d: EG3DGenerator, count: int) -> torch.Tensor:
    z = torch.randn(count, eg3d.latent_size, generator=torch.Generator().manual_seed(5))
    pose = cameras(1).labels.expand(count, -1) if eg3d.takes_pose else None
    return eg3d.map(z, torch.arange(count) % 10 if eg3d.classes else None, pose)


@torch.no_grad()
def test_a_scene_is_the_same_alone_and_in_a_batch(eg3d: EG3DGenerator) -> None:
    latents, views = latents_of(eg3d, 3), cameras(3)
    together = eg3d.draw(eg3d.scene(latents), views, SIZE)
    alone = eg3d.draw(eg3d.scene(latents[1:2]), views[1:2], SIZE)
    torch.testing.assert_close(alone.rgb, together.rgb[1:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.depth, together.depth[1:2], atol=1e-5, rtol=1e-4, equal_nan=True)
    assert together.rgb.shape == (3, 3, SIZE, SIZE)
    assert together.raw is not None
    assert together.raw.shape == (3, 3, eg3d.neural, eg3d.neural)
    assert together.depth.shape == together.alpha.shape == (3, eg3d.neural, eg3d.neural)


@torch.no_grad()
def test_one_scene_is_drawn_from_many_cameras_which_matter(eg3d: EG3DGenerator) -> None:
    scene = eg3d.scene(latents_of(eg3d, 1))
    views = cameras(3)
    drawn = eg3d.draw(scene, views, SIZE)
    for view in range(3):
        alone = eg3d.draw(scene, views[view : view + 1], SIZE)
        torch.testing.assert_close(alone.rgb, drawn.rgb[view : view + 1], atol=1e-5, rtol=1e-4)
    assert (drawn.rgb[0] - drawn.rgb[1]).abs().max() > 0.01
    assert torch.equal(eg3d.draw(scene, views, SIZE).rgb, drawn.rgb)


@torch.no_grad()
def test_a_fixed_conditioning_pose_leaves_the_scene_bit_identical(eg3d: EG3DGenerator) -> None:
    """A sweep conditions once; conditioning on each render pose, as a plain G(z, c) does, changes the identity."""
    z, label, views = torch.randn(1, eg3d.latent_size), torch.tensor([3]), cameras(4)
    scenes = []
    for view in range(4):
        scene = eg3d.scene(eg3d.map(z, label, views.labels[:1]))
        eg3d.draw(scene, views[view : view + 1], SIZE)
        scenes.append(scene)
    for scene in scenes[1:]:
        assert all(torch.equal(scene[name], scenes[0][name]) for name in scene)
    other = eg3d.scene(eg3d.map(z, label, views.labels[1:2]))
    assert not torch.equal(other["planes"], scenes[0]["planes"])


@torch.no_grad()
def test_density_is_shifted_softplus_inside_the_bound_and_zero_outside(eg3d: EG3DGenerator) -> None:
    scene = eg3d.scene(latents_of(eg3d, 2))
    points = (torch.rand(2, 200, 3) - 0.5) * 1.6
    found = eg3d.density(scene, points)
    raw, features = eg3d.field(scene["planes"], points)
    inside = points.norm(dim=-1) <= 0.5
    torch.testing.assert_close(found[inside], torch.log1p(torch.exp(raw[inside] - 1)))
    assert bool((found[~inside] == 0).all())
    assert bool(inside.any())
    assert float(features.min()) >= -0.001
    assert float(features.max()) <= 1.001


@torch.no_grad()
def test_depth_is_given_where_there_is_something(eg3d: EG3DGenerator) -> None:
    """A scene made solid begins where the bounding sphere does."""
    eg3d = EG3DGenerator(**{**eg3d.settings, "coarse": 24, "fine": 24})
    scene, views = eg3d.scene(latents_of(eg3d, 1)), cameras(1)
    drawn = eg3d.draw(scene, views, SIZE)
    assert torch.equal(drawn.depth.isnan(), drawn.alpha < 0.5)
    eg3d.decoder.output.bias[0] += 300
    solid = eg3d.draw(scene, views, SIZE)
    middle = eg3d.neural // 2
    assert float(solid.alpha[0, middle, middle]) > 0.99
    assert float(solid.depth[0, middle, middle]) == pytest.approx(1.1, abs=0.06)
    assert float(solid.alpha[0, 0, 0]) == 0.0


@torch.no_grad()
@pytest.mark.parametrize(("background", "value"), [("white", 1.0), ("black", -1.0)])
def test_the_background_fills_what_lets_light_through(background: str, value: float) -> None:
    torch.manual_seed(0)
    eg3d = EG3DGenerator(**{**GENERATORS["tiny"], "background": background})
    drawn = eg3d.draw(eg3d.scene(latents_of(eg3d, 1)), cameras(1), SIZE)
    assert drawn.raw is not None
    torch.testing.assert_close(drawn.raw[0, :, 0, 0], torch.full((3,), value))


@torch.no_grad()
def test_super_resolution_adds_to_the_enlarged_rendering(eg3d: EG3DGenerator) -> None:
    for block in eg3d.upper.blocks:
        block.output.convolution.weight.zero_()
    drawn = eg3d.draw(eg3d.scene(latents_of(eg3d, 1)), cameras(1), SIZE)
    assert drawn.raw is not None
    enlarged = functional.interpolate(drawn.raw, (SIZE, SIZE), mode="bilinear", align_corners=False)
    torch.testing.assert_close(drawn.rgb, enlarged, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("start", "size", "sides"), [(8, 32, [16, 32]), (8, 16, [8, 16]), (8, 8, [8, 8])])
def test_blocks_double_the_resolution_as_late_as_they_can(start: int, size: int, sides: list[int]) -> None:
    network = SuperResolution(4, 5, start=start, widths=[6, 3], size=size)
    x, rgb, latents = torch.randn(1, 5, start, start), torch.randn(1, 3, start, start), torch.randn(1, 4)
    for block, side in zip(network.blocks, sides, strict=True):
        x, rgb = block(x, rgb, latents)
        assert x.shape[-1] == rgb.shape[-1] == side
    assert network(torch.randn(1, 5, 6, 6), latents).shape == (1, 3, size, size)
    with pytest.raises(ValueError, match="cannot bring"):
        SuperResolution(4, 5, start=start, widths=[6, 3], size=8 * size)


def test_jitter_comes_from_the_generator_alone(eg3d: EG3DGenerator) -> None:
    scene, views = eg3d.scene(latents_of(eg3d, 1)), cameras(1)
    first, again, other = (
        eg3d.draw(scene, views, SIZE, generator=torch.Generator().manual_seed(seed)).rgb for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_settings_build_the_same_network_again(eg3d: EG3DGenerator) -> None:
    again = EG3DGenerator(**json.loads(json.dumps(eg3d.settings))).eval()
    again.load_state_dict(eg3d.state_dict())
    latents, views = latents_of(eg3d, 1), cameras(1)
    assert torch.equal(latents_of(again, 1), latents)
    pictures = [network.draw(network.scene(latents), views, SIZE).rgb for network in (eg3d, again)]
    assert torch.equal(*pictures)
    judge = EG3DDiscriminator(**DISCRIMINATORS["tiny"])
    twin = EG3DDiscriminator(**json.loads(json.dumps(judge.settings)))
    twin.load_state_dict(judge.state_dict())


@pytest.mark.parametrize("noise", [True, False])
def test_gradients_reach_every_parameter(noise: bool) -> None:
    torch.manual_seed(0)
    eg3d = EG3DGenerator(**{**GENERATORS["tiny"], "noise": noise}).train()
    judge = EG3DDiscriminator(**DISCRIMINATORS["tiny"])
    views, label = cameras(4), torch.arange(4)
    z = torch.randn(4, eg3d.latent_size)
    drawn = eg3d.draw(eg3d.scene(eg3d.map(z, label, views.labels)), views, SIZE)
    assert drawn.raw is not None
    judge(dual_pictures(drawn.rgb, drawn.raw), label, views.labels).logits.sum().backward()
    for network in (eg3d, judge):
        dead = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())]
        assert not dead


def test_half_precision_draws_nearly_the_same_and_can_be_trained(eg3d: EG3DGenerator) -> None:
    latents, views = latents_of(eg3d, 2), cameras(2)
    exact = eg3d.draw(eg3d.scene(latents), views, SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        drawn = eg3d.draw(eg3d.scene(latents), views, SIZE)
        assert drawn.raw is not None
        assert drawn.rgb.dtype == drawn.raw.dtype == drawn.depth.dtype == torch.float32
        logits = EG3DDiscriminator(**DISCRIMINATORS["tiny"])(
            dual_pictures(drawn.rgb, drawn.raw), torch.arange(2), views.labels
        ).logits
    assert float((drawn.rgb - exact.rgb).abs().mean().detach()) < 0.03
    assert logits.dtype == torch.float32
    logits.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in eg3d.parameters() if p.grad is not None)


def test_the_two_pictures_stand_side_by_side_at_one_size() -> None:
    rgb, raw = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 8, 8)
    both = dual_pictures(rgb, raw)
    assert both.shape == (2, 6, 16, 16)
    assert torch.equal(both[:, :3], rgb)
    torch.testing.assert_close(both[:, 3:].mean(), raw.mean(), atol=0.02, rtol=0)
    flicker = (torch.arange(16) % 2).float().expand(1, 3, 16, 16)
    torch.testing.assert_close(real_raw(flicker, 4)[..., 1:-1], torch.full((1, 3, 4, 2), 0.5), atol=0.04, rtol=0)


def test_what_it_cannot_draw_is_refused(eg3d: EG3DGenerator) -> None:
    scene = eg3d.scene(latents_of(eg3d, 1))
    with pytest.raises(ValueError, match="16x16"):
        eg3d.draw(scene, cameras(1), 32)
    with pytest.raises(ValueError, match="whole pictures"):
        eg3d.draw(scene, cameras(1), SIZE, patch=Patch(torch.ones(1), torch.zeros(1, 2)))


def test_configurations_are_what_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GENERATORS.keys() == DISCRIMINATORS.keys()
    monkeypatch.setattr(torch, "randn", torch.empty)  # paper-sized weights in no time
    built = {name: EG3DGenerator(**settings) for name, settings in GENERATORS.items()}
    judges = {name: EG3DDiscriminator(**settings) for name, settings in DISCRIMINATORS.items()}
    for name, generator in built.items():
        assert generator.size == judges[name].settings["size"]
        assert bool(generator.classes) == bool(judges[name].classes) == (name in ("small", "tiny"))
        assert isinstance(judges[name].head, nn.Module)
    assert built["paper"].backbone.size == 256
    assert built["paper"].backbone.blocks[-1].output.bias.shape == (96,)
    assert built["paper"].marching.coarse == built["paper"].marching.fine == 48
    size = sum(math.prod(value.shape) for value in built["small"].state_dict().values())
    assert size * 2 < 6 * 2**20
