"""`completion-mean`: the cheat that answers with the mean of what might be, always the same.

    scene       from each camera, the mean picture of the training objects that look most like the context
    motion      the picture moved by the mean flow of all motions that are possible
    inversion   the scene of the generator's mean latent

Distances to one truth among several are kind to means: it may have the best error of a single sample where
nothing is known, and it is blurred, never varies and is no answer to anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...scenes import tabletop
from ...scenes.cameras import Cameras
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ...scenes.tabletop import clips
from . import examples
from .completed_worlds import COMPLETIONS, FROZEN, WorldFinder, camera_key, context_of, frozen, question_key
from .examples import by_resemblance, example, views_of_examples
from .flows import moved_picture

__all__ = ["CompletionMean"]

OBJECTS = 10
"""How many of the candidates the mean of a scene is of."""

SMALLEST_HALVED = 32
"""Pictures from this size on are rendered at half of it: a mean of many has no detail to lose."""


class CompletionMean:
    """Means over training objects, motions or latents."""

    def __init__(self) -> None:
        self._finder = WorldFinder("completion-mean")
        self._last: tuple[object, Scene] | None = None
        self._examples: tuple[object, _Examples | None] = (None, None)

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="completion-mean",
            description="A cheat: the mean of similar training objects, of the possible motions, or of all latents.",
            has_depth=False,
            classes=tuple(tabletop.CLASSES),
            details={"candidates": examples.CANDIDATES, "objects": OBJECTS, "frozen": FROZEN},
            tasks=COMPLETIONS,
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request.

        Raises:
            UserError: a context of no world it knows.
        """
        for request in requests:
            key = question_key(request, "completion-mean")
            if self._last is None or self._last[0] != key:  # the samples of a scene come one after another
                self._last = key, self._mean(request)
            yield replace(self._last[1], seed=request.seed)

    def _mean(self, request: Request) -> Scene:
        world = self._finder.of(request)
        if world == "inversion":
            return _mean_latent(request)
        if world == "motion":
            return _mean_motion(request)
        context = context_of(request, "completion-mean")
        assert context.cameras is not None
        key = (camera_key(context.cameras), camera_key(request.cameras), request.size)
        if self._examples[0] != key:  # most protocols ask for the same cameras in each scene
            self._examples = key, _Examples(context.cameras[:1], request.cameras, request.size)
        similar = self._examples[1]
        assert similar is not None
        return Scene(similar.mean(context), request.cameras, label=request.label, seed=request.seed)


class _Examples:
    """Training objects seen from a context's camera, and from those that are asked for."""

    def __init__(self, shown_from: Cameras, cameras: Cameras, size: int) -> None:
        self._shown = views_of_examples(shown_from[[0] * examples.CANDIDATES], size)
        self._cameras, self._size = cameras, size
        self._rendered = size // 2 if size >= SMALLEST_HALVED else size
        self._sweeps: dict[int, Tensor] = {}

    def mean(self, context: Scene) -> Tensor:
        """The mean over those that look most like `context`, uint8 [V, size, size, 3]."""
        numbers = by_resemblance(self._shown, context)[:OBJECTS]
        total = sum((self._sweep(number).double() for number in numbers), torch.zeros(()))
        mean = (total / len(numbers)).permute(0, 3, 1, 2)
        if self._rendered != self._size:
            mean = interpolate(mean, (self._size, self._size), mode="bilinear", align_corners=False)
        return mean.permute(0, 2, 3, 1).round().to(torch.uint8)

    def _sweep(self, number: int) -> Tensor:
        if number not in self._sweeps:
            self._sweeps[number] = example(number).render(self._cameras, self._rendered).rgb
        return self._sweeps[number]


def _mean_motion(request: Request) -> Scene:
    context = context_of(request, "completion-mean")
    assert context.seed is not None
    modes = clips.sample(context.seed, request.label).modes(request.size)
    flows = torch.stack([mode.scene.flow for mode in modes if mode.scene.flow is not None]).double()
    weights = torch.tensor([mode.weight for mode in modes], dtype=torch.float64)[:, None, None, None, None]
    known = torch.isfinite(flows)
    # where some motions have no flow, the mean of those that have; 0 / 0 where none has
    flow = (torch.where(known, flows, 0.0) * weights).sum(0) / (known * weights).sum(0)
    rgb = moved_picture(context.rgb, flow.float())
    return Scene(rgb, request.cameras, label=request.label, seed=request.seed, flow=flow.float())


def _mean_latent(request: Request) -> Scene:
    method = frozen()
    generator = method.generator
    z = torch.zeros(1, generator.latent_size)
    label = torch.tensor([request.label or 0]) if generator.classes else None
    pose = method.stored.viewpoint.pose(1, torch.device("cpu")) if generator.takes_pose else None
    with torch.no_grad():
        mean = generator.truncate(generator.map(z, label, pose), 0.0)  # no trace of z and label is left
    return method.scene_of(mean, request)
