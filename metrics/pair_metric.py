"""What metrics of pairs of views share: which views are compared, and whose azimuth a value gets."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .base import SceneMetric, azimuth_deg
from .pairs import GAPS, gap_pairs

__all__ = ["PairMetric"]


class PairMetric(SceneMetric):
    """A metric of pairs of views, each pair measured in both directions, over the angle between them.

    The headline is that of neighbours; `id@15`, `@30`, `@60`, `@90` and `@loop` are the same at
    other distances (see `pairs.gap_pairs`). A pair's values belong to its target view, with that
    view's azimuth.
    """

    _gaps = GAPS

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`."""
        lacking = self._lacks(scene) or ("views" if scene.views < 2 else None)
        if lacking or scene.cameras is None:
            self._skip(index, lacking or "cameras")
            return
        gaps = gap_pairs(scene.cameras)
        # a pair may belong to several gaps, and is measured once
        pairs = list(dict.fromkeys(pair for gap in self._gaps for pair in gaps[gap]))
        row = {pair: k for k, pair in enumerate(pairs)}
        values = self._compare(scene, pairs)
        yaw = azimuth_deg(scene.cameras.yaw)
        for code, gap in enumerate(self._gaps):
            if not gaps[gap]:
                self._skip(index, "loop" if gap == "loop" else "gap", code)
                continue
            targets = [view for pair in gaps[gap] for view in pair]
            sources = [view for a, b in gaps[gap] for view in (b, a)]
            rows = [2 * row[pair] + side for pair in gaps[gap] for side in (0, 1)]
            own = self._at_gap(scene.cameras, gaps[gap], values[rows])
            self._record(index, targets, sources, [yaw[view] for view in targets], own, code)

    @abstractmethod
    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        """Values of each pair in both directions, [2 P, ids + extra]; rows 2k and 2k + 1 have a and b as target."""

    def _at_gap(self, cameras: Cameras, pairs: list[tuple[int, int]], values: Tensor) -> Tensor:
        """What becomes of the values of `pairs`, all of one gap, for metrics that weigh them together."""
        return values
