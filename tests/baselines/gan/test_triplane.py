"""Looking tri-planes up: known answers, the planes EG3D's published weights have, the formulas of its decoder."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from viewsweep.baselines.gan.decoder import PlaneDecoder, widened_sigmoid
from viewsweep.baselines.gan.triplane import sample_planes


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def ramps(size: int, box: float, align_corners: bool) -> torch.Tensor:
    """Planes [1, 3, 2, size, size] whose channels are the world coordinates along their width and height."""
    along = torch.linspace(-1, 1, size) if align_corners else (torch.arange(size) + 0.5) / size * 2 - 1
    height, width = torch.meshgrid(along * box / 2, along * box / 2, indexing="ij")
    return torch.stack([width, height]).expand(1, 3, 2, size, size)


@pytest.mark.parametrize("align_corners", [True, False])
def test_features_are_the_mean_of_what_the_planes_hold(align_corners: bool) -> None:
    points = (torch.rand(1, 50, 3) - 0.5) * 1.4
    found = sample_planes(ramps(16, 2.0, align_corners), points, box=2.0, align_corners=align_corners)
    x, y, z = points.unbind(-1)
    expected = torch.stack([(x + x + y) / 3, (y + z + z) / 3], -1)  # planes (x, y), (x, z), (y, z)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    found = sample_planes(ramps(16, 2.0, align_corners), points, box=2.0, axes="official", align_corners=align_corners)
    expected = torch.stack([(x + x + z) / 3, (y + z + x) / 3], -1)  # planes (x, y), (x, z), (z, x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_without_the_first_plane_the_official_ones_cannot_see_y() -> None:
    planes = torch.randn(2, 3, 4, 8, 8)
    planes[:, 0] = 0
    points = (torch.rand(2, 30, 3) - 0.5) * 0.8
    moved = points + torch.tensor([0.0, 0.05, 0.0])
    official = [sample_planes(planes, where, box=1.0, axes="official") for where in (points, moved)]
    full = [sample_planes(planes, where, box=1.0) for where in (points, moved)]
    assert torch.equal(*official)
    assert (full[0] - full[1]).abs().mean() > 0.01


def test_outside_the_cube_there_is_nothing() -> None:
    planes = torch.ones(1, 3, 2, 8, 8)
    points = torch.tensor([[[0.0, 0.0, 0.0], [0.7, 0.7, 0.7], [0.0, 0.0, 3.0]]])
    found = sample_planes(planes, points, box=1.0)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([1.0, 0.0, 1 / 3]))


def test_scenes_do_not_mix_and_one_scene_may_be_asked_for_any_number_of_rays() -> None:
    planes, points = torch.randn(3, 3, 4, 8, 8), torch.rand(3, 5, 6, 3) - 0.5
    found = sample_planes(planes, points, box=1.0)
    assert found.shape == (3, 5, 6, 4)
    for item in range(3):
        alone = sample_planes(planes[item : item + 1], points[item : item + 1], box=1.0)
        torch.testing.assert_close(alone, found[item : item + 1])
    in_a_row = sample_planes(planes[:1], points.reshape(1, 15, 6, 3), box=1.0)
    repeated = sample_planes(planes[:1].expand(3, -1, -1, -1, -1), points, box=1.0)
    torch.testing.assert_close(in_a_row.view(3, 5, 6, 4), repeated)


def test_the_decoder_is_one_hidden_layer_with_a_widened_sigmoid() -> None:
    decoder = PlaneDecoder(4, 8, 5)
    features = torch.randn(2, 7, 4)
    raw, values = decoder(features)
    hidden = functional.softplus(features @ decoder.hidden.weight.T / 2 + decoder.hidden.bias)
    expected = hidden @ decoder.output.weight.T / 8**0.5 + decoder.output.bias
    torch.testing.assert_close(raw, expected[..., 0])
    torch.testing.assert_close(values, torch.sigmoid(expected[..., 1:]) * 1.002 - 0.001)
    linear = PlaneDecoder(4, 8, 3, activation="leaky_relu", output="linear")
    assert linear(100 * features)[1].abs().max() > 1.5


def test_features_reach_zero_and_one() -> None:
    found = widened_sigmoid(torch.tensor([-100.0, 0.0, 100.0]))
    torch.testing.assert_close(found, torch.tensor([-0.001, 0.5, 1.001]))
