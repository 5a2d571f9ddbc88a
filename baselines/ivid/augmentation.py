"""What is done to a warped picture before G_c sees it, drawn afresh each time it is used.

Warps at sampling time are worse than those of the training pairs: colours are blurred by having been
resampled again and again, and edges carry the colours of what lies behind them. So most training
conditions get the *blurred original* for their colours, and rings are taken off the colour mask. Both
follow ivid's public code; the depth mask stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .recipe import Recipe
from .sampling import Condition

__all__ = ["Augmentation"]

BLUR_SHARE = 0.8


@dataclass(frozen=True)
class Augmentation:
    """Blur and erosion, each of which can be switched off.

    Both draw their numbers whether they are on or off, so that trainings which differ in one of them
    see the same pictures otherwise.

    Args:
        blur: whether most warped colours are replaced.
        erosion: whether rings are taken off.
        most_erosion: most rings taken off; 0 to this many are equally likely.
    """

    blur: bool = True
    erosion: bool = True
    most_erosion: int = 3

    @classmethod
    def of(cls, recipe: Recipe) -> Augmentation:
        """What `recipe` asks for."""
        return cls(recipe.blur, recipe.erosion, recipe.most_erosion)

    def __call__(
        self, rgb: Tensor, depth: Tensor, mask: Tensor, clean: Tensor, generator: torch.Generator
    ) -> Condition:
        """The condition made of round trips.

        Args:
            rgb, depth, mask: what came back, [n, 3, S, S], [n, 1, S, S] and 0 or 1, [n, 1, S, S].
            clean: RGBD of the pictures themselves, [n, 4, S, S].
            generator: on the CPU.
        """
        count = len(clean)
        sigma = (torch.rand(count, generator=generator) + 1e-3).to(rgb.device)
        replaced = (torch.rand(count, generator=generator) < BLUR_SHARE).to(rgb.device)[:, None, None, None]
        rings = torch.randint(self.most_erosion + 1, (count,), generator=generator).to(rgb.device)
        colour = torch.where(replaced, blurred(clean[:, :3].to(rgb.device), sigma), rgb) if self.blur else rgb
        rgb_mask = eroded(mask, rings, self.most_erosion) if self.erosion else mask
        return Condition(colour * rgb_mask, depth * mask, rgb_mask, mask)


def eroded(mask: Tensor, rings: Tensor, most: int) -> Tensor:
    """Masks [n, 1, S, S] less `rings` [n] rings of pixels, at most `most`; the picture's border is no edge."""
    smallest = mask
    for ring in range(1, most + 1):
        smaller = -nn.functional.max_pool2d(-smallest, 3, 1, 1)
        smallest = torch.where((rings >= ring)[:, None, None, None], smaller, smallest)
    return smallest


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """3x3 Gaussian blur of [n, c, S, S], its own sigma (pixels) for each picture, [n]."""
    count, channels = pictures.shape[:2]
    distance = torch.tensor([1.0, 0.0, 1.0], device=pictures.device)
    kernel = torch.exp(-distance / (2 * sigma[:, None] ** 2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    square = (kernel[:, :, None] * kernel[:, None, :]).repeat_interleave(channels, 0)[:, None]
    padded = nn.functional.pad(pictures.reshape(1, -1, *pictures.shape[2:]), (1, 1, 1, 1), mode="replicate")
    return nn.functional.conv2d(padded, square, groups=count * channels).reshape(pictures.shape)
