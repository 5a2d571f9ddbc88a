"""Metrics by their class: how each is made and fed, so that no caller has to know its signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .features import Features
from .frechet import Moments
from .result import Definition
from .set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor

    from ..scenes.scene import Scene
    from .base import ViewsweepMetric
    from .completion_metric import Modes

__all__ = ["definitions_of", "feed", "feed_samples", "make", "takes_samples"]


def definitions_of(metric: type[Any], network: str) -> dict[str, Definition]:
    """The ids `metric` yields with the features of `network`, and what they mean."""
    found: dict[str, Definition] = metric.definitions(network) if metric.takes_features else metric.definitions()
    return found


def make(
    metric: type[Any],
    network: str,
    reference: Features | None,
    moments: Moments | None = None,
    samples: int = 1,
    reference_scene: Tensor | None = None,
) -> ViewsweepMetric:
    """An empty metric, with the reference set where it wants one.

    `moments` are those of a reference set of which `reference` is a sample; metrics of moments compare
    with them. `reference_scene` is the scene of the protocol each reference picture shows, int64 [N]; None where
    they show none of them. `samples` is how many samples of each true scene will come: fed one by one, sample k of
    scene n has the index n * samples + k.
    """
    made: Any = metric(network) if metric.takes_features else metric()
    if not takes_samples(metric):
        made.samples_per_scene = samples
    if "reference" in metric.needs and reference is not None:
        made.update(reference, real=True, index=reference_scene)
        if moments is not None and hasattr(made, "refer"):
            made.refer(moments)
    return made  # type: ignore[no-any-return]  # a class of the catalogue


def takes_samples(metric: type[Any]) -> bool:
    """Whether `metric` takes all samples of a true scene together."""
    return "samples" in metric.needs


def feed(metric: Any, scene: Scene, index: int, features: Features | None, truth: Scene | None) -> None:
    """Give `metric` one scene, in the form it takes.

    Args:
        metric: made by `make`.
        scene: what was generated.
        index: the scene's position in the protocol.
        features: of its views; a metric that takes features must not be fed without.
        truth: the true views, where they are known.
    """
    if isinstance(metric, SetMetric):
        assert features is not None
        # the scene is the unit of a set, whatever the number of its samples
        metric.update(features, index=index // metric.samples_per_scene)
    elif metric.takes_features:
        metric.update(scene, index, features)
    elif "truth" in metric.needs:
        metric.update(scene, index, truth)
    else:
        metric.update(scene, index)


def feed_samples(metric: Any, samples: Sequence[Scene], index: int, truth: Scene | None, modes: Modes = ()) -> None:
    """Give a metric that `takes_samples` all those of one true scene.

    Args:
        metric: made by `make`.
        samples: what was drawn, in order.
        index: the true scene's position in the protocol.
        truth: its true views, with their context.
        modes: everything that was possible, with its probability, where that is known.
    """
    metric.update(samples, index, truth, modes)
