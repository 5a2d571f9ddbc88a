"""Modulated convolutions, mapping network, backbone: against explicit forms of the papers' equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from viewsweep.baselines.gan.backbone import Backbone
from viewsweep.baselines.gan.equalised import EqualConv2d, EqualLinear
from viewsweep.baselines.gan.mapping import MappingNetwork
from viewsweep.baselines.gan.modulated import ModulatedConv2d, StyledConv, upsample


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("demodulate", [True, False])
def test_the_shared_kernel_equals_a_kernel_of_its_own_for_each_picture(demodulate: bool) -> None:
    layer = ModulatedConv2d(6, 4, 3, 5, demodulate=demodulate)
    x, latents = torch.randn(3, 6, 8, 8), torch.randn(3, 5)
    response, factors = layer(x, latents)
    found = response if factors is None else response * factors
    styles = layer.style(latents)
    for item in range(3):
        kernel = layer.weight * layer.scale * styles[item][None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = functional.conv2d(x[item : item + 1], kernel, padding=1)
        torch.testing.assert_close(found[item : item + 1], expected, atol=1e-5, rtol=1e-4)


def test_a_styled_convolution_is_noise_bias_and_leaky_relu_on_top() -> None:
    layer = StyledConv(6, 4, 5, size=8, noise=True)
    assert layer.strength is not None
    with torch.no_grad():
        layer.strength.fill_(0.3)
        layer.bias.normal_()
    x, latents = torch.randn(2, 6, 8, 8), torch.randn(2, 5)
    response, factors = layer.convolution(x, latents)
    assert factors is not None
    demodulated = response * factors / math.sqrt(2)
    expected = functional.leaky_relu(demodulated + layer.noise * 0.3 + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    torch.testing.assert_close(layer(x, latents), expected, atol=1e-5, rtol=1e-4)


def test_demodulation_keeps_the_variance_whatever_the_style() -> None:
    layer = ModulatedConv2d(64, 64, 3, 8)
    response, factors = layer(torch.randn(2, 64, 32, 32), torch.tensor([[0.1], [30.0]]) * torch.randn(1, 8))
    spread = (response * factors)[:, :, 1:-1, 1:-1].std((1, 2, 3))
    assert torch.allclose(spread, torch.ones(2), atol=0.1)


def test_upsampling_is_zero_insertion_and_the_binomial_filter() -> None:
    x = torch.randn(1, 1, 8, 8)
    inserted = torch.zeros(1, 1, 16, 16)
    inserted[:, :, ::2, ::2] = x
    taps = torch.tensor([1.0, 3, 3, 1]) / 4
    expected = functional.conv2d(functional.pad(inserted, (2, 1, 2, 1)), (taps[:, None] * taps)[None, None])
    torch.testing.assert_close(upsample(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "softplus"])
def test_equalised_layers_scale_their_weights_when_used(activation: str) -> None:
    nonlinear = {
        "linear": lambda x: x,
        "leaky_relu": lambda x: functional.leaky_relu(x, 0.2) * math.sqrt(2),
        "softplus": functional.softplus,
    }[activation]
    dense = EqualLinear(16, 4, bias=0.5, rate=0.01, activation=activation)  # type: ignore[arg-type]
    x = torch.randn(3, 16)
    torch.testing.assert_close(dense(x), nonlinear(x @ dense.weight.T * 0.01 / 4 + 0.5))
    convolution = EqualConv2d(4, 2, 3, activation=activation)  # type: ignore[arg-type]
    torch.nn.init.normal_(convolution.bias)  # type: ignore[arg-type]
    picture = torch.randn(1, 4, 6, 6)
    expected = functional.conv2d(picture, convolution.weight / 6, convolution.bias, padding=1)
    torch.testing.assert_close(convolution(picture), nonlinear(expected))


def test_the_mean_follows_in_training_and_truncation_moves_towards_it() -> None:
    mapping = MappingNetwork(4, 8, classes=3, decay=0.5)
    z, label = torch.randn(6, 4), torch.arange(6) % 3
    latents = mapping(z, label, None)
    torch.testing.assert_close(mapping.mean, latents.detach().mean(0) / 2)
    before = mapping.mean.clone()
    mapping.eval()
    mapping(z, label, None)
    assert torch.equal(mapping.mean, before)
    assert torch.equal(mapping.truncate(latents, 1.0), latents)
    torch.testing.assert_close(mapping.truncate(latents, 0.0), before.expand(6, 8))
    torch.testing.assert_close(mapping.truncate(latents, 0.7), before + 0.7 * (latents - before))


def test_mapping_depends_on_direction_class_and_pose_and_wants_them() -> None:
    mapping = MappingNetwork(4, 8, classes=3, pose=True).eval()
    z, label, pose = torch.randn(2, 4), torch.tensor([0, 2]), torch.randn(2, 25)
    latents = mapping(z, label, pose)
    torch.testing.assert_close(mapping(5 * z, label, pose), latents)  # z is normalised
    assert not torch.allclose(mapping(-z, label, pose), latents, atol=1e-3)
    assert not torch.allclose(mapping(z, label.flip(0), pose), latents, atol=1e-3)
    assert not torch.allclose(mapping(z, label, pose.flip(0)), latents, atol=1e-3)
    with pytest.raises(ValueError, match="label is missing"):
        mapping(z, None, pose)
    with pytest.raises(ValueError, match="pose"):
        mapping(z, label, None)


@pytest.mark.parametrize("late", [True, False])
def test_the_backbone_paints_each_scene_by_itself_and_always_the_same(late: bool) -> None:
    backbone = Backbone(8, [8, 8, 4], 6, noise=True, late=late)
    latents = torch.randn(3, 8)
    painted = backbone(latents)
    assert painted.shape == (3, 6, 16, 16)
    assert torch.equal(backbone(latents), painted)
    torch.testing.assert_close(backbone(latents[1:2]), painted[1:2], atol=1e-5, rtol=1e-4)
    assert (painted[0] - painted[1]).abs().max() > 0.01
