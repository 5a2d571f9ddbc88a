from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.completion_accuracy import CompletionAccuracy, SimilarityTo
from viewsweep.metrics.paired import PairedQuality, ssim, unit_range
from viewsweep.metrics.statistics import mean_interval
from viewsweep.metrics.visibility import seen_by_context
from viewsweep.scenes import Scene

from .completions import SIZE, moving, noisy, truth, values

WHOLE = ("best_psnr", "sample_psnr", "best_ssim", "sample_ssim")


def test_one_sample_scores_what_the_paired_metric_says() -> None:
    true = truth()
    metric, paired = CompletionAccuracy(), PairedQuality()
    metric.update([noisy(true, 20.0)], 0, true)
    paired.update(noisy(true, 20.0), 0, true)
    found, single = values(metric), values(paired)
    assert found["best_psnr"] == found["sample_psnr"] == pytest.approx(single["psnr"], rel=1e-13)
    assert found["best_ssim"] == found["sample_ssim"] == pytest.approx(single["ssim"], rel=1e-12)
    assert found["psnr_gain"] == found["ssim_gain"] == 0.0


@pytest.mark.parametrize("size", [(11, 11), (13, 32), (64, 40)])
def test_the_map_of_similarities_is_that_of_ssim(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, 3, *size, generator=generator, dtype=torch.float64) for _ in range(2))
    assert torch.allclose(SimilarityTo(y)(x).mean((1, 2)), ssim(x, y), rtol=0, atol=1e-13)


def test_an_error_counts_on_the_side_where_it_is() -> None:
    true = truth()
    seen = seen_by_context(true)
    assert seen is not None
    for part, other, where in (("seen", "unseen", seen), ("unseen", "seen", ~seen)):
        sample = noisy(true, 25.0, where=where)
        metric = CompletionAccuracy()
        metric.update([sample], 0, true)
        found = values(metric)
        assert found[f"sample_psnr_{other}"] == 100.0
        mse = ((unit_range(sample.rgb) - unit_range(true.rgb)) ** 2).mean(1)[where].mean()
        assert found[f"sample_psnr_{part}"] == pytest.approx(float(-10 * torch.log10(mse)), rel=1e-12)
        assert found[f"sample_ssim_{part}"] < found[f"sample_ssim_{other}"]  # type: ignore[operator]


def test_the_best_is_chosen_once_for_a_scene() -> None:
    """Two samples, each right in one half of the views: no sample is right, whatever view by view would say."""
    true = truth(views=4)
    bad = noisy(true, 60.0)
    halves = [torch.cat([a.rgb[:2], b.rgb[2:]]) for a, b in ((true, bad), (bad, true))]
    metric, single = CompletionAccuracy(), PairedQuality()
    metric.update([replace(true, rgb=rgb) for rgb in halves], 0, true)
    single.update(bad, 0, true)
    found = values(metric)
    assert found["best_psnr"] < 65.0  # type: ignore[operator]
    worst = values(single)["psnr"]
    assert found["sample_psnr"] == pytest.approx((100.0 + worst) / 2)  # type: ignore[operator]


def test_the_gain_has_the_interval_of_the_margin() -> None:
    """Scenes differ much in how hard they are, hardly in what choosing among samples gains."""
    metric = CompletionAccuracy()
    margins = []
    for index in range(6):
        true = truth(index)
        samples = [noisy(true, 4.0 * 1.6**index * (1 + k), seed=k) for k in range(3)]
        metric.update(samples, index, true)
    rows = {(row.index, row.metric): row.value for row in metric.rows()}
    margins = [rows[index, "best_psnr"] - rows[index, "sample_psnr"] for index in range(6)]
    gain = metric.results()["psnr_gain"]
    low, high = mean_interval(margins) or (0.0, 0.0)
    assert (gain.ci_low, gain.ci_high) == (pytest.approx(low), pytest.approx(high))
    best = metric.results()["best_psnr"]
    assert gain.ci_high - gain.ci_low < 0.25 * (best.ci_high - best.ci_low)  # type: ignore[operator]


def test_the_mean_of_all_answers_wins_one_sample_and_loses_the_best() -> None:
    """Why both are there: a blurred guess against a completer that knows the two possible answers."""
    true = truth()
    seen = seen_by_context(true)
    assert seen is not None
    hidden = (~seen & true.foreground)[..., None]
    light, dark = (
        replace(true, rgb=torch.where(hidden, torch.tensor(c, dtype=torch.uint8), true.rgb)) for c in (255, 0)
    )
    grey = replace(true, rgb=torch.where(hidden, torch.tensor(128, dtype=torch.uint8), true.rgb))
    honest, blurred = CompletionAccuracy(), CompletionAccuracy()
    honest.update([light, dark] * 2, 0, light)
    blurred.update([grey] * 4, 0, light)
    ours, theirs = values(honest), values(blurred)
    assert ours["best_psnr_unseen"] == 100.0 > theirs["best_psnr_unseen"] + 50  # type: ignore[operator]
    both = CompletionAccuracy()
    both.update([dark], 0, light)
    assert values(both)["sample_psnr_unseen"] < theirs["sample_psnr_unseen"]  # type: ignore[operator]
    assert theirs["psnr_gain"] == 0.0


def test_parts_that_are_not_known_or_not_there_do_not_count() -> None:
    metric = CompletionAccuracy()
    nowhere = replace(truth(), depth=None)
    metric.update([noisy(nowhere, 9.0)], 0, nowhere)
    results = metric.results()
    assert {results[name].status for name in WHOLE} == {"ok"}
    assert results["best_psnr_seen"].status == "not_run"
    assert str(results["best_psnr_seen"].reason).startswith("which pixels the context shows is not known;")
    known = truth(1)
    metric.update([noisy(known, 9.0)], 1, known)
    assert metric.results()["best_psnr_seen"].n == 1
    assert metric.results()["best_psnr"].n == 2
    assert {row.index for row in metric.rows() if row.metric == "best_psnr_unseen"} == {1}
    still = moving()
    metric = CompletionAccuracy()
    metric.update([still], 0, still)
    assert metric.results()["sample_psnr_unseen"].reason == "the context shows next to everything of the true views."


def test_small_pictures_have_no_ssim() -> None:
    tiny = truth(size=8)
    metric = CompletionAccuracy()
    metric.update([tiny], 0, tiny)
    assert metric.results()["best_psnr"].value == 100.0
    assert metric.results()["best_ssim"].reason == "the pictures are smaller than SSIM's window of 11x11 pixels."


def test_black_for_white_scores_the_worst_value() -> None:
    white = Scene(torch.full((1, SIZE, SIZE, 3), 255, dtype=torch.uint8))
    metric = CompletionAccuracy()
    metric.update([replace(white, rgb=torch.zeros_like(white.rgb))], 0, white)
    assert values(metric)["best_psnr"] == 0.0
