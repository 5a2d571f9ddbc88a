from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from viewsweep.metrics.context_fidelity import ContextFidelity
from viewsweep.metrics.paired import psnr, unit_range
from viewsweep.scenes import Scene, sweep360

from .completions import moving, noisy, truth, values


def measured(samples: list[Scene], true: Scene) -> ContextFidelity:
    metric = ContextFidelity()
    metric.update(samples, 0, true)
    return metric


def test_it_is_the_psnr_of_the_view_from_the_contexts_camera() -> None:
    true = truth()
    assert true.context is not None
    samples = [noisy(true, amount) for amount in (5.0, 20.0)]
    each = [float(psnr(unit_range(sample.rgb[:1]), unit_range(true.context.rgb))) for sample in samples]
    found = values(measured(samples, true))
    assert found["context_psnr"] == pytest.approx(sum(each) / 2)
    assert found["context_psnr_worst"] == pytest.approx(each[1])


def test_other_views_do_not_count_and_the_camera_is_found_wherever_it_is() -> None:
    true = truth()
    assert true.cameras is not None
    third = replace(true, context=Scene(true.rgb[[3]], true.cameras[[3]]))
    where = torch.zeros(true.rgb.shape[:3], dtype=torch.bool)
    where[3] = True
    assert values(measured([noisy(third, 50.0, where=~where)], third))["context_psnr"] == 100.0
    assert values(measured([noisy(third, 50.0, where=where)], third))["context_psnr"] < 20.0  # type: ignore[operator]


def test_what_is_not_given_does_not_count() -> None:
    true = truth()
    assert true.context is not None
    mask = torch.zeros(1, *true.size, dtype=torch.bool)
    mask[..., :16] = True
    half = replace(true, context=replace(true.context, mask=mask))
    hidden = (~mask).expand(true.views, -1, -1)
    assert values(measured([noisy(half, 50.0, where=hidden)], half))["context_psnr"] == 100.0
    assert values(measured([noisy(half, 50.0)], half))["context_psnr"] < 20.0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("nowhere", "no view from the context's camera was asked for"),
        ("none", "there is no context"),
        ("motion", "in the motion task the view shows another moment than the context"),
        ("blind", "the cameras are unknown"),
        ("size", "the context has another picture size than the views"),
        ("hidden", "no pixel of the context is given"),
    ],
)
def test_where_it_does_not_apply_it_says_why(case: str, reason: str) -> None:
    true = truth()
    assert true.context is not None
    changed = {
        "nowhere": replace(true, context=replace(true.context, cameras=sweep360(1, 0.7))),
        "none": replace(true, context=None),
        "motion": moving(),
        "blind": replace(true, cameras=None),
        "size": replace(true, context=replace(true.context, rgb=true.context.rgb[:, ::2, ::2])),
        "hidden": replace(true, context=replace(true.context, mask=torch.zeros(1, *true.size, dtype=torch.bool))),
    }[case]
    result = measured([changed], changed).results()["context_psnr"]
    assert (result.status, result.reason) == ("not_run", f"scene 0: {reason}")
