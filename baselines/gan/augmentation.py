"""What is done to every picture, real or drawn, before the discriminator sees it.

A discriminator that sees few pictures learns them by heart; one that sees each of them changed in ways it
cannot tell from the originals' variety cannot. The changes are differentiable and the same in kind for real
and drawn pictures, so that the generator does not learn to draw them (Zhao et al. 2020, "Differentiable
augmentation", sec. 3.2 and fig. 5: colour, translation, cutout).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["STRENGTHS", "augment", "blur"]

STRENGTHS = {
    "brightness": "largest value added to all colours; pictures are in [-1, 1]",
    "saturation": "colours are multiplied, relative to grey, by 1 plus or minus up to this",
    "contrast": "values are multiplied, relative to their mean, by 1 plus or minus up to this",
    "translation": "largest shift as a share of the side; what comes in is 0",
    "cutout": "side of a square set to 0, as a share of the side",
}
"""What `augment` can do, each with its strength; what is not named is not done."""


def augment(pictures: Tensor, strengths: Mapping[str, float], random: torch.Generator) -> Tensor:
    """Pictures [N, C, H, W] changed, each in its own way.

    With several pictures side by side in the channels (dual discrimination, C = 6) all are changed alike.

    Args:
        strengths: see `STRENGTHS`.
        random: on the CPU.
    """
    count = len(pictures)

    def uniform(*shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=random) * 2 - 1).to(pictures)

    x: Tensor = pictures.unflatten(1, (-1, 3))
    if "brightness" in strengths:
        x = x + strengths["brightness"] * uniform(1, 1, 1, 1)
    if "saturation" in strengths:
        grey = x.mean(2, keepdim=True)
        x = grey + (x - grey) * (1 + strengths["saturation"] * uniform(1, 1, 1, 1))
    if "contrast" in strengths:
        mean = x.mean((2, 3, 4), keepdim=True)
        x = mean + (x - mean) * (1 + strengths["contrast"] * uniform(1, 1, 1, 1))
    x = x.flatten(1, 2)
    if "translation" in strengths:
        x = _moved(x, strengths["translation"], uniform(2))
    if "cutout" in strengths:
        x = x * _kept(x, strengths["cutout"], uniform(2))
    return x


def _moved(x: Tensor, strength: float, share: Tensor) -> Tensor:
    """`x` moved by whole pixels, up to `strength` times the side."""
    size = torch.tensor(x.shape[-2:], device=x.device)
    offset = (share * strength * size).round().long()
    rows = torch.arange(x.shape[2], device=x.device) - offset[:, :1]
    columns = torch.arange(x.shape[3], device=x.device) - offset[:, 1:]
    inside = ((rows >= 0) & (rows < size[0]))[:, :, None] & ((columns >= 0) & (columns < size[1]))[:, None]
    picked = x.gather(2, rows.clamp(0, int(size[0]) - 1)[:, None, :, None].expand_as(x))
    picked = picked.gather(3, columns.clamp(0, int(size[1]) - 1)[:, None, None].expand_as(x))
    moved: Tensor = picked * inside[:, None]
    return moved


def _kept(x: Tensor, side: float, share: Tensor) -> Tensor:
    """0 in a square about a random place, 1 elsewhere, [N, 1, H, W]."""
    masks = []
    for axis in (0, 1):
        length = x.shape[2 + axis]
        centre = (share[:, axis] + 1) / 2 * length
        places = torch.arange(length, device=x.device) + 0.5
        masks.append((places - centre[:, None]).abs() < side * length / 2)
    return (~(masks[0][:, :, None] & masks[1][:, None])).to(x.dtype)[:, None]


def blur(pictures: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of [N, C, H, W] with `sigma` pixels; hardly any is none."""
    radius = int(3 * sigma)
    if radius < 1:
        return pictures
    places = torch.arange(-radius, radius + 1, device=pictures.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(pictures.dtype)
    channels = pictures.shape[1]
    for shape, padding in (((1, 1, -1, 1), (0, 0, radius, radius)), ((1, 1, 1, -1), (radius, radius, 0, 0))):
        weight = kernel.reshape(shape).expand(channels, 1, *kernel.reshape(shape).shape[2:])
        padded = nn.functional.pad(pictures, padding, mode="replicate")
        pictures = nn.functional.conv2d(padded, weight, groups=channels)
    return pictures
