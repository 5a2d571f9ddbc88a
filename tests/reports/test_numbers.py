"""Digits, durations and dates as people read them."""

from __future__ import annotations

import pytest
from viewsweep.reports.numbers import decimals_for, format_date, format_duration, format_number


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        pytest.param([(31.234, 0.41)], 1, id="one digit of the interval"),
        pytest.param([(31.234, 1.6)], 1, id="two digits of an interval that starts with one"),
        pytest.param([(310.2, 8.0)], 0, id="wide"),
        pytest.param([(0.0004, 0.0001), (0.12, 0.001)], 5, id="the neediest row decides"),
        pytest.param([(1.0, 0.00001)], 2, id="never more than three digits of the value"),
        pytest.param([(0.0123, None)], 4, id="no interval"),
        pytest.param([(0.0, 0.0)], 2, id="zero without width"),
        pytest.param([], 2, id="nothing"),
    ],
)
def test_decimals_follow_the_interval(values: list[tuple[float, float | None]], decimals: int) -> None:
    assert decimals_for(values) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-1.25, 2, "\N{MINUS SIGN}1.25"), (-0.001, 2, "0.00"), (1234.5, 0, "1234"), (2.0, 1, "2.0")],
)
def test_numbers_have_fixed_decimals_and_a_true_minus(value: float, decimals: int, text: str) -> None:
    assert format_number(value, decimals) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (41.2, "41 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_in_words(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2031-03-04T10:19:30+00:00", "4 March 2031, 10:19 UTC"),
        ("2031-03-04T10:19:30+02:00", "4 March 2031, 08:19 UTC"),
        ("2031-03-04T10:19:30", "4 March 2031, 10:19"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_dates_are_in_words(given: str | None, text: str | None) -> None:
    assert format_date(given) == text
