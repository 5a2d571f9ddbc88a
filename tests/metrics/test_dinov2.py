from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from viewsweep.metrics import FID, KID, FeatureNetwork, extract
from viewsweep.metrics.dinov2 import Dinov2Network, architecture
from viewsweep.scenes.errors import UserError

transformers = pytest.importorskip("transformers")


def config(**changes: int) -> object:
    shape = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 518, "patch_size": 14}
    return transformers.Dinov2Config(**(shape | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DINOv2 with random weights, stored as the large one is."""
    folder = tmp_path_factory.mktemp("dinov2")
    torch.manual_seed(0)
    transformers.Dinov2Model(config()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def network(folder: Path) -> Dinov2Network:
    return Dinov2Network(folder, "dinov2-tiny")


def pictures(count: int, height: int = 60, width: int = 45) -> torch.Tensor:
    g = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, height, width, 3), generator=g, dtype=torch.uint8)


def test_features_are_the_class_token_of_pillows_resizing(folder: Path, network: Dinov2Network) -> None:
    images = pictures(2)
    resized = [
        np.stack(
            [
                np.clip(np.array(Image.fromarray(image[..., c].astype(np.float32)).resize((224, 224), 3)), 0, 255)
                for c in range(3)
            ]
        )
        for image in images.numpy()
    ]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = (np.stack(resized) / 255 - mean[:, None, None]) / deviation[:, None, None]
    model = transformers.Dinov2Model.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(pixel_values=torch.from_numpy(pixels).float()).last_hidden_state[:, 0]
    torch.testing.assert_close(network(images).embedding, expected, rtol=0, atol=1e-4)


def test_there_are_no_classes(network: Dinov2Network) -> None:
    features = extract(network, pictures(3))
    assert isinstance(network, FeatureNetwork)
    assert network.classes == ()
    assert features.log_probabilities.shape == (3, 0)


def test_distances_can_be_measured_with_it(network: Dinov2Network) -> None:
    fake, real = extract(network, pictures(13)), extract(network, pictures(14))
    for metric in (FID(network.name), KID(network.name)):
        metric.update(fake)
        metric.update(real, real=True)
        name, result = next(iter(metric.results().items()))
        assert name.endswith("[dinov2-tiny]")
        assert result.status == "ok"


def test_company_changes_nothing_but_rounding(network: Dinov2Network) -> None:
    whole, single = extract(network, pictures(5), 5), extract(network, pictures(5), 1)
    torch.testing.assert_close(whole.embedding, single.embedding, rtol=0, atol=1e-5)


def test_the_hash_is_that_of_the_weights(folder: Path, network: Dinov2Network) -> None:
    assert network.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_architectures_have_their_names() -> None:
    assert architecture(config(hidden_size=1024, num_attention_heads=16)) == "dinov2-vitl14"
    assert architecture(config(hidden_size=384, num_attention_heads=6)) == "dinov2-vits14"
    assert architecture(config()) == "dinov2-12x2"


def test_an_incomplete_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}: config.json and model.safetensors missing")):
        Dinov2Network(tmp_path)


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    transformers.Dinov2Model(config(num_hidden_layers=1)).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}: weights are missing, encoder.layer.1.")):
        Dinov2Network(tmp_path)


def test_broken_weights_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}: cannot be read as a Dinov2Model")):
        Dinov2Network(tmp_path)
