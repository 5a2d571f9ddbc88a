"""Whether a method serves the task of a protocol; known before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable

from ..scenes.errors import UserError
from ..scenes.generator import GeneratorInfo
from .protocol import Protocol
from .registry import Method

__all__ = ["check_task", "refuse_wrong_tasks"]

WHAT = {
    "sweep": "draws scenes from nothing but a seed",
    "scene": "completes a scene from some of its views",
    "motion": "predicts the motion in a picture",
    "inversion": "finds the scene of a frozen generator from part of a picture",
}


def check_task(info: GeneratorInfo, protocol: Protocol) -> None:
    """Refuse a method that was not made for what the protocol asks.

    Raises:
        UserError: its `tasks` lack the protocol's.
    """
    if protocol.task in info.tasks:
        return
    can = " and ".join(f"{WHAT.get(task, 'does something else')} (task {task})" for task in info.tasks)
    raise UserError(
        f"{info.name} {can or 'serves no task'}; {protocol.name} needs a method that {WHAT[protocol.task]} "
        f"(task {protocol.task}).",
        hint="`viewsweep list protocols` shows protocols for other tasks.",
    )


def refuse_wrong_tasks(methods: list[Method], protocol: Protocol, known: Callable[[Method], bool]) -> None:
    """Check the task of every method before the first of them draws anything.

    A method that cannot be loaded says so later, when its turn comes.

    Args:
        methods: all that will be asked.
        protocol: what for.
        known: whether a method has passed before, so that it need not be loaded for this.

    Raises:
        UserError: the `tasks` of one of them lack the protocol's.
    """
    for method in methods:
        if known(method):
            continue
        try:
            info = method.load("cpu", None).info()
        except Exception:  # whatever a stranger's code raises: sampling reports it with its scenes
            continue
        check_task(info, protocol)
