"""Inverse graphics whose observation is of several cameras at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.dfm.batches import scene_batches
from viewsweep.baselines.dfm.core import Batch, Observation, losses
from viewsweep.baselines.dfm.data import Pictures, prepare_pictures
from viewsweep.baselines.dfm.inverse_graphics import InverseGraphics
from viewsweep.baselines.dfm.process import noised
from viewsweep.baselines.dfm.recipe import RECIPES
from viewsweep.baselines.dfm.sampling import Sampling, sample

SIZE, TARGETS, SCENES = 16, 2, 3
TIMES = torch.tensor([0.2, 0.5, 0.8])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return prepare_pictures(tmp_path_factory.mktemp("around"), "around", range(6), SIZE, views=4, log=lambda _: None)


@pytest.fixture(scope="module")
def batch(pictures: Pictures) -> Batch:
    return scene_batches(pictures, TARGETS)(SCENES, torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def problem() -> InverseGraphics:
    """Its zero-initialised layers shaken, so that everything it looks at shows."""
    torch.manual_seed(0)
    made = InverseGraphics(**{**RECIPES["dfm"]["tiny"].settings, "paints": True, "targets": TARGETS}).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in made.parameters():
            value += 0.02 * torch.randn(value.shape, generator=random)
    return made.requires_grad_(False)


def one(parameters: dict[str, Tensor], target: int) -> dict[str, Tensor]:
    """Parameters of one of the cameras."""
    return {name: value[:, target] for name, value in parameters.items()}


def denoised(problem: InverseGraphics, batch: Batch, noisy: Tensor) -> dict[str, Tensor]:
    return problem.denoise(batch.context, noisy, TIMES, batch.target.parameters)


def test_an_observation_of_two_cameras_is_two_pictures_of_one_field(problem: InverseGraphics, batch: Batch) -> None:
    cameras = batch.target.parameters
    signal = denoised(problem, batch, torch.randn(SCENES, 3 * TARGETS, SIZE, SIZE))
    together = problem.observe(signal, cameras)
    assert together.shape == (SCENES, 3 * TARGETS, SIZE, SIZE) == (SCENES, *problem.observed)
    apart = torch.cat([problem.observe(signal, one(cameras, target)) for target in range(TARGETS)], 1)
    assert float(together.std()) > 0.01
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


def test_each_noisy_picture_is_looked_at_with_its_own_camera(problem: InverseGraphics, batch: Batch) -> None:
    """What the network makes of a picture does not depend on the others; the order of the pictures is none."""
    cameras, noisy = batch.target.parameters, torch.randn(SCENES, 3 * TARGETS, SIZE, SIZE)
    signal = denoised(problem, batch, noisy)
    for target in range(TARGETS):
        alone = problem.denoise(batch.context, noisy.split(3, 1)[target], TIMES, one(cameras, target))
        torch.testing.assert_close(signal["features"][:, 1 + target], alone["features"][:, 1], atol=1e-5, rtol=0)
        torch.testing.assert_close(signal["painted"].split(3, 1)[target], alone["painted"], atol=1e-5, rtol=0)
        torch.testing.assert_close(signal["hint"].split(3, 1)[target], alone["hint"], atol=1e-5, rtol=0)
    turned = {name: value.flip(1) for name, value in cameras.items()}
    flipped = problem.denoise(batch.context, torch.cat(noisy.split(3, 1)[::-1], 1), TIMES, turned)
    seen, same = problem.observe(signal, cameras), problem.observe(flipped, cameras)
    torch.testing.assert_close(seen, same, atol=1e-5, rtol=0)


def test_patches_are_squares_of_each_picture(problem: InverseGraphics, batch: Batch) -> None:
    cameras = batch.target.parameters
    signal = denoised(problem, batch, torch.randn(SCENES, 3 * TARGETS, SIZE, SIZE))
    whole = problem.observe(signal, cameras)
    part = problem.part(Observation(cameras, whole), torch.Generator().manual_seed(3))
    assert part.parameters["offset"].flatten(0, 1).unique(dim=0).shape[0] > 1  # not all at one place
    torch.testing.assert_close(problem.observe(signal, part.parameters), part.picture, atol=1e-4, rtol=0)


def test_views_that_diffuse_stand_far_from_each_other(pictures: Pictures) -> None:
    """The first as with one target; each further one is, of what is left, the furthest from all before."""
    count = 64
    random = [torch.Generator().manual_seed(0) for _ in range(2)]
    single, both = scene_batches(pictures)(count, random[0]), scene_batches(pictures, TARGETS)(count, random[1])
    poses = both.target.parameters["pose"]
    assert poses.shape == (count, TARGETS, 4, 4)
    assert torch.equal(poses[:, 0], single.target.parameters["pose"])
    assert torch.equal(both.target.picture[:, :3], single.target.picture)
    assert both.novel is not None
    novel = both.novel.parameters["pose"]
    assert not (novel[:, None] == poses).flatten(2).all(2).any()
    known = torch.stack([both.context["pose"][:, 0], poses[:, 0]], 1)[..., :3, 3]

    def nearest(pose: Tensor) -> Tensor:
        return (pose[:, None, :3, 3] * known).sum(-1).amax(1)

    fresh = ~(novel == both.context["pose"][:, 0]).flatten(1).all(1)
    assert 0.2 < fresh.double().mean() < 0.8
    assert bool((nearest(poses[:, 1]) <= nearest(novel) + 1e-6)[fresh].all())
    with pytest.raises(ValueError, match="3 targets"):
        scene_batches(pictures, 3)


def test_it_learns_and_samples(problem: InverseGraphics, batch: Batch) -> None:
    learning = InverseGraphics(**problem.settings)
    terms = losses(learning, batch, noised, torch.Generator().manual_seed(0))
    assert set(terms) == {"target", "novel", "coarse", "painted"}
    torch.stack(list(terms.values())).sum().backward()
    found = sample(problem, batch.context, batch.target.parameters, range(SCENES), Sampling(steps=2))
    assert found.observation.shape == (SCENES, 3 * TARGETS, SIZE, SIZE)
    again = sample(problem, batch.context, batch.target.parameters, range(1, SCENES + 1), Sampling(steps=2))
    assert not torch.equal(found.observation, again.observation)
