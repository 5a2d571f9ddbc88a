"""Numbers for people: as many digits as their interval supports, and no more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = [
    "NOTHING",
    "decimals_for",
    "decimals_without_interval",
    "format_bytes",
    "format_date",
    "format_duration",
    "format_number",
]

MOST_DECIMALS = 5
MINUS = "\N{MINUS SIGN}"

NOTHING = "\N{EN DASH}"
"""Stands where there is no number or no text; never an empty cell, never a zero."""


def decimals_for(values: Iterable[tuple[float, float | None]]) -> int:
    """Decimals of a column of (value, half width of its interval or None).

    Each value asks for as many as its interval supports (two digits of a half width that starts with
    1 or 2, else one), yet never for more than three digits of its own; the column serves the neediest.
    """
    needs = []
    for value, width in values:
        own = decimals_without_interval([value])
        known = width is not None and width > 0 and math.isfinite(width)
        needs.append(min(own, _clamp(-math.floor(math.log10(width / 3)))) if known and width else own)
    return max(needs, default=2)


def decimals_without_interval(values: Iterable[float]) -> int:
    """Decimals that show three digits of the smallest value that is not zero."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    return _clamp(2 - math.floor(math.log10(min(sizes)))) if sizes else 2


def format_number(value: float, decimals: int) -> str:
    """Fixed decimals, a true minus sign, no negative zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def format_duration(seconds: float) -> str:
    """ "0.4 s", "41 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(count: int) -> str:
    """ "812 MB", "3.4 GB"; decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def format_date(text: object) -> str | None:
    """ "4 March 2031, 10:19 UTC" from an ISO time; anything else is returned as it stands."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    zone = " UTC" if moment.tzinfo is not None else ""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M}{zone}"


# strftime's %B follows the locale of whoever writes the report
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _clamp(decimals: int) -> int:
    return max(0, min(MOST_DECIMALS, decimals))
