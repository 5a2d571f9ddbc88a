from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.metrics.completion_diversity import CompletionDiversity
from viewsweep.metrics.energy_score import EnergyScore, energy
from viewsweep.metrics.visibility import seen_by_context
from viewsweep.scenes import Scene

from .completions import noisy, truth, values

ALL = torch.ones(1, 4, 4, dtype=torch.bool)


def grey(level: int) -> Tensor:
    return torch.full((1, 4, 4, 3), level, dtype=torch.uint8)


def naive(samples: list[Tensor], true: Tensor) -> float:
    """The definition, written out."""
    held = [sample.numpy().astype(float) / 255 for sample in samples]

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a - b) ** 2).mean()))

    near = np.mean([distance(a, true.numpy() / 255) for a in held])
    pairs = [distance(a, b) for i, a in enumerate(held) for j, b in enumerate(held) if i != j]
    return float(near - np.mean(pairs) / 2)


def test_it_is_the_definition_in_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = list(torch.randint(0, 256, (6, 2, 7, 9, 3), generator=generator).to(torch.uint8))
    where = torch.ones(2, 7, 9, dtype=torch.bool)
    found = energy(pictures[1:], pictures[0], where)
    assert found == pytest.approx(naive(pictures[1:], pictures[0]), rel=1e-12)
    assert found == energy(pictures[:0:-1], pictures[0], where)


def test_draws_from_two_equally_likely_answers_score_a_quarter_of_their_distance() -> None:
    """Expectations over all draws of K = 3 samples and both truths, exactly."""
    low, high, middle = grey(51), grey(204), grey(128)
    apart = (204 - 51) / 255

    def expected(draws: list[list[Tensor]]) -> float:
        return float(np.mean([energy(drawn, true, ALL) for drawn in draws for true in (low, high)]))

    honest = expected([list(drawn) for drawn in product((low, high), repeat=3)])
    assert honest == pytest.approx(apart / 4)
    assert expected([[middle] * 3]) == pytest.approx(apart / 2, rel=0.01)
    assert expected([[low] * 3]) == pytest.approx(apart / 2)
    # too bold a spread about the right middle loses as well
    assert expected([list(drawn) for drawn in product((grey(0), grey(255)), repeat=3)]) > 1.3 * honest


def test_noise_on_the_unseen_loses_though_its_contrast_wins() -> None:
    true = truth()
    seen = seen_by_context(true)
    assert seen is not None
    static = [noisy(true, 150.0, k, ~seen) for k in range(6)]
    near = [noisy(true, 10.0, k, ~seen) for k in range(6)]

    def measured(metric: EnergyScore | CompletionDiversity, samples: list[Scene]) -> dict[str, float | None]:
        metric.update(samples, 0, true)
        return values(metric)

    bold, honest = (measured(CompletionDiversity(), samples)["diversity_contrast"] for samples in (static, near))
    assert bold is not None
    assert honest is not None
    assert bold > honest
    lost, kept = (measured(EnergyScore(), samples) for samples in (static, near))
    assert lost["energy_unseen"] > 3 * kept["energy_unseen"]  # type: ignore[operator]
    assert lost["energy_seen"] == kept["energy_seen"] == 0.0


def test_the_truth_itself_scores_nothing_and_one_sample_its_distance() -> None:
    true = truth()
    metric = EnergyScore()
    metric.update([true] * 3, 0, true)
    assert values(metric) == {"energy_unseen": 0.0, "energy_seen": 0.0, "energy": 0.0}
    assert energy([grey(51)], grey(102), ALL) == pytest.approx(0.2)
