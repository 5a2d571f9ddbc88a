"""Clips: the flow explains the next picture, and the possible motions are as likely as they say."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor
from viewsweep.scenes.scene import Scene
from viewsweep.scenes.tabletop import clips

SEEDS = (2_000_000, 2_000_003)


def warped(context: Tensor, flow: Tensor) -> Tensor:
    """Bilinear look-up of the context [H, W, 3] at x + flow(x)."""
    size = context.shape[0]
    axis = torch.arange(size) + 0.5
    places = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) + flow.nan_to_num()
    picture = context.permute(2, 0, 1)[None].float()
    found = torch.nn.functional.grid_sample(picture, (places / size * 2 - 1)[None], align_corners=False)
    return found[0].permute(1, 2, 0)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a.float() - b.float()) / 255).square().mean()))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_flow_takes_the_context_to_every_possible_next_picture(seed: int) -> None:
    clip = clips.sample(seed)
    before = clip.context(64).rgb[0]
    for mode in clip.modes(64):
        after, flow = mode.scene.rgb[0], mode.scene.flow
        assert flow is not None
        known = torch.isfinite(flow[0, ..., 0])
        assert psnr(warped(before, flow[0])[known], after[known]) > 29, mode.name
        assert 0 < float((~known).float().mean()) < 0.08, mode.name
        assert 2 < float(flow[0][known].norm(dim=-1).max()) < 6, mode.name


def test_the_truth_is_one_of_the_modes() -> None:
    clip = clips.sample(SEEDS[0])
    truth, mode = clip.truth(32), clip.modes(32)[clip.motion].scene
    assert torch.equal(truth.rgb, mode.rgb)
    assert truth.flow is not None
    assert mode.flow is not None
    assert torch.allclose(truth.flow, mode.flow, atol=1e-3, rtol=0, equal_nan=True)
    assert truth.context is not None
    assert torch.equal(truth.context.rgb, clip.context(32).rgb)
    assert truth.context.depth is None  # a context shows pictures only


def test_opposite_motions_flow_in_opposite_directions() -> None:
    left, right = (mode.scene for mode in clips.sample(SEEDS[1]).modes(64)[2:])
    a, b = (scene.flow for scene in (left, right))
    assert a is not None
    assert b is not None
    moving = torch.isfinite(a).all(-1) & torch.isfinite(b).all(-1) & (a.norm(dim=-1) > 1) & (b.norm(dim=-1) > 1)
    assert int(moving.sum()) > 100
    assert bool((a[moving][:, 0] > 0).all())  # slid to the left: what is seen came from the right
    assert bool((b[moving][:, 0] < 0).all())


def test_the_backdrop_stays_where_it_is() -> None:
    clip = clips.sample(SEEDS[0])
    before = clip.context(48)
    for mode in clip.modes(48):
        assert before.alpha is not None
        assert mode.scene.alpha is not None
        empty = (before.alpha == 0) & (mode.scene.alpha == 0)
        change = (before.rgb[empty].int() - mode.scene.rgb[empty].int()).abs().max()
        assert int(change) <= 1, mode.name


def test_motions_come_as_often_as_their_weights_say() -> None:
    drawn = Counter(clips.sample(seed, 0).motion for seed in range(2000))
    for index, motion in enumerate(clips.MOTIONS):
        assert drawn[index] / 2000 == pytest.approx(motion.weight, abs=0.04)
    assert sum(motion.weight for motion in clips.MOTIONS) == pytest.approx(1.0)


def test_a_seed_and_a_motion_fix_everything() -> None:
    first, again = (clips.sample(5, 2, motion=1).truth(16) for _ in range(2))
    assert isinstance(first, Scene)
    assert torch.equal(first.rgb, again.rgb)
    other = clips.sample(5, 2, motion=3).truth(16)
    assert first.context is not None
    assert other.context is not None
    assert torch.equal(first.context.rgb, other.context.rgb)  # the context does not tell the motion
    assert not torch.equal(first.rgb, other.rgb)
