from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from viewsweep.metrics.completion_diversity import CompletionDiversity, spread
from viewsweep.metrics.visibility import seen_by_context
from viewsweep.scenes import Scene

from .completions import noisy, truth, values


def measured(samples: list[Scene], true: Scene) -> dict[str, float | None]:
    metric = CompletionDiversity()
    metric.update(samples, 0, true)
    return values(metric)


def test_spread_is_the_standard_deviation_over_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (5, 2, 7, 9, 3), generator=generator).to(torch.uint8)
    naive = np.sqrt((pictures.numpy() / 255.0).var(axis=0, ddof=1).mean(-1))
    found = spread(list(pictures))
    assert np.allclose(found.numpy(), naive, rtol=1e-12)
    assert torch.equal(found, spread(list(pictures.flip(0))))


def test_variety_is_told_apart_by_where_it_is() -> None:
    true = truth()
    seen = seen_by_context(true)
    assert seen is not None
    knows = measured([noisy(true, 40.0, k, ~seen) for k in range(4)], true)
    forgets = measured([noisy(true, 40.0, k, seen) for k in range(4)], true)
    noise = measured([noisy(true, 40.0, k) for k in range(4)], true)
    alike = measured([noisy(true, 40.0)] * 4, true)
    assert knows["diversity_seen"] == 0.0 < knows["diversity_contrast"] == knows["diversity_unseen"]  # type: ignore[operator]
    assert forgets["diversity_contrast"] == -forgets["diversity_seen"] < 0  # type: ignore[operator]
    assert abs(noise["diversity_contrast"]) < 0.1 * noise["diversity"]  # type: ignore[arg-type, operator]
    assert alike["diversity"] == alike["diversity_contrast"] == 0.0


def test_it_says_how_many_samples_and_how_much_is_seen() -> None:
    true = truth()
    seen = seen_by_context(true)
    assert seen is not None
    found = measured([true] * 7, true)
    assert found["samples"] == 7.0
    assert found["seen_share"] == pytest.approx(float(seen.double().mean()))


def test_one_sample_has_no_spread() -> None:
    metric = CompletionDiversity()
    metric.update([truth()], 0, truth())
    results = metric.results()
    for name in ("diversity_contrast", "diversity_seen", "diversity_unseen", "diversity"):
        assert (results[name].status, results[name].reason) == (
            "not_run",
            "a single sample has nothing to differ from.",
        )
    assert results["samples"].value == 1.0


def test_black_and_white_is_the_most_there_is() -> None:
    white = Scene(torch.full((1, 8, 8, 3), 255, dtype=torch.uint8))
    found = measured([white, replace(white, rgb=torch.zeros_like(white.rgb))], white)
    assert found["diversity"] == pytest.approx(CompletionDiversity._bounds[3][1])
    assert found["seen_share"] is None
