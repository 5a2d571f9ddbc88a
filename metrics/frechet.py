"""Fréchet distance between Gaussians, and `FID`: how far a set of pictures is from the reference set.

Definition (Heusel et al., "GANs trained by a two time-scale update rule", NeurIPS 2017). With mean
and covariance of the features of both sets,

    d = |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)),   from 0, lower is better

The trace of the root is the sum of the square roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), a
symmetric matrix: no iterative matrix root and no imaginary parts. All in float64.

The interval is the delete-group jackknife over generated scenes, the reference being fixed. It
covers the choice of scenes, not that of training runs, which moves FID more.

When it misleads. FID is biased by about c / N: compare values of equal N only. It depends on the
feature network, its resizing and the covariance's divisor, so the network is part of the id. With no
more pictures than feature dimensions the covariance is singular and the number would mean little: it
is not computed. Views of one scene resemble each other, so N pictures of few scenes are
worth less than N unrelated ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import statistics
from .base import Array, SetMetric
from .result import MetricResult

__all__ = ["FID", "frechet_distance", "gaussian"]


class FID(SetMetric):
    """Fréchet distance of generated pictures to reference pictures in a network's features.

    Args:
        network: name of the feature network, part of the metric's id.
        ddof: 1 divides covariances by N - 1 (clean-fid, pytorch-fid), 0 by N (EG3D, 3DGP).

    Example:
        >>> import torch
        >>> from viewsweep.metrics import Features
        >>> def pictures(seed):
        ...     rows = torch.randn(100, 4, generator=torch.Generator().manual_seed(seed))
        ...     return Features(rows, torch.zeros(100, 1))
        >>> metric = FID()
        >>> metric.update(pictures(0), real=True)
        >>> metric.update(pictures(1))
        >>> bool(metric.compute() < 0.5)
        True
    """

    name = "fid"
    title = "FID"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "reference"})

    _keeps = "embedding"
    _bound = (0.0, float("inf"))
    _description = (
        "Fréchet distance of the features of all generated views to those of the reference pictures; 0 is best. "
        "n counts pictures; compare values of equal n and equal feature network only."
    )

    def __init__(self, network: str = "tabletop", *, ddof: int = 1) -> None:
        super().__init__(network)
        if ddof not in (0, 1):
            raise ValueError(f"ddof is {ddof}; it must be 0 (divide by N) or 1 (divide by N - 1).")
        self.ddof = ddof

    def _measure(
        self, fake: Array, unit: npt.NDArray[np.int64], real: Array, real_unit: npt.NDArray[np.int64]
    ) -> MetricResult:
        dimensions = fake.shape[1]
        for name, rows in (("generated", fake), ("reference", real)):
            if len(rows) <= dimensions:
                reason = f"FID needs more than {dimensions} {name} pictures, the dimension of the features; "
                return MetricResult.not_run(f"{reason}there are {len(rows)}.", len(fake))
        mean_real, cov_real = gaussian(real, self.ddof)
        root = _root(cov_real)
        groups = statistics.jackknife_groups(int(unit[-1]) + 1)
        # moments about a common centre: sums of raw squares would cancel
        centre = fake.mean(0)
        shifted = fake - centre
        first, second = shifted.sum(0), shifted.T @ shifted

        def distance(total: Array, squares: Array, count: int) -> float:
            mean = total / count
            covariance = (squares - count * np.outer(mean, mean)) / (count - self.ddof)
            return _distance(mean_real, cov_real, root, centre + mean, covariance)

        value = distance(first, second, len(fake))
        deleted = []
        if unit[-1] > 0:
            for group in range(int(groups.max()) + 1):
                out = shifted[groups[unit] == group]
                deleted.append(distance(first - out.sum(0), second - out.T @ out, len(fake) - len(out)))
        return self._ok(value, deleted, groups, len(fake))


def frechet_distance(mean1: npt.ArrayLike, cov1: npt.ArrayLike, mean2: npt.ArrayLike, cov2: npt.ArrayLike) -> float:
    """Squared Fréchet (Wasserstein-2) distance between two Gaussians.

    Args:
        mean1, mean2: [D].
        cov1, cov2: symmetric and positive semi-definite, [D, D]; singular ones are fine.

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, matrices that are not
            symmetric.

    Example:
        >>> frechet_distance([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0], [[4.0, 0.0], [0.0, 4.0]])
        27.0
    """
    means = [np.asarray(mean, dtype=np.float64) for mean in (mean1, mean2)]
    covariances = [np.asarray(covariance, dtype=np.float64) for covariance in (cov1, cov2)]
    size = means[0].shape[0] if means[0].ndim == 1 else -1
    if any(mean.shape != (size,) for mean in means) or any(c.shape != (size, size) for c in covariances):
        shapes = ", ".join(str(list(part.shape)) for part in (means[0], covariances[0], means[1], covariances[1]))
        raise ValueError(f"frechet_distance takes means [D] and covariances [D, D]; got {shapes}.")
    if not all(np.isfinite(part).all() for part in (*means, *covariances)):
        raise ValueError("frechet_distance takes finite numbers only.")
    for name, covariance in zip(("cov1", "cov2"), covariances, strict=True):
        if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-6 * np.abs(covariance).max(initial=1e-300):
            raise ValueError(f"{name} is not symmetric.")
    return _distance(means[0], covariances[0], _root(covariances[0]), means[1], covariances[1])


def gaussian(rows: Array, ddof: int = 1) -> tuple[Array, Array]:
    """Mean [D] and covariance [D, D] of features [N, D] in float64, divided by N - ddof."""
    mean = rows.mean(0, dtype=np.float64)
    shifted = rows - mean
    return mean, shifted.T @ shifted / (len(rows) - ddof)


def _distance(mean1: Array, cov1: Array, root1: Array, mean2: Array, cov2: Array) -> float:
    product = root1 @ cov2 @ root1
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    overlap = np.sqrt(eigenvalues.clip(min=0.0)).sum()  # rounding makes zeros slightly negative
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * overlap
    return max(0.0, float(distance))


def _root(matrix: Array) -> Array:
    eigenvalues, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: Array = (vectors * np.sqrt(eigenvalues.clip(min=0.0))) @ vectors.T
    return root
