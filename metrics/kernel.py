"""`KID`: how far a set of pictures is from the reference set, without bias.

Definition (Binkowski et al., "Demystifying MMD GANs", ICLR 2018): the squared maximum mean discrepancy
of the features under the kernel k(x, y) = (x . y / D + 1)^3,

    d = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),   0 expected for equal distributions

the first two means over pairs of *different scenes*. For unrelated pictures these are all pairs of
different pictures, the usual unbiased estimator; with several views of a scene the usual one would be
biased upwards, for views of one object resemble each other. The value may be slightly negative.

All pairs are used (the full U-statistic) and the interval is the delete-group jackknife over
generated scenes. `kid_subsets` is the form printed in papers, means over random subsets; the standard
deviation it prints depends on the subset size and is *not* a standard error.

When it misleads. Unlike FID it may be compared across sample counts, but not across feature networks.
Papers print it times 100 or 1000; here it is raw.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import statistics
from .base import Array, SetMetric
from .result import MetricResult

__all__ = ["KID", "kid_subsets", "kid_u_statistic"]

BLOCK = 1024  # rows of the kernel matrix at once


class KID(SetMetric):
    """Unbiased kernel distance of generated pictures to reference pictures.

    Args:
        network: name of the feature network, part of the metric's id.
    """

    name = "kid"
    title = "KID"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "reference"})

    _keeps = "embedding"
    _bound = (float("-inf"), float("inf"))
    _description = (
        "Squared kernel distance (cubic, unbiased, pairs of different scenes) of the features of all generated views "
        "to those of the reference pictures; 0 expected at best, slightly negative values occur. n counts pictures."
    )

    def _measure(
        self, fake: Array, unit: npt.NDArray[np.int64], real: Array, real_unit: npt.NDArray[np.int64]
    ) -> MetricResult:
        for name, units in (("generated", unit), ("reference", real_unit)):
            if units[-1] < 1:
                return MetricResult.not_run(f"KID compares pairs of scenes; the {name} set holds one.", len(fake))
        groups = statistics.jackknife_groups(int(unit[-1]) + 1)
        own = groups[unit]
        count = int(groups.max()) + 1
        sums, pairs = _between(fake, unit, own, count)
        cross = np.zeros(count)
        for start in range(0, len(fake), BLOCK):
            rows = slice(start, start + BLOCK)
            cross += np.bincount(own[rows], _kernel_sums(fake[rows], real), minlength=count)
        real_sums, real_pairs = _between(real, real_unit, np.zeros(len(real), dtype=np.int64), 1)
        real_mean = float(real_sums[0, 0] / real_pairs[0, 0])
        size = np.bincount(own, minlength=count)

        def distance(kept: npt.NDArray[np.bool_]) -> float:
            inner = sums[np.ix_(kept, kept)].sum() / pairs[np.ix_(kept, kept)].sum()
            return float(inner + real_mean - 2 * cross[kept].sum() / (size[kept].sum() * len(real)))

        everything = np.ones(count, dtype=bool)
        deleted = []
        if unit[-1] > 1:  # with two scenes nothing is left to compare
            deleted = [distance(np.arange(count) != group) for group in range(count)]
        return self._ok(distance(everything), deleted, groups, len(fake))


def kid_u_statistic(fake: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """The usual unbiased estimate over all pairs of different pictures; features [N, D] and [M, D]."""
    x, y = np.asarray(fake, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"KID takes two matrices [N, D] of at least two rows; got {list(x.shape)}, {list(y.shape)}.")
    means = []
    for rows in (x, y):
        sums, pairs = _between(rows, np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64), 1)
        means.append(float(sums[0, 0] / pairs[0, 0]))
    return means[0] + means[1] - 2 * float(_kernel_sums(x, y).sum()) / (len(x) * len(y))


def kid_subsets(
    fake: npt.ArrayLike, real: npt.ArrayLike, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID as papers print it: mean and standard deviation over random subsets.

    Args:
        fake, real: features [N, D] and [M, D]; both at least `subset_size` rows.
        subsets, subset_size: how many subsets of how many pictures, drawn without replacement.
        seed: of the draws.

    Returns:
        The mean, and the spread over subsets: it shrinks with the subset size, not with N, and is
        no standard error.

    Raises:
        ValueError: fewer pictures than `subset_size`.
    """
    x, y = np.asarray(fake, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if min(len(x), len(y)) < subset_size or subset_size < 2 or subsets < 1:
        raise ValueError(f"{subsets} subsets of {subset_size} cannot be drawn from {len(x)} and {len(y)} pictures.")
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        chosen = generator.choice(len(x), subset_size, replace=False)
        values.append(kid_u_statistic(x[chosen], y[generator.choice(len(y), subset_size, replace=False)]))
    return float(np.mean(values)), float(np.std(values))


def _between(
    rows: Array, unit: npt.NDArray[np.int64], group: npt.NDArray[np.int64], groups: int
) -> tuple[Array, Array]:
    """Kernel sums and pair counts over pairs of different units, by the groups of both, [G, G]."""
    sums, pairs = np.zeros((groups, groups)), np.zeros((groups, groups))
    indicator = np.eye(groups)[group]  # [N, G]
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        apart = (unit[part, None] != unit[None]).astype(np.float64)
        pairs += indicator[part].T @ apart @ indicator
        sums += indicator[part].T @ (_kernel(rows[part], rows) * apart) @ indicator
    return sums, pairs


def _kernel_sums(rows: Array, others: Array) -> Array:
    """For each row the sum of its kernel with all others, [N]."""
    result = np.zeros(len(rows))
    for start in range(0, len(others), BLOCK):
        result += _kernel(rows, others[start : start + BLOCK]).sum(1)
    return result


def _kernel(x: Array, y: Array) -> Array:
    value: Array = (x @ y.T / x.shape[1] + 1.0) ** 3
    return value
