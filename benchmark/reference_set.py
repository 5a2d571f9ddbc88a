"""Features of the reference images: computed once on a machine, then read from the user's cache.

The entry's name is the sha256 of everything that made it: dataset, count, size, cameras, network
weights, the code that renders and the version of torch that computes. What is read is checked
against the hash stored beside it; an entry that does not fit is computed anew.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..scenes import tabletop
from ..scenes.cameras import Cameras
from ..scenes.errors import WriteFailed
from ..scenes.files import cache_folder
from .checked_tensors import read_tensors, write_tensors
from .determinism import EVALUATION_THREADS
from .fingerprint import sha256_json, source_fingerprint
from .progress import Progress
from .protocol import Protocol, Reference

if TYPE_CHECKING:
    from ..metrics.features import FeatureNetwork, Features

__all__ = ["cache_folder", "reference_features", "reference_key"]

CHUNK = 64  # images a forward pass


def reference_key(protocol: Protocol) -> str | None:
    """Hash of everything the rendered features come from; None for a protocol without them."""
    if not isinstance(protocol.reference, Reference) or protocol.features is None:
        return None
    made_of: dict[str, Any] = {
        "schema": "viewsweep.reference/3",
        "dataset": protocol.dataset,
        "reference": protocol.reference.model_dump(mode="json"),
        "size": protocol.size,
        "sweep": protocol.sweep.model_dump(mode="json"),
        "scored": protocol.scored,
        "network": protocol.features.model_dump(mode="json"),
        "source": source_fingerprint("scenes", "metrics"),
        "torch": torch.__version__,
        "threads": EVALUATION_THREADS,
    }
    return sha256_json(made_of)


def reference_features(protocol: Protocol, network: FeatureNetwork, progress: Progress) -> Features | None:
    """Features of the images the protocol renders for reference, in order; None for one that renders none."""
    from ..metrics.base import azimuth_deg
    from ..metrics.features import Features, extract

    key = reference_key(protocol)
    if key is None or not isinstance(protocol.reference, Reference):
        return None
    path = cache_folder() / "reference" / f"{key}.safetensors"
    held = read_tensors(path)
    if held is not None and held.keys() == {entry.name for entry in fields(Features)}:
        return Features(**held)
    progress.say(f"computing the features of {protocol.reference.images} reference images (once on this machine)")
    images, cameras = _render(protocol, protocol.reference.images)
    pitch = torch.rad2deg(cameras.pitch)
    features = extract(network, images, CHUNK, azimuth_deg=torch.tensor(azimuth_deg(cameras.yaw)), pitch_deg=pitch)
    try:
        write_tensors(path, {entry.name: getattr(features, entry.name) for entry in fields(Features)})
    except WriteFailed as error:
        progress.say(f"the reference features were not cached: {error}")  # they are at hand all the same
    return features


def _render(protocol: Protocol, count: int) -> tuple[Tensor, Cameras]:
    """The pictures, uint8 [count, H, W, 3], and the camera of each."""
    views = protocol.scored_views
    if protocol.sweep.shared:
        cameras = protocol.cameras()[views]
        images = tabletop.reference_images(count, protocol.size, cameras)
        return images, cameras[tabletop.reference_views(count, len(cameras))]
    seeds = tabletop.REFERENCE_SEEDS[:count]
    drawn = [protocol.cameras(seed)[views] for seed in seeds]
    chosen = tabletop.reference_views(count, len(drawn[0]))
    own = [entry[[view]] for entry, view in zip(drawn, chosen, strict=True)]
    cameras = Cameras(torch.cat([c.cam_to_world for c in own]), torch.cat([c.intrinsics for c in own]))
    objects = [tabletop.sample(seed, index % len(tabletop.CLASSES)) for index, seed in enumerate(seeds)]
    images = torch.empty(count, protocol.size, protocol.size, 3, dtype=torch.uint8)
    for positions, rgb, _ in tabletop.render_views(objects, cameras, protocol.size):
        images[positions] = rgb
    return images, cameras
