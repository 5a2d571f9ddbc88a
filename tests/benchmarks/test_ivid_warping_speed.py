"""What warping and aggregation cost in a sweep of 24 views drawn by ivid-small on one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from viewsweep.baselines.ivid.method import load_small
from viewsweep.baselines.ivid.warping import SMALL, Sources
from viewsweep.scenes import sweep360
from viewsweep.scenes.generator import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHARE = 0.35
VIEWS = 24


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def timed(function: Callable[..., Any], taken: list[float]) -> Callable[..., Any]:
    """The same function, its processor time added to `taken`."""

    def timing(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            taken.append(time.process_time() - start)

    return timing


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="as shipped"),
        pytest.param(
            {"first_sampler": "unipc", "next_sampler": "unipc", "grid": "trailing", "first_steps": 12, "next_steps": 6},
            id="in six steps",
        ),
    ],
)
def test_warping_is_a_small_part_of_a_sweep(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[float] = []
    for name in ("add", "condition"):
        monkeypatch.setattr(Sources, name, timed(getattr(Sources, name), taken))
    generator = load_small()
    generator.settings.update(settings)
    request = Request(index=0, seed=3, cameras=sweep360(VIEWS, 0.26), size=generator.pipeline.size, label=3)
    start = time.process_time()
    (scene,) = generator.generate([request])
    total, warping = time.process_time() - start, sum(taken)
    with capsys.disabled():
        print(
            f"\n{VIEWS} views: {total:.1f} s of processor time, warping and aggregation {warping:.1f} s, "
            f"{warping / total:.0%} ({SMALL.supersampling}x supersampling)"
        )
    assert scene.views == VIEWS
    assert len(taken) >= 2 * VIEWS - 2
    assert warping <= SHARE * total
