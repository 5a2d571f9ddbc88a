"""The metrics by name, and whether a protocol asks for known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..scenes.errors import UnknownName
from .protocol import Protocol

if TYPE_CHECKING:
    from ..metrics import ViewsweepMetric

__all__ = ["catalogue", "check_metrics"]


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
