"""Inception features: the 2048 averages and the 1008 class probabilities behind FID, KID and IS.

The network is the TorchScript file that clean-fid uses (`inception-2015-12-05.pt`, the Inception-v3
of 2015 that the first FID was measured with). Two modes, after clean-fid, whose numbers cannot be
compared with one another:

    clean               bicubic with antialiasing to 299 x 299, in float
    legacy_tensorflow   bilinear as TensorFlow 1 did it, which aliases; for comparison with old papers

Pixels go in as (x - 128) / 128. The class probabilities are those of the last layer without its
bias, as the Inception Score of the first implementation and its successors takes them.

The network computes in float32, frozen, with normalisation folded into the convolutions and
channels last in memory; that changes rounding alone, and is compared with the file's own answer
when it is loaded.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..scenes.errors import UserError
from .features import Features
from .resize import clean_resize, tf1_resize
from .weight_files import file_sha256

__all__ = ["InceptionNetwork"]

SIZE = (299, 299)
TOLERANCE = 1e-4  # of the largest feature: what folding and reordering may change
RESIZE = {"clean": clean_resize, "legacy_tensorflow": tf1_resize}


class InceptionNetwork:
    """Inception behind the `FeatureNetwork` interface.

    Args:
        file: a TorchScript module with `layers` (pixels in [-1, 1] to features), `output` (a linear
            layer) and a `forward(x, return_features, use_fp16, no_output_bias)` that resizes inside.
        name: goes into metric ids. Give weights of your own a name of their own.
        mode: how pictures get to 299 x 299.
        device: where it computes.

    Raises:
        UserError: the file cannot be loaded, or is no such network.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        name: str,
        *,
        mode: Literal["clean", "legacy_tensorflow"] = "clean",
        device: str | torch.device = "cpu",
    ) -> None:
        if mode not in RESIZE:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(RESIZE)}.")
        self.name, self.mode, self.device = name, mode, torch.device(device)
        path = Path(file)
        base = _load(path, self.device)
        try:
            self._output: Tensor = base.output.weight.detach().float()  # [classes, D]
            self._layers: Any = _frozen(base.layers)
            self._compare(base)
        except (AttributeError, RuntimeError) as error:  # RuntimeError: TorchScript's own
            raise UserError(
                f"{path}: this is no Inception network in the form of clean-fid ({str(error).splitlines()[0]}).",
                hint="The file it uses is named inception-2015-12-05.pt.",
            ) from error
        self.classes = tuple(str(k) for k in range(len(self._output)))
        self.sha256 = file_sha256(path)

    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 sRGB pictures [N, H, W, 3] of any size."""
        return self.compute(self.prepare(images))

    def prepare(self, images: Tensor) -> Tensor:
        """Pictures at the size of the network, float32 in [0, 255], [N, 3, 299, 299]."""
        return RESIZE[self.mode](images.to(self.device), SIZE)

    @torch.no_grad()
    def compute(self, prepared: Tensor) -> Features:
        """Features of what `prepare` returned."""
        with _exact():
            features = _forward(self._layers, prepared)
            return Features(features, torch.log_softmax(features @ self._output.T, dim=1))

    @torch.no_grad()
    def _compare(self, base: Any) -> None:
        """Ask the file's own `forward` and see that our shorter way gives the same.

        Raises:
            RuntimeError: it does not.
        """
        probe = torch.randint(0, 256, (1, 75, 93, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        probe = probe.to(self.device)
        with _exact():
            features = _forward(self._layers, tf1_resize(probe, SIZE))
            own = base(probe.permute(0, 3, 1, 2), return_features=True).reshape(1, -1).float()
            scale = float(own.abs().max())
            if own.shape != features.shape or not float((own - features).abs().max()) <= TOLERANCE * scale:
                raise RuntimeError("its features are not those of its layers")
            chances = base(probe.permute(0, 3, 1, 2), no_output_bias=True)
            ours = torch.softmax(own @ self._output.T, 1)
            if chances.shape != ours.shape or not float((chances - ours).abs().max()) <= TOLERANCE:
                raise RuntimeError("its probabilities are not those of its output layer")


def _forward(layers: Any, prepared: Tensor) -> Tensor:
    features: Tensor = layers((prepared - 128) / 128)
    return features.reshape(len(prepared), -1).float()


def _load(path: Path, device: torch.device) -> Any:
    try:
        with _deprecation_known():
            return torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be loaded as a TorchScript module ({str(error).splitlines()[0]}).",
            hint="The file may be a broken download; the right one is named inception-2015-12-05.pt.",
        ) from error


def _frozen(layers: nn.Module) -> Any:
    """The same computation with constants for weights, and convolutions that normalise."""
    with _deprecation_known():
        return torch.jit.freeze(layers.to(memory_format=torch.channels_last).eval())


@contextmanager
def _deprecation_known() -> Iterator[None]:
    """TorchScript is deprecated, and the reference weights come as nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\..*is deprecated", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit\..*is deprecated", category=DeprecationWarning)
        yield


@contextmanager
def _exact() -> Iterator[None]:
    """Full float32 on GPUs, where convolutions would else round to 10 bits."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    try:
        cudnn.allow_tf32 = matmul.allow_tf32 = False
        yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before
