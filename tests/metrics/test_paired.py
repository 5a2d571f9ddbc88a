from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from viewsweep.metrics.paired import PairedQuality, psnr, ssim
from viewsweep.scenes import Scene, sweep360

from .analytic import balls, noisy

TRUTH = balls(sweep360(3, 0.2), 48)
SHAPES = [(1, 3, 11, 11), (2, 3, 12, 40), (3, 3, 33, 17), (1, 1, 64, 64), (2, 3, 20, 128)]


def measure(scene: Scene, truth: Scene = TRUTH) -> dict[str, float]:
    metric = PairedQuality()
    metric.update(scene, 0, truth)
    return {name: float(result.value or 0.0) for name, result in metric.results().items()}


def pictures(shape: tuple[int, ...], close: bool, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    return x, (0.9 * x + 0.1 * y if close else y)


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_torchmetrics_gives_the_same(shape: tuple[int, ...], close: bool) -> None:
    x, y = pictures(shape, close, seed=sum(shape))
    for own, reference, exact in (
        (psnr(x, y), peak_signal_noise_ratio, 1e-5),  # torchmetrics holds ln 10 in float32
        (ssim(x, y), structural_similarity_index_measure, 1e-9),
    ):
        for dtype, tolerance in ((torch.float64, exact), (torch.float32, 1e-5)):
            pairs = zip(x.to(dtype), y.to(dtype), strict=True)
            expected = torch.stack([reference(a[None], b[None], data_range=1.0) for a, b in pairs])
            torch.testing.assert_close(own, expected.double(), rtol=0, atol=tolerance)


def test_ssim_is_wang_s_inside_the_border() -> None:
    """The definition, window by window; torchmetrics and we mirror at the border besides."""
    x, y = (part[0, 0].numpy() for part in pictures((1, 1, 21, 21), True, 3))
    place = np.arange(11) - 5
    window = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    mirrored = [np.pad(part, 5, mode="reflect") for part in (x, y)]
    values = []
    for row in range(21):
        for column in range(21):
            a, b = (part[row : row + 11, column : column + 11] for part in mirrored)
            p, q = (window * a).sum(), (window * b).sum()
            s, t = (window * (a - p) ** 2).sum(), (window * (b - q) ** 2).sum()
            c = (window * (a - p) * (b - q)).sum()
            values.append((2 * p * q + 1e-4) * (2 * c + 9e-4) / ((p * p + q * q + 1e-4) * (s + t + 9e-4)))
    own = ssim(torch.tensor(x)[None, None], torch.tensor(y)[None, None])
    assert float(own) == pytest.approx(float(np.mean(values)), abs=1e-10)


def test_identical_pictures_score_the_caps() -> None:
    assert measure(TRUTH) == {"psnr": 100.0, "ssim": pytest.approx(1.0, abs=1e-12)}


def test_black_for_white_scores_nothing() -> None:
    black, white = (replace(TRUTH, rgb=torch.full_like(TRUTH.rgb, level)) for level in (0, 255))
    found = measure(black, white)
    assert found["psnr"] == 0.0
    assert found["ssim"] == pytest.approx(1e-4 / (1 + 1e-4))


def test_known_error_has_the_known_psnr() -> None:
    grey, brighter = (replace(TRUTH, rgb=torch.full_like(TRUTH.rgb, level)) for level in (100, 110))
    assert measure(brighter, grey)["psnr"] == pytest.approx(-20 * math.log10(10 / 255), abs=1e-12)


def test_more_noise_is_worse() -> None:
    found = [measure(noisy(TRUTH, amount)) for amount in (0.0, 0.005, 0.02, 0.05, 0.15)]
    for name in ("psnr", "ssim"):
        values = [entry[name] for entry in found]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]


def test_scene_is_the_mean_of_its_views_alone() -> None:
    metric = PairedQuality()
    metric.update(noisy(TRUTH, 0.05), 0, TRUTH)
    for view in range(3):
        single = measure(noisy(TRUTH, 0.05).select([view]), TRUTH.select([view]))
        held = {row.metric: row.value for row in metric.rows() if row.view == view}
        assert held == single  # to the bit: views do not meet


def test_pictures_below_the_window_say_so() -> None:
    tiny = balls(sweep360(2), 10)
    metric = PairedQuality()
    metric.update(tiny, 4, tiny)
    result = metric.results()["ssim"]
    assert (result.status, result.n) == ("not_run", 1)
    assert result.reason == "scene 4: the pictures are smaller than SSIM's window of 11x11 pixels"
    with pytest.raises(ValueError, match="SSIM takes pictures of at least 11x11 pixels, not 12x10"):
        ssim(torch.zeros(1, 3, 10, 12), torch.zeros(1, 3, 10, 12))
    fewer = PairedQuality()
    fewer.update(TRUTH, 0, TRUTH)
    fewer.update(tiny, 4, tiny)
    assert fewer.results()["psnr"].status == "failed"


def test_pictures_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"these have \[1, 3, 16, 16\] and \[1, 3, 16, 15\]"):
        psnr(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 15))
