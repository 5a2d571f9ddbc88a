"""Faults of the pictures alone: depth, outline and cameras stay as they are."""

from __future__ import annotations

import math

import torch
from scipy.special import ive
from torch import Tensor

from ..scene import Scene
from ..tabletop import TabletopObject
from .base import deviates, painted, pixels, smooth_field

__all__ = ["blur_all", "blur_per_view", "exposure", "flicker", "hue", "hue_all", "noise", "warp2d"]


def noise(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Independent normal noise on every colour of every pixel; `level` is a share of full scale."""
    return painted(clean, clean.rgb + 255 * level * torch.randn(clean.rgb.shape, generator=generator))


def hue(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each view's colours turned about the grey axis by an angle of its own, `level` degrees (sd)."""
    return painted(clean, _turn_hue(clean.rgb, level * deviates(clean.views, generator)))


def hue_all(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """All colours turned about the grey axis by `level` degrees."""
    return painted(clean, _turn_hue(clean.rgb, torch.full((clean.views,), level, dtype=torch.float64)))


def flicker(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each view brighter or darker by a factor of its own, off 1 by `level` (sd)."""
    gain = (1 + level * deviates(clean.views, generator)).clamp(min=0)
    return painted(clean, clean.rgb * gain[:, None, None, None])


def exposure(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """The whole sweep darker by the share `level`."""
    return painted(clean, clean.rgb * (1.0 - level))


def warp2d(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each picture slides over its geometry by its own smooth field, `level` pixels at 256 (rms in x and in y)."""
    shift = smooth_field(clean, 2, generator).permute(0, 2, 3, 1) * pixels(clean, level)
    height, width = clean.size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    place = (torch.stack([x, y], -1) + shift) / torch.tensor([width, height])
    picture = clean.rgb.permute(0, 3, 1, 2).double()
    # bicubic, because bilinear interpolation would blur as well
    slid = torch.nn.functional.grid_sample(
        picture, 2 * place - 1, mode="bicubic", padding_mode="border", align_corners=False
    )
    return painted(clean, slid.permute(0, 2, 3, 1))


def blur_all(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Every picture under the same Gaussian of `level` pixels at 256."""
    sigma = torch.full((clean.views,), pixels(clean, level), dtype=torch.float64)
    return painted(clean, _blur(clean.rgb, sigma))


def blur_per_view(thing: TabletopObject, clean: Scene, level: float, generator: torch.Generator) -> Scene:
    """Each picture under its own Gaussian, sigma uniform between 0 and `level` pixels at 256."""
    sigma = pixels(clean, level) * torch.rand(clean.views, generator=generator, dtype=torch.float64)
    return painted(clean, _blur(clean.rgb, sigma))


def _turn_hue(rgb: Tensor, degrees: Tensor) -> Tensor:
    """Colours [V, H, W, 3] rotated about the axis (1, 1, 1) by `degrees` [V]; keeps their mean of channels."""
    angle = torch.deg2rad(degrees)
    axis = torch.full((3,), 1 / math.sqrt(3), dtype=torch.float64)
    cross = torch.linalg.cross(torch.eye(3, dtype=torch.float64), axis.expand(3, 3))  # v @ cross = v x axis
    along = axis[:, None] * axis
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    rotation = cosine * torch.eye(3, dtype=torch.float64) + (1 - cosine) * along - sine * cross
    turned: Tensor = rgb.double().flatten(1, 2) @ rotation
    return turned.reshape(rgb.shape)


def _blur(rgb: Tensor, sigma: Tensor) -> Tensor:
    """Pictures [V, H, W, 3] under Gaussians of `sigma` [V] pixels, their borders repeated.

    The kernel is the Gaussian of whole pixels, exp(-sigma^2) I_n(sigma^2) (Lindeberg, "Scale-space for discrete
    signals", PAMI 1990), whose variance is sigma^2 also where sigma is less than a pixel.
    """
    views, height, width, _ = rgb.shape
    reach = 1 + math.ceil(4 * float(sigma.max()))
    offset = torch.arange(-reach, reach + 1)
    weight = torch.from_numpy(ive(offset.abs().numpy(), sigma[:, None].square().numpy()))
    kernel = (weight / weight.sum(1, keepdim=True)).repeat_interleave(3, 0)  # a row a view and colour
    stack = rgb.permute(0, 3, 1, 2).reshape(1, 3 * views, height, width).double()
    stack = torch.nn.functional.pad(stack, (reach, reach, reach, reach), mode="replicate")
    stack = torch.nn.functional.conv2d(stack, kernel[:, None, None, :], groups=3 * views)
    stack = torch.nn.functional.conv2d(stack, kernel[:, None, :, None], groups=3 * views)
    return stack.reshape(views, 3, height, width).permute(0, 2, 3, 1)
