"""Metrics by their class: how each is made and fed, so that no caller has to know its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .features import Features
from .frechet import Moments
from .result import Definition
from .set_metric import SetMetric

if TYPE_CHECKING:
    from ..scenes.scene import Scene
    from .base import ViewsweepMetric

__all__ = ["definitions_of", "feed", "make"]


def definitions_of(metric: type[Any], network: str) -> dict[str, Definition]:
    """The ids `metric` yields with the features of `network`, and what they mean."""
    found: dict[str, Definition] = metric.definitions(network) if metric.takes_features else metric.definitions()
    return found


def make(
    metric: type[Any], network: str, reference: Features | None, moments: Moments | None = None
) -> ViewsweepMetric:
    """An empty metric, with the reference set where it wants one.

    `moments` are those of a reference set of which `reference` is a sample; metrics of moments compare
    with them.
    """
    made: Any = metric(network) if metric.takes_features else metric()
    if "reference" in metric.needs and reference is not None:
        made.update(reference, real=True)
        if moments is not None and hasattr(made, "refer"):
            made.refer(moments)
    return made  # type: ignore[no-any-return]  # a class of the catalogue


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
        metric.update(features, index=index)
    elif metric.takes_features:
        metric.update(scene, index, features)
    elif "truth" in metric.needs:
        metric.update(scene, index, truth)
    else:
        metric.update(scene, index)
