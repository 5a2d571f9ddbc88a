"""All measurements of a self-check, in as many processes as there are cores, and as one table."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from ..base import SceneMetric
from ..completion_metric import CompletionMetric
from ..features import Features
from ..feeding import definitions_of, make
from ..set_metric import SetMetric
from ..tabletop_network import load_tabletop_network
from .completion_cheats import COMPLETION_CHEATS
from .completions import completion_tasks, measure_completions
from .measure import Measured, measure_task
from .plan import Plan, tasks
from .sets import Rendered, judged_on_sets, measure_sets, picture_tasks, render_pictures
from .table import Table

__all__ = ["collect", "metric_table"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def collect(
    plan: Plan,
    catalogue: dict[str, type[Any]],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Measured], list[Rendered]]:
    """Draw and measure everything of `plan`; the same numbers with any number of workers.

    Returns:
        What was measured of sweeps and of completions, and the pictures that sets are put together from.
    """
    work: list[Callable[[], list[Measured] | Rendered]] = []
    if not plan.metrics or any(not issubclass(catalogue[name], CompletionMetric) for name in plan.metrics):
        work = [partial(measure_task, plan, task, catalogue) for task in tasks(plan)]
    if plan.sets and judged_on_sets(plan, catalogue):
        work += [partial(render_pictures, pictures, plan.size) for pictures in picture_tasks(plan)]
    work += [partial(measure_completions, plan, task, catalogue) for task in completion_tasks(plan, catalogue)]
    workers = min(workers or os.cpu_count() or 1, len(work))
    found: list[list[Measured] | Rendered] = []
    if workers == 1:
        with one_thread():
            for done, task in enumerate(work):
                found.append(task())
                progress(done + 1, len(work))
    else:
        context = multiprocessing.get_context("spawn")  # a fork of a process with torch threads hangs
        with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
            waiting = [pool.submit(task) for task in work]
            for done, future in enumerate(waiting):
                found.append(future.result())
                progress(done + 1, len(work))
    measured = [one for part in found if not isinstance(part, Rendered) for one in part]
    ordered = sorted(measured, key=lambda one: (one.kind, one.seed, one.corruption, one.level))
    return ordered, [part for part in found if isinstance(part, Rendered)]


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


@contextmanager
def one_thread() -> Iterator[None]:
    """This process computes on one thread within."""
    threads = torch.get_num_threads()
    _start()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _start() -> None:
    torch.set_num_threads(1)  # sums are split by thread; one makes the same bits everywhere


def metric_table(
    plan: Plan, found: Sequence[Measured], rendered: Sequence[Rendered], catalogue: dict[str, type[Any]]
) -> Table:
    """What was measured, with the metrics of sets computed from the pictures' features."""
    network = load_tabletop_network().name
    table = Table(defaultdict(lambda: defaultdict(lambda: defaultdict(dict))), {})
    for one in found:
        if one.corruption in COMPLETION_CHEATS:
            for key, value in one.values.items():
                table.values[key][one.corruption][one.level][one.kind, one.seed] = value
    found = [one for one in found if one.corruption not in COMPLETION_CHEATS]
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
            _measure_sweeps(table, plan, kind, network, found, fake)
    if rendered:
        with one_thread():
            measure_sets(table, plan, rendered, catalogue)
    for key in list(table.reasons):
        if key in table.values:
            del table.reasons[key]
    return table


def _measure_sweeps(
    table: Table, plan: Plan, kind: type[Any], network: str, found: Sequence[Measured], fake: Sequence[Measured]
) -> None:
    """A metric of sets on the pictures of all sweeps together."""
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
