"""EG3D's and EpiGRAF's discriminators: penalties with second derivatives, conditions, groups, hyper-modulation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional
from viewsweep.baselines.gan import equalised
from viewsweep.baselines.gan.base import Patch
from viewsweep.baselines.gan.discriminator_blocks import Head, ResidualBlock, minibatch_deviation
from viewsweep.baselines.gan.eg3d_configs import DISCRIMINATORS as EG3D
from viewsweep.baselines.gan.eg3d_discriminator import EG3DDiscriminator
from viewsweep.baselines.gan.epigraf_configs import DISCRIMINATORS as EPIGRAF
from viewsweep.baselines.gan.patch_discriminator import PatchDiscriminator, PatchEmbedding

PATCH = Patch(torch.tensor([0.5, 0.5, 0.7, 0.7]), torch.tensor([[0.1, 0.4]] * 2 + [[0.0, 0.3]] * 2))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def judge_of(family: str, **changes: Any) -> EG3DDiscriminator | PatchDiscriminator:
    if family == "eg3d":
        return EG3DDiscriminator(**{**EG3D["tiny"], **changes})
    return PatchDiscriminator(**{**EPIGRAF["tiny"], **changes})


def penalty(judge: EG3DDiscriminator | PatchDiscriminator) -> torch.Tensor:
    """R1 of fixed pictures, in which the parameters can be differentiated."""
    size, channels = judge.settings["size"], judge.settings["channels"]
    pictures = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1)).requires_grad_()
    patch = PATCH if isinstance(judge, PatchDiscriminator) else None
    logits = judge(pictures, torch.arange(4), torch.ones(4, 25), patch=patch).logits
    (found,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return found.square().sum((1, 2, 3)).mean()


@pytest.mark.parametrize("down", ["pool", "blur"])
@pytest.mark.parametrize("family", ["eg3d", "epigraf"])
def test_the_gradient_penalty_has_the_right_derivatives(
    family: str, down: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1 differentiated twice against its finite difference, with a smooth function for leaky ReLU's kinks."""
    monkeypatch.setattr(equalised, "activate", lambda x, kind: x if kind == "linear" else functional.silu(x))
    judge = judge_of(family, down=down)
    parameters = list(judge.parameters())
    gradients = torch.autograd.grad(penalty(judge), parameters, allow_unused=True)
    directions = [torch.randn_like(parameter) for parameter in parameters]
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True) if g is not None)
    step, ends = 1e-3, []
    for sign in (1, -2, 1):  # there, and twice as far back, and home
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(direction, alpha=sign * step)
        ends.append(float(penalty(judge).detach()))
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.03)


@pytest.mark.parametrize("family", ["eg3d", "epigraf"])
def test_the_gradient_penalty_teaches_all_that_multiplies_pictures(family: str) -> None:
    judge = judge_of(family)
    penalty(judge).backward()
    weights = {name: p for name, p in judge.named_parameters() if "weight" in name}
    assert not [name for name, p in weights.items() if p.grad is None or not bool(p.grad.any())]
    assert all(bool(p.grad.isfinite().all()) for p in weights.values() if p.grad is not None)


@pytest.mark.parametrize("family", ["eg3d", "epigraf"])
def test_class_pose_and_picture_are_judged(family: str) -> None:
    judge = judge_of(family, pose=True)
    size = judge.settings["size"]
    pictures = torch.randn(4, judge.settings["channels"], size, size)
    label, pose = torch.arange(4), torch.randn(4, 25)
    logits = judge(pictures, label, pose).logits
    assert logits.shape == (4,)
    assert (judge(pictures, label.flip(0), pose).logits - logits).abs().max() > 1e-3
    assert (judge(pictures, label, pose.flip(0)).logits - logits).abs().max() > 1e-3
    assert (judge(pictures.flip(3), label, pose).logits - logits).abs().max() > 1e-3
    with pytest.raises(ValueError, match="label is missing"):
        judge(pictures, None, pose)
    with pytest.raises(ValueError, match="pose"):
        judge(pictures, label, None)


def test_the_place_of_a_patch_is_judged_and_whole_pictures_are_patches_too() -> None:
    judge = PatchDiscriminator(**EPIGRAF["tiny"])
    pictures, label = torch.randn(4, 3, 8, 8), torch.arange(4)
    logits = judge(pictures, label, patch=PATCH).logits
    moved = Patch(PATCH.scale, PATCH.offset + 0.05)
    assert (judge(pictures, label, patch=moved).logits - logits).abs().max() > 1e-4
    whole = judge(pictures, label, patch=Patch(torch.ones(4), torch.zeros(4, 2))).logits
    assert torch.equal(judge(pictures, label).logits, whole)


def test_eg3d_refuses_patches_and_networks_that_do_not_halve_to_four() -> None:
    with pytest.raises(ValueError, match="not patches"):
        EG3DDiscriminator(**EG3D["tiny"])(torch.randn(4, 6, 16, 16), torch.arange(4), torch.ones(4, 25), patch=PATCH)
    with pytest.raises(ValueError, match="halving"):
        EG3DDiscriminator(size=32, widths=[8, 8])
    with pytest.raises(ValueError, match="halving"):
        PatchDiscriminator(size=32, widths=[8, 8, 8, 8], flat=1)


def test_groups_of_neighbours_are_compared_and_others_left_alone() -> None:
    x = torch.randn(8, 3, 4, 4)
    deviation = minibatch_deviation(x, 4)[:, 3]
    for group in (slice(0, 4), slice(4, 8)):
        expected = (x[group].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(deviation[group], expected.expand(4, 4, 4))
    assert minibatch_deviation(x[:1].expand(4, -1, -1, -1), 4)[:, 3].max() < 2e-4
    assert minibatch_deviation(x[:6], 4)[:, 3, 0, 0].unique().numel() == 2  # groups of three
    assert minibatch_deviation(x[:7], 4).shape == (7, 4, 4, 4)  # groups of one
    head = Head(3, 4).eval()
    torch.testing.assert_close(head(x)[:4], head(x[:4]))


def test_hyper_modulation_multiplies_what_enters_the_second_convolution() -> None:
    block = ResidualBlock(4, 6, code=5)
    assert block.modulation is not None
    x, code = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    factors = 1 + torch.tanh(block.modulation(code))[:, :, None, None]
    pooled = functional.avg_pool2d(block.first(x) * factors, 2)
    expected = (block.skip(functional.avg_pool2d(x, 2)) + block.second(pooled)) / math.sqrt(2)
    torch.testing.assert_close(block(x, code), expected)
    torch.nn.init.zeros_(block.modulation.weight)
    plain = ResidualBlock(4, 6)
    plain.load_state_dict({name: value for name, value in block.state_dict().items() if "modulation" not in name})
    torch.testing.assert_close(block(x, code), plain(x))


@pytest.mark.parametrize(("down", "size"), [("pool", 8), ("blur", 8), (None, 16)])
def test_blocks_keep_the_variance_and_halve_the_resolution(down: str | None, size: int) -> None:
    block = ResidualBlock(32, 32, down=down)  # type: ignore[arg-type]
    smooth = functional.interpolate(torch.randn(8, 32, 4, 4), (16, 16), mode="bilinear")
    found = block(smooth)
    assert found.shape == (8, 32, size, size)
    assert 0.3 < float((found.std() / smooth.std()).detach()) < 1.5


def test_the_filter_before_halving_removes_what_would_alias() -> None:
    """Pixels that alternate are the finest detail there is; nothing of their sign may come through a skip."""
    flicker = torch.ones(1, 4, 16, 16)
    flicker[..., ::2] = -1
    for down in ("pool", "blur"):
        block = ResidualBlock(4, 4, down=down)  # type: ignore[arg-type]
        torch.nn.init.zeros_(block.second.weight)
        assert block(flicker)[..., 1:-1].abs().max() < 1e-6


def test_patches_that_differ_little_are_told_apart() -> None:
    embedding = PatchEmbedding(16)
    code = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.251, 0.25]])
    first, second = embedding(code)
    assert (first - second).abs().max() > 0.05
