"""EpiGRAF: patches are parts of the picture, scenes stay scenes, the background is what was asked for."""

from __future__ import annotations

import json
import math

import pytest
import torch
from viewsweep.baselines.gan.base import Patch, Views
from viewsweep.baselines.gan.eg3d import EG3DGenerator
from viewsweep.baselines.gan.eg3d_configs import GENERATORS as EG3D
from viewsweep.baselines.gan.epigraf import EpiGRAFGenerator
from viewsweep.baselines.gan.epigraf_configs import DISCRIMINATORS, GENERATORS
from viewsweep.baselines.gan.occupancy import with_occupancy
from viewsweep.baselines.gan.patch_discriminator import PatchDiscriminator
from viewsweep.baselines.gan.patches import PatchSchedule, cut_patches, draw_patch
from viewsweep.scenes.cameras import Cameras


@pytest.fixture
def epigraf() -> EpiGRAFGenerator:
    torch.manual_seed(0)
    return EpiGRAFGenerator(**GENERATORS["tiny"]).eval()


def cameras(count: int) -> Views:
    return Views.of(Cameras.orbit([0.3 + 2 * view for view in range(count)], [0.2] * count))


def latents_of(epigraf: EpiGRAFGenerator, count: int) -> torch.Tensor:
    z = torch.randn(count, epigraf.latent_size, generator=torch.Generator().manual_seed(5))
    return epigraf.map(z, torch.arange(count) % 10 if epigraf.classes else None)


@torch.no_grad()
def test_a_patch_is_a_part_of_the_picture(epigraf: EpiGRAFGenerator) -> None:
    scene, views = epigraf.scene(latents_of(epigraf, 2)), cameras(2)
    whole = epigraf.draw(scene, views, 16)
    patch = Patch(torch.full((2,), 0.5), torch.tensor([[2 / 16, 4 / 16], [0.5, 0.0]]))
    part = epigraf.draw(scene, views, 8, patch=patch)
    torch.testing.assert_close(part.rgb[0], whole.rgb[0, :, 4:12, 2:10], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(part.rgb[1], whole.rgb[1, :, :8, 8:], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(part.rgb, cut_patches(whole.rgb, patch, 8), atol=1e-5, rtol=1e-4)
    everything = Patch(torch.ones(2), torch.zeros(2, 2))
    torch.testing.assert_close(epigraf.draw(scene, views, 16, patch=everything).rgb, whole.rgb, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_scene_is_the_same_alone_in_a_batch_and_from_many_cameras(epigraf: EpiGRAFGenerator) -> None:
    latents, views = latents_of(epigraf, 3), cameras(3)
    together = epigraf.draw(epigraf.scene(latents), views, 16)
    alone = epigraf.draw(epigraf.scene(latents[1:2]), views, 16)
    torch.testing.assert_close(alone.rgb[1], together.rgb[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.depth[1], together.depth[1], atol=1e-5, rtol=1e-4, equal_nan=True)
    assert together.raw is None
    assert together.depth.shape == (3, 16, 16)
    assert (alone.rgb[0] - alone.rgb[1]).abs().max() > 0.01
    assert (together.rgb[0] - alone.rgb[0]).abs().max() > 0.01


@torch.no_grad()
def test_noise_belongs_to_the_network_and_not_to_the_call(epigraf: EpiGRAFGenerator) -> None:
    latents = latents_of(epigraf, 1)
    quiet = epigraf.scene(latents)["planes"]
    for name, parameter in epigraf.named_parameters():
        if name.endswith("strength"):
            parameter.fill_(0.5)
    noisy = epigraf.scene(latents)["planes"]
    assert (noisy - quiet).abs().max() > 0.01
    assert torch.equal(epigraf.scene(latents)["planes"], noisy)


@torch.no_grad()
def test_the_last_sample_takes_all_light_that_is_left() -> None:
    torch.manual_seed(0)
    settings = {**GENERATORS["tiny"], "background": "last", "bound": None}
    epigraf = EpiGRAFGenerator(**settings)
    drawn = epigraf.draw(epigraf.scene(latents_of(epigraf, 1)), cameras(1), 8)
    torch.testing.assert_close(drawn.alpha, torch.ones(1, 8, 8))
    white = EpiGRAFGenerator(**{**settings, "background": "white"})
    white.decoder.output.bias[0] = -100
    torch.testing.assert_close(
        white.draw(white.scene(latents_of(white, 1)), cameras(1), 8).rgb, torch.ones(1, 3, 8, 8), atol=1e-4, rtol=0
    )


@torch.no_grad()
@pytest.mark.parametrize("family", ["epigraf", "eg3d"])
def test_skipping_empty_space_changes_no_picture(family: str, epigraf: EpiGRAFGenerator) -> None:
    torch.manual_seed(0)
    generator = epigraf if family == "epigraf" else EG3DGenerator(**EG3D["tiny"]).eval()
    generator.decoder.output.weight[0] *= 100
    pose = cameras(1).labels if generator.takes_pose else None
    scene = generator.scene(generator.map(torch.randn(1, generator.latent_size), torch.tensor([1]), pose))
    raw, _ = generator.field(scene["planes"], (torch.rand(1, 1000, 3) - 0.5) * 0.6)
    generator.decoder.output.bias[0] -= raw.quantile(0.9)  # solid in a tenth, empty elsewhere
    plain = generator.draw(scene, cameras(3), 16)
    skipped = generator.draw(with_occupancy(generator, scene, generator.marching), cameras(3), 16)
    assert float(plain.alpha.max()) > 0.2
    assert skipped.points < plain.points
    torch.testing.assert_close(skipped.rgb, plain.rgb, atol=2 / 255, rtol=0)


@torch.no_grad()
def test_it_draws_any_size_and_truncates(epigraf: EpiGRAFGenerator) -> None:
    latents = latents_of(epigraf, 2)
    assert epigraf.draw(epigraf.scene(latents), cameras(2), 11).rgb.shape == (2, 3, 11, 11)
    assert torch.equal(epigraf.truncate(latents, 1.0), latents)
    assert torch.equal(epigraf.truncate(latents, 0.0), epigraf.mapping.mean.expand(2, -1))


@torch.no_grad()
def test_noise_on_densities_comes_from_the_generator(epigraf: EpiGRAFGenerator) -> None:
    scene, views = epigraf.scene(latents_of(epigraf, 1)), cameras(1)

    def drawn(seed: int, strength: float) -> torch.Tensor:
        return epigraf.draw(
            scene, views, 8, generator=torch.Generator().manual_seed(seed), density_noise=strength
        ).alpha

    assert torch.equal(drawn(1, 5.0), drawn(1, 5.0))
    assert (drawn(1, 5.0) - drawn(1, 0.0)).abs().max() > 0.05


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    epigraf, judge = EpiGRAFGenerator(**GENERATORS["tiny"]), PatchDiscriminator(**DISCRIMINATORS["tiny"])
    patch = draw_patch(PatchSchedule(0.5, pictures=0, group=2), 4, 0, torch.Generator().manual_seed(0))
    label = torch.arange(4)
    scene = epigraf.scene(epigraf.map(torch.randn(4, epigraf.latent_size), label))
    drawn = epigraf.draw(scene, cameras(4), 8, patch=patch)
    judge(drawn.rgb, label, patch=patch).logits.sum().backward()
    for network in (epigraf, judge):
        dead = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())]
        assert not dead


def test_half_precision_draws_nearly_the_same(epigraf: EpiGRAFGenerator) -> None:
    latents, views = latents_of(epigraf, 2), cameras(2)
    exact = epigraf.draw(epigraf.scene(latents), views, 8)
    with torch.autocast("cpu", torch.bfloat16):
        drawn = epigraf.draw(epigraf.scene(latents), views, 8)
    assert drawn.rgb.dtype == torch.float32
    assert float((drawn.rgb - exact.rgb).abs().mean().detach()) < 0.05


def test_settings_build_the_same_network_again(epigraf: EpiGRAFGenerator) -> None:
    again = EpiGRAFGenerator(**json.loads(json.dumps(epigraf.settings))).eval()
    again.load_state_dict(epigraf.state_dict())
    scenes = [network.scene(latents_of(network, 1)) for network in (epigraf, again)]
    assert torch.equal(scenes[0]["planes"], scenes[1]["planes"])
    judge = PatchDiscriminator(**DISCRIMINATORS["tiny"])
    PatchDiscriminator(**json.loads(json.dumps(judge.settings))).load_state_dict(judge.state_dict())


def test_configurations_are_what_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GENERATORS.keys() == DISCRIMINATORS.keys()
    monkeypatch.setattr(torch, "randn", torch.empty)  # paper-sized weights in no time
    built = {name: EpiGRAFGenerator(**settings) for name, settings in GENERATORS.items()}
    judges = {name: PatchDiscriminator(**settings) for name, settings in DISCRIMINATORS.items()}
    for name, generator in built.items():
        assert bool(generator.classes) == bool(judges[name].classes) == (name in ("small", "tiny"))
    for name in ("paper", "paper-256"):
        flat = sum(block.down is None for block in judges[name].blocks)
        assert flat == math.log2(built[name].size / judges[name].settings["size"])
        assert built[name].backbone.size == 512
        assert built[name].takes_pose is False
    assert built["paper"].backbone.blocks[-1].output.bias.shape == (96,)
    size = sum(math.prod(value.shape) for value in built["small"].state_dict().values())
    assert size * 2 < 6 * 2**20
