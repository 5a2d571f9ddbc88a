from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from viewsweep.metrics import FeatureNetwork
from viewsweep.metrics.network import NETWORKS, load_network
from viewsweep.metrics.weight_files import WEIGHT_FILES
from viewsweep.scenes.errors import UnknownName, UserError

from .inception_like import save_inception_like, small_layers

PICTURES = torch.randint(0, 256, (2, 33, 50, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for all weights, taken for the true ones."""
    transformers = pytest.importorskip("transformers")
    save_inception_like(tmp_path / "inception-2015-12-05.pt", small_layers(), 16)
    tiny = transformers.Dinov2Config(hidden_size=24, num_hidden_layers=1, num_attention_heads=3, patch_size=14)
    transformers.Dinov2Model(tiny).save_pretrained(tmp_path)
    for name in ("inception", "dinov2", "dinov2-config"):
        entry = WEIGHT_FILES[name]
        content = (tmp_path / Path(entry.file).name).read_bytes()
        monkeypatch.setitem(WEIGHT_FILES, name, replace(entry, sha256=hashlib.sha256(content).hexdigest()))
        monkeypatch.delenv(entry.variable, raising=False)
    return tmp_path


def test_every_network_loads_and_measures(folder: Path) -> None:
    for name in NETWORKS:
        network = load_network(name, path=None if name == "tabletop" else folder)
        assert isinstance(network, FeatureNetwork)
        features = network(PICTURES)
        assert len(features) == 2
        assert features.log_probabilities.shape[1] == len(network.classes)
        assert network.name == name if name != "dinov2" else network.name.startswith("dinov2-")


def test_the_two_inceptions_are_named_apart(folder: Path) -> None:
    clean, legacy = load_network("inception", path=folder), load_network("inception-legacy", path=folder)
    assert (clean.name, legacy.name) == ("inception", "inception-legacy")
    assert clean.sha256 == legacy.sha256
    assert not torch.allclose(clean(PICTURES).embedding, legacy(PICTURES).embedding)


def test_dinov2_is_found_by_its_weights_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEWSWEEP_WEIGHTS_DINOV2", str(folder / "model.safetensors"))
    assert load_network("dinov2").name == "dinov2-24x1"


def test_other_weights_do_not_pass_under_the_name(tmp_path: Path) -> None:
    file = save_inception_like(tmp_path / "inception-2015-12-05.pt", small_layers(), 16)
    with pytest.raises(UserError, match="these are not the weights 'inception'"):
        load_network("inception", path=file)


def test_the_shipped_network_takes_no_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="are shipped; a path to others cannot be given"):
        load_network("tabletop", path=tmp_path)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean inception"):
        load_network("inceptionv3")
