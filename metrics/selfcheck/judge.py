"""How the self-check judges: rank correlation with severity, separability, effect of controls.

All statistics are of the *badness* of a metric, its value with the sign turned where higher is
better, so that "fires" always means "rises".

    tau     Kendall's rank correlation of the mean over subjects with severity, clean = 0. Values
            that stay at the metric's worst may tie; every other tie or fall counts against it.
    auroc   probability that a corrupted subject scores worse than a clean one, over all pairs of
            subjects; ties count one half.
    effect  mean over subjects of the change against the same subject clean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

__all__ = ["auroc", "kendall_tau", "mean_effect"]


def kendall_tau(values: Sequence[float], worst: float = math.inf) -> float:
    """Kendall's tau of `values`, in order of severity, with that order.

    Args:
        values: badness at each severity, the gentlest first; at least two.
        worst: the highest badness there is; ties there are no fault.

    Example:
        >>> kendall_tau([0.0, 1.0, 2.0]), kendall_tau([0.0, 2.0, 1.0]), kendall_tau([0.0, 5.0, 5.0], worst=5.0)
        (1.0, 0.3333333333333333, 1.0)
    """
    if len(values) < 2:
        raise ValueError("a rank correlation takes at least two severities.")
    signs = []
    for gentle, gross in itertools.combinations(values, 2):
        saturated = gentle == gross and gentle >= worst
        signs.append(1 if gross > gentle or saturated else -1 if gross < gentle else 0)
    return sum(signs) / len(signs)


def auroc(clean: Sequence[float], corrupted: Sequence[float]) -> float:
    """Share of (clean, corrupted) pairs in which the corrupted one is worse; ties count half.

    Example:
        >>> auroc([1.0, 2.0], [2.0, 3.0])
        0.875
    """
    if not clean or not corrupted:
        raise ValueError("nothing to separate.")
    wins = [1.0 if bad > good else 0.5 if bad == good else 0.0 for good in clean for bad in corrupted]
    return sum(wins) / len(wins)


def mean_effect(clean: Sequence[float], corrupted: Sequence[float]) -> float:
    """Mean change of badness, subject by subject."""
    changes = [bad - good for good, bad in zip(clean, corrupted, strict=True)]
    return math.fsum(changes) / len(changes)
