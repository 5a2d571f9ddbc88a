"""What metrics of neighbouring views share: which views are compared, and whose azimuth a value gets."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from ..scenes.scene import Scene
from .base import SceneMetric, azimuth_deg
from .pairs import adjacent_pairs

__all__ = ["PairMetric"]


class PairMetric(SceneMetric):
    """A metric of neighbouring views, each pair measured in both directions.

    A pair's values belong to its target view, with that view's azimuth.
    """

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`."""
        lacking = self._lacks(scene) or ("views" if scene.views < 2 else None)
        if lacking or scene.cameras is None:
            self._skip(index, lacking or "cameras")
            return
        pairs = adjacent_pairs(scene.cameras)
        targets = [view for pair in pairs for view in pair]
        sources = [view for a, b in pairs for view in (b, a)]
        yaw = azimuth_deg(scene.cameras.yaw)
        self._record(index, targets, sources, [yaw[view] for view in targets], self._compare(scene, pairs))

    @abstractmethod
    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        """Values of each pair in both directions, [2 P, ids + extra]; rows 2k and 2k + 1 have a and b as target."""
