"""What a sweep of ivid costs: the default fast settings against plain DDIM-50, and half precision on a GPU.

The fast settings must draw a circle of 24 views at least three times as fast as DDIM with 50 steps
for every view, at the same guidance, and their pictures must be as good: KID no worse than 1.2
times. Processor time counts, so that other work on the machine does not. Run one of them alone:

    pytest -s -m slow tests/benchmarks/test_ivid_sampling_speed.py
    pytest -s -m gpu tests/benchmarks/test_ivid_sampling_speed.py

SCENES scenes hold each class once and all pairs of a sweep's own views, so KID is the form that
takes pairs of one scene in (`kid_subsets`): biased alike for both, and never near 0, as a ratio needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from viewsweep.baselines.ivid.method import IvidGenerator, load_small
from viewsweep.baselines.ivid.networks import PAPER_IMAGENET, RGBDUNet
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.benchmark.reference_set import reference_features
from viewsweep.metrics import KID, ClassAccuracy, WarpError, extract, load_network
from viewsweep.metrics.base import azimuth_deg
from viewsweep.metrics.feeding import feed, make
from viewsweep.scenes import Scene

SCENES = 10
FASTER, KID_RATIO = 3.0, 1.2
PLAIN: dict[str, Any] = {
    "first_steps": 50,
    "next_steps": 50,
    "first_sampler": "ddim",
    "next_sampler": "ddim",
    "first_interval": (0.0, 1.0),
    "next_interval": (0.0, 1.0),
    "grid": "trailing",
    "rgb_pull": None,
    "depth_pull": None,
}
"""Pulls as the folder stores them; guidance is that of the defaults."""


@dataclass(frozen=True)
class Drawn:
    """What one setting costs and is worth."""

    seconds: float
    kid: float
    class_accuracy: float
    warp_psnr: float

    def told(self, name: str) -> str:
        return (
            f"    {name:10s} {self.seconds / SCENES:6.2f} s a scene   KID {self.kid:.4f}   "
            f"class {self.class_accuracy:.3f}   C1 {self.warp_psnr:.2f} dB"
        )


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(generator: IvidGenerator, judge: Callable[[list[Scene]], dict[str, float]]) -> Drawn:
    start = time.process_time()
    scenes = list(generator.generate(load_protocol("tabletop64", scenes=SCENES).requests()))
    seconds = time.process_time() - start
    values = judge(scenes)
    return Drawn(seconds, values["kid_subsets[tabletop]"], values["class_accuracy[tabletop]"], values["warp_psnr"])


def judge_of_tabletop() -> Callable[[list[Scene]], dict[str, float]]:
    network = load_network("tabletop")
    reference = reference_features(load_protocol("tabletop64-demo"), network, Progress())

    def judge(scenes: list[Scene]) -> dict[str, float]:
        metrics = [make(metric, "tabletop", reference) for metric in (KID, ClassAccuracy, WarpError)]
        for index, scene in enumerate(scenes):
            assert scene.cameras is not None
            azimuth = torch.tensor(azimuth_deg(scene.cameras.yaw))
            features = extract(network, scene.rgb, 64, azimuth_deg=azimuth)
            for metric in metrics:
                feed(metric, scene, index, features, None)
        found = {key: result.value for metric in metrics for key, result in metric.results().items()}
        return {key: value for key, value in found.items() if value is not None}

    return judge


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("_one_thread")
def test_default_settings_are_three_times_as_fast_as_ddim_50(capsys: pytest.CaptureFixture[str]) -> None:
    judge, generator = judge_of_tabletop(), load_small()
    fast = draw(generator, judge)
    generator.settings |= PLAIN
    plain = draw(generator, judge)
    with capsys.disabled():
        print(f"\n{SCENES} circles of 24 views, one thread, processor time")
        print(fast.told("default"))
        print(plain.told("DDIM-50"))
        print(f"    {plain.seconds / fast.seconds:.2f} times as fast, KID {fast.kid / plain.kid:.2f} times")
    assert plain.seconds / fast.seconds >= FASTER
    assert fast.kid <= KID_RATIO * plain.kid


BATCH, ROUNDS = 8, 5
STEPS, BRANCHES = 50, 2  # the authors' further views: 50 steps, guided


def seconds_of(work: Callable[[], object]) -> float:
    """Time of the fastest of a few rounds on the GPU, after one to warm up."""
    best = float("inf")
    for round_ in range(ROUNDS + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if round_:
            best = min(best, time.perf_counter() - start)
    return best


def matrix_flops(dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product: the peak that can be had."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * 8192**3 / seconds_of(lambda: a @ b)


@pytest.mark.gpu
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_half_precision_and_compilation_at_the_papers_size(capsys: pytest.CaptureFixture[str]) -> None:
    """G_c of 421.5 M parameters at 128 pixels, random weights: what a further view costs, 100 calls of it."""
    network = RGBDUNet(**PAPER_IMAGENET, condition=True).to("cuda").eval().requires_grad_(False)
    size = network.config.size
    inputs: tuple[Tensor, ...] = (
        torch.randn(BATCH, 4, size, size, device="cuda"),
        torch.full((BATCH,), 500, device="cuda"),
        torch.arange(BATCH, device="cuda"),
        torch.randn(BATCH, 6, size, size, device="cuda"),
    )
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            expected = network(*inputs)
        operations = counter.get_total_flops()
        eager = seconds_of(lambda: network(*inputs))
        network.compile()
        with torch.autocast("cuda", torch.bfloat16):
            found = network(*inputs)
            fast = seconds_of(lambda: network(*inputs))
    rows = {"fp32 eager": (eager, torch.float32), "bf16 compiled": (fast, torch.bfloat16)}
    with capsys.disabled():
        print(f"\n{torch.cuda.get_device_name()}: {operations / BATCH / 1e12:.3f} TFLOP a picture, batch {BATCH}")
        for name, (seconds, dtype) in rows.items():
            views, peak = BATCH / (seconds * STEPS * BRANCHES), matrix_flops(dtype)
            share = operations / seconds / peak
            print(
                f"    {name:14s} {views:7.3f} views/s   {share:5.1%} of {peak / 1e12:.0f} TFLOP/s of a matrix product"
            )
        print(f"    {eager / fast:.2f} times as fast")
    assert float((found.float() - expected).abs().mean()) < 0.05 * float(expected.abs().mean())
    assert fast < eager
