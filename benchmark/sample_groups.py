"""`SampleGroups`: the samples of a true scene, until all of them have come.

Metrics that take the samples of a scene together are not fed with fewer than all: the best of nine is
no best of ten. A scene of which some samples are missing therefore leaves these metrics without a
result, and with the reason. A scene without any sample is a missing scene as everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scenes.scene import Scene

if TYPE_CHECKING:
    from ..metrics.result import MetricResult

__all__ = ["SampleGroups"]


class SampleGroups:
    """Collects samples of true scenes; request n * samples + k is sample k of scene n.

    Args:
        samples: K, how many make a scene complete.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._came: dict[int, int] = {}
        self._open: tuple[int, list[Scene]] = (-1, [])

    def add(self, index: int, scene: Scene) -> list[Scene] | None:
        """Take request number `index`, in rising order; all samples of its scene when it was the last of them."""
        place = index // self._samples
        if self._open[0] != place:
            self._open = (place, [])
        held = self._open[1]
        held.append(scene)
        self._came[place] = len(held)
        if len(held) < self._samples:
            return None
        self._open = (-1, [])
        return held

    def without_the_incomplete(self, results: dict[str, MetricResult], limit: int | None) -> dict[str, MetricResult]:
        """The results of a metric of samples, failed where a scene came with some of its samples only.

        Args:
            results: by metric id.
            limit: on how many scenes, from the first, the metric is measured; None = all.
        """
        from ..metrics.result import MetricResult

        measured = {scene: count for scene, count in self._came.items() if limit is None or scene < limit}
        fewer = [scene for scene, count in sorted(measured.items()) if count < self._samples]
        if not fewer:
            return results
        first = f"scene {fewer[0]}: {measured[fewer[0]]} of {self._samples} samples could be drawn and read"
        reason = f"{len(fewer)} of {len(measured)} scenes lack some of their samples ({first})."
        failed = MetricResult.failed(reason, len(measured))
        return {
            key: failed if len(fewer) == len(measured) or _ok(result) else result for key, result in results.items()
        }


def _ok(result: MetricResult) -> bool:
    return result.status == "ok"
