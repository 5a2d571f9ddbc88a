"""ivid with the upsampler behind it, as one method: sweeps at twice the size of its networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch

from ...scenes.errors import UserError
from ...scenes.generator import Generator, GeneratorInfo, Request
from ...scenes.scene import Scene
from .method import load_small
from .upsampler import load_upsampler

__all__ = ["UpsampledGenerator", "load_small_upsampled"]


class UpsampledGenerator:
    """Sweeps of another generator, enlarged.

    Args:
        small: draws rgb and depth at the upsampler's small size.
        folder: what `viewsweep train ivid-upsampler` or `UpsamplerPipeline.save_pretrained` wrote.
        name: the method's name in tables.
        device: torch device.
        steps, noise: see `UpsamplerPipeline.__call__`.

    Raises:
        UserError: the folder holds no upsampler, or one for pictures of another size.
    """

    def __init__(
        self,
        small: Generator,
        folder: str | Path,
        *,
        name: str,
        device: str = "cpu",
        steps: int = 4,
        noise: Literal["shared", "separate"] = "shared",
    ) -> None:
        self.small, self.folder, self.name = small, Path(folder), name
        self.pipeline = load_upsampler(self.folder).to(device)
        self.settings: dict[str, Any] = {"steps": steps, "noise": noise}
        self.small_size = self.pipeline.size // self.pipeline.config.factor
        info = small.info()
        if info.native_size not in (None, self.small_size):
            raise UserError(
                f"{info.name} draws {info.native_size} pixels and the upsampler in {self.folder} takes "
                f"{self.small_size}. Choose two that belong together."
            )

    def info(self) -> GeneratorInfo:
        """Name, weights and settings of both."""
        info = self.small.info()
        digest = hashlib.sha256((info.weights_sha256 or "").encode())
        for path in sorted(self.folder.rglob("*.safetensors")):
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)  # goes on with the same digest
        stored = {name: self.pipeline.config[name] for name in ("anchor_depth", "depth_median")}
        upsampler = {**self.settings, **stored}
        return replace(
            info,
            name=self.name,
            description=f"{info.name}, its views enlarged one by one by a diffusion model.",
            native_size=self.pipeline.size,
            weights_sha256=digest.hexdigest(),
            details={**info.details, **{f"upsampler_{key}": value for key, value in upsampler.items()}},
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request.

        Raises:
            UserError: a request of a size that is not the upsampler's, or what the small generator raises.
        """
        for request in requests:
            if request.size != self.pipeline.size:
                raise UserError(
                    f"{self.name} draws {self.pipeline.size} x {self.pipeline.size} pixels; "
                    f"{request.size} were asked for. Choose a protocol of its size, or the method it enlarges."
                )
        for scene in self.small.generate([replace(request, size=self.small_size) for request in requests]):
            yield self._enlarged(scene)

    def _enlarged(self, scene: Scene) -> Scene:
        if scene.depth is None:
            raise UserError(f"{self.small.info().name} draws no depth, and the upsampler enlarges both.")
        label, seed = scene.label or 0, scene.seed or 0
        drawn = self.pipeline([label], [seed], scene.rgb[None], scene.depth[None], **self.settings)
        depth = drawn.depth[0]
        alpha = torch.isfinite(depth).to(torch.uint8) * 255
        return Scene(drawn.rgb[0], scene.cameras, depth, alpha, label=scene.label, seed=scene.seed)


def load_small_upsampled(device: str = "cpu") -> UpsampledGenerator:
    """The shipped small model at 64 pixels, enlarged to 128 in one step, which is nearest to the truth."""
    folder = resources.files("viewsweep.baselines.ivid") / "weights" / "small-upsampler"
    return UpsampledGenerator(
        load_small(device), Path(str(folder)), name="ivid-upsampled-small", device=device, steps=1
    )
