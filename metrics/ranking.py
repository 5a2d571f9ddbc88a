"""Ranks with the doubt left in: "1-3" where the first three cannot be told apart.

From the pairs of methods of which one is surely better,

    best  = 1 + number of methods surely better than this one
    worst = K - number of methods it is surely better than

Where all pairs were corrected together (Holm, 95 %), all true ranks lie in their ranges at once
with that probability: a wrong range takes at least one wrong claim.

Source: Goldstein and Spiegelhalter, "League tables and their limitations", JRSS A 159, 1996; Mogstad
et al., "Inference for ranks", Review of Economic Studies 91, 2024.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

__all__ = ["RankRange", "rank_ranges"]


@dataclass(frozen=True)
class RankRange:
    """The best and the worst rank that the comparisons leave open; 1 is the best of all.

    Example:
        >>> str(RankRange(1, 3)), str(RankRange(2, 2))
        ('1-3', '2')
    """

    best: int
    worst: int

    def __str__(self) -> str:
        return f"{self.best}" if self.best == self.worst else f"{self.best}-{self.worst}"


def rank_ranges(methods: Sequence[str], better: Collection[tuple[str, str]]) -> dict[str, RankRange]:
    """The range of ranks of each method.

    Args:
        methods: all K of them, each once.
        better: pairs (winner, loser) of which one is surely better.

    Raises:
        ValueError: a name twice or unknown, a method better than itself, two each better than the other.

    Example:
        >>> {name: str(rank) for name, rank in rank_ranges("abc", {("a", "c")}).items()}
        {'a': '1-2', 'b': '1-3', 'c': '2-3'}
    """
    if len(set(methods)) != len(methods):
        raise ValueError("a method is listed twice.")
    for winner, loser in better:
        if not {winner, loser} <= set(methods):
            raise ValueError(f"{winner} and {loser} were compared but are not both ranked.")
        if winner == loser or (loser, winner) in better:
            raise ValueError(f"{winner} cannot be better and worse than {loser}.")
    return {
        name: RankRange(
            1 + sum(loser == name for _, loser in set(better)),
            len(methods) - sum(winner == name for winner, _ in set(better)),
        )
        for name in methods
    }
