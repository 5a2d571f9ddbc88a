"""`ivid-fusion`: a few key views drawn by ivid, every requested view rendered from their meshes.

The key views depend on the *set* of requested cameras alone, so their order and number of repeats do
not matter: the authors' 27-view grid where all requested cameras lie within it, else a ring of views
all around at each of a few heights that cover the requested ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from ...scenes.cameras import Cameras
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ...scenes.sweeps import grid_3x9
from .fusion import SUPERSAMPLING, Fusion, settings_for
from .method import FAST, IvidGenerator, small_folder
from .paper import load_paper
from .warp_settings import PAPER

__all__ = ["FusionGenerator", "key_cameras", "load_fusion_paper", "load_fusion_small"]

GRID_YAW, GRID_PITCH, MARGIN = 0.6, 0.15, 0.05
RING = 12
VERSION = "1"
KEYS: dict[str, Any] = {**FAST, "order": "asked", "rgb_pull": 0.8}
"""What key views are sampled with; they are asked for in an order that goes round to both sides already."""

NEAREST = 0.1  # the authors' near plane when they render, at a camera radius of 1
BETWEEN_RINGS = 0.4
"""Largest difference in pitch between two rings, radians."""


class FusionGenerator:
    """Free views fused from key views of an ivid generator.

    Args:
        keys: draws the key views.
        name: the method's name in tables.
        ring: key views on a full circle.
        supersampling: samples a rendered pixel along each axis, odd.
        consensus: whether surfaces that other key views see through are left out.
    """

    def __init__(
        self,
        keys: IvidGenerator,
        *,
        name: str = "ivid-fusion",
        ring: int = RING,
        supersampling: int = SUPERSAMPLING,
        consensus: bool = True,
    ) -> None:
        self.keys, self.name, self.ring = keys, name, ring
        self.supersampling, self.consensus = supersampling, consensus

    def info(self) -> GeneratorInfo:
        """As the generator of the key views, and how they are fused."""
        info = self.keys.info()
        return replace(
            info,
            name=self.name,
            description=f"Views fused from depth meshes of key views: 27 near the front, else rings of {self.ring}.",
            version=f"{info.version}.{VERSION}",
            details={
                **info.details,
                "keys": info.name,
                "ring": self.ring,
                "supersampling": self.supersampling,
                "consensus": self.consensus,
            },
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request, of any size; its views may come in any order.

        Raises:
            UserError: what `IvidGenerator.generate` refuses.
        """
        config, size = self.keys.pipeline.config, self.keys.pipeline.size
        asked = [
            replace(request, cameras=key_cameras(request.cameras, ring=self.ring, fov=config.fov), size=size)
            for request in requests
        ]
        for request, drawn in zip(requests, self.keys.generate(asked), strict=True):
            shown = self.fuse(drawn).render(request.cameras, request.size)
            yield Scene(
                shown.rgb.cpu(),
                request.cameras,
                shown.depth.cpu(),
                torch.isfinite(shown.depth).cpu().to(torch.uint8) * 255,
                label=request.label,
                seed=request.seed,
                context=request.context,
            )

    def fuse(self, keys: Scene) -> Fusion:
        """Key views, ready to be rendered from any camera."""
        assert keys.depth is not None
        assert keys.cameras is not None
        pipeline = self.keys.pipeline
        rgb = keys.rgb.to(pipeline.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        depth = keys.depth.to(pipeline.device)
        paper = pipeline.config.warp == "paper"
        unit = float(keys.cameras.positions.norm(dim=1).median()) / pipeline.config.radius
        settings = PAPER.scaled(unit) if paper else settings_for(depth)
        settings = replace(settings, nearest=NEAREST * unit) if paper else settings
        return Fusion(rgb, depth, keys.cameras, settings, supersampling=self.supersampling, consensus=self.consensus)


def key_cameras(cameras: Cameras, *, ring: int = RING, fov: float) -> Cameras:
    """The cameras of the views that `cameras` are rendered from, in the order they are drawn.

    They look at the origin from the median distance of `cameras`; the first is frontal, further ones
    go round to both sides in turn, so that what was drawn is always near.
    """
    distance = float(cameras.positions.norm(dim=1).median())
    yaw, pitch = cameras.yaw, cameras.pitch
    if bool((yaw.abs() <= GRID_YAW + MARGIN).all()) and bool((pitch.abs() <= GRID_PITCH + MARGIN).all()):
        return grid_3x9(radius=distance, fov=fov)
    low, high = float(pitch.min()), float(pitch.max())
    rings = 1 + math.ceil((high - low) / BETWEEN_RINGS - 1e-6) if high - low > 1e-6 else 1
    heights = torch.linspace(low, high, rings).tolist() if rings > 1 else [0.5 * (low + high)]
    around = [math.ceil(k / 2) * (1 if k % 2 else -1) * 2 * math.pi / ring for k in range(ring)]
    return Cameras.orbit([angle for angle in around for _ in heights], heights * ring, radius=distance, fov=fov)


def load_fusion_small(device: str = "cpu") -> FusionGenerator:
    """`ivid-small` behind fusion, its key views pulled together more strongly: they are to be one surface."""
    keys = IvidGenerator(small_folder(), name="ivid-small", device=device, **KEYS)
    return FusionGenerator(keys, name="ivid-fusion-small", supersampling=3)


def load_fusion_paper(device: str = "cpu") -> FusionGenerator:
    """The authors' networks behind fusion with the authors' rules.

    Raises:
        UserError: their weights have not been converted on this machine.
    """
    return FusionGenerator(load_paper(device), name="ivid-fusion-paper", consensus=False)
