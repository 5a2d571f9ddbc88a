"""The three problems: their forward models against closed forms, and what they may look at."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.dfm.batches import HALVES, half_mask, inversion_batches, motion_batches, scene_batches
from viewsweep.baselines.dfm.core import Batch, Observation, losses
from viewsweep.baselines.dfm.data import Pictures, prepare_pictures
from viewsweep.baselines.dfm.image_field import FieldNetwork, features_at, in_cameras
from viewsweep.baselines.dfm.inverse_graphics import InverseGraphics
from viewsweep.baselines.dfm.inversion import InversionProblem, latent_statistics
from viewsweep.baselines.dfm.method import turned
from viewsweep.baselines.dfm.motion import MotionProblem, warp
from viewsweep.baselines.dfm.process import noised
from viewsweep.baselines.dfm.recipe import RECIPES
from viewsweep.baselines.dfm.sampling import Sampling
from viewsweep.baselines.gan.base import Views
from viewsweep.baselines.gan.method import load_shipped
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.tabletop import clips


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return prepare_pictures(tmp_path_factory.mktemp("around"), "around", range(6), 16, views=3, log=lambda _: None)


def scene_problem(**changes: object) -> InverseGraphics:
    torch.manual_seed(0)
    return InverseGraphics(**{**RECIPES["dfm"]["tiny"].settings, **changes})


def test_a_warp_by_whole_pixels_is_a_shift() -> None:
    picture = torch.rand(2, 3, 8, 8)
    flow = torch.zeros(2, 2, 8, 8)
    flow[0, 0], flow[1, 1] = 2.0, -1.0
    moved = warp(picture, flow)
    assert torch.allclose(moved[0, :, :, :-2], picture[0, :, :, 2:], atol=1e-5)
    assert torch.allclose(moved[1, :, 1:], picture[1, :, :-1], atol=1e-5)
    assert torch.allclose(moved[0, :, :, -1], picture[0, :, :, -1], atol=1e-5)  # beyond the border it goes on


def test_a_warp_with_the_true_flow_of_a_clip_is_the_next_picture() -> None:
    truth = clips.sample(2_000_001).truth(32)
    assert truth.context is not None
    assert truth.flow is not None
    before = truth.context.rgb.permute(0, 3, 1, 2).float() / 255
    after = truth.rgb.permute(0, 3, 1, 2).float() / 255
    known = torch.isfinite(truth.flow[..., 0])
    moved = warp(before, truth.flow.nan_to_num().permute(0, 3, 1, 2))
    error = (moved - after).square().mean(1)[known].mean()
    assert -10 * math.log10(float(error)) > 27


def test_motion_starts_from_standing_still() -> None:
    settings = {**RECIPES["dfm-motion"]["tiny"].settings, "answers": 1}
    problem = MotionProblem(**settings)
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    signal = problem.denoise({"picture": picture}, torch.randn(1, 3, 16, 16), torch.ones(1), {"share": torch.ones(1)})
    assert not bool(signal["flow"].any())
    assert torch.allclose(problem.observe(signal, {"share": torch.ones(1)}), picture, atol=1e-5)


def test_points_project_as_the_cameras_say() -> None:
    cameras = Cameras.orbit([0.3, 1.9], [0.2, 0.1], radius=1.6, fov=0.7)
    points = torch.rand(5, 3) - 0.5
    uv, depth = cameras.project(points)
    views = Views.of(cameras)
    places, found, inside = in_cameras(points[None], torch.linalg.inv(views.cam_to_world)[None], views.intrinsics[None])
    assert torch.allclose(found[0].double(), uv, atol=1e-5)
    assert torch.allclose(places[0, ..., 2].double(), depth, atol=1e-5)
    assert bool((inside[0].bool() == ((uv >= 0) & (uv <= 1)).all(-1)).all())


def test_features_are_those_of_the_pixel_a_point_falls_into() -> None:
    pictures = torch.arange(16.0).reshape(1, 1, 1, 4, 4)
    uv = torch.tensor([[[[0.125, 0.125], [0.875, 0.625], [2.0, 2.0]]]])
    assert features_at(pictures, uv)[0, 0, :, 0].tolist() == [0.0, 11.0, 15.0]


def test_colours_are_mixed_of_what_pictures_show_within_their_borders() -> None:
    torch.manual_seed(0)
    network = FieldNetwork(4, 3, width=16, mixes=True)
    features, places, times = torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 3), torch.rand(2, 2)
    shown = torch.rand(2, 2, 5, 3) * 2 - 1
    inside = torch.ones(2, 2, 5)
    inside[:, 1, 2:] = 0
    inside[:, :, 4] = 0  # no picture shows the last point

    def colours() -> Tensor:
        with torch.no_grad():
            return network(features, places, inside, times, shown)[1]

    assert network.mixture is not None
    mixed = colours()
    assert bool((mixed.abs() < 1).all())
    for own, expected in ((-1e4, "shown"), (1e4, "own")):
        torch.nn.init.constant_(network.mixture["own"].bias, own)
        found = colours()
        for point in range(5):
            if point == 4 or expected == "own":
                bare = FieldNetwork(4, 3, width=16)
                bare.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("mixture")})
                with torch.no_grad():
                    alone = bare(features, places, inside, times)[1].tanh()
                assert torch.allclose(found[:, point], alone[:, point], atol=1e-6)
            elif point >= 2:
                assert torch.allclose(found[:, point], shown[:, 0, point], atol=1e-5)
            else:
                low, high = shown[:, :, point].amin(1) - 1e-5, shown[:, :, point].amax(1) + 1e-5
                assert bool(((found[:, point] >= low) & (found[:, point] <= high)).all())


def test_of_the_noisy_picture_no_colour_is_taken(pictures: Pictures) -> None:
    problem = scene_problem().eval()
    assert problem.field.mixture is not None
    torch.nn.init.constant_(problem.field.mixture["own"].bias, -1e4)
    torch.nn.init.zeros_(problem.network.unet.conv_out.weight)  # nor does the network hand it on
    torch.nn.init.zeros_(problem.network.unet.conv_out.bias)
    batch = scene_batches(pictures)(2, torch.Generator().manual_seed(0))
    views = {name: value for name, value in batch.target.parameters.items() if name in ("pose", "lens")}
    with torch.no_grad():
        seen = [
            problem.observe(problem.denoise(batch.context, noise, torch.ones(2), views), views)
            for noise in (torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
        ]
    assert torch.equal(*seen)


def test_a_field_shows_what_the_noisy_picture_is_taken_to_be(pictures: Pictures) -> None:
    """From the camera of the noisy picture, of which alone the field is told."""
    problem = scene_problem(paints=True, field={"width": 16, "density_gain": 1e4}).eval()
    assert problem.field.mixture is not None
    assert problem.painter is not None
    torch.nn.init.constant_(problem.field.mixture["own"].bias, -1e4)
    torch.nn.init.constant_(problem.field.last.bias, 10.0)  # something is everywhere
    with torch.no_grad():
        problem.painter.weight.mul_(0).add_(0.5)
    batch = scene_batches(pictures)(2, torch.Generator().manual_seed(0))
    views = {name: value for name, value in batch.target.parameters.items() if name in ("pose", "lens")}
    noisy = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        signal = problem.denoise(batch.context, noisy, torch.full((2,), 0.4), views)
        assert torch.equal(signal["pictures"][:, -1], signal["painted"])
        of_views = ("pictures", "features", "world_to_cam", "lens", "times")
        alone = signal | {name: signal[name][:, -1:] for name in of_views}
        seen = problem.rendered(alone, Views(views["pose"], views["lens"]), 16)
        blank = problem.denoise(batch.context, torch.zeros_like(noisy), torch.full((2,), 0.4), views)
    painted = signal["painted"].flatten(2).transpose(1, 2)
    assert float(painted.std()) > 0.01
    assert not torch.equal(blank["painted"], signal["painted"])
    assert float((seen.values - painted)[seen.alpha > 0.999].abs().median()) < 2e-2


def test_a_field_that_only_mixes_shows_what_it_was_given(pictures: Pictures) -> None:
    """From the context's own camera every point on a pixel's ray is of that pixel's colour."""
    problem = scene_problem(deterministic=True, size=16, field={"width": 16, "density_gain": 1e4}).eval()
    assert problem.field.mixture is not None
    torch.nn.init.constant_(problem.field.mixture["own"].bias, -1e4)
    torch.nn.init.constant_(problem.field.last.bias, 10.0)  # something is everywhere
    batch = scene_batches(pictures)(2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        signal = problem.denoise(batch.context, torch.zeros(2, 3, 16, 16), torch.ones(2), {})
        own = {name: batch.context[name][:, 0] for name in ("pose", "lens")}
        seen = problem.rendered(signal, Views(own["pose"], own["lens"]), 16)
    given = batch.context["picture"][:, 0].flatten(2).transpose(1, 2)
    solid = seen.alpha > 0.999
    assert bool(solid.any())
    assert torch.allclose(seen.values[solid], given[solid], atol=2e-3)


def test_a_patch_is_the_same_square_of_the_whole_rendering() -> None:
    problem = scene_problem()
    cameras = Views.of(Cameras.orbit([0.0, 2.0, 4.0], [0.2, 0.2, 0.2], radius=1.6, fov=0.7))
    context = {
        "picture": torch.rand(1, 1, 3, 16, 16) * 2 - 1,
        "pose": cameras.cam_to_world[:1][None],
        "lens": cameras.intrinsics[:1][None],
    }
    camera = {"pose": cameras.cam_to_world[1:2], "lens": cameras.intrinsics[1:2]}
    with torch.no_grad():
        signal = problem.denoise(context, torch.randn(1, 3, 16, 16), torch.full((1,), 0.5), camera)
        whole = problem.observe(signal, camera)
        part = problem.part(Observation(camera, whole), torch.Generator().manual_seed(3))
        drawn = problem.observe(signal, part.parameters)
    assert drawn.shape == (1, 3, 6, 6)
    assert torch.allclose(drawn, part.picture, atol=1e-4)


def test_pixelnerf_does_not_look_at_observations() -> None:
    problem = scene_problem(deterministic=True)
    cameras = Views.of(Cameras.orbit([0.0, 2.0], [0.2, 0.2], radius=1.6, fov=0.7))
    context = {
        "picture": torch.rand(1, 1, 3, 16, 16) * 2 - 1,
        "pose": cameras.cam_to_world[:1][None],
        "lens": cameras.intrinsics[:1][None],
    }
    camera = {"pose": cameras.cam_to_world[1:], "lens": cameras.intrinsics[1:]}
    with torch.no_grad():
        a, b = (
            problem.observe(problem.signal(context, torch.randn(1, 3, 16, 16), torch.rand(1), camera), camera)
            for _ in range(2)
        )
    assert torch.equal(a, b)


@pytest.mark.parametrize(("deterministic", "paints"), [(False, False), (False, True), (True, True)])
def test_every_weight_of_inverse_graphics_learns(pictures: Pictures, deterministic: bool, paints: bool) -> None:
    problem = scene_problem(deterministic=deterministic, paints=paints)
    random = torch.Generator().manual_seed(0)
    for _ in range(3):  # zero-initialised layers pass nothing on at first
        terms = losses(problem, scene_batches(pictures)(3, random), noised, random)
        problem.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        with torch.no_grad():
            for value in problem.parameters():
                value += 0.01 * torch.randn(value.shape, generator=random)
    # where all pictures are clean there is no time to be scaled by
    timeless = "hints." if not deterministic else ""
    still = [
        name
        for name, value in problem.named_parameters()
        if (value.grad is None or not bool(value.grad.any()))
        and not (name.endswith("film.weight") and name.startswith(timeless))
    ]
    assert still == []
    diffused = {"target", "novel", "coarse", "painted"} if paints else {"target", "novel", "coarse"}
    assert set(terms) == ({"target", "novel"} if deterministic else diffused)


def test_the_view_that_diffuses_is_the_one_furthest_round(pictures: Pictures) -> None:
    batch = scene_batches(pictures)(32, torch.Generator().manual_seed(0))
    assert batch.novel is not None

    def apart(observation: Observation) -> Tensor:
        a = batch.context["pose"][:, 0, :3, 3]
        return (a * observation.parameters["pose"][:, :3, 3]).sum(-1)

    assert bool((apart(batch.target) <= apart(batch.novel) + 1e-6).all())


def test_the_novel_view_is_at_times_the_context_and_never_the_target(pictures: Pictures) -> None:
    batch = scene_batches(pictures)(64, torch.Generator().manual_seed(0))
    assert batch.novel is not None
    same = (batch.novel.parameters["pose"] == batch.context["pose"][:, 0]).flatten(1).all(1)
    assert 0.2 < same.double().mean() < 0.8
    assert torch.equal(batch.novel.picture[same], batch.context["picture"][same, 0])
    assert not (batch.novel.parameters["pose"] == batch.target.parameters["pose"]).flatten(1).all(1).any()


def test_mirrored_clips_are_mirrored_both(tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = prepare_pictures(tmp_path_factory.mktemp("clips"), "clips", range(2), 16, views=0, log=lambda _: None)
    batch = motion_batches(kept)(64, torch.Generator().manual_seed(0))
    before = torch.cat([kept.pictures(torch.tensor([i]), torch.tensor([0])) for i in range(2)])
    after = torch.stack([kept.pictures(torch.full((4,), i), torch.arange(1, 5)) for i in range(2)])
    sides = set()
    for given, then in zip(batch.context["picture"], batch.target.picture, strict=True):
        fits = [
            (i, m, flip)
            for i in range(2)
            for m in range(4)
            for flip in (False, True)
            if torch.equal(given, before[i].flip(2) if flip else before[i])
            and torch.equal(then, after[i, m].flip(2) if flip else after[i, m])
        ]
        assert fits
        sides |= {flip for _, _, flip in fits}
    assert sides == {False, True}


def test_masks_give_half_of_a_picture() -> None:
    masks = half_mask(torch.arange(len(HALVES)), 8)
    assert masks.shape == (4, 1, 8, 8)
    assert masks.mean((1, 2, 3)).tolist() == [0.5] * 4
    left, right, top, bottom = masks[:, 0]
    assert bool(left[:, 0].all())
    assert bool(right[:, -1].all())
    assert bool(top[0].all())
    assert bool(bottom[-1].all())


def test_inversion_draws_what_its_generator_draws_and_leaves_it_alone() -> None:
    method = load_shipped("eg3d-small")
    generator = method.generator
    pose = method.stored.viewpoint.pose(1, "cpu")[0]
    mean, spread = latent_statistics(generator, pose, count=512)
    torch.manual_seed(0)
    problem = InversionProblem(64, latent=len(mean), network={"channels": [8, 8, 8, 8], "hidden": 16})
    problem.mean.copy_(mean)
    problem.spread.copy_(spread)
    problem.invert(generator)
    assert not any("backbone" in name for name in problem.state_dict())
    random = torch.Generator().manual_seed(0)
    batch: Batch = inversion_batches(generator, pose, 64)(2, random)
    assert torch.equal(batch.context["picture"], batch.target.picture * batch.context["mask"])
    latent = mean.expand(2, -1)
    with torch.no_grad():
        seen = problem.observe({"latent": latent}, batch.target.parameters)
        views = Views(batch.target.parameters["pose"], batch.target.parameters["lens"])
        assert torch.allclose(seen, generator.draw(generator.scene(latent), views, 64).rgb)
    terms = losses(problem, batch, noised, random)
    torch.stack(list(terms.values())).sum().backward()
    assert all(value.grad is None for value in generator.parameters())
    assert any(value.grad is not None and bool(value.grad.any()) for value in problem.parameters())


def test_refinement_keeps_what_is_given_and_only_that() -> None:
    method = load_shipped("eg3d-small")
    pose = method.stored.viewpoint.pose(1, "cpu")[0]
    mean, spread = latent_statistics(method.generator, pose, count=512)
    problem = InversionProblem(64, latent=len(mean), network={"channels": [8, 8, 8, 8], "hidden": 16})
    problem.mean.copy_(mean)
    problem.spread.copy_(spread)
    problem.invert(method.generator)
    context = inversion_batches(method.generator, pose, 64)(2, torch.Generator().manual_seed(0)).context
    units = torch.zeros(2, len(mean))
    start = {"latent": mean.expand(2, -1), "units": units}

    def error(signal: dict[str, Tensor]) -> Tensor:
        seen = problem.observe(signal, context)
        return ((seen - context["picture"]).square() * context["mask"]).mean((1, 2, 3))

    with torch.no_grad():
        nearer = problem.refined(start, context, 6)
        assert bool((error(nearer) < 0.8 * error(start)).all())
        assert torch.allclose(nearer["latent"], mean + nearer["units"] @ spread.T)
        assert problem.refined(start, context, 0) is start
        # the hidden half cannot matter, and neither can the other item of the batch
        hidden = context | {"picture": context["picture"] + (1 - context["mask"])}
        assert torch.equal(problem.refined(start, hidden, 2)["units"], problem.refined(start, context, 2)["units"])
        alone = problem.refined({k: v[:1] for k, v in start.items()}, {k: v[:1] for k, v in context.items()}, 2)
        assert torch.allclose(alone["units"], problem.refined(start, context, 2)["units"][:1], atol=1e-2)
    with pytest.raises(UserError, match="fewer than none"):
        Sampling(refine=-1)


def test_latents_have_the_spread_that_was_measured() -> None:
    method = load_shipped("eg3d-small")
    mean, spread = latent_statistics(method.generator, method.stored.viewpoint.pose(1, "cpu")[0], count=2048)
    label, z = torch.arange(1000) % 10, torch.randn(1000, method.generator.latent_size)
    with torch.no_grad():
        own = method.generator.map(z, label, method.stored.viewpoint.pose(1000, "cpu"))
    units = torch.linalg.solve_triangular(spread, (own - mean).T, upper=False).T
    assert float(units.square().mean()) == pytest.approx(1.0, abs=0.15)


def test_a_camera_turned_half_round_looks_from_behind() -> None:
    pose = Views.of(Cameras.orbit([0.4], [0.3], radius=1.6, fov=0.7)).cam_to_world
    behind = Views.of(Cameras.orbit([0.4 + math.pi], [0.3], radius=1.6, fov=0.7)).cam_to_world
    assert torch.allclose(turned(pose, math.pi), behind, atol=1e-5)
