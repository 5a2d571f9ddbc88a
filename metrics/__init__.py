"""Every metric, its statistics, and the self-check that proves it.

Each metric is a `torchmetrics.Metric` that works alone::

    metric = WarpError()
    metric.update(scene, index=0)
    metric.compute(), metric.results(), metric.rows()
"""

from .anchors import anchored, index
from .azimuth_bins import AzimuthQuality
from .base import SceneMetric, ViewsweepMetric
from .best_of import BestOf, BestOfLPIPS, expected_best
from .bootstrap import bootstrap_interval, interval_of_mean
from .camera_compliance import CameraCompliance
from .chamfer import Chamfer
from .class_accuracy import ClassAccuracy
from .comparison import Comparison, compare, compare_intervals
from .completion_accuracy import CompletionAccuracy
from .completion_diversity import CompletionDiversity
from .completion_metric import CompletionMetric
from .completion_perceptual import CompletionFeatures, CompletionLPIPS
from .context_fidelity import ContextFidelity
from .depth_accuracy import DepthAccuracy
from .depth_agreement import DepthAgreement, excess_over_oracle
from .depth_self_agreement import DepthSelfAgreement
from .energy_score import EnergyScore
from .epipolar import EpipolarError, ParallaxError
from .features import FeatureNetwork, Features, extract
from .flow_error import FlowError
from .frechet import FID, frechet_distance, frechet_distance_from_features
from .gaussian import GaussianSums
from .geometric_share import GeometricShare
from .hold_out import ReconstructionHoldOut, ratio_to_oracle
from .inception_score import InceptionScore, inception_score
from .janus import Janus, JanusPixels, janus_excess
from .kernel import KID, kid_subsets
from .latent_error import LatentError
from .loop_closure import LoopClosure
from .lpips_distance import LPIPS, CovisibleLPIPS, PairedLPIPS
from .manifold import PrecisionRecall, manifold_scores
from .mode_coverage import ModeCoverage
from .network import load_network
from .non_flatness import NonFlatness
from .paired import PairedQuality, psnr, ssim
from .paired_tests import jackknife_difference
from .pairs import GAPS, adjacent_pairs, gap_pairs
from .ranking import RankRange
from .result import Definition, MetricResult, Row
from .set_metric import SetMetric
from .sharpness import SharpnessRatio
from .statistics import jackknife_interval, mean_interval
from .vendi import Vendi
from .view_range import ViewRange
from .visibility import seen_by_context
from .warp_error import WarpError
from .warp_structure import WarpStructure

__all__ = [
    "ALL_METRICS",
    "COMPLETION_METRICS",
    "FID",
    "GAPS",
    "KID",
    "LPIPS",
    "AzimuthQuality",
    "BestOf",
    "BestOfLPIPS",
    "CameraCompliance",
    "Chamfer",
    "ClassAccuracy",
    "Comparison",
    "CompletionAccuracy",
    "CompletionDiversity",
    "CompletionFeatures",
    "CompletionLPIPS",
    "CompletionMetric",
    "ContextFidelity",
    "CovisibleLPIPS",
    "Definition",
    "DepthAccuracy",
    "DepthAgreement",
    "DepthSelfAgreement",
    "EnergyScore",
    "EpipolarError",
    "FeatureNetwork",
    "Features",
    "FlowError",
    "GaussianSums",
    "GeometricShare",
    "InceptionScore",
    "Janus",
    "JanusPixels",
    "LatentError",
    "LoopClosure",
    "MetricResult",
    "ModeCoverage",
    "NonFlatness",
    "PairedLPIPS",
    "PairedQuality",
    "ParallaxError",
    "PrecisionRecall",
    "RankRange",
    "ReconstructionHoldOut",
    "Row",
    "SceneMetric",
    "SetMetric",
    "SharpnessRatio",
    "Vendi",
    "ViewRange",
    "ViewsweepMetric",
    "WarpError",
    "WarpStructure",
    "adjacent_pairs",
    "anchored",
    "bootstrap_interval",
    "compare",
    "compare_intervals",
    "excess_over_oracle",
    "expected_best",
    "extract",
    "frechet_distance",
    "frechet_distance_from_features",
    "gap_pairs",
    "inception_score",
    "index",
    "interval_of_mean",
    "jackknife_difference",
    "jackknife_interval",
    "janus_excess",
    "kid_subsets",
    "load_network",
    "manifold_scores",
    "mean_interval",
    "metric_classes",
    "psnr",
    "ratio_to_oracle",
    "seen_by_context",
    "ssim",
]

ALL_METRICS: tuple[type[ViewsweepMetric], ...] = (
    FID,
    KID,
    InceptionScore,
    PrecisionRecall,
    Vendi,
    AzimuthQuality,
    ViewRange,
    SharpnessRatio,
    ClassAccuracy,
    WarpError,
    WarpStructure,
    GeometricShare,
    EpipolarError,
    ParallaxError,
    LoopClosure,
    DepthSelfAgreement,
    Chamfer,
    CovisibleLPIPS,
    Janus,
    JanusPixels,
    CameraCompliance,
    ReconstructionHoldOut,
    NonFlatness,
    PairedQuality,
    PairedLPIPS,
    DepthAccuracy,
    DepthAgreement,
)
"""All metrics that measure one sample a scene, in the order reports show them."""


COMPLETION_METRICS: tuple[type[CompletionMetric], ...] = (
    CompletionAccuracy,
    CompletionFeatures,
    CompletionLPIPS,
    CompletionDiversity,
    EnergyScore,
    ModeCoverage,
    ContextFidelity,
    FlowError,
    LatentError,
)
"""All metrics that take the K samples of a scene together, in the order reports show them."""


def metric_classes() -> dict[str, type[ViewsweepMetric]]:
    """All metrics by the stem of their name, in the order reports show them."""
    return {metric.name: metric for metric in (*ALL_METRICS, *COMPLETION_METRICS)}
