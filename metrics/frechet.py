"""Fréchet distance between Gaussians, and `FID`: how far a set of pictures is from the reference set.

Definition (Heusel et al., "GANs trained by a two time-scale update rule", NeurIPS 2017). With mean
and covariance of the features of both sets,

    d = |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)),   from 0, lower is better

With any factors C1 = A A^T and C2 = B B^T the trace of the root is the sum of the singular values of
A^T B: no matrix root, no complex numbers. In float64 that sum is good to rounding. Its cheap form,
the roots of the eigenvalues of A^T C2 A, loses digits only where eigenvalues are near 0; their
number and size bound the error, and wherever the bound exceeds 1e-7 of the distance the singular
values are computed instead. Factors are Cholesky's, pivoted for singular matrices; with no more
pictures than dimensions the centred features themselves, so that no D x D matrix is ever formed.

The interval is the delete-group jackknife over generated scenes, the reference being fixed. It
covers the choice of scenes, not that of training runs, which moves FID more. Each leave-out value is
exact: a group is taken out of A^T C2 A by a product of its own few rows, and one symmetric eigenvalue
problem remains.

When it misleads. FID is biased by about c / N: compare values of equal N only. It depends on the
feature network, its resizing and the covariance's divisor, so the network is part of the id. With no
more pictures than feature dimensions the number would mean little: the metric does not compute it
(`frechet_distance_from_features` does). Views of one scene resemble each other, so N pictures of few
scenes are worth less than N unrelated ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch
from torch import Tensor

from .base import Array
from .gaussian import GaussianSums, gaussian
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric, Whole

__all__ = ["FID", "frechet_distance", "frechet_distance_from_features", "gaussian", "leave_out_distances"]

Moments = tuple[Array, Array]

EPSILON = float(np.finfo(np.float64).eps)
CHEAP = 1e-7
"""The error, as a share of the distance, up to which the cheap form will do."""

FAR = 1e8
"""Beyond |mean|^2 / trace(covariance) of this, sums about 0 no longer give six digits."""


class FID(SetMetric):
    """Fréchet distance of generated pictures to reference pictures in a network's features.

    Args:
        network: name of the feature network, part of the metric's id.
        ddof: 1 divides covariances by N - 1 (clean-fid, pytorch-fid), 0 by N (EG3D, 3DGP).
        intervals: False keeps sums of the features instead of the features, which bounds the memory
            by two D x D matrices however many pictures come, and leaves no interval. The value is the
            same up to rounding, whose last bits depend on the order of updates.
        width: D, which sums must know beforehand.

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
    _ids = (
        Definition(
            name,
            title,
            version,
            unit,
            higher_is_better,
            "Fréchet distance of the features of all generated views to those of the reference pictures; 0 is best. "
            "n counts pictures; compare values of equal n and equal feature network only.",
        ),
    )
    _bounds = ((0.0, float("inf")),)

    def __init__(
        self, network: str = "tabletop", *, ddof: int = 1, intervals: bool = True, width: int | None = None
    ) -> None:
        super().__init__(network)
        if ddof not in (0, 1):
            raise ValueError(f"ddof is {ddof}; it must be 0 (divide by N) or 1 (divide by N - 1).")
        if intervals == (width is not None) or (width is not None and width < 1):
            raise ValueError(
                f"intervals is {intervals} and width is {width}; FID without intervals keeps sums, whose "
                "width it must know (64 for tabletop, 2048 for inception); with intervals it takes no width."
            )
        self.ddof, self.intervals, self.width = ddof, intervals, width
        self._moments: Moments | None = None
        if width is not None:
            for kind in ("fake", "real"):
                empty = GaussianSums.empty(width)
                for part in ("count", "first", "second"):
                    self.add_state(f"{kind}_{part}", getattr(empty, part), dist_reduce_fx="sum")

    def refer(self, moments: Moments) -> None:
        """Compare with these moments (mean [D], covariance [D, D]) of all real pictures.

        The real pictures given to `update` are then a sample of them, and say only that there are some. Every
        process has to be told.
        """
        self._moments = moments

    def _width(self) -> int:
        return self.width or super()._width()

    def _keep(self, kind: str, rows: Tensor, scene: Tensor, azimuth_deg: Tensor) -> None:
        if self.intervals:
            super()._keep(kind, rows, scene, azimuth_deg)
        else:
            self._sums(kind).add(rows)

    def _sums(self, kind: str) -> GaussianSums:
        """The states as one; what it takes in, they take in."""
        count, first, second = (getattr(self, f"{kind}_{part}") for part in ("count", "first", "second"))
        # sums of all processes add up only if their shift is the same, and 0 is the one all know
        return GaussianSums(count, torch.zeros_like(first), first, second)

    def _results(self) -> dict[str, MetricResult]:
        if self.intervals:
            return super()._results()
        (name,) = self.definitions(self.network)
        return {name: self._of_sums(self._sums("fake"), self._sums("real"))}

    def _of_sums(self, fake: GaussianSums, real: GaussianSums) -> MetricResult:
        counts = int(fake.count), int(real.count)
        refused = self._missing(*counts) or too_few(*counts, fake.width)
        if refused:
            return refused
        moments = fake.moments(self.ddof), self._moments or real.moments(self.ddof)
        if any(mean @ mean > FAR * np.trace(covariance) for mean, covariance in moments):
            reason = "the features are too far from 0, for their spread, to be summed; FID(intervals=True) keeps them."
            return MetricResult.failed(reason, counts[0])
        return MetricResult.ok(_distance(*moments), None, counts[0])

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        refused = too_few(len(fake), len(real), fake.rows.shape[1])
        if refused:
            return [refused]
        moments = self._moments or gaussian(real.rows, self.ddof)
        value = _distance(gaussian(fake.rows, self.ddof), moments)
        groups, own = fake.groups()
        deleted = leave_out_distances(fake.rows, own, moments, self.ddof) if fake.units > 1 else []
        return [self._ok(value, deleted, groups, len(fake))]


def frechet_distance(mean1: npt.ArrayLike, cov1: npt.ArrayLike, mean2: npt.ArrayLike, cov2: npt.ArrayLike) -> float:
    """Squared Fréchet (Wasserstein-2) distance between two Gaussians.

    Args:
        mean1, mean2: [D].
        cov1, cov2: symmetric and positive semi-definite, [D, D]; singular ones are fine.

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, matrices that are not
            symmetric or have a negative eigenvalue.

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
    return _distance((means[0], covariances[0]), (means[1], covariances[1]), ("cov1", "cov2"))


def frechet_distance_from_features(fake: npt.ArrayLike, real: npt.ArrayLike, *, ddof: int = 1) -> float:
    """The distance of the Gaussians of two sets of features; right for fewer rows than columns too.

    Args:
        fake, real: [N, D] and [M, D], more than `ddof` rows each. With no more rows than columns the
            centred rows are used as they are: exact, and without any D x D matrix.
        ddof: 1 divides covariances by N - 1, 0 by N.

    Raises:
        ValueError: shapes that do not fit, too few rows, numbers that are not finite.
    """
    sides = [np.asarray(rows, dtype=np.float64) for rows in (fake, real)]
    x, y = sides
    if ddof not in (0, 1) or x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) <= ddof:
        raise ValueError(
            f"features must be matrices [N, D] of one width and more than ddof = {ddof} (0 or 1) rows; "
            f"got {list(x.shape)}, {list(y.shape)}."
        )
    if not all(np.isfinite(rows).all() for rows in sides):
        raise ValueError("features must be finite.")
    if min(len(x), len(y)) > x.shape[1]:
        return _distance(gaussian(x, ddof), gaussian(y, ddof))
    factors, traces = [], []
    for rows in sides:
        centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - ddof)
        factors.append(centred.T if len(rows) <= rows.shape[1] else _factor(centred.T @ centred, "the covariance"))
        traces.append(float(np.square(centred).sum()))
    shift = float(np.sum((x.mean(0) - y.mean(0)) ** 2))
    return max(0.0, shift + sum(traces) - 2 * _nuclear_norm(factors[0].T @ factors[1]))


def leave_out_distances(
    rows: Array, group: Whole, reference: Moments, ddof: int = 1, groups: int | None = None
) -> list[float]:
    """The distance to `reference` with the rows of one group left out, for each group in turn.

    Args:
        rows: features [N, D].
        group: of each row, numbered from 0, [N].
        reference: mean [D] and covariance [D, D].
        ddof: of the covariance of `rows`.
        groups: how many there are, where the last may hold none of these rows.
    """
    mean, covariance = reference
    factor = _factor(covariance, "the reference's covariance")
    # moments about a common centre: sums of raw squares would cancel
    centre = rows.mean(0)
    shifted = rows - centre
    first, second = shifted.sum(0), shifted.T @ shifted
    total, inner = float(np.trace(second)), factor.T @ second @ factor
    found = []
    for one in range(int(group.max()) + 1 if groups is None else groups):
        out = shifted[group == one]
        count = len(rows) - len(out)
        shift = (first - out.sum(0)) / count
        seen, seen_shift = out @ factor, shift @ factor
        product = inner - seen.T @ seen - count * np.outer(seen_shift, seen_shift)
        trace = (total - float(np.square(out).sum()) - count * float(shift @ shift)) / (count - ddof)
        eigenvalues = _eigenvalues(product / (count - ddof))
        offset = float(np.sum((mean - centre - shift) ** 2))
        found.append(max(0.0, offset + trace + float(np.trace(covariance)) - 2 * float(np.sqrt(eigenvalues).sum())))
    return found


def too_few(fake: int, real: int, dimensions: int) -> MetricResult | None:
    """The refusal of sets no larger than the features are wide."""
    for name, count in (("generated", fake), ("reference", real)):
        if count <= dimensions:
            reason = f"FID needs more than {dimensions} {name} pictures, the dimension of the features; "
            return MetricResult.not_run(f"{reason}there are {count}.", fake)
    return None


def _distance(one: Moments, other: Moments, names: tuple[str, str] = ("the covariance", "the covariance")) -> float:
    (mean1, cov1), (mean2, cov2) = one, other
    apart = float(np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2))
    factor = _cholesky(cov1)
    if factor is not None:
        eigenvalues = _eigenvalues(_sandwich(factor, cov2))
        distance = apart - 2 * float(np.sqrt(eigenvalues).sum())
        wrong = EPSILON * float(np.linalg.norm(cov1) * np.linalg.norm(cov2))  # of each eigenvalue, about
        if 2 * _error_of_roots(eigenvalues, wrong) <= CHEAP * distance:
            return distance
    else:
        factor = _factor(cov1, names[0])
    return max(0.0, apart - 2 * _nuclear_norm(factor.T @ _factor(cov2, names[1])))


def _error_of_roots(values: Array, wrong: float) -> float:
    """How far the sum of the roots of `values` may be off, each being off by `wrong`."""
    roots = np.sqrt(values)
    far = np.sqrt(wrong)
    return float(np.where(roots > far, wrong / np.maximum(roots, far), far).sum()) if wrong > 0 else 0.0


def _sandwich(lower: Array, matrix: Array) -> Array:
    """L^T S L for a lower triangle L, in half the work of two products."""
    upper = lower.T
    half = scipy.linalg.blas.dtrmm(1.0, upper, matrix)
    product: Array = scipy.linalg.blas.dtrmm(1.0, upper, half, side=1, trans_a=1, overwrite_b=1)
    return product


def _eigenvalues(matrix: Array) -> Array:
    """Of a positive semi-definite matrix. torch's LAPACK takes half the time of NumPy's."""
    found: Array = torch.linalg.eigvalsh(torch.from_numpy(np.ascontiguousarray((matrix + matrix.T) / 2))).numpy()
    return found.clip(min=0.0)  # rounding makes zeros negative


def _factor(matrix: Array, name: str) -> Array:
    """F [D, R] with F F^T = matrix, of about as many columns as its rank."""
    symmetric = (matrix + matrix.T) / 2
    whole = _cholesky(symmetric)
    if whole is not None:
        return whole
    largest = float(symmetric.diagonal().max(initial=0.0))
    lower, pivots, rank, _ = scipy.linalg.lapack.dpstrf(symmetric, lower=1, tol=4 * EPSILON * largest)
    factor = np.zeros((len(matrix), int(rank) if largest > 0 else 0))
    factor[pivots - 1] = np.tril(lower)[:, : factor.shape[1]]
    scale = max(float(np.linalg.norm(symmetric)), 1e-300)
    if float(np.linalg.norm(factor @ factor.T - symmetric)) > 1e-6 * scale:  # what is left is no square
        raise ValueError(f"{name} has a negative eigenvalue, which no covariance has.")
    return factor


def _cholesky(matrix: Array) -> Array | None:
    """The lower triangle L with L L^T = matrix; None where the matrix is singular, or nearly."""
    try:
        return np.linalg.cholesky(matrix).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None


def _nuclear_norm(matrix: Array) -> float:
    """The sum of the singular values."""
    if 0 in matrix.shape:
        return 0.0
    return float(scipy.linalg.svdvals(matrix, check_finite=False, overwrite_a=True).sum())
