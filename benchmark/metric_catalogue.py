"""The metrics by name, and the three ways in which they are fed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..scenes.errors import UnknownName
from .protocol import Protocol

if TYPE_CHECKING:
    from ..metrics import Definition, Features, ViewsweepMetric
    from ..scenes.scene import Scene

__all__ = ["catalogue", "check_metrics", "definitions", "make", "update"]


def catalogue() -> dict[str, type[ViewsweepMetric]]:
    """Every metric class by its name, in the order of reports."""
    from ..metrics import metric_classes  # late: brings in torchmetrics, which takes seconds

    return metric_classes()


def check_metrics(protocol: Protocol) -> None:
    """Refuse a protocol that names a metric nobody wrote, before anything is drawn for it.

    Raises:
        UnknownName: the nearest are offered.
    """
    known = catalogue()
    for name in protocol.metrics:
        if name not in known:
            raise UnknownName("metric", name, known, hint=f"It is asked for by the protocol {protocol.name}.")


def definitions(metric: type[Any], network: str) -> dict[str, Definition]:
    """The ids `metric` yields with the features of `network`, and what they mean."""
    found: dict[str, Definition] = metric.definitions(network) if metric.takes_features else metric.definitions()
    return found


def make(metric: type[Any], network: str, reference: Features | None) -> ViewsweepMetric:
    """An empty metric, with the reference set where it wants one."""
    made: Any = metric(network) if metric.takes_features else metric()
    if "reference" in metric.needs and reference is not None:
        made.update(reference, real=True)
    return made  # type: ignore[no-any-return]  # a class of the catalogue


def update(metric: Any, scene: Scene, index: int, features: Features | None) -> None:
    """Give `metric` one scene, in the form it takes; one that takes features is not made without them."""
    from ..metrics import SetMetric

    if isinstance(metric, SetMetric):
        assert features is not None
        metric.update(features, index=index)
    elif metric.takes_features:
        metric.update(scene, index, features)
    else:
        metric.update(scene, index)
