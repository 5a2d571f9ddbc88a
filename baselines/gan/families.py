"""The three GANs: which networks each is made of, under which name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import eg3d_configs, epigraf_configs, pigan_configs
from .base import GanDiscriminator, GanGenerator
from .eg3d import EG3DGenerator
from .eg3d_discriminator import EG3DDiscriminator
from .epigraf import EpiGRAFGenerator
from .marching import Marching
from .patch_discriminator import PatchDiscriminator
from .pigan import PiGANGenerator
from .pigan_discriminator import PiGANDiscriminator

__all__ = ["FAMILIES", "Family", "marching_of"]

Settings = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Family:
    """One GAN.

    Args:
        name: as in `viewsweep train NAME` and in stored generators.
        title: as its authors write it.
        paper: where it was published.
        idea: what it does, one sentence.
        generator, discriminator: the networks.
        generators, discriminators: their constructor arguments by configuration.
        any_size: whether it draws pictures of sizes it was not trained at.
        skips: whether its field costs so much that it pays to find out first where a scene is empty.
    """

    name: str
    title: str
    paper: str
    idea: str
    generator: type[GanGenerator]
    discriminator: type[GanDiscriminator]
    generators: Settings
    discriminators: Settings
    any_size: bool
    skips: bool

    def networks(self, config: str, classes: int) -> tuple[GanGenerator, GanDiscriminator]:
        """New networks of a configuration for so many classes (0 = unconditional).

        A discriminator's configuration of the same name is taken, else that of the first part of the name:
        "paper" serves "paper-cats".
        """
        judge = config if config in self.discriminators else config.split("-")[0]
        generator = self.generator(**{**self.generators[config], "classes": classes})
        return generator, self.discriminator(**{**self.discriminators[judge], "classes": classes})


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "pigan",
            "pi-GAN",
            "arXiv 2012.00926",
            "a field of sines whose frequencies and phases a latent sets, drawn by volume rendering alone",
            PiGANGenerator,
            PiGANDiscriminator,
            pigan_configs.GENERATORS,
            pigan_configs.DISCRIMINATORS,
            any_size=True,
            skips=True,
        ),
        Family(
            "eg3d",
            "EG3D",
            "arXiv 2112.07945",
            "three planes of features, drawn small by volume rendering and enlarged by a 2D network",
            EG3DGenerator,
            EG3DDiscriminator,
            eg3d_configs.GENERATORS,
            eg3d_configs.DISCRIMINATORS,
            any_size=False,
            skips=False,
        ),
        Family(
            "epigraf",
            "EpiGRAF",
            "arXiv 2206.10535",
            "three planes of features, drawn by volume rendering alone and learned from patches",
            EpiGRAFGenerator,
            PatchDiscriminator,
            epigraf_configs.GENERATORS,
            epigraf_configs.DISCRIMINATORS,
            any_size=True,
            skips=False,
        ),
    )
}


def marching_of(generator: GanGenerator) -> Marching:
    """Where a generator of any family looks along its rays."""
    found = generator.marching
    assert isinstance(found, Marching)
    return found
