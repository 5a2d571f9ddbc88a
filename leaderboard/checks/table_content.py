"""The rows of the table: of this method, of the protocol's scenes, each value once, none left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..expectation import Expectation
from ..faults import Fault, shown
from .submission import Submission, listed
from .table import SceneTable

__all__ = ["check_rows_complete", "check_rows_of_protocol", "check_rows_own", "check_rows_unique", "check_values"]

ANEW = "write entry and table anew with viewsweep submit"
UNKNOWN = -1  # what the table holds for no seed and no class

SAME_AZIMUTH_DEG = 1e-3
"""Cameras are stored with fewer digits than they are asked for with."""

Chosen = npt.NDArray[np.bool_]


def check_rows_own(submission: Submission) -> Iterator[Fault]:
    """Only this method, and only metrics that the entry has."""
    table, entry = submission.table, submission.entry
    if table is None:
        return
    if others := [name for name in table.methods if name != entry.method.name]:
        message = f"rows of {listed(map(shown, others))}; the entry is of {entry.method.name}"
        yield submission.table_error("method", message, "keep the rows of this method only")
    if others := [name for name in table.metrics if name not in entry.metrics]:
        message = f"rows of {listed(map(shown, others))}, of which the entry knows nothing"
        yield submission.table_error("metric", message, ANEW)
    if submission.expected is not None:
        facts = submission.expected.metrics
        if sets := [name for name in table.metrics if name in facts and not facts[name].per_scene]:
            message = f"rows of {listed(sets)}, which single scenes have no values of"
            yield submission.table_error("metric", message, ANEW)


def check_rows_unique(submission: Submission) -> Iterator[Fault]:
    """Each scene and view has one value of a metric."""
    table = submission.table
    if table is None or not len(table):
        return
    order = np.lexsort((table.view, table.index, table.metric))
    same = np.ones(len(table) - 1, dtype=bool)
    for column in (table.metric, table.index, table.view):
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    if same.any():
        row = order[1:][same][0]
        message = f"{int(same.sum())} rows stand there twice, such as {_row(table, int(row))}"
        yield submission.table_error("index", message, ANEW)


def check_values(submission: Submission) -> Iterator[Fault]:
    """Finite, within the metric's range, seen from a direction there is."""
    table = submission.table
    if table is None:
        return
    yield from _wrong(submission, "value", ~np.isfinite(table.value), "have no finite value")
    whole = table.view == -1
    yaw = np.where(np.isnan(table.yaw_deg), 0.0, table.yaw_deg)
    yield from _wrong(submission, "yaw_deg", ~(np.abs(yaw) <= 180.0), "have an azimuth beyond 180 degrees")
    yield from _wrong(submission, "yaw_deg", whole & ~np.isnan(table.yaw_deg), "give a whole scene an azimuth")
    if submission.expected is None or not len(table):
        return
    low, high = (np.array([_bounds(submission.expected, name)[end] for name in table.metrics]) for end in (0, 1))
    slack = 1e-9
    with np.errstate(invalid="ignore"):
        below = table.value < (low - slack * np.abs(np.nan_to_num(low, neginf=0.0)))[table.metric]
        above = table.value > (high + slack * np.abs(np.nan_to_num(high, posinf=0.0)))[table.metric]
    outside = np.isfinite(table.value) & (below | above)
    yield from _wrong(submission, "value", outside, "lie outside of the metric's range")


def check_rows_of_protocol(submission: Submission) -> Iterator[Fault]:
    """Scenes, views, azimuths, seeds and classes are those of the protocol, and no failed scene has a value."""
    table, expected = submission.table, submission.expected
    if table is None or expected is None:
        return
    count = min(submission.entry.scenes.requested, expected.requested)
    inside = (table.index >= 0) & (table.index < count)
    yield from _wrong(submission, "index", ~inside, f"are of scenes beyond the {count} there are")
    views = (table.view >= -1) & (table.view < expected.views)
    yield from _wrong(submission, "view", ~views, f"are of views beyond the {expected.views} there are")
    yield from _wrong(submission, "yaw_deg", _turned(table, expected), "look from elsewhere than the protocol's camera")
    failed = np.isin(table.index, [scene.index for scene in submission.entry.scenes.failed])
    yield from _wrong(submission, "index", failed, "are of scenes that failed")
    safe = np.where(inside, table.index, 0)
    seeds = np.array(expected.seeds, dtype=np.int64)
    wrong = inside & (table.seed != UNKNOWN) & (table.seed != seeds[safe])
    yield from _wrong(submission, "seed", wrong, "have another seed than their scene")
    labels = np.array([UNKNOWN if label is None else label for label in expected.labels], dtype=np.int64)
    wrong = inside & (table.label != UNKNOWN) & (table.label != labels[safe])
    yield from _wrong(submission, "label", wrong, "have another class than their scene")
    limits = np.array([_limit(expected, name) for name in table.metrics], dtype=np.int64)
    if len(table):
        beyond = inside & (table.index >= limits[table.metric])
        yield from _wrong(submission, "index", beyond, "are of scenes the metric is not measured on")


def check_rows_complete(submission: Submission) -> Iterator[Fault]:
    """A mean is of all scenes that were measured, not of the better ones."""
    table, expected, scenes = submission.table, submission.expected, submission.entry.scenes
    if table is None or expected is None or scenes.requested != expected.requested:
        return
    failed = {scene.index for scene in scenes.failed}
    for key, facts in expected.metrics.items():
        result = submission.entry.metrics.get(key)
        if result is None or result.status != "ok" or not facts.per_scene:
            continue
        there = set(_scene_rows(table, key).tolist())
        if not there:
            message = f"{key} has a value in the entry, but no row"
            yield submission.table_error(key, message, ANEW)
        elif not facts.of_samples:  # of samples a scene may be without a value
            wanted = set(range(min(facts.scenes * expected.protocol.samples, scenes.requested))) - failed
            if missing := sorted(wanted - there):
                message = f"{key} lacks the scenes {listed(missing)}"
                yield submission.table_error(key, message, "a mean over the other scenes is no result; write failed")


def _turned(table: SceneTable, expected: Expectation) -> Chosen:
    """Rows of a view with another azimuth than the one it was asked for at."""
    known = expected.azimuths
    if known is None:
        return np.zeros(len(table), dtype=bool)
    scenes, views = known.shape
    inside = (table.index >= 0) & (table.index < scenes) & (table.view >= 0) & (table.view < views)
    asked = known[np.where(inside, table.index, 0), np.where(inside, table.view, 0)]
    gap = np.abs(table.yaw_deg - asked)
    turned: Chosen = inside & (np.minimum(gap, 360.0 - gap) > SAME_AZIMUTH_DEG)
    return turned


def _scene_rows(table: SceneTable, key: str) -> npt.NDArray[np.int64]:
    """The scenes that have a value of a metric as a whole."""
    if key not in table.metrics:
        return np.zeros(0, dtype=np.int64)
    found: npt.NDArray[np.int64] = table.index[(table.metric == table.metrics.index(key)) & (table.view == -1)]
    return found


def _bounds(expected: Expectation, name: str) -> tuple[float, float]:
    return expected.metrics[name].bounds if name in expected.metrics else (-np.inf, np.inf)


def _limit(expected: Expectation, name: str) -> int:
    samples = expected.protocol.samples
    return expected.metrics[name].scenes * samples if name in expected.metrics else expected.requested


def _wrong(submission: Submission, key: str, chosen: Chosen, what: str) -> Iterator[Fault]:
    """A fault where rows are `chosen`, with the first of them."""
    if submission.table is not None and chosen.any():
        first = _row(submission.table, int(np.flatnonzero(chosen)[0]))
        yield submission.table_error(key, f"{int(chosen.sum())} rows {what}, the first {first}", ANEW)


def _row(table: SceneTable, row: int) -> str:
    return f"{shown(table.metrics[table.metric[row]])} of scene {table.index[row]}, view {table.view[row]}"
