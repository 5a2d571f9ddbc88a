"""All metrics over the scenes of one method, each picture and each scene looked at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..scenes import tabletop
from ..scenes.errors import UserError
from ..scenes.scene import Scene
from .determinism import EVALUATION_THREADS, deterministic
from .image_reference import folder_reference
from .metric_catalogue import catalogue
from .picture_folder import DATA_VARIABLE, PictureFolder
from .posed_data import PosedData
from .progress import Progress
from .protocol import FolderReference, Protocol, TruthReference
from .reference_set import reference_features
from .results import TableRow
from .sample_groups import SampleGroups
from .sampling import mismatch
from .true_scenes import CompletionRequests, TrueScenes, outlines
from .truth_reference import truth_features

if TYPE_CHECKING:
    from ..metrics.features import FeatureNetwork, Features
    from ..metrics.frechet import Moments
    from ..metrics.result import MetricResult

__all__ = ["Measured", "Measurement", "MethodMeasurement"]

DEFAULT_NETWORK = "tabletop"
PICTURES_AT_ONCE = 64  # through the feature network; part of what makes the bits


@dataclass
class Measured:
    """What was measured of one method.

    Args:
        results: metric id to result, as in `results.json`.
        definitions: metric id to what it means.
        rows: values of single scenes and views.
        unreadable: index of each scene whose file is there but cannot be used, and why.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[TableRow] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "results": self.results,
            "definitions": self.definitions,
            "rows": [list(row) for row in self.rows],
            "unreadable": {str(index): reason for index, reason in self.unreadable.items()},
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Measured:
        rows: list[TableRow] = [tuple(row) for row in content["rows"]]
        unreadable = {int(index): reason for index, reason in content["unreadable"].items()}
        return cls(content["results"], content["definitions"], rows, unreadable)


class Measurement:
    """What all methods of an evaluation share: metrics, feature network, reference features.

    Args:
        pictures: the real pictures or videos, for protocols that take them from a folder.
    """

    def __init__(
        self, protocol: Protocol | None, progress: Progress, pictures: PictureFolder | PosedData | None = None
    ) -> None:
        self.protocol = protocol
        self.metrics = catalogue()
        asked = None if protocol is None else protocol.requests()
        self.true_scenes: TrueScenes | None = asked.truths if isinstance(asked, CompletionRequests) else None
        self._requests = None if asked is None else outlines(asked)
        self.network, self.no_network = _network(protocol)
        self.reference: Features | None = None
        self.reference_scene: Tensor | None = None
        self.moments: Moments | None = None
        self.no_reference = "there is no reference set; a protocol names one."
        if protocol is not None and self.network is not None and self._wants_reference():
            with deterministic(EVALUATION_THREADS):
                if isinstance(protocol.reference, TruthReference):
                    assert self.true_scenes is not None
                    self.reference, self.reference_scene = truth_features(
                        self.true_scenes, protocol.scored_views, self.network
                    )
                elif not isinstance(protocol.reference, FolderReference):
                    self.reference = reference_features(protocol, self.network, progress)
                elif not isinstance(pictures, PictureFolder):
                    self.no_reference = (
                        f"no real pictures were given; name their folder with --data or {DATA_VARIABLE}."
                    )
                else:
                    reals = folder_reference(protocol, pictures, self.network, progress)
                    self.reference, self.moments = reals.features, reals.moments

    @property
    def wanted(self) -> dict[str, int | None]:
        """Metrics to compute, in the order of reports, each with the version asked for, if one is."""
        if self.protocol is None:
            return dict.fromkeys(self.metrics)
        return {name: self.protocol.uses(name).version for name in self.metrics if name in self.protocol.metrics}

    def scenes_for(self, name: str) -> int | None:
        """On how many scenes, from the first, metric `name` is measured; None = all."""
        return None if self.protocol is None else self.protocol.uses(name).scenes

    @property
    def samples(self) -> int:
        """How many samples of each scene there are."""
        return 1 if self.protocol is None else self.protocol.samples

    def truth(self, index: int) -> Scene | None:
        """The true views that request `index` asks for, where the protocol says what they are."""
        if self.true_scenes is not None:
            return self.true_scenes.truth(index // self.samples)
        if self.protocol is None or self.protocol.truth is None or self._requests is None:
            return None
        request = self._requests[index]
        return tabletop.sample(request.seed, request.label).render(request.cameras, request.size)

    @property
    def scored_views(self) -> slice:
        """The views of a scene that metrics of sets and of classes look at."""
        return slice(None) if self.protocol is None else self.protocol.scored_views

    @property
    def network_name(self) -> str:
        if self.network is not None:
            return self.network.name
        named = self.protocol.features.network if self.protocol and self.protocol.features else None
        return named or DEFAULT_NETWORK

    def called(self, index: int) -> str:
        """Request number `index` for people."""
        return f"scene {index}" if self.protocol is None else self.protocol.called(index)

    def mismatch(self, scene: Scene, index: int) -> str | None:
        """Why `scene` is not the protocol's scene `index`; None when it is, or there is no protocol."""
        return None if self._requests is None else mismatch(scene, self._requests[index])

    @contextmanager
    def method(self, requested: int) -> Iterator[MethodMeasurement]:
        with deterministic(EVALUATION_THREADS):
            yield MethodMeasurement(self, requested)

    def _wants_reference(self) -> bool:
        return any("reference" in self.metrics[name].needs for name in self.wanted)


class MethodMeasurement:
    """The metrics of one method: scenes go in, `measured` comes out."""

    def __init__(self, shared: Measurement, requested: int) -> None:
        from ..metrics.feeding import make

        self._shared, self._requested = shared, requested
        self._seen: dict[int, tuple[int | None, int | None]] = {}
        self._unreadable: dict[int, str] = {}
        self._refused: dict[str, MetricResult] = {}
        self._metrics: dict[str, Any] = {}
        self._first_scored = 0
        self._groups = SampleGroups(shared.samples)
        for name, asked in shared.wanted.items():
            refusal = self._refusal(name, asked)
            if refusal is not None:
                self._refused[name] = refusal
            else:
                self._metrics[name] = make(
                    shared.metrics[name],
                    shared.network_name,
                    shared.reference,
                    shared.moments,
                    shared.samples,
                    shared.reference_scene,
                )

    def add(self, index: int, scene: Scene) -> None:
        """Measure one scene; of a completion one sample, in the order of indices."""
        from ..metrics.base import azimuth_deg
        from ..metrics.features import extract
        from ..metrics.feeding import feed, takes_samples

        self._seen[index] = (scene.seed, scene.label)
        network = self._shared.network
        scored = scene.select(self._shared.scored_views)
        self._first_scored = range(scene.views)[self._shared.scored_views].start
        features = None
        if network is not None:
            cameras = scored.cameras
            azimuth = None if cameras is None else torch.tensor(azimuth_deg(cameras.yaw))
            pitch = None if cameras is None else torch.rad2deg(cameras.pitch)
            features = extract(network, scored.rgb, PICTURES_AT_ONCE, azimuth_deg=azimuth, pitch_deg=pitch)
        grouped = self._groups.add(index, scene)
        if grouped is not None:
            self._add_group(index // self._shared.samples, grouped)
        wanted = {
            name: metric
            for name, metric in self._metrics.items()
            if self._wants(name, index) and not takes_samples(type(metric))
        }
        asked = any("truth" in metric.needs for metric in wanted.values())
        truth = self._shared.truth(index) if asked else None
        for name, metric in wanted.items():
            try:
                feed(metric, scored if metric.takes_features else scene, index, features, truth)
            except Exception as error:
                # one metric that breaks must not take the others with it, and must not average the rest
                self._refuse(name, f"{self._shared.called(index)}: {type(error).__name__}: {error}")

    def _add_group(self, scene: int, samples: list[Scene]) -> None:
        """Measure all samples of a true scene together."""
        from ..metrics.feeding import feed_samples, takes_samples

        index, true_scenes = scene * self._shared.samples, self._shared.true_scenes
        wanted = [
            name for name, metric in self._metrics.items() if self._wants(name, index) and takes_samples(type(metric))
        ]
        if not wanted or true_scenes is None:
            return
        truth, modes = true_scenes.truth(scene), true_scenes.modes(scene)
        for name in wanted:
            try:
                feed_samples(self._metrics[name], samples, scene, truth, modes)
            except Exception as error:
                self._refuse(name, f"scene {scene}: {type(error).__name__}: {error}")

    def _wants(self, name: str, index: int) -> bool:
        limit = self._shared.scenes_for(name)
        return name not in self._refused and (limit is None or index // self._shared.samples < limit)

    def fail(self, index: int, reason: str) -> None:
        """Count a scene whose file is there but cannot be used."""
        self._unreadable[index] = reason

    def measured(self, missing: dict[int, str]) -> Measured:
        """Results of all metrics; `missing` are the scenes that have no file."""
        from ..metrics.feeding import definitions_of, takes_samples
        from ..metrics.result import MetricResult

        found = Measured(unreadable=self._unreadable)
        lost = len(missing) + len(self._unreadable)
        for name in self._shared.wanted:
            meant = definitions_of(self._shared.metrics[name], self._shared.network_name)
            found.definitions |= {key: entry.to_json() for key, entry in meant.items()}
            results: dict[str, MetricResult] = {}
            if not self._seen:
                results = dict.fromkeys(meant, MetricResult.failed(f"none of {lost} scenes could be drawn or read."))
            elif name not in self._refused:
                try:
                    results = self._metrics[name].results()
                    if takes_samples(self._shared.metrics[name]):
                        results = self._groups.without_the_incomplete(results, self._shared.scenes_for(name))
                    found.rows += self._rows(self._metrics[name])
                except Exception as error:
                    self._refuse(name, f"{type(error).__name__}: {error}")
            if name in self._refused and self._seen:
                results = dict.fromkeys(meant, self._refused[name])
            found.results |= {key: result.to_json() for key, result in results.items()}
        return found

    def _refusal(self, name: str, asked: int | None) -> MetricResult | None:
        from ..metrics.result import MetricResult

        metric = self._shared.metrics[name]
        if asked is not None and asked != metric.version:
            return MetricResult.not_run(f"the protocol asks for version {asked}; this viewsweep has {metric.version}.")
        if metric.takes_features and self._shared.network is None:
            return MetricResult.not_run(self._shared.no_network)
        if "classes" in metric.needs and self._shared.network is not None and not self._shared.network.classes:
            return MetricResult.not_run(f"the network {self._shared.network.name} names no classes.")
        completed = self._shared.true_scenes is not None
        if "samples" in metric.needs and not completed:
            return MetricResult.not_run("each scene was drawn once; a protocol with `completion` asks for samples.")
        if "truth" in metric.needs and not (completed or (self._shared.protocol and self._shared.protocol.truth)):
            return MetricResult.not_run("the true views are not known; a protocol with `truth` says what they are.")
        if "reference" in metric.needs and self._shared.reference is None:
            return MetricResult.not_run(self._shared.no_reference)
        return None

    def _refuse(self, name: str, reason: str) -> None:
        from ..metrics.result import MetricResult

        self._refused[name] = MetricResult.failed(" ".join(reason.split()), len(self._seen))

    def _rows(self, metric: Any) -> list[TableRow]:
        """The table's rows; what is known of all samples of a scene stands beside the first of them."""
        from ..metrics.feeding import takes_samples

        rows: list[TableRow] = []
        stride = self._shared.samples if takes_samples(type(metric)) else 1
        for row in metric.rows():
            index = row.index * stride
            seed, label = self._seen[index]
            yaw = None if math.isnan(row.yaw_deg) else row.yaw_deg
            view = row.view + self._first_scored if metric.takes_features and row.view >= 0 else row.view
            rows.append((index, seed, label, row.metric, view, yaw, row.value))
        return rows


def _network(protocol: Protocol | None) -> tuple[FeatureNetwork | None, str]:
    """The feature network, or None and the reason why there is none."""
    from ..metrics.network import load_network

    if protocol is not None and protocol.features is None:
        return None, f"the protocol {protocol.name} names no feature network."
    name = protocol.features.network if protocol is not None and protocol.features is not None else DEFAULT_NETWORK
    try:
        network = load_network(name)
    except UserError as error:
        return None, str(error)
    asked = None if protocol is None or protocol.features is None else protocol.features.sha256
    if asked is not None and network.sha256 != asked:
        return None, (
            f"the protocol asks for the {network.name} network {asked[:12]}; "
            f"installed is {network.sha256[:12]}, whose numbers cannot be compared."
        )
    return network, ""
