"""pi-GAN: the paper's numbers, one scene from everywhere, gradients, and settings that say everything."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from viewsweep.baselines.gan.base import Patch, Views
from viewsweep.baselines.gan.occupancy import with_occupancy
from viewsweep.baselines.gan.pigan import PiGANGenerator
from viewsweep.baselines.gan.pigan_configs import DISCRIMINATORS, GENERATORS
from viewsweep.baselines.gan.pigan_discriminator import CoordConv, PiGANDiscriminator
from viewsweep.baselines.gan.sine_layers import sine_layers
from viewsweep.baselines.gan.siren import FilmSiren, frequencies_of
from viewsweep.scenes.cameras import Cameras

SIZE = 16


def views(count: int, first: float = 0.0) -> Views:
    return Views.of(Cameras.orbit([first + 0.7 * k for k in range(count)], [0.24] * count))


def tiny(**changes: Any) -> PiGANGenerator:
    torch.manual_seed(0)
    generator = PiGANGenerator(**{**GENERATORS["tiny"], **changes}).eval()
    with torch.no_grad():  # a new one is all fog; this one has dense and empty places
        generator.siren.density.weight *= 20
    return generator


def latents_of(generator: PiGANGenerator, count: int) -> Tensor:
    z = torch.randn(count, generator.latent_size, generator=torch.Generator().manual_seed(1))
    label = torch.arange(count) % generator.classes if generator.classes else None
    return generator.map(z, label).detach()


def test_frequencies_start_at_thirty() -> None:
    torch.testing.assert_close(frequencies_of(torch.tensor([0.0, 1.0, -1.0])), torch.tensor([30.0, 45.0, 15.0]))


@torch.no_grad()
def test_weights_start_as_in_the_paper() -> None:
    torch.manual_seed(0)
    generator = PiGANGenerator(**GENERATORS["paper"])
    siren = generator.siren
    assert (len(siren.layers), siren.density.in_features, siren.rgb.in_features) == (8, 256, 256)
    assert siren.colour.in_features == 259
    first, second = siren.layers[0].weight, siren.layers[1].weight
    assert isinstance(first, Tensor)
    assert isinstance(second, Tensor)
    assert 0.3 < float(first.abs().max()) <= 1 / 3
    assert float(second.abs().max()) == pytest.approx(math.sqrt(6 / 256) / 25, rel=1e-2)
    latents = generator.map(torch.randn(500, 256))
    assert latents.shape == (500, 2 * 9 * 256)
    linear = [layer for layer in generator.mapping.layers if isinstance(layer, torch.nn.Linear)]
    assert len(linear) == 4
    # Kaiming: std sqrt(2 / (1 + 0.2^2) / 256); the last one a quarter of it
    assert float(linear[1].weight.std()) == pytest.approx(math.sqrt(2 / 1.04 / 256), rel=0.02)
    assert float(linear[-1].weight.std()) == pytest.approx(0.25 * math.sqrt(2 / 1.04 / 256), rel=0.02)
    assert generator.siren.scale == pytest.approx(2 / 0.24)


@pytest.mark.parametrize("view_dependent", [False, True])
def test_layers_are_film_sirens(view_dependent: bool) -> None:
    """Folded, blocked layers against sin(gamma' (W x + b) + beta) written out, with their gradients."""
    torch.manual_seed(0)
    siren = FilmSiren(12, 3, 0.5, view_dependent=view_dependent, gain=2.0).double()
    frequencies = (30 + 3 * torch.randn(2, 4, 12, dtype=torch.float64)).requires_grad_()
    phases = torch.randn(2, 4, 12, dtype=torch.float64, requires_grad=True)
    points = (torch.rand(2, 300, 2, 3, dtype=torch.float64) - 0.5).requires_grad_()  # more than one block
    units = functional.normalize(torch.randn(2, 300, 3, dtype=torch.float64), dim=-1)
    raw, colours = siren(siren.fold(frequencies, phases), points, units)

    x = points * 4
    for number, layer in enumerate(siren.layers):
        x = torch.sin(frequencies[:, number, None, None] * layer(x) + phases[:, number, None, None])
    wanted = siren.density(x)[..., 0] * 2.0
    if view_dependent:
        x = torch.cat([units[:, :, None].expand(-1, -1, 2, -1), x], -1)
    x = torch.sin(frequencies[:, 3, None, None] * siren.colour(x) + phases[:, 3, None, None])
    expected = siren.rgb(x).sigmoid()
    torch.testing.assert_close(raw, wanted, atol=1e-9, rtol=0)
    torch.testing.assert_close(colours, expected, atol=1e-9, rtol=0)
    inputs = [frequencies, phases, points, *siren.parameters()]
    found = torch.autograd.grad(raw.square().sum() + (colours * colours.detach().cos()).sum(), inputs)
    slow = torch.autograd.grad(wanted.square().sum() + (expected * expected.detach().cos()).sum(), inputs)
    for one, other in zip(found, slow, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-7)


def test_sine_layers_have_the_gradients_of_finite_differences() -> None:
    torch.manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    parts = [random(2, 5, 3), random(1, 4), random(1), random(3, 4), random(3)]
    for inputs in (3, 4, 4):
        parts += [random(2, inputs, 4), random(2, 1, 4)]

    def layers(points: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        pairs = list(zip(rest[4::2], rest[5::2], strict=True))
        return sine_layers(points, pairs, rest[:4])

    assert torch.autograd.gradcheck(layers, parts)


@pytest.mark.parametrize("config", ["tiny", "small", "paper", "paper-carla"])
def test_settings_rebuild_it(config: str) -> None:
    for kind, configs in ((PiGANGenerator, GENERATORS), (PiGANDiscriminator, DISCRIMINATORS)):
        network = kind(**configs.get(config, configs["paper"]))
        again = type(network)(**json.loads(json.dumps(network.settings)))
        shapes = [parameter.shape for parameter in network.state_dict().values()]
        assert shapes == [parameter.shape for parameter in again.state_dict().values()]
        assert again.settings == network.settings
    assert PiGANGenerator(**GENERATORS["small"]).classes == 10


def test_small_fits_into_six_mebibytes() -> None:
    count = sum(parameter.numel() for parameter in PiGANGenerator(**GENERATORS["small"]).parameters())
    assert count * 2 < 6 * 2**20


@torch.no_grad()
def test_scenes_are_drawn_alike_alone_and_among_others() -> None:
    generator = tiny()
    latents, seen = latents_of(generator, 4), views(4)
    together = generator.draw(generator.scene(latents), seen, SIZE)
    assert together.rgb.shape == (4, 3, SIZE, SIZE)
    assert float(together.rgb.abs().max()) <= 1
    for item in range(4):
        alone = generator.draw(generator.scene(latents[item : item + 1]), seen[item : item + 1], SIZE)
        torch.testing.assert_close(alone.rgb[0], together.rgb[item], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone.alpha[0], together.alpha[item], atol=1e-5, rtol=0)
    assert not torch.allclose(together.rgb[0], together.rgb[1], atol=0.05)


@torch.no_grad()
def test_one_scene_from_many_views() -> None:
    generator = tiny()
    latents = latents_of(generator, 1)
    scene, seen = generator.scene(latents), views(3)
    sweep = generator.draw(scene, seen, SIZE)
    copies = generator.draw(generator.scene(latents.expand(3, -1)), seen, SIZE)
    torch.testing.assert_close(sweep.rgb, copies.rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(sweep.depth, copies.depth, atol=1e-4, rtol=0, equal_nan=True)
    assert not torch.allclose(sweep.alpha[0], sweep.alpha[1], atol=0.05)  # the camera moves the picture
    again = generator.draw(scene, seen, SIZE)
    assert torch.equal(again.rgb, sweep.rgb)
    skipped = generator.draw(with_occupancy(generator, scene, generator.marching), seen, SIZE)
    assert float((skipped.rgb - sweep.rgb).abs().max()) < 2 / 255
    patch = Patch(torch.full((3,), 0.5), torch.tensor([[0.25, 0.5]]).expand(3, 2))
    part = generator.draw(scene, seen, SIZE // 2, patch=patch)
    torch.testing.assert_close(part.rgb, sweep.rgb[:, :, 8:, 4:12], atol=1e-5, rtol=0)


@torch.no_grad()
def test_colours_do_not_follow_the_camera_unless_they_may() -> None:
    points = torch.rand(1, 50, 1, 3) - 0.5
    here, there = (functional.normalize(torch.randn(1, 50, 3), dim=-1) for _ in range(2))
    for changes, same in (
        ({}, True),
        ({"view_dependent": True}, False),
        ({"view_dependent": True, "lock_view_dependence": True}, True),
    ):
        generator = tiny(**changes)
        with torch.no_grad():
            generator.siren.colour.weight *= 10
        field = generator._field(generator.scene(latents_of(generator, 1)))
        assert torch.allclose(field(points, here)[1], field(points, there)[1], atol=1e-4) == same
        assert torch.equal(field(points, here)[0], field(points, there)[0])  # density never does


@torch.no_grad()
def test_densities_are_those_that_are_drawn() -> None:
    generator = tiny()
    scene = generator.scene(latents_of(generator, 2))
    points = (torch.rand(2, 200, 3) - 0.5) * 1.2
    found = generator.density(scene, points)
    raw, _ = generator._field(scene)(points[:, :, None], functional.normalize(points, dim=-1))
    inside = points.norm(dim=-1) <= 0.5
    assert not inside.all()
    torch.testing.assert_close(found, generator.marching.density(raw[..., 0]) * inside, atol=1e-3, rtol=1e-4)
    assert float(found.min()) >= 0


@torch.no_grad()
def test_backgrounds() -> None:
    for background, empty in (("white", 1.0), ("black", -1.0)):
        generator = tiny(background=background)
        generator.siren.density.bias -= 100
        drawn = generator.draw(generator.scene(latents_of(generator, 1)), views(1), 8)
        torch.testing.assert_close(drawn.rgb, torch.full((1, 3, 8, 8), empty), atol=1e-4, rtol=0)
        assert bool(drawn.depth.isnan().all())
    generator = tiny(background="last", placement="sample", last_delta=1e10, activation="relu", bound=None)
    generator.siren.density.bias -= 100
    scene = generator.scene(latents_of(generator, 1))
    assert float(generator.draw(scene, views(1), 8).alpha.min()) == 1  # the last sample takes all light ...
    assert float(generator.train().draw(scene, views(1), 8).alpha.max()) == 0  # ... in evaluation mode
    sky = tiny()
    assert not torch.equal(*sky.draw(sky.scene(latents_of(sky, 2)), views(2), 8).rgb[:, :, 0, 0])


def test_truncation_moves_towards_the_running_mean() -> None:
    generator = tiny(decay=0.5)
    latents = latents_of(generator, 8)
    assert float(generator.mapping.mean.abs().max()) == 0
    generator.train().map(torch.randn(8, 8), torch.arange(8))
    mean = generator.mapping.mean.clone()
    assert float(mean.abs().max()) > 0
    generator.eval().map(torch.randn(8, 8), torch.arange(8))
    assert torch.equal(generator.mapping.mean, mean)
    assert torch.equal(generator.truncate(latents, 1.0), latents)
    torch.testing.assert_close(generator.truncate(latents, 0.0), mean.expand_as(latents))
    torch.testing.assert_close(generator.truncate(latents, 0.5), (mean + latents) / 2)


def test_classes_matter_and_must_be_known() -> None:
    generator, z = tiny(), torch.randn(1, 8)
    one, other = (generator.map(z, torch.tensor([label])) for label in (1, 2))
    assert not torch.allclose(one, other, atol=0.05)
    with pytest.raises(ValueError, match="label"):
        generator.map(z)
    with pytest.raises((RuntimeError, ValueError), match=r"[Cc]lass"):
        generator.map(z, torch.tensor([10]))
    assert tiny(classes=0).map(z).shape == one.shape
    judge = PiGANDiscriminator(**DISCRIMINATORS["tiny"])
    with pytest.raises(ValueError, match="label"):
        judge(torch.zeros(1, 3, 16, 16))


def test_every_weight_of_the_generator_learns() -> None:
    generator = tiny().train()
    drawn = generator.draw(
        generator.scene(generator.map(torch.randn(2, 8), torch.tensor([0, 1]))),
        views(2),
        8,
        generator=torch.Generator().manual_seed(0),
        density_noise=0.5,
    )
    (drawn.rgb * torch.randn(2, 3, 8, 8)).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


def test_it_works_under_autocast() -> None:
    generator, judge = tiny(), PiGANDiscriminator(**DISCRIMINATORS["tiny"])
    latents, seen = latents_of(generator, 2), views(2)
    plain = generator.draw(generator.scene(latents), seen, SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        drawn = generator.draw(generator.scene(latents), seen, SIZE)
        verdict = judge(drawn.rgb, torch.tensor([0, 1]))
    torch.testing.assert_close(drawn.rgb, plain.rgb, atol=0.02, rtol=0)
    assert verdict.logits.dtype == torch.float32
    verdict.logits.sum().backward()


def test_coordinate_convolutions_are_told_where_they_are() -> None:
    torch.manual_seed(0)
    layer, x = CoordConv(4, 5), torch.randn(2, 4, 6, 6)
    line = torch.linspace(-1, 1, 6)
    places = torch.stack([line.expand(6, 6), line[:, None].expand(6, 6)]).expand(2, 2, 6, 6)
    expected = functional.conv2d(torch.cat([x, places], 1), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_discriminator_takes_every_size_it_grows_through(size: int) -> None:
    torch.manual_seed(0)
    judge = PiGANDiscriminator(**DISCRIMINATORS["tiny"])
    verdict = judge(torch.randn(6, 3, size, size), torch.arange(6))
    assert verdict.logits.shape == (6,)
    assert verdict.direction is not None
    torch.testing.assert_close(verdict.direction.norm(dim=1), torch.ones(6))


def test_a_new_resolution_fades_in() -> None:
    torch.manual_seed(0)
    judge = PiGANDiscriminator(**DISCRIMINATORS["tiny"])
    pictures, label = torch.randn(4, 3, 16, 16), torch.arange(4)
    small = judge(functional.avg_pool2d(pictures, 2), label).logits
    torch.testing.assert_close(judge(pictures, label, fade=1e-6).logits, small, atol=1e-3, rtol=1e-3)
    whole, half = judge(pictures, label).logits, judge(pictures, label, fade=0.5).logits
    assert not torch.allclose(half, whole, atol=1e-3)
    assert not torch.allclose(half, small, atol=1e-3)
    with pytest.raises(ValueError, match="smallest"):
        judge(pictures[:, :, :4, :4], label, fade=0.5)
    with pytest.raises(ValueError, match="32x32"):
        judge(torch.zeros(1, 3, 32, 32), label[:1])
    with pytest.raises(ValueError, match="patch"):
        judge(pictures, label, patch=Patch(torch.ones(4), torch.zeros(4, 2)))
    with pytest.raises(ValueError, match="widths"):
        PiGANDiscriminator(size=32, widths=[4, 4, 4])


def test_second_derivatives_of_the_discriminator() -> None:
    """R1 differentiates a gradient; against finite differences, in float64."""
    torch.manual_seed(0)
    judge = PiGANDiscriminator(**{**DISCRIMINATORS["tiny"], "group": 0}).double()
    pictures = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(judge(pictures, torch.tensor([0, 1])).logits.sum(), pictures, create_graph=True)
        return slope.square().sum()

    # the first block is that of a larger size
    weights = [(name, w) for name, w in judge.named_parameters() if name.endswith("first.weight")][1:]
    found = torch.autograd.grad(penalty(), [w for _, w in weights])
    for (name, weight), gradient in zip(weights, found, strict=True):
        place, step = (0, 0, 1, 1), 1e-5
        with torch.no_grad():
            weight[place] += step
        above = float(penalty().detach())
        with torch.no_grad():
            weight[place] -= 2 * step
        below = float(penalty().detach())
        with torch.no_grad():
            weight[place] += step
        assert float(gradient[place]) == pytest.approx((above - below) / (2 * step), rel=1e-3, abs=1e-8), name


def test_companions_do_not_matter_without_minibatch_statistics() -> None:
    torch.manual_seed(0)
    judge = PiGANDiscriminator(**{**DISCRIMINATORS["tiny"], "group": 0})
    pictures, label = torch.randn(4, 3, 16, 16), torch.arange(4)
    torch.testing.assert_close(judge(pictures[1:2], label[1:2]).logits, judge(pictures, label).logits[1:2])
    wrong = judge(pictures, label.flip(0)).logits
    assert not torch.allclose(wrong, judge(pictures, label).logits, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_draws_and_learns_the_same() -> None:
    found = []
    for device in ("cpu", "cuda"):
        generator = tiny().to(device)
        latents = latents_of(tiny(), 2).to(device).requires_grad_()
        seen = Views.of(Cameras.orbit([0.0, 0.7], [0.24] * 2), device)
        drawn = generator.draw(generator.scene(latents), seen, SIZE, generator=torch.Generator().manual_seed(0))
        (slope,) = torch.autograd.grad(drawn.rgb.square().sum(), latents)
        with torch.no_grad():
            scene = with_occupancy(generator, generator.scene(latents[:1]), generator.marching)
            found.append([part.cpu() for part in (drawn.rgb, slope, generator.draw(scene, seen, SIZE).rgb)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=5e-3, rtol=5e-3)
