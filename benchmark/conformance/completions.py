"""Requests for methods that complete: the same worlds as for sweeps, and what is given of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request
from ..completion import Completion
from ..protocol import load_protocol
from ..true_scenes import CompletionRequests, TrueScenes

__all__ = ["with_contexts"]

PROTOCOLS = {"scene": "tabletop64-completion", "motion": "tabletop-motion", "inversion": "tabletop-inversion"}
"""What is given of a scene is what the embedded protocol of the task gives."""


def with_contexts(info: GeneratorInfo, worlds: Sequence[Request]) -> list[Request]:
    """One request a world, for the first task of `info`: view 0 is given, or what the task has instead.

    Raises:
        UserError: the frozen generator of an inversion cannot draw them.
    """
    task = next(task for task in info.tasks if task in PROTOCOLS)
    declared = load_protocol(PROTOCOLS[task]).completion
    assert declared is not None
    completion = Completion.model_validate({**declared.model_dump(), "samples": 1})
    if task == "motion":
        worlds = [replace(world, cameras=tabletop.train_cameras([world.seed])) for world in worlds]
    if task == "inversion":  # whose generator draws classes, whatever the method knows of them
        worlds = [world if world.label is not None else replace(world, label=world.index) for world in worlds]
    return list(CompletionRequests(TrueScenes("check-method", completion, worlds)))
