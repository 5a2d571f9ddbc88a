"""Signals of several flows, each with how likely it is."""

from __future__ import annotations

import torch
from torch import Tensor
from viewsweep.baselines.dfm.core import Batch, Observation, losses
from viewsweep.baselines.dfm.motion import MotionProblem, warp
from viewsweep.baselines.dfm.process import noised
from viewsweep.baselines.dfm.sampling import Sampling, sample

SIZE = 16
SLIM = {"channels": [16, 32], "groups": 8}
WHOLE = {"share": torch.ones(1)}


def problem(**settings: int) -> MotionProblem:
    torch.manual_seed(0)
    return MotionProblem(SIZE, network=SLIM, **settings)


def pictures(count: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, SIZE, SIZE, generator=random) * 2 - 1


def signal_of(likely: list[float]) -> dict[str, Tensor]:
    flows = torch.zeros(1, len(likely), 2, SIZE, SIZE)
    for number in range(len(likely)):
        flows[:, number, 0] = number * 2.0
    return {"picture": pictures(), "flow": flows[:, 0], "flows": flows, "likely": torch.tensor([likely])}


def test_what_is_observed_is_the_mean_of_what_may_be() -> None:
    signal = signal_of([0.25, 0.75, 0.0])
    first, second = (warp(signal["picture"], signal["flows"][:, k]) for k in (0, 1))
    assert torch.allclose(problem(answers=3).observe(signal, WHOLE), 0.25 * first + 0.75 * second, atol=1e-6)
    half = {"share": torch.full((1,), 0.5)}
    assert torch.allclose(
        problem(answers=3).observe(signal, half),
        0.25 * first + 0.75 * warp(signal["picture"], signal["flows"][:, 1] / 2),
        atol=1e-6,
    )


def test_answers_begin_near_rest_and_differ() -> None:
    with torch.no_grad():
        first = problem(answers=4).denoise({"picture": pictures()}, pictures(), torch.ones(1), WHOLE)
    assert float(first["flows"].abs().mean()) < 0.5
    assert float((first["flows"][:, 0] - first["flows"][:, 1]).abs().mean()) > 1e-3
    assert torch.allclose(first["likely"].sum(1), torch.ones(1))


def test_the_likeliest_is_handed_back() -> None:
    many = problem(answers=3, bases=2)
    found = many.denoise({"picture": pictures()}, pictures(), torch.ones(1), WHOLE)
    best = int(found["likely"].argmax())
    assert torch.equal(found["flow"], found["flows"][:, best])
    drawn = sample(many, {"picture": pictures()}, WHOLE, [3], Sampling(steps=3))
    assert set(drawn.signal) == {"flow", "picture"}
    shown = many.observe(drawn.signal, WHOLE)
    assert torch.allclose(shown, warp(pictures(), drawn.signal["flow"]), atol=1e-6)


def test_how_likely_follows_from_the_noise_and_what_was_taught() -> None:
    """Nearly clean, the flow that shows what is seen; in pure noise, what was taught; between, as often as it is so."""
    many, signal = problem(answers=3), signal_of([1 / 3, 1 / 3, 1 / 3])
    told = torch.tensor([0.5, 0.2, 0.3]).log()[None, :, None, None].expand(1, 3, SIZE, SIZE)
    clean = warp(signal["picture"], signal["flows"][:, 2])

    def likely(time: float, noise: Tensor) -> Tensor:
        when = torch.full((1,), time)
        return many._likely(told, signal["picture"], signal["flows"], noised(clean, noise, when), when, WHOLE)[0]

    random = torch.Generator().manual_seed(0)
    noises = [torch.randn(1, 3, SIZE, SIZE, generator=random) for _ in range(100)]
    assert float(likely(0.1, noises[0])[2]) > 0.999
    assert torch.allclose(likely(1.0, noises[0]), torch.tensor([0.5, 0.2, 0.3]), atol=0.01)
    found = torch.stack([likely(0.97, noise)[2] for noise in noises])
    assert float(found.std()) > 0.05
    assert 0.3 < float(found.mean()) < 0.999


def test_the_flow_that_shows_what_is_seen_becomes_the_sample() -> None:
    many = problem(answers=2)
    head = many.network.unet.conv_out
    with torch.no_grad():  # flows that do not depend on what is seen: none, and 1.6 pixels to the side
        head.weight.zero_()
        head.bias.zero_()
        head.bias[8:12] = 0.2
        for number in (0, 1):
            flow = torch.zeros(1, 2, SIZE, SIZE)
            flow[:, 0] = number * 1.58
            seen = warp(pictures(), flow)
            found = many.denoise({"picture": pictures()}, seen, torch.full((1,), 0.05), WHOLE)
            assert float(found["likely"][0, number]) > 0.99
            assert torch.allclose(found["flow"], flow, atol=0.01)


def test_only_the_nearest_answer_learns_pixel_by_pixel() -> None:
    many = problem(answers=3)
    signal = signal_of([1 / 3, 1 / 3, 1 / 3])
    flows = signal["flows"].requires_grad_()
    moved = warp(signal["picture"], torch.full((1, 2, SIZE, SIZE), 0.0) + torch.tensor([1.7, 0.0])[:, None, None])
    batch = Batch({"picture": signal["picture"]}, Observation(WHOLE, moved))
    many.prior({**signal, "flows": flows, "free": flows}, batch)["free"].backward()
    assert flows.grad is not None
    assert flows.grad.abs().sum((0, 2, 3, 4)).bool().tolist() == [False, True, False]


def test_gradients_reach_flows_likelihoods_and_fields() -> None:
    many = problem(answers=2, bases=2)
    batch = Batch({"picture": pictures(2)}, Observation({"share": torch.ones(2)}, pictures(2).flip(3)))
    terms = losses(many, batch, noised, torch.Generator().manual_seed(0))
    assert set(terms) == {"target", "smooth", "free", "likely"}
    sum(terms.values(), torch.zeros(())).backward()
    head = many.network.unet.conv_out.weight.grad
    assert head is not None
    assert bool((head.unflatten(0, (6, 4)).flatten(1).abs().amax(1) > 0).all())
    assert many.basis is not None
    assert all(part.grad is not None for part in many.basis.parameters())


def test_a_mean_that_no_single_flow_shows_is_learned() -> None:
    """A bar that went left or right: told nothing, two answers show both, and one flow cannot."""
    bar = torch.full((1, 3, SIZE, SIZE), -1.0)
    bar[:, :, :, 7:9] = 1.0
    ends = torch.cat([bar.roll(-4, 3), bar.roll(4, 3)])
    left = {}
    for answers in (1, 2):
        learner = problem(answers=answers)
        optimiser = torch.optim.Adam(learner.parameters(), 3e-3)
        for _ in range(100):
            signal = learner.denoise({"picture": bar}, torch.zeros_like(bar), torch.ones(1), WHOLE)
            error = (learner.observe(signal, WHOLE) - ends.mean(0, keepdim=True)).square().mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
        left[answers] = float(error.detach())
    assert left[2] < 0.5 * left[1]
