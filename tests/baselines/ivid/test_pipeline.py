"""Whole sweeps: prefixes, given views, conditioning, units, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid import pipeline as sweeping
from viewsweep.baselines.ivid.given import Given
from viewsweep.baselines.ivid.pipeline import PAPER_SETTINGS, IvidOutput, IvidPipeline
from viewsweep.baselines.ivid.sampling import ddim_scheduler
from viewsweep.scenes import Cameras, Scene, sweep360
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.sweeps import GRID_3X9_PREFIXES, grid_3x9

from .conftest import random_network

SIZE = 16
STEPS: dict[str, Any] = {"first_steps": 3, "next_steps": 2}
FRONT = Cameras.orbit([0.0], [0.0])


def shown(views: int = 1, cameras: Cameras | None = FRONT, size: int = SIZE) -> Scene:
    """Random colours on a tilted plane, its corner without a surface."""
    generator = torch.Generator().manual_seed(views)
    rgb = torch.randint(256, (views, size, size, 3), generator=generator, dtype=torch.uint8)
    depth = torch.linspace(1.4, 1.8, size).expand(views, size, size).clone()
    depth[:, :3, :3] = float("nan")
    return Scene(rgb, cameras, depth)


def same(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first.nan_to_num(-1.0), second.nan_to_num(-1.0))


def assert_within_one_level(first: Tensor, second: Tensor, share: float = 0.999) -> None:
    assert float(((first.int() - second.int()).abs() <= 1).double().mean()) >= share


def test_first_views_of_27_are_the_shorter_ranges(pipeline: IvidPipeline) -> None:
    grid = grid_3x9()
    whole = pipeline([2], [5], [grid], first_steps=2, next_steps=1)
    for views in GRID_3X9_PREFIXES[:-1]:
        part = pipeline([2], [5], [grid[:views]], first_steps=2, next_steps=1)
        assert torch.equal(part.rgb, whole.rgb[:, :views])
        assert same(part.depth, whole.depth[:, :views])


@pytest.mark.parametrize(
    "settings",
    [
        {"conditioning": "stochastic"},
        {"first_sampler": "ddpm", "next_sampler": "dpm++"},
        {"first_sampler": "unipc", "next_sampler": "ddim", "eta": 1.0},
    ],
    ids=["stochastic", "ddpm", "eta"],
)
def test_scene_is_the_same_alone_and_among_eight(pipeline: IvidPipeline, settings: dict[str, Any]) -> None:
    labels, seeds = list(range(8)), [11 * k for k in range(8)]
    cameras = [grid_3x9()[:3]] * 8
    together = pipeline(labels, seeds, cameras, **STEPS, **settings)
    for row in (0, 5):
        alone = pipeline([labels[row]], [seeds[row]], [cameras[row]], **STEPS, **settings)
        assert_within_one_level(alone.rgb[0, 0], together.rgb[row, 0])
        assert_within_one_level(alone.rgb[0], together.rgb[row], 0.995)  # a mask that flips by rounding is passed on
    backwards = pipeline(labels[::-1], seeds[::-1], cameras, **STEPS, **settings)
    assert_within_one_level(backwards.rgb.flip(0), together.rgb, 0.995)


def test_stochastic_differs_from_aggregated_and_repeats(pipeline: IvidPipeline) -> None:
    def draw(conditioning: str) -> IvidOutput:
        drawn: IvidOutput = pipeline([1], [4], [grid_3x9()[:4]], conditioning=conditioning, **STEPS)
        return drawn

    stochastic, aggregated = draw("stochastic"), draw("aggregated")
    assert torch.equal(stochastic.rgb, draw("stochastic").rgb)
    # with one earlier view there is nothing to choose
    assert torch.equal(stochastic.rgb[:, :2], aggregated.rgb[:, :2])
    assert not torch.equal(stochastic.rgb[:, 2:], aggregated.rgb[:, 2:])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The views that G_c draws, in the order it does."""
    views: list[int] = []
    draw = sweeping.draw_next

    def noting(*args: Any, view: int, **settings: Any) -> Tensor:
        views.append(view)
        return draw(*args, view=view, **settings)

    monkeypatch.setattr(sweeping, "draw_next", noting)
    return views


def test_outward_goes_to_both_sides_in_turn(pipeline: IvidPipeline, drawn: list[int]) -> None:
    circle, grid = sweep360(8), grid_3x9()
    asked = pipeline([1], [4], [circle], **STEPS)
    assert drawn == [1, 2, 3, 4, 5, 6, 7]
    drawn.clear()
    outward = pipeline([1], [4], [circle], order="outward", **STEPS)
    assert drawn == [1, 7, 2, 6, 3, 5, 4]
    # views stand where they were asked for; the first two had nothing else to go by
    assert torch.equal(outward.rgb[:, :2], asked.rgb[:, :2])
    assert not torch.equal(outward.rgb[:, 2:], asked.rgb[:, 2:])
    drawn.clear()
    pipeline([1], [4], [grid[:5]], order="outward", **STEPS)
    assert sorted(drawn) == [1, 2, 3, 4]


def test_outward_scene_is_the_same_alone_and_among_others(pipeline: IvidPipeline) -> None:
    """Also among sweeps whose views are drawn in another order."""
    sweeps = [sweep360(5), grid_3x9()[:5], sweep360(5)[[0, 2, 4, 1, 3]]]
    together = pipeline([1, 2, 3], [4, 5, 6], sweeps, order="outward", **STEPS)
    for row, cameras in enumerate(sweeps):
        alone = pipeline([row + 1], [row + 4], [cameras], order="outward", **STEPS)
        assert_within_one_level(alone.rgb[0], together.rgb[row], 0.995)


def test_outward_starts_where_a_given_view_is(pipeline: IvidPipeline, drawn: list[int]) -> None:
    circle = sweep360(8)
    pipeline([1], [4], [circle], given=[shown(cameras=circle[[3]])], order="outward", **STEPS)
    assert drawn == [2, 4, 1, 5, 0, 6, 7]


@pytest.mark.parametrize("cameras", [FRONT, None], ids=["with camera", "without"])
def test_given_view_is_kept_as_it_stands(pipeline: IvidPipeline, cameras: Cameras | None) -> None:
    scene, sweep = shown(cameras=cameras), grid_3x9()[:3]
    drawn = pipeline([3], [9], [sweep], given=[scene], **STEPS)
    assert torch.equal(drawn.rgb[0, 0], scene.rgb[0])
    assert scene.depth is not None
    assert same(drawn.depth[0, 0], scene.depth[0])
    free = pipeline([3], [9], [sweep], **STEPS)
    assert not torch.equal(drawn.rgb[0, 1], free.rgb[0, 1])  # the others see it
    again = pipeline([3], [9], [sweep], given=[Given(scene.rgb, scene.depth, cameras)], **STEPS)
    assert torch.equal(again.rgb, drawn.rgb)


def test_given_views_need_not_be_in_the_sweep(pipeline: IvidPipeline) -> None:
    """A completion task: seen from two sides, asked for two others and one of the two."""
    around = sweep360(4)
    scene = shown(2, around[[0, 2]])
    drawn = pipeline([3], [9], [around[[1, 2, 3]]], given=[scene], **STEPS)
    assert torch.equal(drawn.rgb[0, 1], scene.rgb[1])
    assert drawn.rgb.shape[1] == 3
    mixed = pipeline([3, 3], [9, 9], [around[[1, 2, 3]], around[[1, 3, 1]]], given=[scene, scene], **STEPS)
    assert_within_one_level(mixed.rgb[0], drawn.rgb[0], 0.995)


def test_unit_of_the_cameras_is_the_users(pipeline: IvidPipeline) -> None:
    """Cameras ten times as far give the same pictures, depth ten times as large."""
    near = pipeline([1], [2], [grid_3x9()[:3]], **STEPS)
    far = pipeline([1], [2], [grid_3x9(radius=16.0)[:3]], **STEPS)
    assert_within_one_level(near.rgb, far.rgb, 0.995)
    assert torch.equal(near.rgb[:, 0], far.rgb[:, 0])
    torch.testing.assert_close(far.depth[:, 0], 10 * near.depth[:, 0], rtol=1e-5, atol=0, equal_nan=True)


def test_camera_that_sees_nothing_gets_a_view_drawn_freely(pipeline: IvidPipeline) -> None:
    away = Cameras(FRONT.cam_to_world.clone(), FRONT.intrinsics)
    away.cam_to_world[:, :3, :3] @= torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64))
    sweep = Cameras(torch.cat([FRONT.cam_to_world, away.cam_to_world]), FRONT.intrinsics.repeat(2, 1, 1))
    drawn = pipeline([1, 1], [2, 3], [sweep, sweep], **STEPS)
    assert len(drawn.rgb[:, 1].unique()) > 10
    assert not torch.equal(drawn.rgb[0, 1], drawn.rgb[1, 1])


@pytest.fixture(scope="module")
def paper() -> IvidPipeline:
    """The paper's settings on networks without classes that predict noise."""
    parts = random_network(0, classes=0), random_network(1, classes=0, condition=True)
    made = IvidPipeline(*parts, ddim_scheduler("epsilon"), **PAPER_SETTINGS)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("labels", [None, [None, None], [3, 4]], ids=["none", "nones", "ignored"])
def test_paper_settings_draw_without_classes(paper: IvidPipeline, labels: list[int | None] | None) -> None:
    cameras = [grid_3x9(radius=1.0, fov=paper.config.fov)[:3]] * 2
    drawn = paper(
        labels, [1, 2], cameras, **STEPS, first_guidance=0.0, next_guidance=0.0, first_sampler="ddpm", grid="official"
    )
    assert tuple(drawn.rgb.shape) == (2, 3, SIZE, SIZE, 3)
    assert bool(torch.isfinite(drawn.depth).all())  # every pixel is a surface
    assert float(drawn.depth.min()) >= 0.6 - 1e-6
    assert float(drawn.depth.max()) <= 5.0 + 1e-5


def test_pulls_asked_for_stand_before_the_stored_ones(pipeline: IvidPipeline) -> None:
    asked = {"given": [shown()], "first_steps": 3, "next_steps": 3}
    pulls, sweep = {"rgb_pull": 0.9, "depth_pull": 0.0}, [grid_3x9()[:2]]
    stored = IvidPipeline(pipeline.first, pipeline.following, pipeline.scheduler, **pulls)([1], [2], sweep, **asked)
    drawn = pipeline([1], [2], sweep, **pulls, **asked)
    assert torch.equal(stored.rgb, drawn.rgb)
    assert not torch.equal(pipeline([1], [2], sweep, **asked).rgb, drawn.rgb)


def test_half_precision_changes_little(pipeline: IvidPipeline) -> None:
    whole = pipeline([1], [2], [grid_3x9()[:1]], **STEPS).rgb.int()
    try:
        half = pipeline.accelerate(precision="bf16")([1], [2], [grid_3x9()[:1]], **STEPS).rgb.int()
    finally:
        pipeline.accelerate()
    assert 0 < float((whole - half).abs().double().mean()) < 4


BLIND = Scene(shown().rgb, FRONT, torch.full((1, SIZE, SIZE), float("nan")))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            [Scene(shown().rgb, FRONT)], "The given views have no depth, and ivid warps by depth.", id="depth"
        ),
        pytest.param([BLIND], "Given view 0 has no pixel with depth, so it shows nothing", id="nowhere"),
        pytest.param([shown(size=24)], "The given views are 24 x 24 pixels and the networks take 16 x 16.", id="size"),
        pytest.param(
            [shown(2, None)], "2 given views without cameras; only a single one may be without.", id="cameras"
        ),
        pytest.param([], "There are given views for 0 of 1 sweeps, [] each.", id="count"),
    ],
)
def test_given_views_that_do_not_fit_are_refused(pipeline: IvidPipeline, given: list[Scene], message: str) -> None:
    with pytest.raises(UserError) as caught:
        pipeline([1], [1], [grid_3x9()[:2]], given=given, **STEPS)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"conditioning": "random"}, "There is no way of conditioning named 'random'.", id="conditioning"),
        pytest.param({"order": "random"}, "There is no order of views named 'random'.", id="order"),
        pytest.param({"next_sampler": "euler"}, "There is no sampler named 'euler'.", id="sampler"),
        pytest.param({"grid": "karras"}, "There is no grid named 'karras'.", id="grid"),
        pytest.param(
            {"eta": 0.5, "first_sampler": "dpm++", "next_sampler": "unipc"},
            "eta is 0.5, which only the sampler ddim has.",
            id="eta",
        ),
        pytest.param(
            {"rgb_pull": 1.5}, "rgb_pull is 1.5; it is a share of the way to the condition, from 0 to 1.", id="pull"
        ),
        pytest.param({"next_steps": 0}, "0 denoising steps; there must be at least 1 and at most 1000.", id="steps"),
    ],
)
def test_impossible_settings_are_refused(pipeline: IvidPipeline, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        pipeline([1], [1], [grid_3x9()[:2]], **{**STEPS, **settings})
    assert str(caught.value).startswith(message)


def test_guidance_without_classes_is_refused(paper: IvidPipeline) -> None:
    with pytest.raises(UserError, match="These networks have no classes, so there is nothing to guide towards"):
        paper(None, [1], [grid_3x9()[:1]], **STEPS, first_guidance=0.5)


def test_label_is_asked_for(pipeline: IvidPipeline) -> None:
    with pytest.raises(UserError, match="These networks draw classes: give each sweep a label from 0 to 9"):
        pipeline(None, [1], [grid_3x9()[:1]], **STEPS)


def test_camera_in_the_origin_is_refused(pipeline: IvidPipeline) -> None:
    inside = Cameras(torch.eye(4, dtype=torch.float64)[None], FRONT.intrinsics)
    with pytest.raises(UserError, match="The first camera stands in the origin"):
        pipeline([1], [1], [inside], **STEPS)


@pytest.mark.parametrize("wrong", [{"depth_median": 2}, {"warp": "large"}])
def test_impossible_stored_settings_are_refused(pipeline: IvidPipeline, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"depth_median is 2|There is no warp named 'large'"):
        IvidPipeline(pipeline.first, pipeline.following, pipeline.scheduler, **wrong)


def test_unknown_precision_is_refused(pipeline: IvidPipeline) -> None:
    with pytest.raises(UnknownName, match="There is no precision named 'int8'"):
        pipeline.accelerate(precision="int8")
