"""A tiny protocol, a feature network without weights, and generators that misbehave on request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor
from viewsweep.benchmark.protocol import Protocol
from viewsweep.benchmark.registry import Method
from viewsweep.metrics import Features
from viewsweep.scenes import GeneratorInfo, Request, Scene
from viewsweep.scenes.generator import scene_generator
from viewsweep.scenes.tabletop import CLASSES


class RandomNetwork:
    """A feature network with fixed random weights: all a set metric needs in order to be computed."""

    name = "tabletop"
    classes = CLASSES
    sha256 = hashlib.sha256(b"random network").hexdigest()

    def __init__(self) -> None:
        generator = scene_generator(0, "random network")
        self.embed = torch.randn(12, 4, generator=generator)
        self.classify = torch.randn(4, len(CLASSES), generator=generator)

    def __call__(self, images: Tensor) -> Features:
        small = torch.nn.functional.adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float() / 255, 2)
        embedding = small.flatten(1) @ self.embed
        return Features(embedding, torch.log_softmax(embedding @ self.classify, 1))


class Painter:
    """A generator that paints what the seed says; `change` may alter a scene or raise."""

    def __init__(
        self, name: str = "painter", version: str = "1", change: Callable[[Scene], object] = lambda scene: scene
    ) -> None:
        self.name, self.version, self.change = name, version, change
        self.batches: list[list[int]] = []

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(self.name, "Paints noise from the seed.", version=self.version, classes=tuple(CLASSES))

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        self.batches.append([request.index for request in requests])
        for request in requests:
            shape = (len(request.cameras), request.size, request.size)
            generator = scene_generator(request.seed, "painter")
            scene = Scene(
                torch.randint(0, 256, (*shape, 3), generator=generator, dtype=torch.uint8),
                request.cameras,
                1.6 + 0.1 * torch.rand(shape, generator=generator),
                label=request.label,
                seed=request.seed,
            )
            yield self.change(scene)  # type: ignore[misc]  # misbehaving is what it is for

    def as_method(self) -> Method:
        return Method(self.name, "a test", lambda device, batch_size: self, lambda: None)


@pytest.fixture
def painter() -> type[Painter]:
    return Painter


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> RandomNetwork:
    """Put a network without weights in the place of the shipped one."""
    network = RandomNetwork()
    monkeypatch.setattr("viewsweep.metrics.tabletop_network.load_tabletop_network", lambda: network)
    return network


CONTENT = {
    "schema": "viewsweep.protocol/1",
    "name": "tiny",
    "version": 1,
    "dataset": "tabletop",
    "size": 16,
    "scenes": 3,
    "sweep": {"kind": "sweep360", "views": 4, "pitch_deg": 15},
    "labels": "cyclic",
    "metrics": {"warp_error": 1, "geometric_share": 1},
}


@pytest.fixture
def tiny() -> Protocol:
    """Three scenes of four views at 16 pixels, without set metrics."""
    return Protocol.model_validate(CONTENT)


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(CONTENT, sort_keys=False))
    return path


@pytest.fixture
def with_sets(tiny: Protocol, network: RandomNetwork) -> Protocol:
    """The tiny protocol with set metrics on the random network."""
    metrics = {"fid": 1, "kid": 1, "is": 1, "class_accuracy": 1, "warp_error": 1}
    features = {"network": "tabletop", "sha256": network.sha256}
    return Protocol.model_validate(
        {**tiny.content, "metrics": metrics, "features": features, "reference": {"images": 20}}
    )


@pytest.fixture
def relabel() -> Callable[..., Callable[[Scene], Scene]]:
    """`relabel(seed=7)` is a change for `Painter` that overwrites fields of every scene."""
    return lambda **fields: lambda scene: replace(scene, **fields)
