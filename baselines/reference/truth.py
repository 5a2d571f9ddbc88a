"""`truth`: answers every request for a completion with the scene that really was there.

The ceiling of what compares with the truth. It is no draw from what is possible: all its samples are
alike, so its variety is none and it covers one mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ...scenes.tabletop import clips
from .completed_worlds import COMPLETIONS, FROZEN, World, WorldFinder, context_of, frozen, question_key

__all__ = ["Truth"]


class Truth:
    """The true views behind the context, found by the seed it carries."""

    def __init__(self) -> None:
        self._finder = WorldFinder("truth")
        self._last: tuple[object, Scene] | None = None

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="truth",
            description="The true scene behind each context: the ceiling of what compares with the truth.",
            classes=tuple(tabletop.CLASSES),
            details={"frozen": FROZEN},
            tasks=COMPLETIONS,
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request.

        Raises:
            UserError: a context of no world it knows.
        """
        for request in requests:
            key = question_key(request, "truth")
            if self._last is None or self._last[0] != key:  # the samples of a scene come one after another
                self._last = key, _true_scene(request, self._finder.of(request))
            yield replace(self._last[1], label=request.label, seed=request.seed, context=None)


def _true_scene(request: Request, world: World) -> Scene:
    context = context_of(request, "truth")
    assert context.seed is not None
    if world == "inversion":
        (drawn,) = frozen().generate([replace(request, seed=context.seed, context=None)])
        return drawn
    if world == "scene":
        return tabletop.sample(context.seed, request.label).render(request.cameras, request.size)
    clip = clips.sample(context.seed, request.label)
    after = clip.thing.render(clips.moved_cameras(clip.camera, [clip.motion]), request.size)
    return replace(clip.truth(request.size), depth=after.depth, normals=None)
