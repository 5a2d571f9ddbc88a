"""Depth enters the networks linearly in disparity."""

from __future__ import annotations

import pytest
import torch
from viewsweep.baselines.ivid.depth_code import DepthCode

NAN = float("nan")


@pytest.mark.parametrize("code", [DepthCode(), DepthCode(0.5, 100.0), DepthCode(0.6, 5.0)], ids=str)
def test_planes_are_the_ends_of_the_code(code: DepthCode) -> None:
    found = code.encode(torch.tensor([code.near, code.far, code.near / 2, code.far * 2, NAN]))
    torch.testing.assert_close(found, torch.tensor([-1.0, 1.0, -1.0, 1.0, 1.0]))


def test_code_is_linear_in_disparity() -> None:
    code = DepthCode()
    disparity = torch.linspace(1 / code.far, 1 / code.near, 41, dtype=torch.float64)
    found = code.encode(1 / disparity)
    steps = found.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, -2 / 40))


def test_reading_with_other_planes_is_an_affine_change_of_disparity() -> None:
    """As when weights trained with planes 0.5 and 100 are read with 0.6 and 5: d' = 0.737 d + 0.193."""
    depth = torch.linspace(0.5, 4.0, 60, dtype=torch.float64)
    read = DepthCode(0.6, 5.0).planes(DepthCode(0.5, 100.0, background=2.0).encode(depth).clamp(max=0.7))
    inside = DepthCode(0.5, 100.0).encode(depth) < 0.7
    torch.testing.assert_close((1 / read)[inside], (0.737 / depth + 0.193)[inside], rtol=1e-3, atol=0)


def test_round_trip_keeps_depth() -> None:
    code = DepthCode()
    depth = torch.linspace(1.0, 2.7, 500, dtype=torch.float64)
    torch.testing.assert_close(code.decode(code.encode(depth)), depth)
    assert float(code.encode(torch.tensor(2.1))) < code.background  # no object is taken for background


def test_background_has_no_depth_but_stands_on_the_far_plane() -> None:
    code = DepthCode()
    values = torch.tensor([0.69, 0.71, 1.0, 1.4, -1.3])
    assert torch.isnan(code.decode(values)).tolist() == [False, True, True, True, False]
    planes = code.planes(values)
    torch.testing.assert_close(planes[1:], torch.tensor([4.0, 4.0, 4.0, 1.0]))
    assert torch.isnan(code.decode(code.encode(torch.tensor([NAN])))).all()
