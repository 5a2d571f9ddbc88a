"""What a protocol makes of an entry: which numbers it must hold, of which scenes, within which range.

Everything here follows from the protocol and from the metrics' own definitions, so that a check never
knows a metric by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..benchmark.metric_catalogue import catalogue
from ..benchmark.protocol import Protocol, load_protocol, protocol_names
from ..benchmark.sequences import FramesOfVideo
from ..benchmark.strict_yaml import load_strict
from ..benchmark.true_scenes import outlines
from ..scenes.errors import UnknownName, UserError
from .seeds import protocol_seeds

__all__ = ["Expectation", "MetricFacts", "expectation", "find_protocol"]

DEFAULT_NETWORK = "tabletop"  # whose name stands in ids where the protocol names no network


@dataclass(frozen=True)
class MetricFacts:
    """What is known of one id before anything was measured.

    Args:
        metric: name in the protocol.
        version: that the protocol asks for.
        unit: of the value.
        bounds: no value lies outside; infinite where there is no end.
        per_scene: whether it is the mean over scenes, each with its value in the table.
        scenes: on how many true scenes, from the first, it is measured.
        of_samples: whether all samples of a scene have one value together, beside the first of them.
    """

    metric: str
    version: int
    unit: str
    bounds: tuple[float, float]
    per_scene: bool
    scenes: int
    of_samples: bool


@dataclass(frozen=True)
class Expectation:
    """What a protocol asks of an entry.

    Args:
        protocol: as it is shipped, or as it lies on the board.
        metrics: by id, in the order of reports.
        seeds: of the requests, by index.
        labels: of the requests, by index; None where no class is asked for.
        views: of each request.
    """

    protocol: Protocol
    metrics: dict[str, MetricFacts]
    seeds: tuple[int, ...]
    labels: tuple[int | None, ...]
    views: int

    @property
    def requested(self) -> int:
        """How many scenes, or samples of scenes, are asked for."""
        return self.protocol.scenes * self.protocol.samples

    @cached_property
    def azimuths(self) -> npt.NDArray[np.float64] | None:
        """Where each view is seen from, degrees [scenes, views]; None where the cameras come with videos."""
        if isinstance(self.protocol.sweep, FramesOfVideo):
            return None
        from ..metrics.base import azimuth_deg

        known: dict[int, list[float]] = {}  # most protocols share one sweep among all scenes
        requests = outlines(self.protocol.requests())
        for request in requests:
            if id(request.cameras) not in known:
                known[id(request.cameras)] = azimuth_deg(request.cameras.yaw)
        return np.array([known[id(request.cameras)] for request in requests])


def find_protocol(name: str, board: Path | None) -> Protocol:
    """The protocol an entry names: a shipped one, or one of the board's own in ``protocols/<name>.yaml``.

    Raises:
        UnknownName: there is neither.
        UserError: the board's file is faulty, or takes the name of a shipped protocol.
    """
    own = None if board is None else board / "protocols" / f"{name}.yaml"
    if name in protocol_names():
        if own is not None and own.exists():
            raise UserError(f"{own}: {name} is a shipped protocol; give yours another name.")
        return _shipped(name)
    if own is None or not own.is_file() or own.is_symlink():
        hint = "A protocol of your own belongs to the board, as protocols/<name>.yaml."
        raise UnknownName("protocol", name, protocol_names(), hint=hint)
    protocol = _own(own, own.stat().st_mtime_ns, own.stat().st_size)
    if protocol.name != name:
        raise UserError(f"{own}: the protocol in it is named {protocol.name}.")
    return protocol


@lru_cache(maxsize=32)
def _shipped(name: str) -> Protocol:
    return load_protocol(name)


@lru_cache(maxsize=32)
def _own(path: Path, changed: int, size: int) -> Protocol:
    """Read once for all entries of a board; `changed` and `size` tell when it is another file."""
    return load_strict(path, Protocol)


def expectation(protocol: Protocol) -> Expectation:
    """What `protocol` asks of an entry; computed once for each hash."""
    found = _KNOWN.get(protocol.hash)
    if found is None:
        if len(_KNOWN) >= 32:
            _KNOWN.clear()
        found = _KNOWN[protocol.hash] = _expect(protocol)
    return found


_KNOWN: dict[str, Expectation] = {}


def _expect(protocol: Protocol) -> Expectation:
    metrics: dict[str, MetricFacts] = {}
    network = DEFAULT_NETWORK if protocol.features is None else protocol.features.network
    for name, kind in catalogue().items():
        if name in protocol.metrics:
            metrics |= _facts(protocol, name, kind, network)
    seeds = tuple(protocol_seeds(protocol))
    if isinstance(protocol.sweep, FramesOfVideo):
        return Expectation(protocol, metrics, seeds, (None,) * len(seeds), len(protocol.sweep.frames))
    requests = outlines(protocol.requests())
    labels = tuple(request.label for request in requests)
    return Expectation(protocol, metrics, seeds, labels, len(requests[0].cameras))


def _facts(protocol: Protocol, name: str, kind: type[Any], network: str) -> dict[str, MetricFacts]:
    from ..metrics.base import SceneMetric
    from ..metrics.feeding import definitions_of, takes_samples

    use = protocol.uses(name)
    ranges = {entry.id: range_ for entry, range_ in zip(kind._ids, kind._bounds, strict=True)}
    scenes = protocol.scenes if use.scenes is None else min(use.scenes, protocol.scenes)
    return {
        key: MetricFacts(
            metric=name,
            version=use.version,
            unit=meaning.unit,
            bounds=ranges.get(key.partition("@")[0].partition("[")[0], (-math.inf, math.inf)),
            per_scene=issubclass(kind, SceneMetric),
            scenes=scenes,
            of_samples=takes_samples(kind),
        )
        for key, meaning in definitions_of(kind, network).items()
    }
