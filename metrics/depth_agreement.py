"""`DepthAgreement`: does the depth resemble what a depth estimator sees in the same picture? (D4)

Definition. Over the pixels of a view where both have a depth, each is brought to mean 0 and variance 1 (the
population's, dividing by n), and

    depth_agreement = mean squared difference = 2 (1 - rho),    rho Pearson's correlation

A scene's value is the mean over its views. 0 is agreement up to scale and shift, 2 no relation, 4 inside
out; lower is better.

Space. Correlation does not survive 1 / x: an estimator that gives disparity (MiDaS, Depth Anything) must be
compared in disparity, one that gives depth in depth. `space` says which; the method's z-depth is converted.

Worst value. A view in which the method gives fewer than 16 pixels of depth scores 4. Depth that is the same
everywhere correlates with nothing: rho counts as 0 and the view scores 2. Views where the *estimator*
gives nothing, or the same everywhere, are left out; nobody learns from them.

When it misleads. It measures agreement with a prior, not with the truth: estimators are trained on
photographs, and on renderings before a plain background their own error may exceed the differences between
methods. So the number to print is the excess over the oracle's views under the same estimator
(`excess_over_oracle`). It is aligned per view by nature: scale and shift that change from view to view are
forgiven. Values of different estimators must not be compared.

Sources: Chan et al., "Efficient geometry-aware 3D generative adversarial networks" (EG3D), CVPR 2022, which
takes a face reconstruction as the estimator; the procedure is that of Carver (NeurIPS 2023 Datasets and
Benchmarks), where the variance divides by n - 1, which makes it (n - 1) / n of this.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..scenes.scene import Scene
from . import statistics
from .base import azimuth_deg
from .depth_alignment import Space
from .result import Definition, MetricResult
from .truth_metric import OwnReasons

__all__ = ["DepthAgreement", "Estimate", "excess_over_oracle", "standardised_difference"]

Array = npt.NDArray[np.float64]
Estimate = Tensor | npt.NDArray[np.floating] | Callable[[Scene], Tensor | npt.NDArray[np.floating]]
"""Estimated maps [V, H, W] in `space`, not finite where unknown, or what makes them from a scene's pictures."""

MINIMUM_PIXELS = 16
WORST, UNRELATED = 4.0, 2.0


class DepthAgreement(OwnReasons):
    """Difference of standardised depth from an estimator's.

    Args:
        estimator: makes the estimate of each scene; not needed where `update` is given estimates.
        space: what the estimates are: "depth", or "disparity" (larger is nearer).

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> scene = tabletop.sample(7).render(sweep360(4), 32)
        >>> metric = DepthAgreement()
        >>> metric.update(scene, 0, 3 * scene.depth + 1)
        >>> round(float(metric.compute()), 6)
        0.0
    """

    name = "depth_agreement"
    title = "Agreement with estimated depth"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "depth", "estimate"})

    _ids = (
        Definition(
            "depth_agreement",
            "Depth disagreement",
            version,
            unit,
            False,
            "Mean squared difference of standardised depth from that of a depth estimator, 2 (1 - correlation); "
            "0 for agreement up to scale and shift, 2 for no relation, 4 for inside out. Compare with the oracle's.",
        ),
    )
    _bounds = ((0.0, WORST),)

    def __init__(self, estimator: Callable[[Scene], Tensor] | None = None, *, space: Space = "depth") -> None:
        super().__init__()
        if space not in ("depth", "disparity"):
            raise ValueError(f"space is {space!r}; estimates are in depth or in disparity.")
        self.estimator, self.space = estimator, space

    def update(self, scene: Scene, index: int, estimated: Estimate | None = None) -> None:
        """Measure `scene`, the protocol's scene number `index`, against the estimate for its pictures.

        Raises:
            ValueError: an estimate of another shape than the scene's depth.
        """
        lacking = self._lacks(scene)
        if lacking or scene.depth is None:
            self._skip(index, lacking or "depth")
            return
        estimated = self.estimator if estimated is None else estimated
        if estimated is None:
            self._skip_own(index, 0)
            return
        held = estimated(scene) if callable(estimated) else estimated
        theirs = torch.as_tensor(held).detach().to("cpu", torch.float64).numpy()
        ours = scene.depth.to("cpu", torch.float64).numpy()
        if theirs.shape != ours.shape:
            raise ValueError(
                f"Scene {index}: the estimate has shape {list(theirs.shape)}, the depth {list(ours.shape)}; "
                "resize the estimate to the picture."
            )
        if self.space == "disparity":
            ours = 1 / ours
        values = [_view(a, b) for a, b in zip(ours, theirs, strict=True)]
        seen = [view for view, value in enumerate(values) if value is not None]
        if not seen:
            self._skip_own(index, 1)
            return
        yaw = [math.nan] * scene.views if scene.cameras is None else azimuth_deg(scene.cameras.yaw)
        found = torch.tensor([[values[view]] for view in seen], dtype=torch.float64)
        self._record(index, seen, [-1] * len(seen), [yaw[view] for view in seen], found)

    def _own_reasons(self) -> tuple[str, ...]:
        return "no depth estimator was given", "the estimator found no depth, or the same everywhere"


def standardised_difference(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Mean squared difference of x and y [N], each at mean 0 and population variance 1: 2 (1 - rho).

    2 where one of them does not vary.

    Raises:
        ValueError: shapes that differ, or nothing in them.
    """
    a, b = np.ravel(np.asarray(x, dtype=np.float64)), np.ravel(np.asarray(y, dtype=np.float64))
    if a.shape != b.shape or not len(a):
        raise ValueError(f"two rows of equal length are compared, not {len(a)} numbers with {len(b)}.")
    if not (_varies(a) and _varies(b)):
        return UNRELATED
    difference = (a - a.mean()) / a.std() - (b - b.mean()) / b.std()
    return min(WORST, float(np.mean(difference**2)))


def excess_over_oracle(method: DepthAgreement, oracle: DepthAgreement) -> MetricResult:
    """How much more the method disagrees with the estimator than true views do, over the same scenes.

    Returns:
        The mean of the scenes' differences with the interval of paired differences; failed where the two did not
        measure the same scenes.
    """
    ours, theirs = ({row.index: row.value for row in metric.rows() if row.view == -1} for metric in (method, oracle))
    if not ours or not theirs:
        return MetricResult.not_run("no scene was measured for the method, or none for the oracle.")
    apart = sorted(ours.keys() ^ theirs.keys())
    if apart:
        return MetricResult.failed(
            f"{len(apart)} scenes (first: {apart[0]}) were measured for only one of method and oracle.", len(ours)
        )
    excess = [ours[scene] - theirs[scene] for scene in sorted(ours)]
    return MetricResult.ok(
        statistics.mean(excess), statistics.mean_interval(excess, bounds=(-WORST, WORST)), len(excess)
    )


def _view(ours: Array, theirs: Array) -> float | None:
    """A view's value; None where the estimate is of no use."""
    known, both = np.isfinite(theirs), np.isfinite(ours) & np.isfinite(theirs)
    if int(known.sum()) < MINIMUM_PIXELS or not _varies(theirs[known]):
        return None
    if int(both.sum()) < MINIMUM_PIXELS:
        # whose fault is it that they do not meet?
        return WORST if int(np.isfinite(ours).sum()) < MINIMUM_PIXELS else None
    return standardised_difference(ours[both], theirs[both])


def _varies(values: Array) -> bool:
    """More than float32 rounds."""
    return float(np.ptp(values)) > 1e-6 * float(np.abs(values).max())
