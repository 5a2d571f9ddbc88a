"""`completion-nearest`: the cheat that looks up what resembles the given picture and answers with that.

    scene       the sweep of a training object whose view from the context's camera is among the nearest
    motion      the picture moved by the flow of a training clip whose first picture is among the nearest
    inversion   the sweep of a random latent whose view from the context's camera is among the nearest

One of the nearest is drawn for each sample, so the samples vary. All are sharp, consistent and plausible, and
none is of the scene that was given: what compares with the context or with the truth must notice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ...scenes import tabletop
from ...scenes.generator import GeneratorInfo, Request, scene_generator
from ...scenes.scene import Scene
from ...scenes.tabletop import clips
from . import examples
from .completed_worlds import COMPLETIONS, FROZEN, World, WorldFinder, camera_key, context_of, frozen
from .examples import by_resemblance, example, views_of_examples
from .flows import moved_picture

__all__ = ["CompletionNearest"]

NEAREST = 5
"""How many of the candidates a sample is drawn from."""

KEPT = 64
"""Scenes kept, for a candidate is found near to many contexts."""


class CompletionNearest:
    """Training examples that look like the context."""

    def __init__(self) -> None:
        self._finder = WorldFinder("completion-nearest")
        self._bank: tuple[object, Tensor] = (None, torch.empty(0))
        self._held: OrderedDict[object, Scene] = OrderedDict()

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="completion-nearest",
            description="A cheat: one of the training examples that look most like what it is given.",
            has_depth=False,
            classes=tuple(tabletop.CLASSES),
            details={"candidates": examples.CANDIDATES, "nearest": NEAREST, "frozen": FROZEN},
            tasks=COMPLETIONS,
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request.

        Raises:
            UserError: a context of no world it knows.
        """
        for request in requests:
            world = self._finder.of(request)
            found = self._motion(request) if world == "motion" else self._sweep(world, request)
            yield replace(found, cameras=request.cameras, label=request.label, seed=request.seed)

    def _sweep(self, world: World, request: Request) -> Scene:
        """The sweep of one of the nearest objects or latents."""
        context = context_of(request, "completion-nearest")
        assert context.cameras is not None
        shown = replace(request, cameras=context.cameras[:1], context=None)
        draw, pictures = (_object, _objects) if world == "scene" else (_latent, _latents)
        bank = self._candidates((world, camera_key(shown.cameras), request.size), partial(pictures, shown))
        number = _chosen(bank, request)
        return self._kept((world, number, camera_key(request.cameras), request.size), partial(draw, number, request))

    def _motion(self, request: Request) -> Scene:
        """The context moved as one of the nearest training clips moves, by a motion drawn by its probability."""
        number = _chosen(self._candidates(("motion", request.size), partial(_clips, request.size)), request)
        weights = torch.tensor([motion.weight for motion in clips.MOTIONS])
        drawn = torch.multinomial(weights, 1, generator=scene_generator(request.seed, "completion-nearest.motion"))
        motion = int(drawn)
        clip = self._kept(
            ("motion", number, motion, request.size), lambda: _example_clip(number, motion).truth(request.size)
        )
        assert clip.flow is not None
        rgb = moved_picture(context_of(request, "completion-nearest").rgb, clip.flow)
        return Scene(rgb, request.cameras, flow=clip.flow)

    def _candidates(self, key: object, make: Callable[[], Tensor]) -> Tensor:
        """The pictures that contexts are compared with, made anew where they are seen from elsewhere than before."""
        if self._bank[0] != key:
            self._bank = key, make()
        return self._bank[1]

    def _kept(self, key: object, make: Callable[[], Scene]) -> Scene:
        """The scene of `key`, made if it is not held."""
        if key not in self._held:
            self._held[key] = make()
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]


def _chosen(bank: Tensor, request: Request) -> int:
    """The number of one of the candidates nearest to the context's first view, by its given pixels."""
    nearest = by_resemblance(bank, context_of(request, "completion-nearest"))[:NEAREST]
    drawn = torch.randint(len(nearest), (), generator=scene_generator(request.seed, "completion-nearest"))
    return nearest[int(drawn)]


def _objects(request: Request) -> Tensor:
    """Training objects from one camera, uint8 [CANDIDATES, H, W, 3]."""
    return views_of_examples(request.cameras[[0] * examples.CANDIDATES], request.size)


def _object(number: int, request: Request) -> Scene:
    return replace(example(number).render(request.cameras, request.size), normals=None)


def _clips(size: int) -> Tensor:
    """First pictures of training clips, each from its own camera, uint8 [CANDIDATES, size, size, 3]."""
    return views_of_examples(tabletop.train_cameras(tabletop.TRAIN_SEEDS[: examples.CANDIDATES]), size)


def _example_clip(number: int, motion: int) -> clips.Clip:
    return clips.sample(tabletop.TRAIN_SEEDS[number], number % len(tabletop.CLASSES), motion)


def _latents(request: Request) -> Tensor:
    """Scenes of random latents from one camera, uint8 [CANDIDATES, H, W, 3]."""
    return torch.cat([_latent(number, request).rgb for number in range(examples.CANDIDATES)])


def _latent(number: int, request: Request) -> Scene:
    generator = frozen()
    label = number % len(tabletop.CLASSES) if generator.stored.classes else None
    seed = tabletop.TRAIN_SEEDS[number]  # far from the seeds of the test split
    (drawn,) = generator.generate([replace(request, seed=seed, label=label, context=None)])
    return drawn
