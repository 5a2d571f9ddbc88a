"""Features of the true pictures of a protocol's scored views: what set metrics compare completions of videos with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .true_scenes import TrueScenes

if TYPE_CHECKING:
    from ..metrics.features import FeatureNetwork, Features

__all__ = ["truth_features"]

BATCH = 64  # pictures through the network at once; part of what makes the bits


def truth_features(truths: TrueScenes, views: slice, network: FeatureNetwork) -> tuple[Features, Tensor]:
    """Features of the true `views` of each scene, in order, and the scene of each picture, int64 [N].

    Each true picture counts once, however many samples are held against it.

    Raises:
        UserError: a true view cannot be read.
    """
    from ..metrics.base import azimuth_deg
    from ..metrics.features import Features, extract

    parts, scenes = [], []
    for scene in range(len(truths.worlds)):
        shown = truths.truth(scene).select(views)
        assert shown.cameras is not None
        azimuth = torch.tensor(azimuth_deg(shown.cameras.yaw))
        pitch = torch.rad2deg(shown.cameras.pitch)
        parts.append(extract(network, shown.rgb, BATCH, azimuth_deg=azimuth, pitch_deg=pitch))
        scenes += [scene] * shown.views
    return Features.cat(parts), torch.tensor(scenes)
