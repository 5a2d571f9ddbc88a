"""A world without symmetry: red on +x, green on +y, blue on +z, ray-cast exactly, and ways to look at it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, Scene

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CENTRES = {"red": (0.45, 0.0, 0.0), "green": (0.0, 0.45, 0.0), "blue": (0.0, 0.0, 0.45)}
RADIUS = 0.2
GREY = 128

Render = Callable[..., Scene]
Find = Callable[..., tuple[float, float] | None]


def cast(cameras: Cameras, height: int, width: int | None = None) -> Scene:
    """The three balls seen by `cameras`, flat colours on grey, with exact z-depth."""
    width = width or height
    origins, directions = cameras.rays(height, width)
    shape = directions.shape[:3]
    depth = torch.full(shape, torch.inf, dtype=torch.float64)
    rgb = torch.full((*shape, 3), GREY, dtype=torch.uint8)
    for name, centre in CENTRES.items():
        offset = origins - torch.tensor(centre, dtype=torch.float64)
        a = directions.square().sum(-1)
        b = (directions * offset[:, None, None]).sum(-1)
        c = offset.square().sum(-1)[:, None, None] - RADIUS**2
        root = b * b - a * c
        near = (-b - root.clamp(min=0).sqrt()) / a
        hit = (root > 0) & (near > 0) & (near < depth)
        depth = torch.where(hit, near, depth)
        rgb[hit] = torch.tensor(COLOURS[name], dtype=torch.uint8)
    depth[torch.isinf(depth)] = torch.nan
    return Scene(rgb=rgb, cameras=cameras, depth=depth.float())


def centre_of(image: Tensor, name: str) -> tuple[float, float] | None:
    """Where a ball is in an image [H, W, 3]: mean (u, v) of its pixels in [0, 1], or None."""
    colour = np.array(COLOURS[name])
    other = np.array([c for c in (0, 1, 2) if not colour[c]])
    own = int(colour.argmax())
    pixels = image.numpy().astype(int)
    rows, columns = np.nonzero((pixels[..., own] > 160) & (pixels[..., other] < 100).all(-1))
    if not len(rows):
        return None
    return (columns.mean() + 0.5) / image.shape[1], (rows.mean() + 0.5) / image.shape[0]


@pytest.fixture
def render() -> Render:
    return cast


@pytest.fixture
def find() -> Find:
    return centre_of
