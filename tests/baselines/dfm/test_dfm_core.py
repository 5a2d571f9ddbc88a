"""The core on a problem whose answer is known: numbers seen through a forward model, with two possible values each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from viewsweep.baselines.dfm.core import Batch, InverseProblem, Observation, Tensors, losses
from viewsweep.baselines.dfm.process import noised, scheduler
from viewsweep.baselines.dfm.sampling import Sampling, sample, sample_along
from viewsweep.scenes.errors import UserError


class Signs(InverseProblem):
    """The context shows |s| and the observation is gain * s, a single pixel: the sign is what nobody can know.

    `exact` answers what the posterior mean is, so the samples' law follows from the sampler alone.
    """

    observed = (1, 1, 1)

    def __init__(self, *, exact: bool = False, deterministic: bool = False) -> None:
        super().__init__()
        self.settings = {"exact": exact, "deterministic": deterministic}
        self.exact, self.deterministic = exact, deterministic
        self.net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
        self.asked: list[tuple[Tensor, Tensor]] = []

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        self.asked.append((noisy.detach().clone(), time.clone()))
        size = context["size"]
        seen = noisy[:, 0, 0] / parameters["gain"][:, None]
        if self.exact:
            alpha = scheduler(1).alphas_cumprod[(time * 1000).long().clamp(0, 999)][:, None]
            variance = (1 - alpha) / parameters["gain"][:, None].square()
            return {"s": size * torch.tanh(alpha.sqrt() * seen * size / variance)}
        return {"s": self.net(torch.cat([size, seen, time[:, None]], 1)).tanh()}

    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        return (signal["s"] * parameters["gain"][:, None])[:, :, None, None]


def batch(count: int, seed: int = 0, *, gain: float = 0.8) -> Batch:
    random = torch.Generator().manual_seed(seed)
    size = torch.full((count, 1), 0.7)
    sign = torch.randint(2, (count, 1), generator=random) * 2.0 - 1
    gains = torch.full((count,), gain)
    picture = (size * sign * gain)[:, :, None, None]
    novel = Observation({"gain": gains / 2}, picture / 2)
    return Batch({"size": size}, Observation({"gain": gains}, picture), novel)


def test_samples_of_the_exact_posterior_hit_both_answers_equally_often() -> None:
    problem, count = Signs(exact=True), 400
    given = batch(count)
    drawn = sample(problem, given.context, given.target.parameters, range(count), Sampling(steps=50)).signal["s"]
    assert float((drawn.abs() - 0.7).abs().max()) < 0.02
    assert float((drawn > 0).float().mean()) == pytest.approx(0.5, abs=0.08)


def test_a_trained_network_samples_both_answers_and_its_twin_answers_their_mean() -> None:
    found = {}
    for deterministic in (False, True):
        torch.manual_seed(0)
        problem = Signs(deterministic=deterministic)
        optimiser = torch.optim.Adam(problem.parameters(), 3e-3)
        for step in range(600):
            random = torch.Generator().manual_seed(step)
            optimiser.zero_grad()
            sum(losses(problem, batch(64, step), noised, random).values(), torch.zeros(())).backward()
            optimiser.step()
            problem.asked.clear()
        given = batch(100)
        drawn = sample(problem, given.context, given.target.parameters, range(100), Sampling(steps=20))
        found[deterministic] = drawn.signal["s"]
    assert float((found[False].abs() - 0.7).abs().median()) < 0.15
    assert float(found[False].abs().mean()) > 0.5
    assert float((found[False] > 0).float().mean()) == pytest.approx(0.5, abs=0.2)
    assert float(found[True].abs().max()) < 0.15  # the mean of -0.7 and 0.7
    assert float(found[True].std()) < 1e-6


def test_the_estimate_is_the_observation_of_the_signal() -> None:
    problem = Signs()
    given = batch(3)
    drawn = sample(problem, given.context, given.target.parameters, range(3), Sampling(steps=5, threshold=1.0))
    assert torch.allclose(drawn.observation, problem.observe(drawn.signal, given.target.parameters))


def test_gradients_reach_the_network_only_through_the_forward_model() -> None:
    problem = Signs()
    seen: list[Tensor] = []
    observe = problem.observe

    def blind(signal: Tensors, parameters: Tensors) -> Tensor:
        seen.append(signal["s"])
        return observe({"s": signal["s"].detach()}, parameters).requires_grad_()

    problem.observe = blind  # type: ignore[method-assign]
    sum(losses(problem, batch(4), noised, torch.Generator().manual_seed(0)).values(), torch.zeros(())).backward()
    assert len(seen) == 2  # the target and the novel observation are of one signal
    assert seen[0] is seen[1]
    assert all(value.grad is None for value in problem.parameters())


def test_the_ablation_leaves_the_novel_observation_out() -> None:
    terms = losses(Signs(), batch(4), noised, torch.Generator().manual_seed(0), novel_weight=0.0)
    assert set(terms) == {"target"}


def test_the_twin_is_never_shown_an_observation() -> None:
    problem = Signs(deterministic=True)
    losses(problem, batch(4), noised, torch.Generator().manual_seed(0))
    given = batch(2)
    sample(problem, given.context, given.target.parameters, [0, 1], Sampling(steps=9))
    assert len(problem.asked) == 2  # one look a sample, not nine
    for noisy, time in problem.asked:
        assert not bool(noisy.any())
        assert bool((time == 1).all())


def test_dropped_contexts_say_nothing_and_only_as_often_as_asked() -> None:
    shown: list[Tensor] = []

    class Watched(Signs):
        def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
            shown.append(context["size"])
            return super().denoise(context, noisy, time, parameters)

    for drop in (0.0, 0.3, 1.0):
        shown.clear()
        losses(Watched(), batch(500), noised, torch.Generator().manual_seed(0), drop=drop)
        assert float((shown[0] == 0).float().mean()) == pytest.approx(drop, abs=0.06)


def test_a_sample_is_its_seed_whatever_the_batch() -> None:
    problem, given = Signs(exact=True), batch(4)
    together = sample(problem, given.context, given.target.parameters, [3, 1, 4, 1], Sampling(steps=10)).signal["s"]
    alone = [
        sample(
            problem, {"size": given.context["size"][:1]}, {"gain": torch.full((1,), 0.8)}, [seed], Sampling(steps=10)
        )
        for seed in (3, 1, 4)
    ]
    assert torch.allclose(together[:3, 0], torch.cat([one.signal["s"][:, 0] for one in alone]))
    assert torch.equal(together[1], together[3])
    assert float(together.std()) > 0


def test_guidance_of_one_is_none_and_more_goes_away_from_the_unconditional() -> None:
    class Known(Signs):
        def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
            return {"s": context["size"]}  # without context: 0

    given = batch(2)
    values = [
        sample(Known(), given.context, given.target.parameters, [0, 1], Sampling(steps=3, guidance=g, threshold=1.0))
        for g in (1.0, 1.5)
    ]
    assert torch.allclose(values[0].observation, torch.full((2, 1, 1, 1), 0.7 * 0.8))
    assert torch.allclose(values[1].observation, torch.full((2, 1, 1, 1), 1.5 * 0.7 * 0.8))
    assert torch.equal(values[0].signal["s"], values[1].signal["s"])  # handed back is the conditional one


def test_an_autoregressive_sample_puts_each_observation_into_the_next_context() -> None:
    problem, given = Signs(exact=True), batch(2)
    contexts: list[int] = []

    def append(context: Tensors, parameters: Tensors, observation: Tensor) -> Tensors:
        contexts.append(context["size"].shape[1])
        return {"size": context["size"], "seen": observation}

    found = sample_along(problem, given.context, [given.target.parameters] * 3, [0, 1], Sampling(steps=4), append)
    assert len(contexts) == 3
    assert found.signal["s"].shape == (2, 1)
    with pytest.raises(UserError, match="at least one target"):
        sample_along(problem, given.context, [], [0, 1], Sampling(steps=4), append)


def test_noise_follows_the_cosine_schedule() -> None:
    clean, noise = torch.ones(3, 1, 1, 1), torch.full((3, 1, 1, 1), 10.0)
    mixed = noised(clean, noise, torch.tensor([0.0, 0.5, 1.0])).flatten()
    assert mixed[0] == pytest.approx(1.0, abs=0.1)
    middle = torch.cos(torch.tensor((0.5 + 0.008) / 1.008 * torch.pi / 2))  # arXiv 2102.09672, equation 17
    assert mixed[1] == pytest.approx(float(middle + (1 - middle**2).sqrt() * 10), abs=0.05)
    assert mixed[2] == pytest.approx(10.0, abs=0.01)
    assert scheduler(50).timesteps[[0, 1, -2, -1]].tolist() == [999, 979, 39, 19]


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"steps": 1001}, {"guidance": -1.0}, {"temperature": -0.1}, {"threshold": 0.0}]
)
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Sampling(**bad)  # type: ignore[arg-type]
