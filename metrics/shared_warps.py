"""`shared`: the geometry of a scene, computed once for all the metrics that ask for it in turn.

Warps depend on depth and cameras alone, and several metrics follow the same pixels into the same
views. So the last scene's surfaces and warps are kept until another scene comes or its depth map
is gone; nothing keeps the scene itself alive. Warps that would take more than `MAXIMUM_BYTES` are
computed again each time. Either way the numbers are the same bits, for nothing depends on what is
computed together.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import torch
from torch import Tensor

from ..scenes.cameras import Cameras
from ..scenes.scene import Scene
from .round_trip import RoundTrip, round_trip
from .warping import Footprints, Surfaces, Warp, both_ways, warp

__all__ = ["MAXIMUM_BYTES", "Crossing", "SharedWarps", "shared"]

MAXIMUM_BYTES = 1 << 28
BYTES_A_PIXEL = 80  # of a warp, there and back


@dataclass(eq=False)
class Crossing:
    """The surface pixels of `targets` [P] followed into `sources` [P], and back when asked for."""

    surfaces: Surfaces
    targets: Tensor
    sources: Tensor

    @cached_property
    def warp(self) -> Warp:
        return warp(self.surfaces, self.targets, self.sources)

    @cached_property
    def home(self) -> RoundTrip:
        return round_trip(self.surfaces, self.targets, self.sources, self.warp)

    def chosen(self, mask: Tensor) -> tuple[Tensor, Footprints]:
        """Those surface pixels for which the mask [P, n] is true, in order.

        Returns:
            Their flat indices in the surface pixels [V, n], and the places where the sources show them.
        """
        most = mask.shape[1]
        chosen = torch.nonzero(mask.flatten())[:, 0]
        start = (self.targets - torch.arange(len(mask))) * most
        shift = torch.repeat_interleave(start, mask.sum(1))
        return chosen + shift, self.warp.found.footprints.at(chosen)


class SharedWarps:
    """Surfaces of a scene, and the warps between its views that were asked for last."""

    def __init__(self, scene: Scene) -> None:
        self.surfaces = Surfaces(scene)
        self._held: tuple[tuple[tuple[int, int], ...], list[Crossing]] = ((), [])

    def crossings(self, pairs: Sequence[tuple[int, int]]) -> Iterator[Crossing]:
        """`pairs`, each in both directions, some at a time: row 2k of all has a as target, row 2k + 1 has b."""
        key = tuple(pairs)
        held, kept = self._held
        if key == held:
            yield from kept
            return
        fits = 2 * len(key) * self.surfaces.depth.shape[1] * BYTES_A_PIXEL <= MAXIMUM_BYTES
        fresh = []
        for targets, sources in both_ways(list(key), self.surfaces):
            crossing = Crossing(self.surfaces, targets, sources)
            if fits:
                fresh.append(crossing)
            yield crossing
        if fits and len(key) >= len(held):  # a few pairs do not push out many
            self._held = (key, fresh)


@dataclass(frozen=True, eq=False)
class _Last:
    depth: weakref.ref[Tensor]
    version: int
    cameras: Cameras
    warps: SharedWarps


_lock = Lock()
_last: list[_Last] = []  # one at most


def shared(scene: Scene) -> SharedWarps:
    """The surfaces and warps of `scene`, those made before if it was the last to be asked for.

    Raises:
        ValueError: there is no depth or no cameras.
    """
    if scene.depth is None or scene.cameras is None:
        raise ValueError("Warping needs a scene with depth and cameras.")
    version = _version(scene.depth)
    with _lock:
        for last in _last:
            if last.depth() is scene.depth and last.cameras is scene.cameras and last.version == version:
                return last.warps
    made = _Last(weakref.ref(scene.depth, _forget), version, scene.cameras, SharedWarps(scene))
    with _lock:
        _last[:] = [made]
    return made.warps


def _forget(depth: weakref.ref[Tensor]) -> None:
    # no lock: this may run at any moment, within the lock too
    _last[:] = [last for last in _last if last.depth is not depth]


def _version(depth: Tensor) -> int:
    """How often it was changed in place; inference tensors do not count that."""
    return -1 if depth.is_inference() else depth._version
