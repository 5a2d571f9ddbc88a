"""`Corruption`: one fault with its levels; and the random numbers that all of them draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..generator import scene_generator
from ..scene import Scene
from ..tabletop import TabletopObject

__all__ = ["Corruption", "Effect", "deviates", "painted", "pixels", "smooth_field"]

Effect = Callable[[TabletopObject, Scene, float, torch.Generator], Scene]
"""The object, its clean scene, the level and the only source of randomness, to the corrupted scene."""

REFERENCE_HEIGHT = 256
"""Lengths in pixels are stated for pictures of this height and shrink with them."""


@dataclass(frozen=True)
class Corruption:
    """A fault of generators, from barely noticeable to gross.

    Args:
        name: its key in `CORRUPTIONS`.
        title: for tables.
        family: photometric, geometry, camera, identity, quality, structure or control.
        unit: of the level.
        levels: five or more, rising; the first is at or below what a person notices.
        control: whether views stay consistent with one another, so that consistency metrics must
            not react.
        description: one sentence.
        effect: how it is done.
    """

    name: str
    title: str
    family: str
    unit: str
    levels: tuple[float, ...]
    control: bool
    description: str
    effect: Effect = field(repr=False, compare=False)

    def apply(self, thing: TabletopObject, clean: Scene, level: float, seed: int = 0) -> Scene:
        """What a generator with this fault returns for the cameras of `clean`.

        Args:
            thing: the object that is seen.
            clean: ``thing.render(cameras, size)``.
            level: how bad, above 0, in `unit`; not only those of `levels`.
            seed: another one gives another instance of the fault; so does another object.

        Returns:
            a scene with the size, label and seed of `clean` (a control may change the size or the
            order of the views). Its depth, alpha and normals are those of what its pictures show,
            unless the fault lies between the two.

        Raises:
            ValueError: a level that is not positive, or a scene without cameras, depth or alpha.
        """
        if not level > 0:
            raise ValueError(f"{self.name}: the level is {level:g}; it must be positive.")
        if clean.cameras is None or clean.depth is None or clean.alpha is None:
            raise ValueError(f"{self.name}: the clean scene must come from the object, with cameras, depth and alpha.")
        # the same numbers at every level, so that levels differ in strength alone
        generator = scene_generator(thing.seed, f"corruption.{self.name}.{seed}")
        return self.effect(thing, clean, level, generator)


def deviates(views: int, generator: torch.Generator) -> Tensor:
    """One number a view, [V], float64: mean 0 and standard deviation 1 exactly, but for a single view."""
    drawn = torch.randn(views, generator=generator, dtype=torch.float64)
    if views < 2:
        return drawn
    return (drawn - drawn.mean()) / drawn.std(correction=0)


def smooth_field(scene: Scene, channels: int, generator: torch.Generator) -> Tensor:
    """Another smooth random field in each view, [V, channels, H, W], float64, root mean square 1 in each.

    Bicubic through 5 x 5 normal numbers: hills about a quarter of the picture wide.
    """
    coarse = torch.randn(scene.views, channels, 5, 5, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, scene.size, mode="bicubic", align_corners=False)
    return smooth / smooth.square().mean((2, 3), keepdim=True).sqrt()


def pixels(scene: Scene, length: float) -> float:
    """A length in pixels at 256 as pixels of this scene."""
    return length * scene.size[0] / REFERENCE_HEIGHT


def painted(scene: Scene, colour: Tensor) -> Scene:
    """`scene` with other pictures: float, 0 to 255, [V, H, W, 3]."""
    return replace(scene, rgb=colour.round().clamp(0, 255).to(torch.uint8))
