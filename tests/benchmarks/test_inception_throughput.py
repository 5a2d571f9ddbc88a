"""From files to Inception features: how much faster than clean-fid, and how near to the bare network.

Three ways take turns on the same files with the same network of Inception-v3's true size, so that
whatever else the machine does disturbs them alike; the best round of each counts. Run it alone:

    pytest -s -m slow tests/benchmarks/test_inception_throughput.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from cleanfid.fid import get_files_features
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from viewsweep.metrics.features import Features
from viewsweep.metrics.folder_features import folder_features
from viewsweep.metrics.inception import InceptionNetwork

from ..metrics.inception_like import save_inception_like, true_layers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]

COUNT, SIZE, BATCH, THREADS = 96, 256, 32, 2
ROUNDS = 4
FASTER_THAN_CLEAN_FID = 1.4
OF_THE_BARE_NETWORK = 0.95
BAR = 1e-4


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_inception_like(tmp_path_factory.mktemp("net") / "inception-2015-12-05.pt", true_layers(), 2048, 1008)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures with the detail of photographs: noise on all scales, about 100 kB each."""
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(COUNT):
        rng = np.random.default_rng(k)
        image = np.zeros((SIZE, SIZE, 3))
        for side in (4, 16, 64, 256):
            layer = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
            image += np.asarray(layer.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=float) / side**0.5
        image = 255 * (image - image.min()) / np.ptp(image)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{k:03d}.png")
    return sorted(folder.glob("*.png"))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("mode", ["clean", "legacy_tensorflow"])
def test_files_to_features(mode: str, file: Path, files: list[Path]) -> None:
    network = InceptionNetwork(file, "true-size", mode=mode)  # type: ignore[arg-type]
    reference = InceptionV3W(str(file.parent), download=False, resize_inside=mode != "clean")
    ready = torch.from_numpy(np.stack([np.array(Image.open(path)) for path in files]))

    def ours() -> npt.NDArray[np.float32]:
        return folder_features(files, network, batch_size=BATCH, workers=2).embedding.numpy()

    def bare() -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return Features.cat([network(batch) for batch in ready.split(BATCH)]).embedding.numpy()

    def clean_fid() -> npt.NDArray[np.float32]:
        return get_files_features(  # type: ignore[no-any-return]
            [str(path) for path in files], reference, 2, BATCH, "cpu", mode, verbose=False
        )

    found, seconds = _take_turns({"ours": ours, "bare": bare, "clean-fid": clean_fid})
    rate = {name: COUNT / spent for name, spent in seconds.items()}
    difference = float(np.abs(found["ours"] - found["clean-fid"]).max())
    print(
        f"\n{mode}, {COUNT} PNGs of {SIZE}x{SIZE}, {THREADS} threads, pictures a second: "
        + ", ".join(f"{name} {value:.1f}" for name, value in rate.items())
        + f"; {rate['ours'] / rate['clean-fid']:.2f} x clean-fid, {rate['ours'] / rate['bare']:.3f} of the bare network"
        + f"; largest difference to clean-fid {difference:.1e} at features up to {np.abs(found['clean-fid']).max():.1f}"
    )
    assert difference <= BAR
    assert rate["ours"] >= FASTER_THAN_CLEAN_FID * rate["clean-fid"]
    assert rate["ours"] >= OF_THE_BARE_NETWORK * rate["bare"]


def _take_turns(
    ways: dict[str, Callable[[], npt.NDArray[np.float32]]],
) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, float]]:
    """What each way returns, and the seconds of its best round; the first round warms up and does not count."""
    found, seconds = {}, dict.fromkeys(ways, float("inf"))
    for round_number in range(1 + ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = way()
            if round_number:
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return found, seconds
