"""What is shipped is small, is what its record says, and does what the README claims."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import viewsweep
from PIL import Image
from torch.nn import functional as F  # noqa: N812
from viewsweep.baselines.ivid.upsampler_method import load_small_upsampled
from viewsweep.metrics.tabletop_network import load_tabletop_network
from viewsweep.scenes import Cameras, Request, tabletop
from viewsweep.scenes.sweeps import FOV, RADIUS

ROOT = Path(viewsweep.__file__).parent
FILES = sorted(path for path in ROOT.rglob("weights/**/*.safetensors") if ".venv" not in path.parts)
MIB = 1 << 20


def test_there_are_the_weights_the_readme_names() -> None:
    names = {str(path.relative_to(ROOT)) for path in FILES}
    assert names == {
        "baselines/dfm/weights/dfm-inversion-small/problem.safetensors",
        "baselines/dfm/weights/dfm-motion-small/problem.safetensors",
        "baselines/dfm/weights/dfm-small/problem.safetensors",
        "baselines/dfm/weights/pixelnerf-small/problem.safetensors",
        "baselines/gan/weights/eg3d-small/generator.safetensors",
        "baselines/gan/weights/epigraf-small/generator.safetensors",
        "baselines/gan/weights/pigan-small/generator.safetensors",
        "baselines/ivid/weights/small-upsampler/network/diffusion_pytorch_model.safetensors",
        "baselines/ivid/weights/small/first/diffusion_pytorch_model.safetensors",
        "baselines/ivid/weights/small/following/diffusion_pytorch_model.safetensors",
        "metrics/weights/tabletop.safetensors",
    }


def test_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in FILES]
    assert max(sizes) < 10 * MIB
    assert sum(sizes) < 40 * MIB


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("ivid/weights/small", 2),
        ("ivid/weights/small-upsampler", 1),
        ("gan/weights/eg3d-small", 1),
        ("gan/weights/epigraf-small", 1),
        ("gan/weights/pigan-small", 1),
        ("dfm/weights/dfm-inversion-small", 1),
        ("dfm/weights/dfm-motion-small", 1),
        ("dfm/weights/dfm-small", 1),
        ("dfm/weights/pixelnerf-small", 1),
    ],
)
def test_records_name_the_weights_by_hash(name: str, files: int) -> None:
    folder = ROOT / "baselines" / name
    record = json.loads((folder / "training.json").read_text())
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in record["files"]}
    assert found == record["files"]
    assert len(found) == files


def test_the_record_names_the_feature_network_by_hash() -> None:
    network = json.loads((ROOT / "metrics/weights/tabletop.json").read_text())
    assert network["sha256"] == load_tabletop_network().sha256


def views(yaws_deg: list[float]) -> Cameras:
    yaw = torch.deg2rad(torch.tensor(yaws_deg, dtype=torch.float64))
    return Cameras.orbit(yaw, torch.full_like(yaw, 0.2618), radius=RADIUS, fov=FOV)


def accuracy(scenes: int, yaws_deg: list[float], first_index: int, method: str = "ivid-small") -> float:
    """Share of a method's views that the feature network names as the class asked for."""
    generator, network = viewsweep.load_method(method), load_tabletop_network()
    requests = [
        Request(k, tabletop.TEST_SEEDS.start + k, views(yaws_deg), 64, label=k % 10)
        for k in range(first_index, first_index + scenes)
    ]
    right = []
    for start in range(0, scenes, 10):
        for scene in generator.generate(requests[start : start + 10]):
            right.append(network(scene.rgb).log_probabilities.argmax(1) == scene.label)
    return float(torch.stack(right).float().mean())


def test_first_views_show_the_class_asked_for() -> None:
    assert accuracy(20, [0.0], first_index=5000) >= 0.8


@pytest.mark.parametrize("method", ["eg3d-small", "epigraf-small", "pigan-small"])
def test_the_gans_draw_the_classes_all_around(method: str) -> None:
    assert accuracy(30, [0.0, 90.0, 180.0, 270.0], first_index=5000, method=method) >= 0.85


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_bars_of_the_shipped_diffusion_model() -> None:
    assert accuracy(100, [0.0], first_index=6000) >= 0.9
    assert accuracy(40, [0.0, 12.0, -12.0, 24.0, -24.0, 35.0, -35.0], first_index=7000) >= 0.75
    assert accuracy(20, [15.0 * view for view in range(24)], first_index=8000) >= 0.6


def test_the_upsampler_adds_what_lanczos_cannot() -> None:
    cameras = views([0.0, 40.0, 140.0])
    pictures = [tabletop.sample(tabletop.TEST_SEEDS.start + k, k).render(cameras, 128) for k in range(4)]
    upsampler = load_small_upsampled().pipeline
    gain = []
    for large in pictures:
        # depth of the nearer surface's own pixels: halved by taking one of four, it never mixes two
        small = F.avg_pool2d(large.rgb.permute(0, 3, 1, 2).float(), 2).round().to(torch.uint8).permute(0, 2, 3, 1)
        assert large.depth is not None
        assert large.label is not None
        drawn = upsampler([large.label], [large.seed or 0], small[None], large.depth[None, :, ::2, ::2], steps=1)
        enlarged = [
            np.asarray(Image.fromarray(picture.numpy()).resize((128, 128), Image.Resampling.LANCZOS))
            for picture in small
        ]
        lanczos = torch.from_numpy(np.stack(enlarged))
        gain.append(psnr(drawn.rgb[0], large.rgb) - psnr(lanczos, large.rgb))
    assert sum(gain) / len(gain) > 0.3


def psnr(left: torch.Tensor, right: torch.Tensor) -> float:
    """Of two stacks of uint8 pictures, dB."""
    return float(-10 * (((left.float() - right.float()) / 255) ** 2).mean((1, 2, 3)).log10().mean())
