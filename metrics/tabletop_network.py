"""The `tabletop` feature network: what Inception is to photographs, for the embedded world.

A small residual network names the class of a tabletop picture and, from the same 64-dimensional
embedding, also tells azimuth, pitch and a coarse thumbnail. The extra tasks keep pose and
appearance in the embedding, which a pure classifier would throw away; distances between sets of
embeddings (FID, KID) then see both. Trained by `train_network` on the training split; shipped as
safetensors in half precision and computed in float32.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources

import torch
from safetensors.torch import load
from torch import Tensor, nn

from ..scenes.errors import UserError
from ..scenes.tabletop import CLASSES
from .features import Features

__all__ = ["EMBEDDING", "TabletopNetwork", "TabletopNetworkModule", "load_tabletop_network"]

EMBEDDING = 64
INPUT = 64
THUMBNAIL = 4


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `stride` halves the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class TabletopNetworkModule(nn.Module):
    """The trainable network: images in [-1, 1], [N, 3, 64, 64], to embedding and task outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, 2, 2)
        self.blocks = nn.Sequential(
            Residual(32, 32, 1),
            Residual(32, 64, 2),
            Residual(64, 96, 2),
            Residual(96, 128, 2),
        )
        self.embed = nn.Linear(128 * 4, EMBEDDING)
        self.classify = nn.Linear(EMBEDDING, len(CLASSES))
        self.pose = nn.Linear(EMBEDDING, 3)
        self.thumbnail = nn.Linear(EMBEDDING, 3 * THUMBNAIL * THUMBNAIL)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding [N, 64] and class logits [N, 10]."""
        x = self.blocks(torch.relu(self.stem(images)))
        # a 2x2 pool keeps the coarse layout of the picture
        embedding = self.embed(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))
        return embedding, self.classify(torch.relu(embedding))


class TabletopNetwork:
    """The trained network behind the `FeatureNetwork` interface.

    Args:
        module: the network, set to evaluation.
        sha256: hash of the weight file; protocols pin it.
        device: where it computes.
    """

    name = "tabletop"
    classes = CLASSES
    dimensions = EMBEDDING

    def __init__(self, module: TabletopNetworkModule, sha256: str, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.module = module.to(self.device).eval().requires_grad_(False)
        self.sha256 = sha256

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 images [N, H, W, 3]; sizes other than 64 are resized with antialiasing."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
            raise UserError(
                f"The tabletop network takes uint8 images [N, H, W, 3], not {images.dtype} {list(images.shape)}."
            )
        x = images.to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        if x.shape[-2:] != (INPUT, INPUT):
            x = nn.functional.interpolate(x, (INPUT, INPUT), mode="bilinear", antialias=True)
        embedding, logits = self.module(x)
        return Features(embedding, torch.log_softmax(logits, dim=-1))


def network_from_bytes(content: bytes, device: str | torch.device = "cpu") -> TabletopNetwork:
    """The network stored in a safetensors file of half-precision weights."""
    module = TabletopNetworkModule()
    module.load_state_dict({name: value.float() for name, value in load(content).items()}, strict=True)
    return TabletopNetwork(module, hashlib.sha256(content).hexdigest(), device)


@lru_cache(maxsize=4)
def load_tabletop_network(device: str = "cpu") -> TabletopNetwork:
    """The shipped network.

    Args:
        device: where it computes.

    Raises:
        UserError: the weight file is missing from the installation.
    """
    path = resources.files("viewsweep.metrics") / "weights" / "tabletop.safetensors"
    if not path.is_file():
        raise UserError(
            f"{path}: the weights of the tabletop network are missing.",
            hint="Install viewsweep again, or train them with `viewsweep train tabletop-network`.",
        )
    return network_from_bytes(path.read_bytes(), device)
