"""KID of drawn pictures against the reference split, for logging while a generator trains on tabletop.

The reference pictures show objects of the reference split, which nothing is trained on, from cameras
distributed as those of the training pictures, so that a perfect generator would score 0. It is not the KID of
any protocol, whose cameras are others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..metrics.features import extract
from ..metrics.kernel import kid_u_statistic
from ..metrics.tabletop_network import TabletopNetwork, load_tabletop_network
from ..scenes.tabletop import CLASSES, REFERENCE_SEEDS, sample
from ..scenes.tabletop.splits import FRONTAL_SHARE, render_views, train_cameras
from .checked_tensors import read_tensors, write_tensors
from .fingerprint import sha256_json, source_fingerprint

__all__ = ["TrainingQuality"]

IMAGES = 1000


class TrainingQuality:
    """KID[tabletop] to the reference split at training cameras, unbiased, over all pairs; lower = better.

    The reference is rendered when the first pictures come, and its features are kept in a file.

    Args:
        folder: where that file lies.
        device: where the feature network computes.
        log: takes a line when the reference is rendered.
        images: reference pictures.

    Example:
        >>> quality = TrainingQuality(Path("train/eg3d"))  # doctest: +SKIP
        >>> quality(pictures)  # doctest: +SKIP
        0.0123
    """

    def __init__(
        self, folder: Path, *, device: str = "cpu", log: Callable[[str], None] = print, images: int = IMAGES
    ) -> None:
        self._folder, self._device, self._log, self._images = folder, device, log, images
        self._reference: Tensor | None = None
        self._size = 0

    def __call__(self, images: Tensor) -> float:
        """KID of uint8 pictures [N, S, S, 3], at least two."""
        network = load_tabletop_network(self._device)
        size = images.shape[1]
        if self._reference is None or self._size != size:
            self._reference, self._size = self._features(network, size), size
        return kid_u_statistic(extract(network, images).embedding, self._reference)

    def _features(self, network: TabletopNetwork, size: int) -> Tensor:
        """Features of the reference pictures, [N, D]."""
        made_of = {
            "seeds": [REFERENCE_SEEDS.start, self._images],
            "size": size,
            "frontal_share": FRONTAL_SHARE,
            "network": network.sha256,
            "source": source_fingerprint("scenes"),
            "torch": torch.__version__,
        }
        path = self._folder / f"reference-{sha256_json(made_of)[:16]}.safetensors"
        held = read_tensors(path)
        if held is not None and held.keys() == {"embedding"}:
            return held["embedding"]
        self._log(f"rendering {self._images} reference pictures")
        seeds = list(REFERENCE_SEEDS[: self._images])
        objects = [sample(seed, position % len(CLASSES)) for position, seed in enumerate(seeds)]
        pictures = torch.empty(self._images, size, size, 3, dtype=torch.uint8)
        for rows, rgb, _ in render_views(objects, train_cameras(seeds), size):
            pictures[rows] = rgb
        embedding = extract(network, pictures).embedding
        write_tensors(path, {"embedding": embedding})
        return embedding
