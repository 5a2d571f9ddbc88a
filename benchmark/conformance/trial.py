"""`Trial`: the requests a method is tried with, what it answered, and what it did to global random state.

Three scenes on one arc in front: two seeds of one class, and the first seed again in the last class. Of methods
without classes all three have their own seed. They are drawn together, one of them twice alone, and two in
the reverse order. Before each call the global random states are seeded differently, so whatever depends on
them shows. A method that completes is given a part of each of these scenes (see `completions`).
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ...scenes import tabletop
from ...scenes.cameras import Cameras
from ...scenes.generator import Generator, GeneratorInfo, Request
from ...scenes.scene import Scene
from ..determinism import deterministic
from .completions import with_contexts

__all__ = ["PITCHES", "Answers", "Trial", "make_requests", "run_trial"]

STEP = 0.17
"""Radians of yaw from one view to the next, unless the method's yaw limit is too narrow for it."""

PITCHES = (0.14, 0.34)
"""Radians; neighbouring views differ in pitch too, so that a pitch of the wrong sign shows."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one call gave.

    Args:
        asked: the requests.
        given: what was yielded, in order; at most one more than was asked for.
        error: why it ended early; empty when it did not.
        disturbed: global random states that had changed afterwards.
    """

    asked: Sequence[Request]
    given: list[object]
    error: str
    disturbed: list[str]

    def scene(self, position: int) -> Scene | None:
        """The answer to the request at `position`, where there is a usable one."""
        found = self.given[position] if position < len(self.given) else None
        return found if isinstance(found, Scene) else None


@dataclass(eq=False)
class Trial:
    """All calls; those after the first fault are missing.

    Args:
        info: what the method says of itself.
        together: all requests in one call.
        alone: the second request, twice.
        backwards: the others in reverse order; None where it was left out.
    """

    info: GeneratorInfo
    together: Answers
    alone: list[Answers] = field(default_factory=list)
    backwards: Answers | None = None

    @property
    def calls(self) -> list[Answers]:
        """Those that were made, in order."""
        return [self.together, *self.alone, *([self.backwards] if self.backwards else [])]

    @property
    def scenes(self) -> list[Scene]:
        """The usable answers to the first call."""
        return [given for given in self.together.given if isinstance(given, Scene)]


def make_requests(info: GeneratorInfo, size: int, views: int) -> list[Request]:
    """The three requests for a method that says `info` of itself."""
    arc = min(STEP * (views - 1) / 2, info.yaw_limit)
    yaw = torch.linspace(-arc, arc, views, dtype=torch.float64)
    cameras = Cameras.orbit(yaw, [PITCHES[view % 2] for view in range(views)])
    first, second, third = tabletop.TEST_SEEDS[0], tabletop.TEST_SEEDS[1], tabletop.TEST_SEEDS[2]
    chosen: list[tuple[int, int | None]] = [(first, None), (second, None), (third, None)]
    if info.classes:
        last = len(info.classes) - 1
        chosen = [(first, 0), (second, 0), (first if last else third, last)]
    worlds = [Request(index, seed, cameras, size, label) for index, (seed, label) in enumerate(chosen)]
    return worlds if "sweep" in info.tasks else with_contexts(info, worlds)


def run_trial(
    generator: Generator, info: GeneratorInfo, requests: Sequence[Request], *, quick: bool, log: Callable[[str], object]
) -> Trial:
    """Draw everything the checks look at; stops at the first call that raises."""
    with _own_random_state(), deterministic():
        log(f"drawing {len(requests)} scenes of {len(requests[0].cameras)} views")
        trial = Trial(info, _ask(generator, requests, 1))
        if trial.together.error:
            return trial
        log("drawing one of them again, alone, twice")
        trial.alone = [_ask(generator, requests[1:2], number) for number in (2, 3)]
        if not quick and not any(call.error for call in trial.alone):
            log("drawing the others in the reverse order")
            trial.backwards = _ask(generator, [requests[2], requests[0]], 4)
    return trial


def _ask(generator: Generator, requests: Sequence[Request], number: int) -> Answers:
    random.seed(number)
    np.random.seed(number)  # the old global state is what is watched
    torch.manual_seed(number)
    before = _random_states()
    given: list[object] = []
    error = ""
    try:
        for answer in generator.generate(requests):
            given.append(answer)
            if len(given) > len(requests):
                break
    except Exception as raised:
        error = _reason(raised)
    after = _random_states()
    return Answers(requests, given, error, [name for name in before if before[name] != after[name]])


def _random_states() -> dict[str, bytes]:
    _, words, *rest = np.random.get_state(legacy=True)
    states = {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": np.asarray(words).tobytes() + repr(rest).encode(),
        "random": repr(random.getstate()).encode(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["torch.cuda"] = torch.cuda.get_rng_state().numpy().tobytes()
    return states


@contextmanager
def _own_random_state() -> Iterator[None]:
    """Whatever happens to global random states inside is undone."""
    python, legacy, own = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.set_rng_state(own)


def _reason(error: Exception) -> str:
    """Kind, message and place of an exception, in one line."""
    text = " ".join(str(error).split()) or "no message"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"
