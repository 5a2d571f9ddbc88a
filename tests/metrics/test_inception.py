from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanfid.fid import get_files_features, get_folder_features
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from torch import Tensor, nn
from viewsweep.metrics import FeatureNetwork, extract
from viewsweep.metrics.folder_features import folder_features
from viewsweep.metrics.inception import InceptionNetwork
from viewsweep.scenes.errors import UserError

from .inception_like import InceptionLike, save_inception_like, small_layers

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:FutureWarning")  # clean-fid's loading
MODES = {"clean": False, "legacy_tensorflow": True}
BAR = 1e-4


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_inception_like(tmp_path_factory.mktemp("net") / "inception-2015-12-05.pt", small_layers(2048), 2048)


@pytest.fixture(scope="module")
def networks(file: Path) -> dict[str, InceptionNetwork]:
    return {mode: InceptionNetwork(file, "mine", mode=mode) for mode in MODES}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of several sizes, one larger than the network's."""
    folder = tmp_path_factory.mktemp("pictures")
    for k, (height, width) in enumerate([(64, 64), (64, 64), (97, 41), (340, 310), (64, 64)]):
        rng = np.random.default_rng(k)
        smooth = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
    return folder


def clean_fids(file: Path, mode: str) -> Callable[[Tensor], Tensor]:
    """clean-fid's own network, from our file."""
    network: Callable[[Tensor], Tensor] = InceptionV3W(str(file.parent), download=False, resize_inside=MODES[mode])
    return network


def random_pictures(count: int, size: int = 40) -> Tensor:
    return torch.randint(0, 256, (count, size, size, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("mode", MODES)
def test_features_are_clean_fids_own(
    mode: str, file: Path, folder: Path, networks: dict[str, InceptionNetwork]
) -> None:
    # mixed sizes do not fit into a batch of its legacy mode
    expected = get_folder_features(
        str(folder), clean_fids(file, mode), num_workers=0, batch_size=1, device="cpu", mode=mode, verbose=False
    )
    found = folder_features(folder, networks[mode], batch_size=3).embedding.numpy()
    assert found.shape == (5, 2048)
    assert np.abs(expected).max() > 0.5  # else the bar would say nothing
    assert np.abs(found - expected).max() <= BAR


@pytest.mark.parametrize("mode", MODES)
def test_pictures_in_memory_give_what_their_files_give(
    mode: str, file: Path, folder: Path, networks: dict[str, InceptionNetwork]
) -> None:
    paths = sorted(folder.glob("*.png"))[:2]
    expected = get_files_features(
        [str(path) for path in paths],
        clean_fids(file, mode),
        num_workers=0,
        batch_size=2,
        device="cpu",
        mode=mode,
        verbose=False,
    )
    images = torch.from_numpy(np.stack([np.array(Image.open(path)) for path in paths]))
    assert np.abs(extract(networks[mode], images).embedding.numpy() - expected).max() <= BAR


def test_the_modes_differ(folder: Path, networks: dict[str, InceptionNetwork]) -> None:
    clean, legacy = (folder_features(folder, networks[mode]) for mode in MODES)
    assert (clean.embedding - legacy.embedding).abs().max() > 100 * BAR


def test_probabilities_leave_the_bias_out(file: Path, networks: dict[str, InceptionNetwork]) -> None:
    base = torch.jit.load(str(file))
    images = random_pictures(3)
    own = networks["legacy_tensorflow"](images).log_probabilities.exp()
    with torch.no_grad():
        torch.testing.assert_close(own, base(images.permute(0, 3, 1, 2), no_output_bias=True), rtol=0, atol=1e-5)
        assert (own - base(images.permute(0, 3, 1, 2))).abs().max() > 1e-2


def test_it_is_a_feature_network(file: Path, networks: dict[str, InceptionNetwork]) -> None:
    network = networks["clean"]
    assert isinstance(network, FeatureNetwork)
    assert network.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(network.classes) == network(random_pictures(1)).log_probabilities.shape[1] == 12


@pytest.mark.parametrize("mode", MODES)
def test_company_changes_nothing_but_rounding(mode: str, networks: dict[str, InceptionNetwork]) -> None:
    images = random_pictures(7)
    whole, single = extract(networks[mode], images, 7), extract(networks[mode], images, 1)
    torch.testing.assert_close(whole.embedding, single.embedding, rtol=0, atol=1e-6 * float(whole.embedding.max()))


def test_loading_warns_of_nothing(file: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InceptionNetwork(file, "mine")


class OtherScale(InceptionLike):
    """Normalises inside by another formula than the mode clean does outside."""

    def forward(
        self, img: Tensor, return_features: bool = False, use_fp16: bool = False, no_output_bias: bool = False
    ) -> Tensor:
        features = self.layers(torch.nn.functional.interpolate(img.float(), (299, 299)) / 255)
        return features.reshape(img.shape[0], 16)


class NoLayers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (OtherScale(small_layers(16), 16, 3), "its features are not those of its layers"),
        (NoLayers(), "no attribute 'output'"),
    ],
    ids=["other formula", "other module"],
)
def test_a_network_of_another_form_is_refused(network: nn.Module, message: str, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(network.eval()), str(tmp_path / "other.pt"))
    with pytest.raises(UserError, match=f"no Inception network in the form of clean-fid.*{message}"):
        InceptionNetwork(tmp_path / "other.pt", "other")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"PK not a module")
    with pytest.raises(UserError, match=re.escape(f"{path}: cannot be loaded as a TorchScript module")):
        InceptionNetwork(path, "broken")


def test_misuse_is_explained(file: Path, networks: dict[str, InceptionNetwork]) -> None:
    with pytest.raises(ValueError, match="mode is 'fast'; it must be one of clean, legacy_tensorflow"):
        InceptionNetwork(file, "mine", mode="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=re.escape("images are torch.float32 with shape [1, 3, 8, 8]")):
        networks["clean"](torch.zeros(1, 3, 8, 8))
