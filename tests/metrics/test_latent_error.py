from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.metrics.latent_error import LatentError
from viewsweep.scenes import Scene

from .completions import values

BLANK = Scene(torch.zeros(1, 2, 2, 3, dtype=torch.uint8))


def of(latent: Tensor) -> Scene:
    return replace(BLANK, latent=latent.float())


def test_known_distances_in_units_of_chance() -> None:
    metric = LatentError()
    # three true latents, 3, 4 and 5 apart: the scale is 4
    for index, true in enumerate(([0.0, 0.0], [3.0, 0.0], [0.0, 4.0])):
        near, far = (torch.tensor(true) + torch.tensor([0.0, step]) for step in (1.0, 2.0))
        metric.update([of(near), of(far)], index, of(torch.tensor(true)))
    found = values(metric)
    assert found["best_latent_error"] == pytest.approx(1 / 4)
    assert found["sample_latent_error"] == pytest.approx(1.5 / 4)
    assert found["latent_error_gain"] == pytest.approx(0.5 / 4)
    assert [row.value for row in metric.rows() if row.metric == "best_latent_error"] == pytest.approx([0.25] * 3)


def test_guessing_scores_one_and_the_mean_of_all_latents_less() -> None:
    generator = torch.Generator().manual_seed(0)
    guess, mean = LatentError(), LatentError()
    for index in range(200):
        true = of(torch.randn(32, generator=generator))
        guess.update([of(torch.randn(32, generator=generator))], index, true)
        mean.update([of(torch.zeros(32))], index, true)
    assert values(guess)["sample_latent_error"] == pytest.approx(1.0, abs=0.02)
    assert values(mean)["sample_latent_error"] == pytest.approx(0.5**0.5, abs=0.02)


def test_one_scene_or_one_latent_gives_no_scale() -> None:
    metric = LatentError()
    for index in range(2):
        metric.update([of(torch.ones(3))], index, of(torch.zeros(3)))
        result = metric.results()["best_latent_error"]
        assert result.status == "not_run"
        assert "fewer than two different true latents" in str(result.reason)
        assert metric.rows() == []
    metric.update([of(torch.ones(3))], 2, of(torch.ones(3)))
    assert metric.results()["best_latent_error"].status == "ok"


def test_missing_latents_are_named_and_other_lengths_refused() -> None:
    for sample, true, reason in (
        (of(torch.ones(3)), BLANK, "there is no true latent"),
        (BLANK, of(torch.ones(3)), "a sample has no latent"),
    ):
        metric = LatentError()
        metric.update([sample], 0, true)
        assert str(metric.results()["best_latent_error"].reason).startswith(f"scene 0: {reason}")
    with pytest.raises(ValueError, match="a latent of length 2 cannot be compared with 3"):
        LatentError().update([of(torch.ones(2))], 0, of(torch.ones(3)))
