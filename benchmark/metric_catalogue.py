"""The metrics by name, and the three ways in which they are fed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..scenes.errors import UnknownName
from .protocol import Protocol

if TYPE_CHECKING:
    from ..metrics import Definition, Features, ViewsweepMetric
    from ..scenes.scene import Scene

__all__ = ["catalogue", "check_metrics", "definitions", "make", "needs_features", "update"]


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


def needs_features(metric: type[ViewsweepMetric]) -> bool:
    """Whether it works on what a feature network says about the pictures."""
    from ..metrics import ClassAccuracy, SetMetric

    return issubclass(metric, SetMetric | ClassAccuracy)


def definitions(metric: type[Any], network: str) -> dict[str, Definition]:
    """The ids `metric` yields with the features of `network`, and what they mean."""
    found: dict[str, Definition] = metric.definitions(network) if needs_features(metric) else metric.definitions()
    return found


def make(metric: type[Any], network: str, reference: Features | None) -> ViewsweepMetric:
    """An empty metric, with the reference set where it wants one."""
    made: Any = metric(network) if needs_features(metric) else metric()
    if "reference" in metric.needs and reference is not None:
        made.update(reference, real=True)
    return made  # type: ignore[no-any-return]  # a class of the catalogue


def update(metric: ViewsweepMetric, scene: Scene, index: int, features: Features | None) -> None:
    """Give `metric` one scene, in the form it takes."""
    from ..metrics import ClassAccuracy, SetMetric

    if isinstance(metric, SetMetric | ClassAccuracy):
        assert features is not None  # such metrics are not made without a network
        if isinstance(metric, SetMetric):
            metric.update(features, index=index)
        else:
            metric.update(scene, index, features)
    else:
        metric.update(scene, index)
