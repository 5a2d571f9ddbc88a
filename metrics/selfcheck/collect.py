"""All measurements of a self-check, in as many processes as there are cores, and as one table."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from ..base import SceneMetric
from ..features import Features
from ..feeding import definitions_of, make
from ..result import Definition
from ..set_metric import SetMetric
from ..tabletop_network import load_tabletop_network
from .measure import Measured, measure_task
from .plan import CLEAN, Plan, tasks

__all__ = ["Table", "collect", "metric_table"]

Subject = tuple[str, int]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Table:
    """Every value: metric id, then corruption, then level (0 = clean), then subject.

    For metrics of sets the "subjects" are the sets without one subject each, as in the jackknife.

    Args:
        values: the table.
        definitions: of all ids that were measured.
        bounds: range of each id, where the metric states one.
        reasons: why an id has no values at all, where none was measured.
    """

    values: dict[str, dict[str, dict[int, dict[Subject, float]]]]
    definitions: dict[str, Definition]
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def collect(
    plan: Plan,
    catalogue: dict[str, type[Any]],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Measured]:
    """Draw and measure everything of `plan`; the same numbers with any number of workers."""
    work = tasks(plan)
    workers = min(workers or os.cpu_count() or 1, len(work))
    found: list[Measured] = []
    if workers == 1:
        threads = torch.get_num_threads()
        _start()
        try:
            for done, task in enumerate(work):
                found += measure_task(plan, task, catalogue)
                progress(done + 1, len(work))
        finally:
            torch.set_num_threads(threads)
    else:
        context = multiprocessing.get_context("spawn")  # a fork of a process with torch threads hangs
        with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
            waiting = [pool.submit(measure_task, plan, task, catalogue) for task in work]
            for done, future in enumerate(waiting):
                found += future.result()
                progress(done + 1, len(work))
    return sorted(found, key=lambda one: (one.kind, one.seed, one.corruption, one.level))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within compute on one thread each; more would spend their time waiting for each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the libraries when they are loaded
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start() -> None:
    torch.set_num_threads(1)  # sums are split by thread; one makes the same bits everywhere


def metric_table(plan: Plan, found: Sequence[Measured], catalogue: dict[str, type[Any]]) -> Table:
    """What was measured, with the metrics of sets computed from the pictures' features."""
    network = load_tabletop_network().name
    table = Table(defaultdict(lambda: defaultdict(lambda: defaultdict(dict))), {})
    fake = [one for one in found if one.seed < plan.seeds]
    for one in fake:
        for key, value in one.values.items():
            table.values[key][one.corruption][one.level][one.kind, one.seed] = value
        table.reasons |= one.reasons
    for name, kind in catalogue.items():
        if plan.metrics and name not in plan.metrics:
            continue
        meant = definitions_of(kind, network)
        table.definitions |= meant
        if issubclass(kind, SceneMetric):
            table.bounds |= dict(zip(meant, itertools.cycle(kind._bounds), strict=False))
        if issubclass(kind, SetMetric):
            _measure_sets(table, plan, kind, network, found, fake)
    for key in list(table.reasons):
        if key in table.values:
            del table.reasons[key]
    return table


def _measure_sets(
    table: Table, plan: Plan, kind: type[Any], network: str, found: Sequence[Measured], fake: Sequence[Measured]
) -> None:
    reference = Features.cat([one.features for one in found if one.seed >= plan.seeds and one.features is not None])
    subjects = sorted({(one.kind, one.seed) for one in fake})
    for corruption, level in sorted({(one.corruption, one.level) for one in fake}):
        metric: Any = make(kind, network, reference)
        for one in fake:
            if (one.corruption, one.level) == (corruption, level) and one.features is not None:
                metric.update(one.features, index=subjects.index((one.kind, one.seed)))
        for key, result in metric.results().items():
            if result.value is None:
                table.reasons.setdefault(key, str(result.reason))
        for key, values in metric.left_out().items():
            # each group holds one subject, for there are fewer subjects than groups
            table.values[key][corruption][level] = {("without", k): value for k, value in enumerate(values)}


def clean_levels(table: Table, key: str, corruption: str) -> dict[int, dict[Subject, float]]:
    """The values of `key` by level of `corruption`, the clean ones as level 0."""
    return {0: table.values[key][CLEAN][0], **table.values[key][corruption]}
