"""Where each page lies, relative to the front page. Names from others never become a path as they are."""

from __future__ import annotations

import hashlib
import re

__all__ = ["method_page", "metric_page", "protocol_page", "slug"]

PLAIN = re.compile(r"[a-z0-9][a-z0-9_.]{0,60}")
WITH_NETWORK = re.compile(r"([a-z0-9][a-z0-9_.]{0,60})\[([a-z0-9][a-z0-9-]{0,30})\]")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def slug(metric: str) -> str:
    """A file name for a metric id; different ids have different ones, on any file system.

    Example:
        >>> slug("fid[tabletop]"), slug("delta_1.05")
        ('fid-tabletop', 'delta_1.05')
    """
    if PLAIN.fullmatch(metric):
        return metric
    parts = WITH_NETWORK.fullmatch(metric)
    if parts:
        return f"{parts[1]}-{parts[2]}"
    kept = re.sub(r"[^a-z0-9]+", "_", metric.lower()).strip("_")[:40] or "metric"
    # a dash and capitals never meet in the names above, so a hash keeps these apart from them and one another
    return f"{kept}-x-{hashlib.sha256(metric.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def metric_page(metric: str) -> str:
    return f"metrics/{slug(metric)}.html"


def method_page(method: str) -> str:
    return f"methods/{_name(method)}.html"


def protocol_page(protocol: str) -> str:
    return f"protocols/{_name(protocol)}.html"


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a method or protocol.")
    return name
