"""An EpiGRAF that begins where an EG3D ended: with its tri-planes, rendered at full size without the 2D network.

EG3D's dual discrimination makes the first three of its volume-rendered features a picture, so its tri-planes are a
strictly 3D generator already, sharp to its neural resolution. Patches then teach the detail beyond. No paper does this:
it spares a small training the long way from noise to shapes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...scenes.errors import UserError
from .base import GanGenerator
from .eg3d import EG3DGenerator
from .epigraf import EpiGRAFGenerator
from .store import load_generator

__all__ = ["begin_with", "warm_start"]

SHARED = ("mapping.", "backbone.", "decoder.hidden.", "sky.style.", "sky.direction.")
"""Parameters that are taken over as they are, by the beginnings of their names."""

PICTURE = 3
HALF = 0.5
"""EG3D's colours are 2 sigmoid(x) - 1 (but for its widening by 0.002), EpiGRAF's tanh(x), which is that of 2 x."""


def warm_start(generator: GanGenerator, method: str) -> None:
    """Give `generator`, an EpiGRAF, the tri-planes of a shipped EG3D in place.

    Args:
        generator: whose settings fit, see `begin_with`.
        method: name of the EG3D's folder in ``weights/``.

    Raises:
        UserError: there is no such EG3D, or the two do not fit together.
    """
    stored = load_generator(Path(__file__).parent / "weights" / method, "eg3d")
    if not isinstance(stored.generator, EG3DGenerator) or not isinstance(generator, EpiGRAFGenerator):
        raise UserError(f"Only an EpiGRAF can begin with the tri-planes of {method}.")
    begin_with(generator, stored.generator)


def begin_with(generator: EpiGRAFGenerator, trained: EG3DGenerator) -> None:
    """Take over what draws `trained`'s raw picture: latents, planes, densities, the first three features, the sky.

    Densities are the same at every point where `generator.box` is `trained.box` less a texel (EG3D's cube ends half a
    texel outside the outermost samples, EpiGRAF's on them).

    Raises:
        UserError: the networks differ in a shape, or in how they read what is the same.
    """
    alike = ("takes_pose", "classes", "latent_size", "background")
    wrong = [name for name in alike if getattr(generator, name) != getattr(trained, name)]
    if generator.settings["activation"] != "softplus":
        wrong.append("activation")
    if not generator.squash:
        wrong.append("squash")
    theirs = trained.state_dict()
    taken: dict[str, Tensor] = {}
    for name, own in generator.state_dict().items():
        if name.startswith(SHARED) and name in theirs:
            found = theirs[name]
        elif name.startswith("decoder.output."):
            found = torch.cat([theirs[name][:1], HALF * theirs[name][1 : 1 + PICTURE]])
        elif name.startswith("sky.output."):
            found = HALF * theirs[name][:PICTURE]
        else:
            wrong.append(name)
            continue
        if found.shape != own.shape:
            wrong.append(name)
        taken[name] = found
    if wrong:
        raise UserError(f"An EpiGRAF cannot begin with this EG3D: they differ in {', '.join(wrong)}.")
    generator.load_state_dict(taken)
