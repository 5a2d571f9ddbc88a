"""Steps from clean estimates, against the schedulers of diffusers and against the authors' grid."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from torch import Tensor
from viewsweep.baselines.ivid.scene_noise import SceneNoise
from viewsweep.baselines.ivid.steppers import FORWARD, SAMPLERS, make_stepper, times_of
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.generator import scene_generator

SHAPE = (4, 6, 6)
SEEDS = [5, 900]
CPU = torch.device("cpu")


def noise(stream: str = "steps", seeds: list[int] | None = None) -> SceneNoise:
    return SceneNoise(SEEDS if seeds is None else seeds, stream, SHAPE, CPU)


def estimate(x: Tensor) -> Tensor:
    """A stand-in for network and edits, away from linear."""
    return (1.3 * x).tanh() + 0.2 * x.roll(1, -1)


def walk(name: str, steps: int, **settings: object) -> list[Tensor]:
    """Every picture on the way, the first one pure noise."""
    stepper = make_stepper(name, steps, **settings)  # type: ignore[arg-type]
    ancestral, xs = noise(), [noise("start").draw()]
    for k in range(len(stepper.times)):
        xs.append(stepper.step(estimate(xs[-1]), xs[-1], k, ancestral))
    return xs


@pytest.mark.parametrize("steps", [1, 2, 8, 25, 50, 1000])
def test_both_grids_agree_for_divisors_of_1000(steps: int) -> None:
    jump = 1000 // steps
    assert times_of(steps) == times_of(steps, "official") == list(range(999, -1, -jump))


@pytest.mark.parametrize("steps", [3, 7, 12, 30, 49, 501, 999])
def test_trailing_grid_begins_at_the_end_and_is_that_of_diffusers(steps: int) -> None:
    scheduler = DDIMScheduler(**FORWARD, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert times_of(steps) == scheduler.timesteps.tolist()
    assert times_of(steps)[0] == 999


@pytest.mark.parametrize(("steps", "first", "jump"), [(7, 993, 142), (30, 989, 33), (300, 899, 3), (501, 500, 1)])
def test_official_grid_begins_below_the_end(steps: int, first: int, jump: int) -> None:
    times = times_of(steps, "official")
    assert (times[0], times[-1], len(times)) == (first, jump - 1, steps)
    assert {a - b for a, b in pairwise(times)} == {jump}


def test_quadratic_grid_falls_evenly_in_the_root_of_time() -> None:
    assert times_of(8, "quadratic") == [999, 765, 562, 390, 250, 140, 62, 16]
    assert times_of(1, "quadratic") == [999]


@pytest.mark.parametrize("grid", ["trailing", "official"])
@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("steps", [5, 50, 7])
def test_ddim_is_that_of_diffusers_on_the_edited_estimate(steps: int, eta: float, grid: str) -> None:
    """Each step on its own. The authors' grid is evenly spaced for any count, as diffusers' step takes it to be."""
    if steps == 7 and grid == "trailing":
        pytest.skip("diffusers steps to t - 1000 // steps, which is not the next time of this grid")
    scheduler = DDIMScheduler(
        **FORWARD, prediction_type="sample", timestep_spacing="trailing", set_alpha_to_one=True, clip_sample=False
    )
    scheduler.set_timesteps(steps)
    xs, ancestral = walk("ddim", steps, eta=eta, grid=grid), noise()
    for k, time in enumerate(times_of(steps, grid)):
        drawn = ancestral.draw() if eta and k + 1 < steps else torch.zeros(2, *SHAPE)
        expected = scheduler.step(estimate(xs[k]), time, xs[k], eta=eta, variance_noise=drawn).prev_sample
        torch.testing.assert_close(xs[k + 1], expected, rtol=0, atol=2e-6)


def test_ddim_recomputes_the_noise_from_the_edited_estimate() -> None:
    """Written out: eps from x and x0, then x at the next time from both (arXiv 2010.02502 eq. 12)."""
    alphas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).neg().add(1).cumprod(0)
    stepper, x = make_stepper("ddim", 50), noise("start").draw()
    x0 = estimate(x)
    now, later = alphas[999].float(), alphas[979].float()
    eps = (x - now.sqrt() * x0) / (1 - now).sqrt()
    expected = later.sqrt() * x0 + (1 - later).sqrt() * eps
    torch.testing.assert_close(stepper.step(x0, x, 0, noise()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1000, 50, 7])
def test_ddpm_has_the_posterior_of_the_forward_process(steps: int) -> None:
    """Mean and variance written out (arXiv 2006.11239 eq. 7), in float64."""
    alphas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).neg().add(1).cumprod(0)
    stepper, times = make_stepper("ddpm", steps), times_of(steps)
    x = noise("start").draw()
    x0 = estimate(x)
    for k in sorted({0, steps // 2, steps - 2}):
        now, later = alphas[times[k]], alphas[times[k + 1]]
        beta = 1 - now / later
        mean = (
            later.sqrt() * beta / (1 - now) * x0.double() + (now / later).sqrt() * (1 - later) / (1 - now) * x.double()
        )
        deviation = (beta * (1 - later) / (1 - now)).sqrt()
        expected = mean + deviation * noise(f"{k}").draw().double()
        torch.testing.assert_close(stepper.step(x0, x, k, noise(f"{k}")).double(), expected, rtol=0, atol=2e-4)
    assert stepper.step(x0, x, steps - 1, noise()) is x0


def test_full_ddpm_is_that_of_diffusers_on_noise_predictions() -> None:
    """1000 steps of the authors' sampler, driven by noise instead of estimates; x0 grows 157-fold at t = 999."""
    scheduler = DDPMScheduler(**FORWARD, variance_type="fixed_small", clip_sample=False)
    scheduler.set_timesteps(1000)
    stepper = make_stepper("ddpm", 1000)
    for k in (0, 1, 500, 998):
        x = noise(f"x{k}").draw()
        eps, a = 0.9 * x + 0.1, scheduler.alphas_cumprod[stepper.times[k]]
        generators = [scene_generator(seed, f"{k}") for seed in SEEDS]
        expected = scheduler.step(eps, stepper.times[k], x, generator=generators).prev_sample
        ours = stepper.step((x - (1 - a).sqrt() * eps) / a.sqrt(), x, k, noise(f"{k}"))
        torch.testing.assert_close(ours, expected, rtol=0, atol=2e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers under NumPy 2
@pytest.mark.parametrize(
    ("name", "scheduler"), [("dpm++", DPMSolverMultistepScheduler), ("unipc", UniPCMultistepScheduler)]
)
@pytest.mark.parametrize("steps", [1, 2, 6, 20])
def test_multistep_solvers_are_those_of_diffusers(name: str, scheduler: type, steps: int) -> None:
    """Driven by the noise that belongs to the estimates, which is what their users give them."""
    xs = walk(name, steps)
    theirs = scheduler(**FORWARD, prediction_type="epsilon", timestep_spacing="trailing")
    theirs.set_timesteps(steps)
    x = xs[0]
    for time in theirs.timesteps:
        a = theirs.alphas_cumprod[time]
        x = theirs.step((x - a.sqrt() * estimate(x)) / (1 - a).sqrt(), time, x).prev_sample
    torch.testing.assert_close(xs[-1], x, rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_last_step_gives_the_estimate_itself(name: str, steps: int) -> None:
    xs = walk(name, steps)
    assert torch.equal(xs[-1], estimate(xs[-2]))


def gaussian_error(name: str, steps: int, grid: str) -> float:
    """How far from the truth where pictures are N(0, 0.3^2), so that noise goes to a known picture."""
    alphas, spread = DDPMScheduler(**FORWARD).alphas_cumprod, 0.3
    start = noise("start").draw()
    exact = start * spread / (alphas[999] * spread**2 + 1 - alphas[999]).sqrt()
    stepper, x = make_stepper(name, steps, grid=grid), start
    for k, time in enumerate(stepper.times):
        a = alphas[time]
        x = stepper.step(a.sqrt() * spread**2 / (a * spread**2 + 1 - a) * x, x, k, noise())
    return float((x - exact).abs().mean())


@pytest.mark.parametrize(("name", "grid"), [("dpm++", "trailing"), ("unipc", "trailing"), ("dpm++", "quadratic")])
@pytest.mark.parametrize("steps", [10, 20, 50])
def test_second_order_comes_closer_than_ddim(name: str, grid: str, steps: int) -> None:
    assert gaussian_error(name, steps, grid) < gaussian_error("ddim", steps, grid)
    assert gaussian_error(name, 50, grid) < 0.3 * gaussian_error("ddim", 50, grid)


def test_quadratic_grid_gets_by_with_few_steps() -> None:
    """Eight steps of DPM-Solver++ come closer than fifty of DDIM on the authors' grid."""
    assert gaussian_error("dpm++", 8, "quadratic") < gaussian_error("ddim", 50, "official")


@pytest.mark.parametrize(("name", "eta"), [("ddpm", 0.0), ("ddim", 1.0)])
def test_ancestral_noise_belongs_to_the_scene(name: str, eta: float) -> None:
    together = walk(name, 10, eta=eta)[-1]
    for row, seed in enumerate(SEEDS):
        stepper = make_stepper(name, 10, eta=eta)
        x, ancestral = noise("start", [seed]).draw(), noise(seeds=[seed])
        for k in range(10):
            x = stepper.step(estimate(x), x, k, ancestral)
        torch.testing.assert_close(x[0], together[row], rtol=0, atol=1e-6)


def test_full_ancestral_ddim_has_the_variance_of_ddpm() -> None:
    for ddim, ddpm in zip(walk("ddim", 10, eta=1.0), walk("ddpm", 10), strict=True):
        torch.testing.assert_close(ddim, ddpm, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"steps": 0}, "0 denoising steps; there must be at least 1 and at most 1000.", id="none"),
        pytest.param({"steps": 1001}, "1001 denoising steps; there must be at least 1 and at most 1000.", id="many"),
        pytest.param({"eta": 1.5}, "eta is 1.5; it is a share of the ancestral noise, from 0 to 1.", id="eta"),
        pytest.param(
            {"name": "unipc", "eta": 0.5}, "eta is 0.5, which only the sampler ddim has; unipc takes 0.", id="no eta"
        ),
        pytest.param(
            {"name": "unipc", "grid": "official"},
            "The sampler unipc has the grid trailing alone, not official.",
            id="no grid",
        ),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        make_stepper(**{"name": "ddim", "steps": 10} | settings)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [{"name": "dpm"}, {"grid": "leading"}])
def test_unknown_names_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UnknownName, match=r"There is no (sampler|grid) named"):
        make_stepper(**{"name": "ddim", "steps": 10} | wrong)  # type: ignore[arg-type]
