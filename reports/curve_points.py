"""Metric ids that are single points of a curve: better drawn than put into a table.

warp_psnr@30, warp_psnr@loop     the same metric at another angle between views
kid_bin_0[tabletop], kid_bin_-45[tabletop]  the same metric in one eighth of the circle, by the azimuth
                                 of its middle in degrees
kid_views_1[tabletop], kid_views_9[tabletop]  the same metric over the first views of the 3x9 order
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["BIN_DEGREES", "bins_by_metric", "gaps_by_metric", "is_curve_point", "views_by_metric"]

BIN_DEGREES = 45.0
BIN = re.compile(r"(?P<stem>\w+)_bin_(?P<place>-?\d+)(?P<network>\[[^\]]*\])?")

VIEWS = re.compile(r"(?P<stem>\w+)_views_(?P<count>\d+)(?P<network>\[[^\]]*\])?")


def is_curve_point(name: str) -> bool:
    """Whether an id is one point of a curve."""
    return "@" in name or BIN.fullmatch(name) is not None or VIEWS.fullmatch(name) is not None


def gaps_by_metric(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Metric id -> gap ("15", "loop") -> the id of that point.

    Example:
        >>> gaps_by_metric(["warp_psnr", "warp_psnr@30", "warp_psnr@loop"])
        {'warp_psnr': {'30': 'warp_psnr@30', 'loop': 'warp_psnr@loop'}}
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        base, _, gap = name.partition("@")
        if gap == "loop" or gap.isdecimal():
            found.setdefault(base, {})[gap] = name
    return found


def bins_by_metric(names: Iterable[str]) -> dict[str, dict[float, str]]:
    """Metric id -> azimuth of a bin's middle in [-180, 180) -> the id of that point.

    Bins that are numbered 0 to 7 start in front and follow by eighths of the circle.

    Example:
        >>> bins_by_metric(["kid_bin_-90[tabletop]", "kid_bin_180[tabletop]"])
        {'kid[tabletop]': {-90.0: 'kid_bin_-90[tabletop]', -180.0: 'kid_bin_180[tabletop]'}}
    """
    places: dict[str, dict[int, str]] = {}
    for name in names:
        found = BIN.fullmatch(name)
        if found:
            base = found["stem"] + (found["network"] or "")
            places.setdefault(base, {})[int(found["place"])] = name
    return {
        base: {(place * step + 180.0) % 360.0 - 180.0: name for place, name in own.items()}
        for base, own in places.items()
        for step in [BIN_DEGREES if set(own) <= set(range(8)) and len(own) > 1 else 1.0]
    }


def views_by_metric(names: Iterable[str]) -> dict[str, dict[int, str]]:
    """Metric id -> number of views -> the id of that point.

    Example:
        >>> views_by_metric(["kid_views_9[tabletop]", "kid[tabletop]"])
        {'kid[tabletop]': {9: 'kid_views_9[tabletop]'}}
    """
    found: dict[str, dict[int, str]] = {}
    for name in names:
        match = VIEWS.fullmatch(name)
        if match:
            found.setdefault(match["stem"] + (match["network"] or ""), {})[int(match["count"])] = name
    return found
