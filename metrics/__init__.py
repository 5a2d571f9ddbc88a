"""Every metric, its statistics, and the self-check that proves it.

Each metric is a `torchmetrics.Metric` that works alone::

    metric = WarpError()
    metric.update(scene, index=0)
    metric.compute(), metric.results(), metric.rows()
"""

from .base import SceneMetric, SetMetric, ViewsweepMetric
from .class_accuracy import ClassAccuracy
from .features import FeatureNetwork, Features, extract
from .frechet import FID, frechet_distance
from .geometric_share import GeometricShare
from .inception_score import InceptionScore, inception_score
from .kernel import KID, kid_subsets
from .non_flatness import NonFlatness
from .pairs import GAPS, adjacent_pairs, gap_pairs
from .result import Definition, MetricResult, Row
from .statistics import jackknife_interval, mean_interval
from .warp_error import WarpError

__all__ = [
    "ALL_METRICS",
    "FID",
    "GAPS",
    "KID",
    "ClassAccuracy",
    "Definition",
    "FeatureNetwork",
    "Features",
    "GeometricShare",
    "InceptionScore",
    "MetricResult",
    "NonFlatness",
    "Row",
    "SceneMetric",
    "SetMetric",
    "ViewsweepMetric",
    "WarpError",
    "adjacent_pairs",
    "extract",
    "frechet_distance",
    "gap_pairs",
    "inception_score",
    "jackknife_interval",
    "kid_subsets",
    "mean_interval",
    "metric_classes",
]

ALL_METRICS: tuple[type[ViewsweepMetric], ...] = (
    FID,
    KID,
    InceptionScore,
    ClassAccuracy,
    WarpError,
    GeometricShare,
    NonFlatness,
)
"""All metrics, in the order reports show them."""


def metric_classes() -> dict[str, type[ViewsweepMetric]]:
    """All metrics by the stem of their name, in the order reports show them."""
    return {metric.name: metric for metric in ALL_METRICS}
