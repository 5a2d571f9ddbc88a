"""`ClassAccuracy`: is every view of the class that was asked for?

Definition: the share of views for which the feature network's most probable class is the label the
scene was drawn with. 0 to 1, higher is better; guessing gives 1 / classes. A scene's value is the
share over its views, and the interval is over scenes.

When it misleads. It asks for the class alone: pictures may be dull, alike or inconsistent. Classes
that look alike from behind lower it for honest methods too, so compare with the oracle, view by view.
"""

from __future__ import annotations

import math

import torch

from ..scenes.scene import Scene
from .base import SceneMetric, azimuth_deg
from .features import Features
from .result import Definition

__all__ = ["ClassAccuracy"]


class ClassAccuracy(SceneMetric):
    """Share of views that a feature network names as the class asked for.

    Args:
        network: name of the feature network, part of the metric's id.
    """

    name = "class_accuracy"
    title = "Class accuracy"
    version = 1
    unit = "share"
    higher_is_better = True
    needs = frozenset({"rgb", "label", "classes"})
    takes_features = True

    _ids = (
        Definition(
            "class_accuracy",
            title,
            version,
            unit,
            True,
            "Share of views whose most probable class is the one asked for; 0 to 1.",
        ),
    )
    _bounds = ((0.0, 1.0),)

    def __init__(self, network: str = "tabletop") -> None:
        super().__init__()
        self.network = network

    @classmethod
    def definitions(cls, network: str = "tabletop") -> dict[str, Definition]:
        """What the id of this metric means, with the classes of `network`."""
        (base,) = cls._ids
        name = f"{base.id}[{network}]"
        return {name: Definition(name, *list(vars(base).values())[1:])}

    def _definitions(self) -> dict[str, Definition]:
        return self.definitions(self.network)

    def update(self, scene: Scene, index: int, features: Features) -> None:
        """Measure `scene`, the protocol's scene number `index`.

        Args:
            scene: gives the label and, where it has cameras, the azimuths.
            index: its position in the protocol.
            features: of its views, in order.

        Raises:
            ValueError: a label that is no class of the network, or features of another number of
                views.
        """
        views, classes = features.log_probabilities.shape
        if views != scene.views:
            raise ValueError(f"features of {views} pictures for a scene of {scene.views} views.")
        if scene.label is None:
            self._skip(index, "label")
            return
        if not 0 <= scene.label < classes:
            raise ValueError(f"label {scene.label} is no class of a network that knows {classes}.")
        azimuth = [math.nan] * views if scene.cameras is None else azimuth_deg(scene.cameras.yaw)
        right = (features.log_probabilities.argmax(1) == scene.label).to(torch.float64)
        self._record(index, list(range(views)), [-1] * views, azimuth, right[:, None])
