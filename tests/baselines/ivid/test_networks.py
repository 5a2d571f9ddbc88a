"""The two networks: folding, null class, and a G_c that begins as G_u."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor
from viewsweep.baselines.ivid.networks import (
    CONDITION_CHANNELS,
    IMAGE_CHANNELS,
    PAPER_IMAGENET,
    PAPER_SINGLE,
    PAPER_UPSAMPLER,
    RGBDUNet,
    with_condition,
)
from viewsweep.baselines.ivid.recipe import CONFIGS
from viewsweep.scenes.errors import UserError

from .conftest import random_network

TIMES = torch.tensor([0, 400, 999])
LABELS = torch.tensor([0, 9, 10])


def pictures(channels: int = IMAGE_CHANNELS, seed: int = 0) -> Tensor:
    return torch.randn(3, channels, 16, 16, generator=torch.Generator().manual_seed(seed))


class Echo(torch.nn.Module):
    """In place of the UNet: returns the first channels of its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, timestep: Tensor, class_labels: Tensor | None) -> SimpleNamespace:
        assert x.shape[1] >= self.channels
        return SimpleNamespace(sample=x[:, : self.channels])


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("condition", [False, True], ids=["alone", "conditioned"])
def test_unfolding_undoes_folding(patch: int, condition: bool) -> None:
    """Folded or not, the channels of the picture come first and the condition's after them."""
    network = random_network(patch=patch, condition=condition)
    network.unet = Echo(IMAGE_CHANNELS * patch * patch)
    extra = pictures(CONDITION_CHANNELS, seed=1) if condition else None
    assert torch.equal(network(pictures(), TIMES, LABELS, extra), pictures())


@pytest.mark.parametrize("patch", [1, 2])
def test_network_keeps_the_shape(patch: int) -> None:
    network = random_network(patch=patch, classes=0)
    assert network.null_class == 0
    assert network(pictures(), TIMES, None).shape == pictures().shape
    assert network.config.patch == patch


def test_network_without_classes_ignores_labels() -> None:
    network = random_network(classes=0)
    assert torch.equal(network(pictures(), TIMES, LABELS), network(pictures(), TIMES, None))


@pytest.mark.parametrize("resample", ["conv", "resnet"])
def test_conditioned_network_begins_as_the_first(resample: str) -> None:
    first = random_network(resample=resample)
    second = with_condition(first)
    assert second.config.resample == resample
    assert second.config.condition
    assert not first.config.condition
    expected = first(pictures(), TIMES, LABELS)
    for seed in range(2):
        found = second(pictures(), TIMES, LABELS, 5 * pictures(CONDITION_CHANNELS, seed=seed))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    before = first.state_dict()["unet.conv_in.weight"].clone()
    with torch.no_grad():
        second.unet.conv_in.weight += 1
    assert torch.equal(first.state_dict()["unet.conv_in.weight"], before)  # a copy


def test_condition_is_added_once(following: RGBDUNet) -> None:
    with pytest.raises(UserError, match="already has a condition"):
        with_condition(following)
    with pytest.raises(UserError, match="already has a condition"):
        with_condition(random_network(extra_channels=4))


@pytest.mark.parametrize("wrong", [{"resample": "area"}, {"condition": True, "extra_channels": 4}], ids=str)
def test_impossible_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(reversed(wrong))):
        random_network(**wrong)


def test_condition_is_learned_from_the_first_step(first: RGBDUNet) -> None:
    second = with_condition(first).requires_grad_(True)
    second(pictures(), TIMES, LABELS, pictures(CONDITION_CHANNELS, seed=1)).square().mean().backward()
    new = second.unet.conv_in.weight.grad[:, IMAGE_CHANNELS * 4 :]
    assert new.shape[1] == CONDITION_CHANNELS * 4
    assert bool((new.abs().amax((0, 2, 3)) > 0).all())


def test_null_class_is_the_zero_vector_and_stays_it() -> None:
    network = random_network().requires_grad_(True).train()
    table = network.unet.class_embedding.weight
    assert network.null_class == 10
    assert len(table) == 11
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(4):
        loss = network(pictures(), TIMES, torch.full((3,), network.null_class)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        assert float(table.grad[network.null_class].abs().max()) > 0
        optimiser.step()
        network.freeze_null_class()
        assert bool((table[network.null_class] == 0).all())
        assert bool((table[:10].abs().amax(1) > 0).all())


def test_label_and_time_matter(first: RGBDUNet) -> None:
    found = first(pictures(), TIMES, LABELS)
    assert not torch.allclose(found, first(pictures(), TIMES, LABELS.roll(1)))
    assert not torch.allclose(found, first(pictures(), TIMES.roll(1), LABELS))


@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_saved_network_draws_the_same(following: RGBDUNet, tmp_path: Path, half: bool) -> None:
    stored: RGBDUNet = RGBDUNet.from_config(following.config)
    stored.load_state_dict(following.state_dict())
    (stored.half() if half else stored).save_pretrained(tmp_path)
    loaded = RGBDUNet.from_pretrained(tmp_path, dtype=torch.float32, low_cpu_mem_usage=False)
    assert loaded.dtype == torch.float32
    assert {key: loaded.config[key] for key in ("size", "condition", "classes", "patch")} == {
        "size": 16,
        "condition": True,
        "classes": 10,
        "patch": 2,
    }
    inputs = pictures(), TIMES, LABELS, pictures(CONDITION_CHANNELS, seed=1)
    torch.testing.assert_close(loaded(*inputs), following(*inputs), rtol=0, atol=1e-2 if half else 0)


def test_small_networks_fit_into_the_package() -> None:
    """Ten MiB a file, in half precision."""
    with torch.device("meta"):
        first: RGBDUNet = RGBDUNet(**CONFIGS["small"].network)
        second: RGBDUNet = RGBDUNet(**CONFIGS["small"].network, condition=True)
    for network in (first, second):
        assert 2 * sum(value.numel() for value in network.state_dict().values()) < 10 << 20


@pytest.mark.parametrize(
    ("settings", "millions"),
    [
        (PAPER_IMAGENET, 421.53),
        ({**PAPER_IMAGENET, "condition": True}, 421.54),
        (PAPER_UPSAMPLER, 105.71),
        (PAPER_SINGLE, 105.20),
        ({**PAPER_SINGLE, "condition": True}, 105.20),
        ({**PAPER_UPSAMPLER, "classes": 0}, 105.20),
    ],
    ids=["imagenet", "imagenet-cond", "imagenet-up", "single", "single-cond", "single-up"],
)
def test_paper_networks_have_the_published_size(settings: dict[str, Any], millions: float) -> None:
    with torch.device("meta"):
        network: RGBDUNet = RGBDUNet(**settings)
    count = sum(parameter.numel() for parameter in network.parameters())
    if settings["classes"]:
        count -= network.unet.class_embedding.embedding_dim  # the null class is ours; the authors add nothing
    assert round(count / 1e6, 2) == millions
    attentions = [module for module in network.modules() if isinstance(module, Attention)]
    assert len(attentions) == 16  # 2 + 3 at each of three levels, one in the middle
