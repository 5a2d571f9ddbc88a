"""What is shipped is small, is what its record says, and does what the README claims."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
import viewsweep
from viewsweep.metrics.tabletop_network import load_tabletop_network
from viewsweep.scenes import Cameras, Request, tabletop
from viewsweep.scenes.sweeps import FOV, RADIUS

ROOT = Path(viewsweep.__file__).parent
FILES = sorted(path for path in ROOT.rglob("weights/**/*.safetensors") if ".venv" not in path.parts)
MIB = 1 << 20


def test_there_are_the_weights_the_readme_names() -> None:
    names = {str(path.relative_to(ROOT)) for path in FILES}
    assert names == {
        "baselines/ivid/weights/small/first/diffusion_pytorch_model.safetensors",
        "baselines/ivid/weights/small/following/diffusion_pytorch_model.safetensors",
        "metrics/weights/tabletop.safetensors",
    }


def test_weights_are_small() -> None:
    sizes = [path.stat().st_size for path in FILES]
    assert max(sizes) < 10 * MIB
    assert sum(sizes) < 40 * MIB


def test_records_name_the_weights_by_hash() -> None:
    folder = ROOT / "baselines/ivid/weights/small"
    record = json.loads((folder / "training.json").read_text())
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in record["files"]}
    assert found == record["files"]
    assert len(found) == 2
    network = json.loads((ROOT / "metrics/weights/tabletop.json").read_text())
    assert network["sha256"] == load_tabletop_network().sha256


def views(yaws_deg: list[float]) -> Cameras:
    yaw = torch.deg2rad(torch.tensor(yaws_deg, dtype=torch.float64))
    return Cameras.orbit(yaw, torch.full_like(yaw, 0.2618), radius=RADIUS, fov=FOV)


def accuracy(scenes: int, yaws_deg: list[float], first_index: int) -> float:
    """Share of ivid-small's views that the feature network names as the class asked for."""
    generator, network = viewsweep.load_method("ivid-small"), load_tabletop_network()
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


@pytest.mark.slow
def test_bars_of_the_shipped_diffusion_model() -> None:
    assert accuracy(100, [0.0], first_index=6000) >= 0.8
    assert accuracy(40, [0.0, 12.0, -12.0, 24.0, -24.0, 35.0, -35.0], first_index=7000) >= 0.6
