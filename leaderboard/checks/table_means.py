"""Every mean in the entry is the mean of its rows in the table."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..faults import Fault
from .submission import Submission

__all__ = ["TOLERANCE", "check_means"]

TOLERANCE = 1e-9
"""Relative to the largest of the values: both are sums of the same numbers, rounded in another order."""


def check_means(submission: Submission) -> Iterator[Fault]:
    """Value and count of each metric that scenes have values of.

    Samples of one scene are averaged first: they are not independent and count as one.
    """
    table, expected = submission.table, submission.expected
    if table is None or expected is None:
        return
    places = {name: place for place, name in enumerate(table.metrics)}
    scene_row = (table.view == -1) & np.isfinite(table.value)
    for key, facts in expected.metrics.items():
        result = submission.entry.metrics.get(key)
        if result is None or result.value is None or not facts.per_scene or key not in places:
            continue
        own = scene_row & (table.metric == places[key])
        values = table.value[own]
        if not len(values):
            continue
        scenes, place = np.unique(table.index[own] // expected.protocol.samples, return_inverse=True)
        means = np.bincount(place, values) / np.bincount(place)
        if len(scenes) != result.n:
            message = f"n is {result.n}, but the table has values of {len(scenes)} scenes"
            yield submission.error(f"metrics.{key}.n", message, "evaluate the run again and submit that")
        mean = math.fsum(means.tolist()) / len(scenes)
        scale = max(abs(result.value), float(np.abs(values).max()))
        if abs(mean - result.value) > TOLERANCE * scale:
            message = f"{result.value}, but the mean of the rows in the table is {mean}"
            yield submission.error(f"metrics.{key}.value", message, "evaluate the run again and submit that")
