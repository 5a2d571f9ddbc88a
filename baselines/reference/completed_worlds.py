"""Which world a context is part of: the reference methods of completion know the worlds of this project.

A context carries the seed of its world, which only reference methods may look at. The worlds are tried
in turn; the one whose picture is the context's is it. So a context from anywhere else is refused,
rather than completed with what it has nothing to do with.

    motion      a tabletop clip, where the one camera asked for is the context's own
    scene       a tabletop object
    inversion   a scene of the shipped generator `eg3d-small`
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ...scenes import tabletop
from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from ...scenes.generator import Request
from ...scenes.scene import Scene
from ...scenes.tabletop import clips

if TYPE_CHECKING:
    from ..gan.method import GanMethod

__all__ = [
    "COMPLETIONS",
    "FROZEN",
    "World",
    "WorldFinder",
    "camera_key",
    "context_of",
    "frozen",
    "given",
    "question_key",
    "same_camera",
]

World = Literal["scene", "motion", "inversion"]

COMPLETIONS: tuple[World, ...] = ("scene", "motion", "inversion")

FROZEN = "eg3d-small"

SAME = 2.0
"""Mean absolute difference, of 255, up to which a picture is the context's: room for another machine's rounding."""


def context_of(request: Request, method: str) -> Scene:
    """The context of `request`, with its seed and cameras.

    Raises:
        UserError: there is none, or it does not say where it is from.
    """
    context = request.context
    if context is None:
        raise UserError(f"{method}, scene {request.index}: it completes a given picture, and none was given.")
    if context.seed is None or context.cameras is None:
        raise UserError(f"{method}, scene {request.index}: the context must come with its seed and its cameras.")
    return context


class WorldFinder:
    """Finds the world of contexts; the samples of a scene, which come one after another, share the answer.

    Args:
        method: its name, for messages.
    """

    def __init__(self, method: str) -> None:
        self.method = method
        self._key: object = None
        self._world: World = "scene"

    def of(self, request: Request) -> World:
        """The world the context of `request` is part of.

        Raises:
            UserError: no context, or one of no world known here.
        """
        key = question_key(request, self.method)
        if self._key != key:
            self._world = _world_of(request, self.method)
            self._key = key
        return self._world


def _world_of(request: Request, method: str) -> World:
    context = context_of(request, method)
    assert context.seed is not None
    assert context.cameras is not None
    world = replace(request, seed=context.seed, cameras=context.cameras, context=None)
    mask = given(context)
    if same_camera(request) and _shows(clips.sample(context.seed, request.label).context(request.size), context, mask):
        return "motion"
    thing = tabletop.sample(context.seed, request.label)
    if _shows(thing.render(context.cameras, request.size), context, mask):
        return "scene"
    try:
        (drawn,) = frozen().generate([world])
    except UserError:  # it cannot draw such scenes, so they are none of its own
        pass
    else:
        if _shows(drawn, context, mask):
            return "inversion"
    raise UserError(
        f"{method}, scene {request.index}: the context is neither of tabletop nor of {FROZEN}, "
        "the only worlds it knows."
    )


def same_camera(request: Request) -> bool:
    """Whether the one view asked for is seen by the context's own camera."""
    cameras = None if request.context is None else request.context.cameras
    return cameras is not None and len(request.cameras) == 1 and cameras == request.cameras


def given(context: Scene) -> Tensor:
    """Which pixels of a context are given, bool [V, H, W]."""
    return torch.ones(context.rgb.shape[:3], dtype=torch.bool) if context.mask is None else context.mask


@lru_cache(maxsize=1)
def frozen() -> GanMethod:
    """The generator that is inverted, on the CPU as in the protocol."""
    from ..gan.method import load_shipped  # late: most reference methods do without

    return load_shipped(FROZEN)


def _shows(found: Scene, context: Scene, mask: Tensor) -> bool:
    if found.rgb.shape != context.rgb.shape or not bool(mask.any()):
        return False
    return float((found.rgb[mask].float() - context.rgb[mask].float()).abs().mean()) <= SAME


def question_key(request: Request, method: str) -> tuple[object, ...]:
    """Equal for the samples of a scene, which differ in seed and index alone.

    Raises:
        UserError: as `context_of`.
    """
    context = context_of(request, method)
    shown = context.rgb.numpy().tobytes()
    return context.seed, request.label, request.size, camera_key(request.cameras), shown


def camera_key(cameras: Cameras) -> bytes:
    """Equal for equal cameras."""
    return cameras.cam_to_world.numpy().tobytes() + cameras.intrinsics.numpy().tobytes()
