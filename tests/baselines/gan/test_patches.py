"""Patches: how large they are on average, and that rays and cut pictures show the same part of the world."""

from __future__ import annotations

import pytest
import torch
from viewsweep.baselines.gan.base import Patch, Views
from viewsweep.baselines.gan.patches import PatchSchedule, cut_patches, draw_patch
from viewsweep.baselines.gan.rendering import rays_of
from viewsweep.scenes.cameras import Cameras


@pytest.mark.parametrize(("size", "mean"), [(512, 0.611), (256, 0.667)])
def test_scales_have_the_mean_of_their_distribution(size: int, mean: float) -> None:
    schedule = PatchSchedule(64 / size, pictures=10, group=1)
    patch = draw_patch(schedule, 40_000, 10, torch.Generator().manual_seed(0))
    assert float(patch.scale.mean()) == pytest.approx(mean, abs=0.004)
    share = (patch.scale - schedule.smallest) / (1 - schedule.smallest)
    assert float(share.mean()) == pytest.approx(1 / 1.8, abs=0.004)  # of Beta(1, 0.8): 0.556
    assert float(patch.scale.min()) >= schedule.smallest
    assert bool((patch.offset >= 0).all())
    assert bool((patch.offset + patch.scale[:, None] <= 1 + 1e-6).all())
    left = patch.offset / (1 - patch.scale[:, None]).clamp(min=1e-6)
    torch.testing.assert_close(left.mean(0), torch.full((2,), 0.5), atol=0.01, rtol=0)


def test_training_begins_with_whole_pictures_and_b_rises_in_a_straight_line() -> None:
    schedule = PatchSchedule(0.125, pictures=1000)
    assert float(draw_patch(schedule, 4000, 0, torch.Generator().manual_seed(0)).scale.mean()) > 0.995
    assert [schedule.beta(seen) for seen in (0, 500, 1000, 9999)] == pytest.approx([0.001, 0.4005, 0.8, 0.8])


def test_neighbours_share_a_patch_and_a_seed_draws_the_same_ones() -> None:
    schedule = PatchSchedule(0.25, pictures=0, group=4)
    code = draw_patch(schedule, 10, 0, torch.Generator().manual_seed(3)).code
    assert code.shape == (10, 3)
    assert torch.equal(code[:4], code[:1].expand(4, 3))
    assert not torch.equal(code[3], code[4])
    assert torch.equal(draw_patch(schedule, 10, 0, torch.Generator().manual_seed(3)).code, code)


@pytest.mark.parametrize("settings", [{"smallest": 0.0}, {"smallest": 1.5}, {"smallest": 0.5, "start": 0.0}])
def test_schedules_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PatchSchedule(**settings)  # type: ignore[arg-type]


def test_rays_of_a_patch_and_pixels_cut_from_a_picture_show_the_same_place() -> None:
    """A picture of its own image coordinates, against where the rays of the patch meet the image plane."""
    cameras = Cameras.orbit([0.3, 2.0, -1.0], [0.2, 0.1, -0.3])
    views = Views.of(cameras)
    patch = draw_patch(PatchSchedule(0.25, pictures=0, group=1), 3, 0, torch.Generator().manual_seed(1))
    centres = (torch.arange(64) + 0.5) / 64
    ramp = torch.stack(torch.meshgrid(centres, centres, indexing="xy")).expand(3, 2, 64, 64)
    cut = cut_patches(ramp, patch, 16)
    rays = rays_of(views, 16, 16, patch)
    seen, _ = cameras.project((rays.origins[:, None] + 1.3 * rays.directions).double())
    torch.testing.assert_close(cut.flatten(2).transpose(1, 2), seen.float(), atol=1e-5, rtol=1e-5)


def test_a_patch_on_the_pixel_grid_is_a_crop() -> None:
    pictures = torch.rand(2, 3, 16, 16)
    patch = Patch(torch.full((2,), 0.5), torch.tensor([[2 / 16, 5 / 16], [0.5, 0.0]]))
    found = cut_patches(pictures, patch, 8)
    torch.testing.assert_close(found[0], pictures[0, :, 5:13, 2:10])
    torch.testing.assert_close(found[1], pictures[1, :, :8, 8:])
    whole = Patch(torch.ones(2), torch.zeros(2, 2))
    torch.testing.assert_close(cut_patches(pictures, whole, 16), pictures)
