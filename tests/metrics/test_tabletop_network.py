"""The shipped feature network names what it sees, and its recipe runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor
from viewsweep.metrics import FeatureNetwork, tabletop_network, train_network
from viewsweep.metrics.tabletop_network import (
    TabletopNetwork,
    TabletopNetworkModule,
    load_tabletop_network,
    network_from_bytes,
)
from viewsweep.scenes import tabletop
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.tabletop import splits
from viewsweep.scenes.tabletop.dataset import prepare_views

TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3}
"""By the type of the weights; activations are always float32."""


def pictures(count: int, size: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return (smooth * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


@pytest.fixture
def module() -> TabletopNetworkModule:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        made = TabletopNetworkModule()
        made(torch.randn(16, 3, 64, 64))  # running statistics that are not the initial ones
    return made.eval()


@pytest.fixture
def uncached() -> Iterator[None]:
    load_tabletop_network.cache_clear()
    yield
    load_tabletop_network.cache_clear()


def test_is_a_feature_network_of_all_classes(module: TabletopNetworkModule) -> None:
    network = TabletopNetwork(module, "0" * 64)
    assert isinstance(network, FeatureNetwork)
    assert (network.name, network.classes) == ("tabletop", tabletop.CLASSES)
    found = network(pictures(3))
    assert tuple(found.embedding.shape) == (3, network.dimensions)
    assert tuple(found.log_probabilities.shape) == (3, 10)
    assert found.embedding.dtype == found.log_probabilities.dtype == torch.float32
    torch.testing.assert_close(found.log_probabilities.exp().sum(1), torch.ones(3))
    assert not found.embedding.requires_grad


def test_one_row_does_not_depend_on_the_others(module: TabletopNetworkModule) -> None:
    network, images = TabletopNetwork(module, ""), pictures(5)
    together = network(images)
    for row in range(5):
        alone = network(images[[row]])
        atol = TOLERANCE[torch.float32]
        torch.testing.assert_close(alone.embedding[0], together.embedding[row], rtol=0, atol=atol)


@pytest.mark.parametrize("size", [32, 100, 256])
def test_other_sizes_are_resized(module: TabletopNetworkModule, size: int) -> None:
    network = TabletopNetwork(module, "")
    native, resized = network(pictures(4)), network(pictures(4, size))
    moved = (resized.embedding - native.embedding).norm(dim=1)
    apart = (native.embedding - native.embedding.roll(1, 0)).norm(dim=1)
    assert float(moved.max()) < 0.35 * float(apart.min())  # the same picture, not another one


@pytest.mark.parametrize(
    ("images", "said"),
    [
        pytest.param(torch.zeros(2, 64, 64, 3), "torch.float32 [2, 64, 64, 3]", id="float"),
        pytest.param(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), "torch.uint8 [2, 3, 64, 64]", id="channels first"),
        pytest.param(torch.zeros(64, 64, 3, dtype=torch.uint8), "torch.uint8 [64, 64, 3]", id="no batch"),
    ],
)
def test_anything_but_uint8_pictures_is_refused(module: TabletopNetworkModule, images: Tensor, said: str) -> None:
    with pytest.raises(UserError) as caught:
        TabletopNetwork(module, "")(images)
    assert str(caught.value) == f"The tabletop network takes uint8 images [N, H, W, 3], not {said}."


def test_half_precision_file_gives_the_network_back(module: TabletopNetworkModule) -> None:
    content = save({name: value.half().contiguous() for name, value in module.state_dict().items()})
    stored, images = network_from_bytes(content), pictures(6)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert not stored.module.training
    assert all(value.dtype == torch.float32 for value in stored.module.parameters())
    original, half = TabletopNetwork(module, "")(images), stored(images)
    scale = float(original.embedding.abs().max())
    atol = TOLERANCE[torch.float16] * max(1.0, scale)
    torch.testing.assert_close(half.embedding, original.embedding, rtol=0, atol=atol)


def test_missing_weights_say_how_to_get_them(uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tabletop_network.resources, "files", lambda package: tmp_path)
    with pytest.raises(UserError) as caught:
        load_tabletop_network()
    assert str(caught.value) == (
        f"{tmp_path}/weights/tabletop.safetensors: the weights of the tabletop network are missing. "
        "Install viewsweep again, or train them with `viewsweep train tabletop-network`."
    )


def test_shipped_file_is_the_one_its_record_describes() -> None:
    folder = resources.files("viewsweep.metrics") / "weights"
    record = json.loads((folder / "tabletop.json").read_text())
    assert load_tabletop_network().sha256 == record["sha256"]
    assert record["recipe"] == vars(train_network.CONFIGS["small"])
    assert record["held_out_accuracy"] >= 0.95
    assert len((folder / "tabletop.safetensors").read_bytes()) < 10 << 20
    assert load_tabletop_network() is load_tabletop_network()


def test_shipped_network_names_unseen_objects_from_all_sides() -> None:
    """300 objects of the validation split that its training never met, azimuth uniform over the circle."""
    count = 300
    seeds = tabletop.VALIDATION_SEEDS[500_000 : 500_000 + count]
    assert seeds.start >= tabletop.VALIDATION_SEEDS.start + train_network.CONFIGS["small"].held_out
    objects = [tabletop.sample(seed, seed % 10) for seed in seeds]
    cameras = tabletop.train_cameras(seeds, frontal_share=0.0)
    network, right = load_tabletop_network(), 0
    for positions, rgb, _ in tabletop.render_views(objects, cameras, 64):
        label = torch.tensor([objects[position].label for position in positions])
        right += int((network(rgb).log_probabilities.argmax(1) == label).sum())
    assert right / count >= 0.95


def flat_render(
    objects: list[tabletop.TabletopObject], cameras: object, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures in the colour of their class, in place of the renderer's."""
    label = torch.tensor([entry.label for entry in objects], dtype=torch.uint8)
    rgb = (label * 25)[:, None, None, None].repeat(1, size, size, 3)
    return rgb, torch.full((len(objects), size, size), 1.6), rgb[..., 0], rgb.float()


def test_recipe_trains_a_network_and_writes_its_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(splits, "render_batch", flat_render)
    tiny = train_network.Recipe(views=32, held_out=16, steps=3, batch=8)
    monkeypatch.setitem(train_network.CONFIGS, "tiny", tiny)
    lines: list[str] = []
    path = train_network.train("tiny", tmp_path / "one", log=lines.append)
    assert path == tmp_path / "one" / "tabletop.safetensors"
    record = json.loads(path.with_name("tabletop.json").read_text())
    assert (
        record["sha256"]
        == hashlib.sha256(path.read_bytes()).hexdigest()
        == network_from_bytes(path.read_bytes()).sha256
    )
    assert record["recipe"] == vars(tiny)
    assert record["command"] == "viewsweep train tabletop-network --config tiny"
    assert set(record["held_out_accuracy_by_class"]) == set(tabletop.CLASSES)
    assert any("step 3/3" in line for line in lines)
    # the rendered views may be shared, and the same recipe gives the same weights
    again = train_network.train("tiny", tmp_path / "two", log=lines.append, data=tmp_path / "one" / "views")
    assert again.read_bytes() == path.read_bytes()
    shorter = train_network.train("tiny", tmp_path / "two", steps=2, log=lines.append, data=tmp_path / "one" / "views")
    assert shorter.read_bytes() != path.read_bytes()
    assert json.loads(shorter.with_name("tabletop.json").read_text())["recipe"] == vars(replace(tiny, steps=2))


def test_training_reads_the_training_split_and_is_judged_on_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(splits, "render_batch", flat_render)
    monkeypatch.setitem(train_network.CONFIGS, "tiny", train_network.Recipe(views=10, held_out=10, steps=1, batch=4))
    asked: list[tuple[range, float]] = []

    def note(folder: Path, seeds: range, size: int, *, frontal_share: float, log: object) -> object:
        asked.append((seeds, frontal_share))
        return prepare_views(folder, seeds, size, frontal_share=frontal_share, log=lambda line: None)

    monkeypatch.setattr(train_network, "prepare_views", note)
    train_network.train("tiny", tmp_path, log=lambda line: None)
    assert asked == [(tabletop.TRAIN_SEEDS[:10], 0.5), (tabletop.VALIDATION_SEEDS[:10], 0.0)]


def test_unknown_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        train_network.train("smal", tmp_path / "out")
    assert str(caught.value) == "There is no configuration of tabletop-network named 'smal'. Did you mean small?"
    assert not (tmp_path / "out").exists()
