"""From files to Inception features: how much faster than clean-fid, and how near to the bare network.

Ours, the bare network on decoded pictures, and clean-fid's function with and without worker
processes take turns on the same files with the same network of Inception-v3's true size, so that
whatever else the machine does disturbs them alike. The best round of each counts, and the better of
clean-fid's two. Processor time is printed beside, for machines that are not idle. Run it alone:

    pytest -s -m slow tests/benchmarks/test_inception_throughput.py
"""

from __future__ import annotations

import resource
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

COUNT, SIZE, BATCH, THREADS = 64, 256, 32, 2
ROUNDS = 3
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

    def clean_fid(workers: int) -> npt.NDArray[np.float32]:
        return get_files_features(  # type: ignore[no-any-return]
            [str(path) for path in files], reference, workers, BATCH, "cpu", mode, verbose=False
        )

    found, wall, processor = _take_turns(
        {"ours": ours, "bare": bare, "clean-fid": lambda: clean_fid(0), "clean-fid, 2 workers": lambda: clean_fid(2)}
    )
    theirs = min(wall["clean-fid"], wall["clean-fid, 2 workers"])
    difference = float(np.abs(found["ours"] - found["clean-fid"]).max())
    print(f"\n{mode}, {COUNT} PNGs of {SIZE}x{SIZE}, {THREADS} threads")
    for name in found:
        milliseconds = 1e3 * wall[name] / COUNT, 1e3 * processor[name] / COUNT
        print(f"  {name}: {milliseconds[0]:.1f} ms a picture, {milliseconds[1]:.1f} ms of processors")
    print(f"  {theirs / wall['ours']:.2f} x clean-fid, {wall['bare'] / wall['ours']:.3f} of the bare network")
    print(f"  differs from clean-fid by {difference:.1e}, features reach {np.abs(found['clean-fid']).max():.1f}")
    assert difference <= BAR
    assert theirs >= FASTER_THAN_CLEAN_FID * wall["ours"]
    assert wall["bare"] >= OF_THE_BARE_NETWORK * wall["ours"]


def _take_turns(
    ways: dict[str, Callable[[], npt.NDArray[np.float32]]],
) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, float], dict[str, float]]:
    """What each way returns, and the seconds and processor seconds of its best round; the first warms up."""
    found, wall, processor = {}, dict.fromkeys(ways, float("inf")), dict.fromkeys(ways, float("inf"))
    for round_number in range(1 + ROUNDS):
        for name, way in ways.items():
            start, used = time.perf_counter(), _processor_seconds()
            found[name] = way()
            if round_number:
                wall[name] = min(wall[name], time.perf_counter() - start)
                processor[name] = min(processor[name], _processor_seconds() - used)
    return found, wall, processor


def _processor_seconds() -> float:
    """Of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(entry.ru_utime + entry.ru_stime for entry in used)
