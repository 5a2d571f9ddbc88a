"""Monocular depth: one interface, real estimators through transformers, and a simulated one.

Estimators give *relative disparity*: larger is nearer, in an unknown unit. Methods trained on it know
geometry up to scale and shift of disparity, so what is measured on them must not depend on either.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ...scenes.errors import UserError
from ...scenes.generator import scene_generator

__all__ = ["DepthEstimator", "SimulatedEstimator", "TransformersEstimator", "load_estimator"]

METRIC = ("zoedepth", "glpn")
"""Model types of transformers that give distances, not disparities."""


@runtime_checkable
class DepthEstimator(Protocol):
    """Something that guesses disparity from a picture."""

    @property
    def name(self) -> str:
        """For people and records."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever the same picture would get another disparity."""
        ...

    @property
    def side(self) -> int | None:
        """Height and width of the square pictures it wants to see, or None for any."""
        ...

    def disparity(self, rgb: Tensor, depth: Tensor | None = None) -> Tensor:
        """Relative disparity, float32 [n, H, W].

        Args:
            rgb: uint8 [n, H, W, 3].
            depth: true z-depth where it is known, [n, H, W], NaN = no surface; real estimators ignore it.
        """
        ...


@dataclass(frozen=True)
class SimulatedEstimator:
    """True depth, distorted as an estimator distorts it.

    In disparity: edges are smeared, a smooth error of a few percent of the picture's range is added, and
    each picture has a scale and a shift of its own. All of it depends on the picture's content alone.
    Where true depth is not known, a relief is made up from brightness and height in the picture: good
    enough to try the machinery out, and no more.

    Args:
        seed: of all distortions.
        noise: standard deviation of the smooth error, share of the picture's range of disparity.
        smear: standard deviation of the blur that smears edges, pixels.
        scale_std: of the logarithm of the scale.
        shift: largest shift either way, share of the picture's range of disparity.
    """

    seed: int = 0
    noise: float = 0.02
    smear: float = 0.7
    scale_std: float = 0.2
    shift: float = 0.15

    name = "simulated"
    side = None

    @property
    def identity(self) -> str:
        """All of its settings."""
        return f"simulated/1 {self!r}"

    def disparity(self, rgb: Tensor, depth: Tensor | None = None) -> Tensor:
        """See `DepthEstimator.disparity`."""
        depth = invented_depth(rgb) if depth is None else depth
        return torch.stack([self._distorted(*pair) for pair in zip(rgb, depth, strict=True)])

    def draws(self, rgb: Tensor) -> tuple[float, float, Tensor]:
        """Scale, shift (share of the range) and smooth error (mean 0, variance 1, [H, W]) of one picture [H, W, 3]."""
        content = hashlib.sha256(np.ascontiguousarray(rgb.cpu().numpy()).tobytes()).digest()
        generator = scene_generator(int.from_bytes(content[:7], "little"), f"ivid.simulated-depth.{self.seed}")
        scale = float(torch.exp(self.scale_std * torch.randn((), generator=generator)))
        shift = self.shift * (2 * float(torch.rand((), generator=generator)) - 1)
        coarse = torch.randn((1, 1, 6, 6), generator=generator)
        smooth = nn.functional.interpolate(coarse, rgb.shape[:2], mode="bicubic", align_corners=True)[0, 0]
        return scale, shift, (smooth - smooth.mean()) / smooth.std().clamp(min=1e-6)

    def _distorted(self, rgb: Tensor, depth: Tensor) -> Tensor:
        exact = (1 / depth.cpu().float()).nan_to_num(nan=0.0)  # no surface: infinitely far
        scale, shift, error = self.draws(rgb)
        span = exact.amax() - exact.amin()
        return scale * (_smeared(exact, self.smear) + span * (self.noise * error + shift))


def invented_depth(rgb: Tensor) -> Tensor:
    """A relief for pictures [n, H, W, 3] of unknown depth: the lower and the brighter, the nearer."""
    brightness = rgb.float().mean(-1) / 255
    height, width = brightness.shape[1:]
    grain = (max(1, height // 8), max(1, width // 8))
    coarse = nn.functional.interpolate(brightness[:, None], grain, mode="area")
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)[:, 0]
    lower = torch.linspace(0, 1, height)[None, :, None]
    return 1 / (0.5 + 0.35 * smooth + 0.35 * lower)


def _smeared(values: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of [H, W]."""
    if sigma <= 0:
        return values
    reach = max(1, round(3 * sigma))
    line = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    line = line / line.sum()
    padded = nn.functional.pad(values[None, None], (reach,) * 4, mode="replicate")
    across = nn.functional.conv2d(padded, line[None, None, None])
    return nn.functional.conv2d(across, line[None, None, :, None])[0, 0]


class TransformersEstimator:
    """DPT, MiDaS, Depth Anything and whatever else `AutoModelForDepthEstimation` knows.

    Args:
        source: a folder that `save_pretrained` wrote, or a name on the hub, from the cache or the network.
        device: torch device.

    Raises:
        UserError: transformers is not installed, or there is no such model.
    """

    def __init__(self, source: str, device: str = "cpu") -> None:
        try:
            transformers: Any = importlib.import_module("transformers")  # an extra, and half annotated
        except ImportError as error:
            raise UserError(
                "Depth models need the package transformers.", hint="Install it with `pip install 'viewsweep[depth]'`."
            ) from error
        self.name, self.device = Path(source).name if Path(source).is_dir() else source, device
        try:
            self.processor: Any = transformers.AutoImageProcessor.from_pretrained(source)
            self.model: Any = transformers.AutoModelForDepthEstimation.from_pretrained(source, use_safetensors=True)
        except Exception as error:  # a missing file, a foreign format, no network: a dozen types
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"{source}: no depth model could be loaded ({reason[:300]}).",
                hint="Give a folder with config.json, preprocessor_config.json and model.safetensors, or the hub's "
                "name of a model while there is a network; once fetched it is found in the cache without one. "
                "`--depth-model simulated` needs neither.",
            ) from error
        self.model.to(device).eval()
        kind = self.model.config.model_type
        self.metric = kind in METRIC or getattr(self.model.config, "depth_estimation_type", "relative") == "metric"
        self.side: int | None = _side(self.processor)
        self.identity = self._digest()

    @torch.no_grad()
    def disparity(self, rgb: Tensor, depth: Tensor | None = None) -> Tensor:
        """See `DepthEstimator.disparity`."""
        size = tuple(rgb.shape[1:3])
        inputs = self.processor(images=list(rgb.cpu().numpy()), return_tensors="pt").to(self.device)
        found = self.model(**inputs).predicted_depth.float()
        found = nn.functional.interpolate(found[:, None], size, mode="bicubic", align_corners=False)[:, 0].cpu()
        return 1 / found.clamp(min=1e-3) if self.metric else found.clamp(min=0)

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(self.processor.to_dict(), sort_keys=True, default=str).encode())
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return f"transformers/1 {self.model.config.model_type} {digest.hexdigest()}"


def _side(processor: Any) -> int | None:
    """What the model's processor resizes pictures to."""
    size = getattr(processor, "size", None)
    try:
        return max(int(size["height"]), int(size["width"])) if size is not None else None
    except (KeyError, TypeError):
        return None


def load_estimator(source: str, device: str = "cpu") -> DepthEstimator:
    """An estimator by name: "simulated", a folder, or a name on the hub."""
    return SimulatedEstimator() if source == "simulated" else TransformersEstimator(source, device)
