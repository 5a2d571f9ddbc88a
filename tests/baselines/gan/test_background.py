"""The sky: a function of the direction of view and the scene, and of nothing else."""

from __future__ import annotations

import torch
from viewsweep.baselines.gan.background import Backdrop, SkyBackground
from viewsweep.baselines.gan.base import Views
from viewsweep.baselines.gan.rendering import rays_of
from viewsweep.scenes.cameras import Cameras


def test_it_stays_where_it_is_when_the_camera_moves() -> None:
    torch.manual_seed(0)
    sky = SkyBackground(4, 3)
    latents = torch.randn(1, 4)
    near = Views.of(Cameras.orbit([0.4], [0.2]))
    far = Views(near.cam_to_world.clone(), near.intrinsics)
    far.cam_to_world[:, :3, 3] *= 3  # further away, same direction
    seen = [sky(latents, rays_of(views, 4, 4).directions) for views in (near, far)]
    assert torch.equal(*seen)
    around = rays_of(Views.of(Cameras.orbit([0.4 + 3.0], [0.2])), 4, 4).directions
    assert (sky(latents, around) - seen[0]).abs().max() > 0.01


def test_scenes_have_skies_of_their_own_and_length_of_rays_does_not_matter() -> None:
    torch.manual_seed(0)
    sky = SkyBackground(4, 5)
    latents, directions = torch.randn(2, 4), torch.randn(2, 6, 3)
    seen = sky(latents, directions)
    assert seen.shape == (2, 6, 5)
    torch.testing.assert_close(sky(latents, directions * 7), seen)
    torch.testing.assert_close(sky(latents[1:], directions[1:]), seen[1:])
    assert (sky(latents.flip(0), directions) - seen).abs().max() > 0.01


@torch.no_grad()
def test_it_can_show_a_vertical_blend_of_two_colours_in_each_scene() -> None:
    """The output layer that fits two scenes with different colours best fits them well."""
    torch.manual_seed(0)
    sky, latents = SkyBackground(4, 3), torch.randn(2, 4)
    directions = torch.nn.functional.normalize(torch.randn(2, 200, 3), dim=-1)
    below, above = torch.rand(2, 1, 3), torch.rand(2, 1, 3)
    wanted = torch.lerp(below, above, (directions[..., 1:2] + 1) / 2).flatten(0, 1)
    hidden: list[torch.Tensor] = []
    hook = sky.output.register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0].flatten(0, 1)))
    sky(latents, directions)
    hook.remove()
    solved = torch.linalg.lstsq(hidden[0], wanted).solution
    sky.output.weight.copy_(solved.T / sky.output.gain)
    assert float((sky(latents, directions).flatten(0, 1) - wanted).abs().max()) < 0.02


@torch.no_grad()
def test_a_backdrop_is_the_same_all_around_and_differs_with_height() -> None:
    drop, latents = Backdrop(4, 3), torch.randn(2, 4)
    turn = torch.linspace(0, 6, 7)
    around = torch.stack([turn.sin(), torch.full_like(turn, 0.4), turn.cos()], -1).expand(2, 7, 3)
    found = drop(latents, around)
    assert torch.allclose(found, found[:, :1].expand_as(found), atol=1e-6)
    upwards = torch.stack([torch.zeros(7), torch.linspace(-1, 1, 7), torch.ones(7)], -1).expand(2, 7, 3)
    assert float(drop(latents, upwards).std(1).min()) > 1e-3
    assert not torch.allclose(found[0], found[1])
