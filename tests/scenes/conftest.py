"""A world without symmetry: red on +x, green on +y, blue on +z, ray-cast exactly, and ways to look at it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, Scene
from viewsweep.scenes.lens import Lens

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CENTRES = {"red": (0.45, 0.0, 0.0), "green": (0.0, 0.45, 0.0), "blue": (0.0, 0.0, 0.45)}
RADIUS = 0.2
GREY = 128

Render = Callable[..., Scene]
Find = Callable[..., tuple[float, float] | None]
Photograph = Callable[..., tuple[np.ndarray, np.ndarray]]


def cast(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The three balls along rays [V, 3], [V, H, W, 3] with z = 1 in the camera: flat rgb on grey, exact z-depth."""
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
    return rgb, depth.float()


def scene_of(cameras: Cameras, height: int, width: int | None = None, *, fine: int = 1) -> Scene:
    """The balls seen by pinhole cameras; rgb is the mean of `fine` x `fine` rays a pixel."""
    width = width or height
    depth = cast(*cameras.rays(height, width))[1]
    rgb = cast(*cameras.rays(height * fine, width * fine))[0]
    return Scene(rgb=binned(rgb, fine), cameras=cameras, depth=depth)


def photograph_through(lens: Lens, cam_to_world: Tensor, *, fine: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The balls seen through a distorting lens: rgb [H, W, 3] and z-depth [H, W]; OpenCV inverts the distortion."""

    def look(fine: int) -> tuple[Tensor, Tensor]:
        size = lens.height * fine, lens.width * fine
        pixels = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / fine for n in reversed(size))), -1).reshape(-1, 1, 2)
        matrix = np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])
        steps = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 50, 1e-10)
        if lens.kind == "fisheye":
            points = cv2.fisheye.undistortPoints(pixels, matrix, np.array(lens.coefficients), criteria=steps)
        else:
            coefficients = np.array([*lens.coefficients, 0.0, 0, 0, 0, 0])[:5]
            points = cv2.undistortPointsIter(pixels, matrix, coefficients, None, None, steps)
        local = torch.from_numpy(np.concatenate([points[:, 0], np.ones((len(points), 1))], 1))
        return cast(cam_to_world[None, :3, 3], (local @ cam_to_world[:3, :3].T).reshape(1, *size, 3))

    return binned(look(fine)[0], fine)[0].numpy(), look(1)[1][0].numpy()


def binned(rgb: Tensor, fine: int) -> Tensor:
    """Means of `fine` x `fine` pixels of [V, H, W, 3]."""
    views, height, width, _ = rgb.shape
    blocks = rgb.reshape(views, height // fine, fine, width // fine, fine, 3).double().mean((2, 4))
    return blocks.round().to(torch.uint8)


def centre_of(image: Tensor, name: str) -> tuple[float, float] | None:
    """Where a ball is in an image [H, W, 3]: its centre of mass (u, v) in [0, 1], or None if it is not there."""
    own = max(range(3), key=lambda channel: COLOURS[name][channel])
    pixels = image.numpy().astype(float)
    others = np.delete(pixels, own, -1).max(-1)
    weight = np.clip((pixels[..., own] - others) / 255, 0, 1)  # how much of the pixel it covers
    weight[weight < 0.05] = 0  # ringing of cubic interpolation
    if weight.sum() < 1:
        return None
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    mass = weight.sum()
    return (weight * columns).sum() / mass / image.shape[1], (weight * rows).sum() / mass / image.shape[0]


@pytest.fixture
def render() -> Render:
    return scene_of


@pytest.fixture
def find() -> Find:
    return centre_of


@pytest.fixture
def photograph() -> Photograph:
    return photograph_through
