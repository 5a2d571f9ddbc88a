"""DDIM, guidance, the edits of the clean estimate, and noise that belongs to the scene."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor
from viewsweep.baselines.ivid.networks import RGBDUNet
from viewsweep.baselines.ivid.pipeline import IvidPipeline
from viewsweep.baselines.ivid.sampling import Condition, ddim_scheduler, draw_first, draw_next
from viewsweep.baselines.ivid.training import noise_scheduler
from viewsweep.scenes import Cameras, sweep360
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.generator import scene_generator

SIZE = 16
SEEDS = [3, 70, 8]
LABELS = torch.tensor([1, 4, 4])
VELOCITY, NOISE = "v_prediction", "epsilon"


class Oracle:
    """A network that knows the clean picture: exact velocity or noise, plus an error of its own if asked.

    Args:
        clean: what it believes in, [N, 4, H, W].
        prediction: what it returns.
        error: how far its estimate of the clean picture is off, as a function of its input.
    """

    device, null_class = torch.device("cpu"), 10

    def __init__(self, clean: Tensor, prediction: str = VELOCITY, error: float = 0.0) -> None:
        self.clean, self.prediction, self.error = clean, prediction, error
        self.config = SimpleNamespace(size=clean.shape[-1])
        self.alphas = ddim_scheduler(prediction).alphas_cumprod
        self.inputs: list[Tensor] = []
        self.times: list[int] = []
        self.labels: list[list[int]] = []
        self.conditions: list[Tensor | None] = []

    def __call__(self, x: Tensor, times: Tensor, labels: Tensor, condition: Tensor | None) -> Tensor:
        self.inputs.append(x)
        self.times.append(int(times[0]))
        self.labels.append(labels.tolist())
        self.conditions.append(condition)
        a = self.alphas[times][:, None, None, None]
        clean = self.clean.repeat(len(x) // len(self.clean), 1, 1, 1) + self.error * x.sin()
        noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
        return a.sqrt() * noise - (1 - a).sqrt() * clean if self.prediction == VELOCITY else noise


def pictures(seed: int = 0, count: int = 3) -> Tensor:
    return torch.rand(count, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) - 0.5


def half_known(rgb: float = 1.0, depth: float = 1.0, count: int = 3) -> Condition:
    """Depth known in the right half, colour one pixel further in."""
    mask, rgb_mask = (torch.zeros(count, 1, SIZE, SIZE) for _ in range(2))
    mask[..., 8:] = 1
    rgb_mask[..., 9:] = 1
    return Condition(rgb * rgb_mask.repeat(1, 3, 1, 1), depth * mask, rgb_mask, mask)


def assert_same_pictures(first: Tensor, second: Tensor) -> None:
    """[-1, 1] as 8 bits: within one step on 99.9 % of the pixels."""
    levels = ((torch.stack([first, second]).clamp(-1, 1) + 1) * 127.5).round()
    assert float(((levels[0] - levels[1]).abs() <= 1).double().mean()) >= 0.999


def test_times_are_the_authors() -> None:
    oracle = Oracle(pictures())
    draw_first(oracle, ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=50, guidance=0.0)
    assert oracle.times == list(range(999, 0, -20))


def test_sampler_and_training_share_one_forward_process() -> None:
    assert torch.equal(ddim_scheduler(VELOCITY).alphas_cumprod, noise_scheduler(VELOCITY).alphas_cumprod)


@pytest.mark.parametrize("prediction", [VELOCITY, NOISE])
@pytest.mark.parametrize("guidance", [0.0, 1.5])
@pytest.mark.parametrize("steps", [1, 7, 20])
def test_network_that_knows_the_picture_draws_it(prediction: str, guidance: float, steps: int) -> None:
    oracle = Oracle(pictures(), prediction)
    drawn = draw_first(oracle, ddim_scheduler(prediction), LABELS, SEEDS, steps=steps, guidance=guidance)
    torch.testing.assert_close(drawn, pictures(), rtol=0, atol=2e-3 if prediction == NOISE else 1e-5)


@pytest.mark.parametrize("steps", [10, 20, 50])
@pytest.mark.parametrize("error", [0.3, 3.0], ids=["inside", "clipped"])
def test_steps_are_those_of_diffusers(steps: int, error: float) -> None:
    """Numbers of steps that divide 1000; a clipped estimate changes the noise estimate as well."""
    ours = draw_first(
        Oracle(pictures(), error=error), ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=steps, guidance=0.0
    )
    scheduler = DDIMScheduler.from_config(ddim_scheduler(VELOCITY).config, clip_sample=True, clip_sample_range=1.0)
    scheduler.set_timesteps(steps)
    oracle = Oracle(pictures(), error=error)
    x = torch.stack([torch.randn(4, SIZE, SIZE, generator=scene_generator(seed, "ivid.first")) for seed in SEEDS])
    for time in scheduler.timesteps:
        output = oracle(x, time.expand(3), LABELS, None)
        x = scheduler.step(output, time, x, eta=0.0, use_clipped_model_output=True).prev_sample
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-5)


def test_guidance_pushes_away_from_the_null_class() -> None:
    """(1 + s) conditional - s null: an estimate of 0.2 against 0.1 becomes 0.2 + 2 (0.2 - 0.1)."""

    class Divided(Oracle):
        def __call__(self, x: Tensor, times: Tensor, labels: Tensor, condition: Tensor | None) -> Tensor:
            self.clean = torch.where(labels == self.null_class, 0.1, 0.2)[:, None, None, None].expand_as(x)
            return super().__call__(x, times, labels, condition)

    oracle = Divided(pictures())
    drawn = draw_first(oracle, ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=5, guidance=2.0)
    torch.testing.assert_close(drawn, torch.full_like(drawn, 0.4), rtol=0, atol=1e-4)
    assert oracle.labels == [[1, 4, 4, 10, 10, 10]] * 5
    unguided = Divided(pictures())
    draw_first(unguided, ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=5, guidance=0.0)
    assert unguided.labels == [[1, 4, 4]] * 5


@pytest.mark.parametrize(
    ("interval", "guided"),
    [((0.0, 1.0), 5), ((0.2, 0.8), 3), ((0.3, 1.0), 4), ((0.0, 0.1), 0)],
    ids=["always", "middle", "noisy", "never"],
)
def test_guidance_can_be_had_in_a_part_of_the_times(interval: tuple[float, float], guided: int) -> None:
    """Five steps: times 0.999, 0.799, 0.599, 0.399, 0.199 of the whole."""
    oracle = Oracle(pictures())
    draw_first(oracle, ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=5, guidance=1.0, interval=interval)
    twice = [int(low) for low in (len(labels) == 6 for labels in oracle.labels)]
    assert (len(twice), sum(twice)) == (5, guided)
    low, high = interval
    assert twice == [int(low < time / 1000 <= high) for time in oracle.times]


def test_networks_without_classes_are_asked_without_labels() -> None:
    class Classless(Oracle):
        null_class = 0

        def __call__(self, x: Tensor, times: Tensor, labels: Tensor | None, condition: Tensor | None) -> Tensor:
            assert labels is None
            return super().__call__(x, times, LABELS, condition)

    drawn = draw_first(Classless(pictures()), ddim_scheduler(VELOCITY), LABELS * 0, SEEDS, steps=5, guidance=0.0)
    torch.testing.assert_close(drawn, pictures(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("clamp", [True, False])
def test_estimates_are_clipped_only_if_asked(clamp: bool) -> None:
    clean = torch.full((3, 4, SIZE, SIZE), 1.5)
    oracle = Oracle(clean, NOISE)
    drawn = draw_first(oracle, ddim_scheduler(NOISE), LABELS, SEEDS, steps=5, guidance=0.0, clamp=clamp)
    torch.testing.assert_close(drawn, clean.clamp(max=1.0) if clamp else clean, rtol=0, atol=2e-3)


@pytest.mark.parametrize(("sampler", "grid"), [("ddpm", "trailing"), ("dpm++", "quadratic"), ("unipc", "trailing")])
def test_every_sampler_draws_what_the_network_knows(sampler: str, grid: str) -> None:
    oracle = Oracle(pictures())
    drawn = draw_first(
        oracle, ddim_scheduler(VELOCITY), LABELS, SEEDS, steps=6, guidance=0.0, sampler=sampler, grid=grid
    )
    torch.testing.assert_close(drawn, pictures(), rtol=0, atol=1e-5)


def next_view(oracle: Oracle, condition: Condition, *, steps: int = 5, view: int = 1, **pulls: float) -> Tensor:
    return draw_next(
        oracle,  # type: ignore[arg-type]
        ddim_scheduler(VELOCITY),
        LABELS,
        SEEDS,
        condition,
        view=view,
        steps=steps,
        guidance=0.0,
        **pulls,
    )


def test_clean_estimate_is_pulled_towards_the_condition() -> None:
    """Colour by 0.1 at all steps but the last, depth by 0.2 at all; the noise follows from the edited estimate."""
    condition, oracle = half_known(), Oracle(torch.zeros(3, 4, SIZE, SIZE))
    drawn = next_view(oracle, condition)
    edited = torch.cat([0.1 * condition.rgb, 0.2 * condition.depth], 1)
    alphas = ddim_scheduler(VELOCITY).alphas_cumprod
    for k in range(4):
        now, later = alphas[oracle.times[k]], alphas[oracle.times[k + 1]]
        noise = (oracle.inputs[k] - now.sqrt() * edited) / (1 - now).sqrt()
        expected = later.sqrt() * edited + (1 - later).sqrt() * noise
        torch.testing.assert_close(oracle.inputs[k + 1], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn[:, :3], torch.zeros_like(drawn[:, :3]), rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn[:, 3:], 0.2 * condition.mask, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pull", [0.0, 0.5, 1.0])
def test_pulls_can_be_chosen(pull: float) -> None:
    condition, oracle = half_known(), Oracle(torch.zeros(3, 4, SIZE, SIZE))
    drawn = next_view(oracle, condition, rgb_pull=pull, depth_pull=pull)
    edited = pull * torch.cat([condition.rgb, condition.depth], 1)
    now, later = ddim_scheduler(VELOCITY).alphas_cumprod[oracle.times[:2]]
    noise = (oracle.inputs[0] - now.sqrt() * edited) / (1 - now).sqrt()
    torch.testing.assert_close(oracle.inputs[1], later.sqrt() * edited + (1 - later).sqrt() * noise, rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn[:, 3:], pull * condition.mask, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sampler", ["ddim", "dpm++", "unipc", "ddpm"])
def test_last_step_pulls_depth_but_not_colour(sampler: str) -> None:
    condition, oracle = half_known(), Oracle(torch.zeros(3, 4, SIZE, SIZE))
    drawn = draw_next(
        oracle,  # type: ignore[arg-type]
        ddim_scheduler(VELOCITY),
        LABELS,
        SEEDS,
        condition,
        view=1,
        steps=4,
        guidance=0.0,
        rgb_pull=0.7,
        depth_pull=0.3,
        sampler=sampler,
    )
    torch.testing.assert_close(drawn[:, :3], torch.zeros_like(drawn[:, :3]), rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn[:, 3:], 0.3 * condition.mask, rtol=0, atol=1e-5)


def test_unseen_depth_is_pushed_behind_the_hull() -> None:
    """Half-way, where it stands before the hull; where it stands behind, or is known, nothing changes."""
    condition = half_known(depth=0.0)
    hull = torch.full_like(condition.mask, -1.0)
    hull[..., :4] = 0.6
    hull[..., 8:] = 0.6
    condition = Condition(condition.rgb, condition.depth, condition.rgb_mask, condition.mask, hull)
    drawn = next_view(Oracle(torch.full((3, 4, SIZE, SIZE), 0.2)), condition, depth_pull=0.0, hull_pull=0.5)
    expected = torch.full((3, 1, SIZE, SIZE), 0.2)
    expected[..., :4] = 0.5 * 0.6 + 0.5 * 0.2
    torch.testing.assert_close(drawn[:, 3:], expected, rtol=0, atol=1e-5)
    behind = next_view(Oracle(torch.full((3, 4, SIZE, SIZE), 0.8)), condition, depth_pull=0.0, hull_pull=0.5)
    torch.testing.assert_close(behind[:, 3:], torch.full_like(expected, 0.8), rtol=0, atol=1e-5)
    without = next_view(Oracle(torch.full((3, 4, SIZE, SIZE), 0.2)), condition, depth_pull=0.0, hull_pull=0.0)
    torch.testing.assert_close(without[:, 3:], torch.full_like(expected, 0.2), rtol=0, atol=1e-5)


def test_each_scene_picks_one_condition_a_step() -> None:
    choices = [half_known(rgb=value) for value in (0.1, 0.2, 0.3)]

    def picked(rows: list[int]) -> Tensor:
        oracle = Oracle(pictures()[rows])
        draw_next(
            oracle,  # type: ignore[arg-type]
            ddim_scheduler(VELOCITY),
            LABELS[rows],
            [SEEDS[row] for row in rows],
            [Condition(*(part[rows] for part in (c.rgb, c.depth, c.rgb_mask, c.mask))) for c in choices],
            view=4,
            steps=12,
            guidance=0.0,
        )
        return torch.stack([part[:, 1, 0, -1] for part in oracle.conditions if part is not None])

    held = picked([0, 1, 2])
    assert set(held.flatten().mul(10).round().int().tolist()) == {1, 2, 3}
    assert not torch.equal(held[:, 0], held[:, 1])
    assert torch.equal(held, picked([0, 1, 2]))
    assert torch.equal(held[:, [1]], picked([1]))


def test_nothing_known_changes_nothing() -> None:
    """What stands outside of the masks has no meaning and no influence."""
    empty = half_known()
    empty = Condition(empty.rgb + 7, empty.depth + 7, torch.zeros_like(empty.mask), torch.zeros_like(empty.mask))
    torch.testing.assert_close(next_view(Oracle(pictures()), empty), pictures(), rtol=0, atol=1e-5)


def test_holes_of_the_condition_are_fresh_noise_at_every_step() -> None:
    condition, oracle = half_known(0.5, -0.25), Oracle(pictures())
    next_view(oracle, condition)
    held = torch.stack([part for part in oracle.conditions if part is not None])
    assert tuple(held.shape) == (5, 3, 6, SIZE, SIZE)
    assert torch.equal(held[:, :, :1], condition.rgb_mask.expand(5, -1, -1, -1, -1))
    assert torch.equal(held[:, :, 5:], condition.mask.expand(5, -1, -1, -1, -1))
    assert bool((held[:, :, 1:4, :, 9:] == 0.5).all())
    assert bool((held[:, :, 4, :, 8:] == -0.25).all())
    for holes in (held[:, :, 1:4, :, :9], held[:, :, 4, :, :8]):
        assert abs(float(holes.mean())) < 0.1
        assert abs(float(holes.std()) - 1) < 0.1
        assert not torch.allclose(holes[0], holes[1])
        assert not torch.allclose(holes[:, 0], holes[:, 1])


def test_each_view_has_its_own_noise(following: RGBDUNet) -> None:
    scheduler, known = ddim_scheduler(VELOCITY), half_known()
    first, again, other = (
        draw_next(following, scheduler, LABELS, SEEDS, known, view=view, steps=2, guidance=0.0) for view in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_first_view_depends_on_its_own_seed(first: RGBDUNet, guidance: float) -> None:
    scheduler = ddim_scheduler(VELOCITY)
    together = draw_first(first, scheduler, LABELS, SEEDS, steps=8, guidance=guidance)
    assert float((together[1] - together[2]).abs().mean()) > 0.05
    for row in range(3):
        alone = draw_first(first, scheduler, LABELS[[row]], SEEDS[row : row + 1], steps=8, guidance=guidance)
        assert_same_pictures(alone[0], together[row])


def test_next_view_depends_on_its_own_seed_and_condition(following: RGBDUNet) -> None:
    scheduler, known = ddim_scheduler(VELOCITY), half_known()
    known.rgb.mul_(torch.tensor([0.2, 0.5, -0.9])[:, None, None, None])
    together = draw_next(following, scheduler, LABELS, SEEDS, known, view=3, steps=8, guidance=0.5)
    for row in range(3):
        own = Condition(*(part[[row]] for part in (known.rgb, known.depth, known.rgb_mask, known.mask)))
        alone = draw_next(following, scheduler, LABELS[[row]], SEEDS[row : row + 1], own, view=3, steps=8, guidance=0.5)
        assert_same_pictures(alone[0], together[row])


STEPS = {"first_steps": 4, "next_steps": 3}


def test_sweep_does_not_depend_on_the_batch(pipeline: IvidPipeline) -> None:
    cameras = [sweep360(3, pitch) for pitch in (0.0, 0.2, 0.4)]
    together = pipeline([1, 4, 4], SEEDS, cameras, **STEPS)
    assert (together.rgb.dtype, tuple(together.rgb.shape)) == (torch.uint8, (3, 3, SIZE, SIZE, 3))
    assert (together.depth.dtype, tuple(together.depth.shape)) == (torch.float32, (3, 3, SIZE, SIZE))
    for row, label in enumerate([1, 4, 4]):
        alone = pipeline([label], [SEEDS[row]], [cameras[row]], **STEPS)
        assert torch.equal(alone.rgb[0], together.rgb[row])
        assert torch.equal(alone.depth[0].nan_to_num(-1), together.depth[row].nan_to_num(-1))
    again = pipeline([1, 4, 4], SEEDS, cameras, **STEPS)
    assert torch.equal(again.rgb, together.rgb)


def test_first_view_does_not_depend_on_its_camera_but_later_ones_do(pipeline: IvidPipeline) -> None:
    near, far = (Cameras.orbit([0.0, yaw], [0.2, 0.2]) for yaw in (0.1, 1.0))
    drawn = pipeline([2, 2], [5, 5], [near, far], **STEPS)
    assert_same_pictures(drawn.rgb[0, 0] / 127.5 - 1, drawn.rgb[1, 0] / 127.5 - 1)
    assert not torch.equal(drawn.rgb[0, 1], drawn.rgb[1, 1])


def test_depth_of_a_sweep_lies_between_the_planes(pipeline: IvidPipeline) -> None:
    depth = pipeline([0], [1], [sweep360(2)], **STEPS).depth
    some = depth[torch.isfinite(depth)]
    assert len(some)
    assert float(some.min()) >= pipeline.code.near - 1e-6
    assert float(some.max()) <= pipeline.code.far


@pytest.mark.parametrize(
    ("labels", "seeds", "lengths", "message"),
    [
        pytest.param(
            [1], [1, 2], [3, 3], "1 labels, 2 seeds and 2 sweeps of lengths [3]: there must be equally many", id="count"
        ),
        pytest.param(
            [1, 2], [1, 2], [3, 4], "2 labels, 2 seeds and 2 sweeps of lengths [3, 4]: there must be", id="lengths"
        ),
        pytest.param([10], [1], [3], "Class 10 was not trained; classes are 0 to 9.", id="class"),
        pytest.param([-1], [1], [3], "Class -1 was not trained; classes are 0 to 9.", id="negative class"),
    ],
)
def test_impossible_sweeps_are_refused(
    pipeline: IvidPipeline, labels: list[int], seeds: list[int], lengths: list[int], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        pipeline(labels, seeds, [sweep360(length) for length in lengths])
    assert str(caught.value).startswith(message)
