"""Features of the reference images: computed once on a machine, then read from the user's cache.

The entry's name is the sha256 of everything that made it: dataset, count, size, cameras, network
weights, the code that renders and the version of torch that computes. What is read is checked
against the hash stored beside it; an entry that does not fit is computed anew.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..scenes import tabletop
from ..scenes.errors import WriteFailed
from ..scenes.files import atomic_write, make_folder
from .determinism import EVALUATION_THREADS
from .fingerprint import sha256_bytes, sha256_json, source_fingerprint
from .progress import Progress
from .protocol import Protocol

if TYPE_CHECKING:
    from ..metrics.features import FeatureNetwork, Features

__all__ = ["cache_folder", "reference_features", "reference_key"]

CHUNK = 64  # images a forward pass


def cache_folder() -> Path:
    """Where features are kept: `VIEWSWEEP_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("VIEWSWEEP_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("viewsweep")


def reference_key(protocol: Protocol) -> str | None:
    """Hash of everything the reference features come from; None for a protocol without them."""
    if protocol.reference is None or protocol.features is None:
        return None
    made_of: dict[str, Any] = {
        "schema": "viewsweep.reference/2",
        "dataset": protocol.dataset,
        "reference": protocol.reference.model_dump(mode="json"),
        "size": protocol.size,
        "sweep": protocol.sweep.model_dump(mode="json"),
        "network": protocol.features.model_dump(mode="json"),
        "source": source_fingerprint("scenes", "metrics"),
        "torch": torch.__version__,
        "threads": EVALUATION_THREADS,
    }
    return sha256_json(made_of)


def reference_features(protocol: Protocol, network: FeatureNetwork, progress: Progress) -> Features | None:
    """Features of the protocol's reference images, in order; None for a protocol without them."""
    from ..metrics.base import azimuth_deg
    from ..metrics.features import extract

    key = reference_key(protocol)
    if key is None or protocol.reference is None:
        return None
    path = cache_folder() / "reference" / f"{key}.safetensors"
    held = _read(path)
    if held is not None:
        return held
    progress.say(f"computing the features of {protocol.reference.images} reference images (once on this machine)")
    count, cameras = protocol.reference.images, protocol.cameras()
    images = tabletop.reference_images(count, protocol.size, cameras)
    azimuth = torch.tensor(azimuth_deg(cameras.yaw))[tabletop.reference_views(count, len(cameras))]
    features = extract(network, images, CHUNK, azimuth_deg=azimuth)
    try:
        make_folder(path.parent)
        atomic_write(path, _pack(features))
    except WriteFailed as error:
        progress.say(f"the reference features were not cached: {error}")  # they are at hand all the same
    return features


def _pack(features: Features) -> bytes:
    body = save({entry.name: getattr(features, entry.name).contiguous() for entry in fields(features)})
    return bytes.fromhex(sha256_bytes(body)) + body


def _read(path: Path) -> Features | None:
    from ..metrics.features import Features

    try:
        content = path.read_bytes()
        if sha256_bytes(content[32:]) != content[:32].hex():
            return None
        return Features(**load(content[32:]))
    except (OSError, SafetensorError, TypeError, ValueError):
        return None
