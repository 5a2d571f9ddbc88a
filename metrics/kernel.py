"""`KID`: how far a set of pictures is from the reference set, without bias.

Definition (Binkowski et al., "Demystifying MMD GANs", ICLR 2018): the squared maximum mean discrepancy
of the features under the kernel k(x, y) = (x . y / D + 1)^3,

    d = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),   0 expected for equal distributions

all means over pairs of *different scenes*. For unrelated pictures these are all pairs of
different pictures, the usual unbiased estimator; with several views of a scene the usual one would be
biased upwards, for views of one object resemble each other. Where the reference shows the very scenes that were
completed, a completion and the truth it belongs to are no pair either: they would resemble each other however far
the two distributions are apart, and pull the value down. The value may be slightly negative.

All pairs are used (the full U-statistic) and the interval is the delete-group jackknife over
generated scenes. `kid_subsets` is the form printed in papers: the mean over 100 random subsets of 1000
pictures, or of as many as the smaller set holds. It compares all pairs, those of one scene too, so it
is biased upwards for sweeps, and stands beside KID for comparison with tables. It has no interval: the
standard deviation that papers print beside it depends on the subset size and is *not* a standard error.

When it misleads. Unlike FID it may be compared across sample counts, but not across feature networks.
Papers print it times 100 or 1000; here it is raw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .base import Array
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric, Whole

__all__ = ["KID", "kid_subsets", "kid_u_statistic", "kid_with_leave_outs"]

SUBSETS, SUBSET_SIZE = 100, 1000
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
    _ids = (
        Definition(
            name,
            title,
            version,
            unit,
            higher_is_better,
            "Squared kernel distance (cubic, unbiased, pairs of different scenes) of the features of all generated "
            "views to those of the reference pictures; 0 expected at best, slightly negative values occur. "
            "n counts pictures.",
        ),
        Definition(
            "kid_subsets",
            "KID (subsets)",
            1,
            unit,
            None,
            "KID as papers print it, not multiplied: mean over 100 random subsets of 1000 pictures, or of as many as "
            "the smaller set holds, pairs of views of one scene included, which biases it upwards. For comparison "
            "with tables only; rank by KID. n counts pictures.",
        ),
    )
    _bounds = ((float("-inf"), float("inf")),) * 2

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        refused = too_few_scenes(fake, real)
        if refused:
            return [refused] * 2
        groups, _ = fake.groups()
        value, deleted = kid_with_leave_outs(fake, groups, real)
        size = min(len(fake), len(real), SUBSET_SIZE)
        printed, _ = kid_subsets(fake.rows, real.rows, subsets=SUBSETS, subset_size=size)
        return [self._ok(value, deleted, groups, len(fake)), MetricResult.ok(printed, None, len(fake))]


def too_few_scenes(fake: Pictures, real: Pictures) -> MetricResult | None:
    """The refusal of sets that hold no pair of scenes."""
    for name, side in (("generated", fake), ("reference", real)):
        if side.units < 2:
            reason = f"KID compares pairs of scenes; the {name} set holds {'one' if side.units else 'none'}."
            return MetricResult.not_run(reason, len(fake))
    return None


def kid_with_leave_outs(
    fake: Pictures, groups: Whole, real: Pictures, count: int | None = None
) -> tuple[float, list[float]]:
    """KID, and KID with each group of generated scenes left out.

    Args:
        fake, real: both of at least two scenes; equal scene indices mean the same scene.
        groups: the group of each generated scene, numbered from 0, [units].
        count: how many groups there are, where the last may hold none of these scenes.

    Returns:
        The value, and one a group; none where leaving one out leaves no pair of scenes.
    """
    count = int(groups.max()) + 1 if count is None else count
    own = groups[fake.unit]
    sums, pairs = _between(fake.rows, fake.unit, own, count)
    cross = np.zeros(count)
    for start in range(0, len(fake), BLOCK):
        rows = slice(start, start + BLOCK)
        cross += np.bincount(own[rows], _kernel_sums(fake.rows[rows], real.rows), minlength=count)
    real_sums, real_pairs = _between(real.rows, real.unit, np.zeros(len(real), dtype=np.int64), 1)
    real_mean = float(real_sums[0, 0] / real_pairs[0, 0])
    crossed = np.bincount(own, minlength=count) * len(real)
    for scene in np.intersect1d(fake.scene[fake.scene >= 0], real.scene[real.scene >= 0]):
        same, true = fake.scene == scene, real.rows[real.scene == scene]
        cross -= np.bincount(own[same], _kernel_sums(fake.rows[same], true), minlength=count)
        crossed -= np.bincount(own[same], minlength=count) * len(true)

    def distance(kept: npt.NDArray[np.bool_]) -> float:
        inner = sums[np.ix_(kept, kept)].sum() / pairs[np.ix_(kept, kept)].sum()
        return float(inner + real_mean - 2 * cross[kept].sum() / crossed[kept].sum())

    without = ~np.eye(count, dtype=bool)
    enough = all(pairs[np.ix_(kept, kept)].sum() > 0 for kept in without)
    return distance(np.ones(count, dtype=bool)), [distance(kept) for kept in without] if enough else []


def kid_u_statistic(fake: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """The usual unbiased estimate over all pairs of different pictures; features [N, D] and [M, D].

    Raises:
        ValueError: shapes that do not fit, fewer than two rows, numbers that are not finite.
    """
    x, y = np.asarray(fake, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"KID takes two matrices [N, D] of at least two rows; got {list(x.shape)}, {list(y.shape)}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("KID takes finite numbers only.")
    means = []
    for rows in (x, y):
        itself = (np.square(rows).sum(1) / rows.shape[1] + 1.0) ** 3
        means.append(float((_kernel_sums(rows, rows) - itself).sum()) / (len(rows) * (len(rows) - 1)))
    return means[0] + means[1] - 2 * float(_kernel_sums(x, y).sum()) / (len(x) * len(y))


def kid_subsets(
    fake: npt.ArrayLike, real: npt.ArrayLike, *, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = 0
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


def _between(rows: Array, unit: Whole, group: Whole, groups: int) -> tuple[Array, Array]:
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
