"""The reference methods of completion: the truth tells it, and each cheat cheats as it says, in every task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from viewsweep.baselines.reference import (
    CompletionCopy,
    CompletionMean,
    CompletionNearest,
    Truth,
    completed_worlds,
    completion_mean,
    completion_nearest,
    examples,
)
from viewsweep.baselines.reference.flows import moved_picture
from viewsweep.baselines.reference.possible import Possible
from viewsweep.benchmark.registry import load_method
from viewsweep.benchmark.roles import COMPLETION_CHEATS, role
from viewsweep.scenes import Generator, Request, Scene, sweep360, tabletop
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.tabletop import TEST_SEEDS, clips

SIZE = 12
FROZEN_SIZE = 64  # the shipped generator draws no other
SEED, LABEL = TEST_SEEDS[1], 4
TASKS = ("scene", "motion", "inversion")
METHODS: dict[str, Generator] = {
    "truth": Truth(),
    "completion-mean": CompletionMean(),
    "completion-copy": CompletionCopy(),
    "completion-nearest": CompletionNearest(),
}
"""One of each for all tests, as what they look up takes long."""

Ask = Callable[..., Request]


@pytest.fixture(autouse=True, scope="module")
def _few_examples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion_mean, "OBJECTS", 2)
        patch.setattr(examples, "CANDIDATES", 4)
        patch.setattr(completion_nearest, "NEAREST", 2)
        yield


@pytest.fixture(scope="module")
def truths() -> dict[str, Scene]:
    """The true scene of each task, with its context."""
    cameras = sweep360(2, 0.25)
    thing = tabletop.sample(SEED, LABEL).render(cameras, SIZE)
    (drawn,) = completed_worlds.frozen().generate([Request(0, SEED, cameras, FROZEN_SIZE, LABEL)])
    mask = torch.zeros(1, FROZEN_SIZE, FROZEN_SIZE, dtype=torch.bool)
    mask[:, :, : FROZEN_SIZE // 2] = True
    shown = drawn.rgb[:1].masked_fill(~mask[..., None], 128)
    return {
        "scene": replace(thing, context=Scene(thing.rgb[:1], cameras[:1], seed=SEED)),
        "motion": clips.sample(SEED, LABEL).truth(SIZE),
        "inversion": replace(drawn, context=Scene(shown, cameras[:1], seed=SEED, mask=mask)),
    }


@pytest.fixture
def ask(truths: dict[str, Scene]) -> Ask:
    """The request for sample k of the scene of a task."""

    def asked(task: str, sample: int = 0) -> Request:
        truth = truths[task]
        assert truth.cameras is not None
        return Request(sample, 900 + sample, truth.cameras, truth.size[0], LABEL, truth.context, sample)

    return asked


def draw(method: Generator, request: Request) -> Scene:
    (scene,) = method.generate([request])
    return scene


def same(one: Scene, other: Scene) -> bool:
    parts = ("rgb", "depth", "flow", "latent")
    pairs = [(getattr(one, part), getattr(other, part)) for part in parts]
    return all((a is None) == (b is None) for a, b in pairs) and all(
        torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs if a is not None
    )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_answer_is_what_was_asked_for_and_the_same_in_any_company(name: str, task: str, ask: Ask) -> None:
    first, second = ask(task), ask(task, 1)
    method = METHODS[name]
    scenes = [draw(method, second), *method.generate([first, second])]
    for scene, asked in zip(scenes, (second, first, second), strict=True):
        assert (scene.seed, scene.label, scene.cameras) == (asked.seed, asked.label, asked.cameras)
        assert scene.size == (asked.size, asked.size)
        assert (scene.depth is None) <= (not method.info().has_depth)
    assert same(scenes[0], scenes[2])


@pytest.mark.parametrize("task", TASKS)
def test_truth_is_the_true_scene_for_every_sample(task: str, ask: Ask, truths: dict[str, Scene]) -> None:
    for sample in range(2):
        found = draw(METHODS["truth"], ask(task, sample))
        assert same(replace(found, depth=None), replace(truths[task], depth=None))
        assert found.depth is not None
    if task != "motion":
        assert truths[task].depth is not None
        assert torch.equal(found.depth.nan_to_num(), truths[task].depth.nan_to_num())


@pytest.mark.parametrize("name", ["truth", "completion-mean", "completion-nearest"])
def test_context_of_another_world_is_refused(name: str, ask: Ask) -> None:
    asked = ask("scene")
    assert asked.context is not None
    foreign = replace(asked, context=replace(asked.context, rgb=255 - asked.context.rgb))
    with pytest.raises(UserError, match="neither of tabletop nor of eg3d-small"):
        draw(METHODS[name], foreign)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_request_without_context_is_refused(name: str, ask: Ask) -> None:
    with pytest.raises(UserError, match="none was given"):
        draw(METHODS[name], replace(ask("scene"), context=None))


def test_possible_draws_each_motion_as_often_as_it_is_likely(ask: Ask) -> None:
    asked = ask("motion")
    modes = clips.sample(SEED, LABEL).modes(SIZE)
    method = Possible()
    drawn = list(method.generate([replace(asked, index=k, seed=5_000 + k, sample=k) for k in range(24)]))
    hits = [sum(torch.equal(scene.rgb, mode.scene.rgb) for scene in drawn) for mode in modes]
    assert sum(hits) == 24
    for hit, mode in zip(hits, modes, strict=True):
        assert abs(hit / 24 - mode.weight) < 0.2
        assert hit > 0
    assert same(draw(method, replace(asked, seed=5_007, sample=7)), drawn[7])
    with pytest.raises(UserError, match="only of tabletop's clips"):
        draw(method, ask("scene"))


def test_one_method_serves_scenes_of_all_worlds_in_turn(ask: Ask, truths: dict[str, Scene]) -> None:
    method = METHODS["truth"]
    for task in (*TASKS, *TASKS[::-1]):
        assert torch.equal(draw(method, ask(task)).rgb, truths[task].rgb)


# -- scene -----------------------------------------------------------------------------------------


def test_mean_is_that_of_the_training_objects_most_alike(ask: Ask) -> None:
    asked = ask("scene")
    assert asked.context is not None
    shown = examples.views_of_examples(asked.cameras[[0] * 4], SIZE)
    nearest = examples.by_resemblance(shown, asked.context)
    assert sorted(nearest) == [0, 1, 2, 3]
    sweeps = [examples.example(number).render(asked.cameras, SIZE).rgb.double() for number in nearest[:2]]
    found = draw(METHODS["completion-mean"], asked)
    torch.testing.assert_close(found.rgb.double(), (sweeps[0] + sweeps[1]) / 2, atol=0.51, rtol=0)
    assert torch.equal(found.rgb, draw(METHODS["completion-mean"], ask("scene", 1)).rgb)


def test_copy_repeats_the_context(ask: Ask) -> None:
    asked = ask("scene")
    assert asked.context is not None
    found = draw(METHODS["completion-copy"], asked)
    assert all(torch.equal(view, asked.context.rgb[0]) for view in found.rgb)
    assert found.flow is None


def test_nearest_is_a_training_object_that_looks_like_the_context(ask: Ask) -> None:
    asked, number = ask("scene"), 3
    example = tabletop.sample(tabletop.TRAIN_SEEDS[number], number).render(asked.cameras, SIZE)
    bank = completion_nearest._objects(replace(asked, cameras=asked.cameras[:1]))
    assert torch.equal(bank[number], example.rgb[0])
    known = replace(asked, context=Scene(example.rgb[:1], asked.cameras[:1], seed=SEED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion_nearest, "NEAREST", 1)
        assert completion_nearest._chosen(bank, known) == number
    chosen = {completion_nearest._chosen(bank, replace(known, seed=seed)) for seed in range(60)}
    assert len(chosen) == completion_nearest.NEAREST
    assert number in chosen


def test_nearest_looks_at_given_pixels_alone() -> None:
    bank = torch.zeros(3, 4, 4, 3, dtype=torch.uint8)
    bank[1, :, 2:], bank[2, :, :2] = 255, 9
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[..., 2:] = True
    cameras = sweep360(1)
    shown = Scene(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), cameras, mask=mask, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion_nearest, "NEAREST", 1)
        assert completion_nearest._chosen(bank, Request(0, 1, cameras, 4, context=shown)) == 1


# -- motion ----------------------------------------------------------------------------------------


def test_flow_moves_a_picture_as_it_says() -> None:
    rgb = torch.randint(0, 256, (1, 6, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 6, 8, 2)
    flow[..., 0] = 2.0
    flow[0, 3, 1] = float("nan")
    moved = moved_picture(rgb, flow)
    assert torch.equal(moved[:, :3, :6], rgb[:, :3, 2:])
    assert torch.equal(moved[0, 3, 1], rgb[0, 3, 1])
    assert torch.equal(moved[0, 0, 7], rgb[0, 0, 7])  # beyond the edge the edge goes on
    half = torch.full((1, 6, 8, 2), 0.5)
    half[..., 0] = 0.0
    mean = (rgb[:, :-1].double() + rgb[:, 1:].double()) / 2
    torch.testing.assert_close(moved_picture(rgb, half)[:, :-1].double(), mean, atol=0.51, rtol=0)


def test_true_flow_moves_the_context_onto_the_truth(truths: dict[str, Scene]) -> None:
    truth = truths["motion"]
    assert truth.flow is not None
    assert truth.context is not None
    known = torch.isfinite(truth.flow).all(-1)
    still, moved = truth.context.rgb, moved_picture(truth.context.rgb, truth.flow)
    error, before = ((rgb.float() - truth.rgb.float())[known].abs().mean() for rgb in (moved, still))
    assert error < 0.8 * before


def test_mean_motion_is_the_weighted_mean_of_what_is_possible(ask: Ask) -> None:
    found = draw(METHODS["completion-mean"], ask("motion"))
    assert found.flow is not None
    modes = clips.sample(SEED, LABEL).modes(SIZE)
    flows = [mode.scene.flow for mode in modes]
    known = torch.stack([torch.isfinite(flow).all(-1) for flow in flows if flow is not None]).all(0)
    mean = sum(mode.weight * flow for mode, flow in zip(modes, flows, strict=True) if flow is not None)
    torch.testing.assert_close(found.flow[known], mean[known])  # type: ignore[index]  # a tensor
    longest = [float(flow[known].norm(dim=-1).max()) for flow in flows if flow is not None]
    assert float(found.flow[known].norm(dim=-1).max()) < max(longest)


def test_copy_says_that_nothing_moves(ask: Ask) -> None:
    found = draw(METHODS["completion-copy"], ask("motion"))
    assert found.flow is not None
    assert not bool(found.flow.any())


def test_nearest_motion_is_a_training_clips_and_varies(ask: Ask) -> None:
    method = METHODS["completion-nearest"]
    found = [draw(method, ask("motion", sample)) for sample in range(8)]
    assert all(scene.flow is not None for scene in found)
    assert len({scene.rgb.numpy().tobytes() for scene in found}) > 1


# -- inversion -------------------------------------------------------------------------------------


def test_truth_of_an_inversion_has_the_true_latent(ask: Ask, truths: dict[str, Scene]) -> None:
    found = draw(METHODS["truth"], ask("inversion"))
    assert found.latent is not None
    assert truths["inversion"].latent is not None
    assert torch.equal(found.latent, truths["inversion"].latent)


def test_mean_latent_is_no_scenes_and_always_the_same(ask: Ask) -> None:
    asked = ask("inversion")
    first = completion_mean._mean_latent(replace(asked, seed=1, label=2))
    other = completion_mean._mean_latent(replace(asked, seed=3, label=5))
    assert first.latent is not None
    assert other.latent is not None
    assert torch.equal(first.latent, other.latent)
    assert torch.equal(first.rgb, other.rgb)


def test_nearest_latent_draws_its_own_sweep(ask: Ask) -> None:
    found = draw(METHODS["completion-nearest"], ask("inversion"))
    assert found.latent is not None
    assert found.views == 2
    assert found.depth is not None


# -- the board -------------------------------------------------------------------------------------


def test_all_are_registered_with_their_roles_and_tasks() -> None:
    assert set(METHODS) - {"truth"} == COMPLETION_CHEATS
    for name in METHODS:
        info = load_method(name).info()
        assert (info.name, info.tasks) == (name, TASKS)
        assert role(name) == ("ceiling" if name == "truth" else "cheat")
