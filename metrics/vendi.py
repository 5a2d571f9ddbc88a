"""`Vendi`: as how many different objects do the generated ones count?

Definition (Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning",
TMLR 2023). With K the cosine similarities of the features of N pictures and w the eigenvalues of K / N,

    score = exp(- sum w ln w),   from 1 (all alike) to N (no two have anything in common)

Higher is more varied. One view of each scene takes part, the one nearest to azimuth 0 where azimuths
are known, so that the number tells objects apart and not cameras. No reference is used: read it beside
the oracle's at the same n.

The interval is the delete-group jackknife over scenes.

When it misleads. Noise is varied too: no method is good because it scores above the oracle. It grows
with n, so compare values of equal n only, and of one feature network: features that are never negative,
as those behind a ReLU, all look somewhat alike, and the score stays far below N.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .base import Array
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric

__all__ = ["Vendi", "vendi_score"]


class Vendi(SetMetric):
    """Effective number of different generated objects.

    Args:
        network: name of the feature network, part of the metric's id.
    """

    name = "vendi"
    title = "Vendi score"
    version = 1
    unit = "objects"
    higher_is_better = True
    needs = frozenset({"rgb"})

    _keeps = "embedding"
    _ids = (
        Definition(
            name,
            title,
            version,
            unit,
            higher_is_better,
            "Effective number of different objects: exp of the entropy of the eigenvalues of the cosine similarities, "
            "one view a scene; from 1 (all alike) to n. n counts scenes; compare with the oracle at equal n.",
        ),
    )
    _bounds = ((1.0, float("inf")),)

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        chosen = fake.one_per_scene(frontal=True)
        lengths = np.linalg.norm(chosen.rows, axis=1)
        if not lengths.all():
            reason = f"the features of {int((lengths == 0).sum())} pictures are all 0, which is like nothing."
            return [MetricResult.failed(reason, len(chosen))]
        groups, own = chosen.groups()
        deleted = []
        if len(chosen) > 1:
            deleted = [_score(chosen.rows[own != group]) for group in range(int(groups.max()) + 1)]
        return [self._ok(_score(chosen.rows), deleted, groups, len(chosen))]


def vendi_score(features: npt.ArrayLike) -> float:
    """Effective number of different rows of `features` [N, D], by cosine similarity.

    Raises:
        ValueError: another shape, no row, a row that is 0 or not finite.

    Example:
        >>> round(vendi_score([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]]), 4)  # 3 / 2 ** (2 / 3)
        1.8899
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"features must be a matrix [N, D] of at least one row; got {list(rows.shape)}.")
    if not np.isfinite(rows).all() or not np.linalg.norm(rows, axis=1).all():
        raise ValueError("every row of features must be finite and other than 0, or it has no direction.")
    return _score(rows)


def _score(rows: Array) -> float:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    # X X^T and X^T X have the same eigenvalues but for zeros; the smaller is cheaper
    kernel = unit @ unit.T if len(unit) <= unit.shape[1] else unit.T @ unit
    weights = np.linalg.eigvalsh(kernel / len(unit))
    weights = weights[weights > 0]
    return max(1.0, float(np.exp(-np.sum(weights * np.log(weights)))))
