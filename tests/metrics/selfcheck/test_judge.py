"""How the self-check judges, on numbers whose verdict is known."""

from __future__ import annotations

import math

import pytest
from scipy.stats import kendalltau
from viewsweep.metrics.selfcheck.judge import auroc, kendall_tau, mean_effect
from viewsweep.metrics.selfcheck.matrix import Expectation, parse


def test_tau_is_scipys_where_nothing_ties() -> None:
    values = [0.3, 0.1, 0.9, 0.5, 1.4, 1.1]
    assert kendall_tau(values) == pytest.approx(kendalltau(range(6), values).statistic)


def test_a_single_fall_among_six_severities_is_too_much() -> None:
    assert kendall_tau([0, 1, 3, 2, 4, 5]) < 0.9 < kendall_tau([0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("values", "worst", "expected"),
    [([0, 1, 2, 2], 2.0, 1.0), ([0, 1, 1, 2], 2.0, 5 / 6), ([0, 0, 0, 0], math.inf, 0.0), ([3, 2, 1], 9.0, -1.0)],
    ids=["saturated", "stuck", "dead", "backwards"],
)
def test_only_ties_at_the_worst_are_forgiven(values: list[float], worst: float, expected: float) -> None:
    assert kendall_tau(values, worst) == pytest.approx(expected)


def test_auroc_of_same_and_of_separate_samples() -> None:
    assert auroc([1, 2, 3], [1, 2, 3]) == 0.5
    assert auroc([1, 2, 3], [4, 5]) == 1.0
    assert auroc([4, 5], [1, 2, 3]) == 0.0


def test_effect_is_taken_subject_by_subject() -> None:
    assert mean_effect([1.0, 10.0], [2.0, 12.0]) == 1.5
    with pytest.raises(ValueError, match="longer"):
        mean_effect([1.0], [1.0, 2.0])


@pytest.mark.parametrize("call", [lambda: kendall_tau([1.0]), lambda: auroc([], [1.0])], ids=["tau", "auroc"])
def test_nothing_to_judge_is_an_error(call: object) -> None:
    with pytest.raises(ValueError, match=r"at least two|nothing to separate"):
        call()  # type: ignore[operator]


def test_matrix_is_read_from_its_text() -> None:
    matrix = parse("       noise hue blur\nzncc   2     b   o\nfid    .     1   3")
    assert matrix["zncc"] == {
        "noise": Expectation("fires", 2),
        "hue": Expectation("blind"),
        "blur": Expectation("silent"),
    }
    assert matrix["fid"]["noise"].kind == "open"
    with pytest.raises(ValueError, match="fid has 2 cells for 3"):
        parse("a b c\nfid 1 2")
