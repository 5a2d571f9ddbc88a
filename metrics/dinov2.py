"""DINOv2 features: what FD-DINOv2 is measured with, in place of Inception.

The class token of a DINOv2 vision transformer (Oquab et al., 2023; ViT-L/14 by default), proposed
for Fréchet distances by Stein et al., "Exposing flaws of generative model evaluation metrics",
NeurIPS 2023, because distances in it rank generators more like people do. Pictures are resized to
224 x 224 by the clean bicubic filter in float, and normalised with the ImageNet mean and deviation.

Numbers of other extractors of the same network are not interchangeable with these: one resizes
without antialiasing, another rounds to 8 bits after resizing. There are no class probabilities:
`log_probabilities` has no columns, and the Inception Score cannot be computed.

Needs `transformers` (the extra `depth`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ..scenes.errors import UserError
from .features import Features
from .resize import clean_resize
from .weight_files import file_sha256

__all__ = ["Dinov2Network"]

SIZE = (224, 224)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LETTER = {384: "s", 768: "b", 1024: "l", 1536: "g"}  # by width of the network


class Dinov2Network:
    """DINOv2 behind the `FeatureNetwork` interface.

    Args:
        folder: with `config.json` and `model.safetensors`, as `transformers` saves a Dinov2Model.
        name: goes into metric ids; None takes that of the architecture, e.g. `dinov2-vitl14`. Give
            weights of your own a name of their own.
        device: where it computes.

    Raises:
        UserError: `transformers` is not installed, or the folder holds no such network.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self, folder: str | os.PathLike[str], name: str | None = None, *, device: str | torch.device = "cpu"
    ) -> None:
        path = Path(folder)
        missing = [part for part in ("config.json", "model.safetensors") if not (path / part).is_file()]
        if missing:
            raise UserError(
                f"{path}: {' and '.join(missing)} missing; DINOv2 is read from a folder of a transformers Dinov2Model.",
                hint="Save one there with `save_pretrained`, or name another folder.",
            )
        self.device = torch.device(device)
        self._model = _load(path).to(self.device).eval().requires_grad_(False)
        self.name = name or architecture(self._model.config)
        self.sha256 = file_sha256(path / "model.safetensors")
        self._mean = torch.tensor(MEAN, device=self.device)[:, None, None] * 255
        self._deviation = torch.tensor(DEVIATION, device=self.device)[:, None, None] * 255

    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 sRGB pictures [N, H, W, 3] of any size."""
        return self.compute(self.prepare(images))

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures at the size of the network, float32 in [0, 255], [N, 3, 224, 224]."""
        return clean_resize(images.to(self.device), SIZE)

    @torch.no_grad()
    def compute(self, prepared: Tensor) -> Features:
        """Features of what `prepare` returned."""
        pixels = ((prepared - self._mean) / self._deviation).contiguous()
        token: Tensor = self._model(pixel_values=pixels).last_hidden_state[:, 0]
        return Features(token, token.new_zeros(len(token), 0))


def architecture(config: Any) -> str:
    """`dinov2-vitl14` for the network of width 1024 and patches of 14 pixels."""
    width, patch = config.hidden_size, config.patch_size
    return f"dinov2-vit{LETTER[width]}{patch}" if width in LETTER else f"dinov2-{width}x{config.num_hidden_layers}"


def _load(path: Path) -> Any:
    try:
        from transformers import Dinov2Model
    except ImportError as error:
        raise UserError(
            "DINOv2 needs the package transformers.", hint='Install it with `pip install "viewsweep[depth]"`.'
        ) from error
    loader: Any = Dinov2Model  # its annotations do not know what output_loading_info adds
    try:
        model, report = loader.from_pretrained(
            path, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as a Dinov2Model ({str(error).splitlines()[0]}).") from error
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise UserError(f"{path}: weights are missing, {first} first; these are not those of a whole Dinov2Model.")
    return model
