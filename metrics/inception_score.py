"""`InceptionScore`: are the pictures each clearly of one class, and together of many?

Definition (Salimans et al., "Improved techniques for training GANs", NeurIPS 2016), with the class
probabilities p(y|x) of a network:

    score = exp( mean over pictures of KL( p(y|x) || p(y) ) ),   from 1 to the number of classes

p(y) being the mean over the pictures. Higher is better. As in the reference implementations the
pictures are shuffled with seed 2020 and cut into splits, and the score is the mean over splits; the
spread over splits that papers print as an error is none. The interval here is the delete-group
jackknife over scenes, each picture keeping its split.

When it misleads. Few pictures a split bias it low, so scores of different N or split counts cannot
be compared. It never looks at real pictures, sees neither geometry nor diversity within a class,
and says nothing where all scenes were asked to be of one class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import statistics
from .base import Array
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric

__all__ = ["InceptionScore", "inception_score"]

SEED = 2020
MANY, MANY_SPLITS = 5000, 10


class InceptionScore(SetMetric):
    """Inception Score in the class probabilities of a feature network.

    Args:
        network: name of the feature network, part of the metric's id.
        splits: into how many parts the pictures are cut; None takes 10 from 5000 pictures on and
            otherwise 1, because small splits are biased.
    """

    name = "is"
    title = "Inception Score"
    version = 1
    unit = "classes"
    higher_is_better = True
    needs = frozenset({"rgb", "classes"})

    _keeps = "log_probabilities"
    _ids = (
        Definition(
            name,
            title,
            version,
            unit,
            higher_is_better,
            "exp of the mean divergence of single class distributions from their mean: from 1 to the number of "
            "classes. 10 splits (shuffled, seed 2020) from 5000 pictures on, else one. Not informative on scenes of "
            "one class. n counts pictures; compare values of equal n only.",
        ),
    )
    _bounds = ((1.0, float("inf")),)

    def __init__(self, network: str = "tabletop", *, splits: int | None = None) -> None:
        super().__init__(network)
        if splits is not None and splits < 1:
            raise ValueError(f"splits is {splits}; it must be at least 1.")
        self.splits = splits

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        logs = fake.rows
        splits = self.splits or (MANY_SPLITS if len(logs) >= MANY else 1)
        if splits > len(logs):
            return [MetricResult.not_run(f"{len(logs)} pictures cannot be cut into {splits} splits.", len(logs))]
        split = _splits(len(logs), splits)
        groups, own = fake.groups()
        deleted = []
        if fake.units > 1:
            deleted = [_score(logs[own != group], split[own != group]) for group in range(int(groups.max()) + 1)]
        return [self._ok(_score(logs, split), deleted, groups, len(logs))]


def inception_score(log_probabilities: npt.ArrayLike, *, splits: int = 10) -> float:
    """The score of pictures in the order given, shuffled with seed 2020 and cut into `splits`.

    Args:
        log_probabilities: natural logarithms, [N, C], N at least `splits`.
        splits: into how many parts.

    Raises:
        ValueError: another shape, fewer rows than splits, or what no logarithm of a probability is.
    """
    rows = np.asarray(log_probabilities, dtype=np.float64)
    if rows.ndim != 2 or not 1 <= splits <= len(rows):
        raise ValueError(
            f"{splits} splits of log-probabilities {list(rows.shape)}: at least one row a split is needed."
        )
    if np.isnan(rows).any() or (rows > 1e-3).any():
        raise ValueError("log-probabilities must be at most 0, and numbers; scores need a log-softmax first.")
    return _score(rows, _splits(len(rows), splits))


def _splits(count: int, splits: int) -> npt.NDArray[np.int64]:
    """The split of each picture, [N]: cuts at k N // splits of the shuffled order."""
    shuffled = np.random.RandomState(SEED).permutation(count)  # the legacy stream that others use
    split = np.empty(count, dtype=np.int64)
    for k in range(splits):
        split[shuffled[k * count // splits : (k + 1) * count // splits]] = k
    return split


def _score(logs: Array, split: npt.NDArray[np.int64]) -> float:
    scores = []
    for k in np.unique(split):
        part = logs[split == k]
        probabilities = np.exp(part)
        with np.errstate(divide="ignore"):  # a class nobody shows: 0 ln 0 = 0 below
            marginal = np.log(probabilities.mean(0))
        present = probabilities > 0
        ratio = np.subtract(part, marginal[None], out=np.zeros_like(part), where=present)
        scores.append(float(np.exp((probabilities * ratio).sum(1).mean())))
    return max(1.0, statistics.mean(scores))
