"""The bars of the reconstruction hold-out at full size: 24 views of 64 x 64, every cheat, one thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import pytest
import torch
from viewsweep.baselines.reference import Billboard, Frozen, Noise
from viewsweep.metrics.hold_out import HoldOut, hold_out, ratio_to_oracle
from viewsweep.scenes import Scene, sweep360, tabletop
from viewsweep.scenes.corruptions import CORRUPTIONS
from viewsweep.scenes.generator import Request

SEEDS = (3, 7, 12)  # a chair, a car, a ring
SECONDS, EVERY_SECONDS = 15.0, 60.0  # of a solid; of pictures in which every pixel is object
GRADED = {"disobedience": (0.5, 1.0, 2.0, 4.0, 8.0), "warp2d": (1.0, 2.0, 4.0)}
CAMERAS = sweep360(24, 0.26)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def timed(scene: Scene) -> tuple[HoldOut, float]:
    start = time.process_time()
    found = hold_out(scene)
    return found, time.process_time() - start


@pytest.mark.parametrize("seed", SEEDS)
def test_true_views_stand_out(seed: int) -> None:
    thing = tabletop.sample(seed)
    clean = thing.render(CAMERAS, 64)
    oracle, seconds = timed(clean)
    mean = {"oracle": sum(oracle.psnr) / len(oracle.psnr)}
    assert seconds < SECONDS

    def measure(name: str, scene: Scene) -> float:
        found, spent = timed(scene)
        assert spent < EVERY_SECONDS
        mean[name] = sum(found.psnr) / len(found.psnr)
        fit, ssim = sum(found.fit_psnr) / len(found.fit_psnr), sum(found.ssim) / len(found.ssim)
        ratio = ratio_to_oracle(found, oracle)
        print(f"{name:18s} {mean[name]:6.2f} dB  ssim {ssim:.3f}  fit {fit:6.2f}  ratio {ratio:6.3f}  {spent:4.1f} s")
        return mean[name]

    measure("oracle", clean)
    for name, levels in GRADED.items():
        found = [mean["oracle"]]
        found += [measure(f"{name} {level:g}", CORRUPTIONS[name].apply(thing, clean, level)) for level in levels]
        assert found == sorted(found, reverse=True), name
    for name, level in (("wobble", 0.04), ("switch", 0.5), ("blur_all", 4.0)):
        measure(name, CORRUPTIONS[name].apply(thing, clean, level))
    request = Request(index=0, seed=seed, cameras=CAMERAS, size=64, label=thing.label)
    for generator in (Frozen(), Noise()):
        measure(generator.info().name, next(iter(generator.generate([request]))))
    card, _ = timed(next(iter(Billboard().generate([request]))))
    print(f"billboard, by azimuth: {', '.join(f'{value:.1f}' for value in card.psnr)} dB")
    assert mean["oracle"] > 24
    for name in ("disobedience 4", "wobble", "switch", "frozen", "noise"):
        assert mean[name] < mean["oracle"] - 3, name
    # a card is consistent, so not caught; but within 15 degrees of edge-on it is thinner than voxels are
    assert median(card.psnr) > median(oracle.psnr) - 3
    assert mean["blur_all"] > mean["oracle"]  # rewarded: read it beside sharpness
