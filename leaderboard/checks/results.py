"""The numbers themselves: the ones the protocol asks for, at its versions, each a value or a reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..faults import Fault, shown
from .submission import Submission, listed

__all__ = [
    "check_intervals",
    "check_metrics",
    "check_ranges",
    "check_sample_counts",
    "check_statuses",
    "check_versions",
]

ROUNDING = 1e-9
"""Relative to the ends of a range; a mean of ones may be one and a bit."""

AGAIN = "evaluate the run again and submit that"


def check_metrics(submission: Submission) -> Iterator[Fault]:
    """Every number the protocol asks for, and no other."""
    if submission.expected is None:
        return
    wanted, found = submission.expected.metrics, submission.entry.metrics
    name = submission.entry.protocol.name
    if missing := [key for key in wanted if key not in found]:
        hint = "a number that could not be computed stays, as failed or not_run with its reason"
        yield submission.error("metrics", f"{name} asks for {listed(missing)}; missing", hint)
    for key in found:
        if key not in wanted:
            near = difflib.get_close_matches(key, wanted, n=1)
            hint = f"did you mean {near[0]}" if near else "leave it out"
            yield submission.error(f"metrics.{key}", f"{name} does not ask for it", hint)


def check_versions(submission: Submission) -> Iterator[Fault]:
    """Other versions of a metric give other numbers."""
    for key, facts in ({} if submission.expected is None else submission.expected.metrics).items():
        result = submission.entry.metrics.get(key)
        if result is not None and result.version != facts.version:
            message = f"version {result.version}; {submission.entry.protocol.name} asks for {facts.version}"
            yield submission.error(f"metrics.{key}.version", message, AGAIN)


def check_statuses(submission: Submission) -> Iterator[Fault]:
    """`ok` has a value and no reason; everything else has a reason and no value."""
    for key, result in submission.entry.metrics.items():
        place = f"metrics.{key}"
        numbers = (result.value, result.ci_low, result.ci_high)
        if result.status == "ok":
            if result.value is None:
                yield submission.error(f"{place}.value", "ok, but without a value", "write failed, with the reason")
            if result.reason:
                yield submission.error(f"{place}.reason", "ok needs no reason", "delete it, or write failed")
            continue
        if any(number is not None for number in numbers):
            message = f"{result.status}, but with a number"
            yield submission.error(f"{place}.value", message, "write null, never 0 or an old number")
        if not (result.reason or "").strip():
            yield submission.error(f"{place}.reason", f"{result.status}, but without a reason", "say why")


def check_intervals(submission: Submission) -> Iterator[Fault]:
    """Both ends or none, around the value."""
    for key, result in submission.entry.metrics.items():
        low, value, high = result.ci_low, result.value, result.ci_high
        if (low is None) != (high is None):
            name, place = ("ci_high", "ci_low") if low is None else ("ci_low", "ci_high")
            message = f"there is {name}, but no {place}"
            yield submission.error(f"metrics.{key}.{place}", message, "give both ends, or null for both")
        elif low is not None and high is not None and value is not None and not low <= value <= high:
            message = f"the value {value} lies outside of [{low}, {high}]"
            yield submission.error(f"metrics.{key}.value", message, AGAIN)
        elif low is None and value is not None and result.n > 1 and _per_scene(submission, key):
            message = f"a mean over {result.n} scenes without an interval"
            yield submission.error(f"metrics.{key}.ci_low", message, AGAIN)


def check_ranges(submission: Submission) -> Iterator[Fault]:
    """No number lies where its metric has none."""
    for key, facts in ({} if submission.expected is None else submission.expected.metrics).items():
        result = submission.entry.metrics.get(key)
        if result is None:
            continue
        low, high = facts.bounds
        for field in ("value", "ci_low", "ci_high"):
            number = getattr(result, field)
            if number is not None and not low - ROUNDING * abs(low) <= number <= high + ROUNDING * abs(high):
                unit = f" {facts.unit}" if facts.unit else ""
                message = f"{shown(number)}{unit} lies outside of its range, {low:g} to {high:g}"
                yield submission.error(f"metrics.{key}.{field}", message, AGAIN)


def check_sample_counts(submission: Submission) -> Iterator[Fault]:
    """No number rests on more than was measured, and none on nothing."""
    scenes = submission.entry.scenes
    if submission.expected is None or scenes.requested != submission.expected.requested:
        return
    if scenes.evaluated + len(scenes.failed) != scenes.requested:
        return  # every metric would repeat that fault
    evaluated, views = scenes.evaluated, submission.expected.views
    for key, facts in submission.expected.metrics.items():
        result = submission.entry.metrics.get(key)
        if result is None:
            continue
        samples = submission.expected.protocol.samples
        most = min(evaluated, facts.scenes * samples) if facts.per_scene else evaluated * views
        if result.n > most:
            message = f"{result.n} counted, but at most {most} were measured"
            yield submission.error(f"metrics.{key}.n", message, AGAIN)
        elif result.status == "ok" and result.n == 0:
            yield submission.error(f"metrics.{key}.n", "a value of nothing", AGAIN)


def _per_scene(submission: Submission, key: str) -> bool:
    facts = None if submission.expected is None else submission.expected.metrics.get(key)
    return facts is not None and facts.per_scene
