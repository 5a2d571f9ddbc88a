"""`completion-mean`: the cheat that answers with the mean of all that it knows, always the same.

    scene       the mean picture of training objects seen from the camera asked for
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
from .completed_worlds import COMPLETIONS, FROZEN, WorldFinder, camera_key, context_of, frozen, question_key
from .flows import moved_picture

__all__ = ["CompletionMean"]

OBJECTS = 40

SMALLEST_HALVED = 32
"""Pictures from this size on are rendered at half of it: a mean of many has no detail to lose."""


class CompletionMean:
    """Means over training objects, motions or latents."""

    def __init__(self) -> None:
        self._finder = WorldFinder("completion-mean")
        self._last: tuple[object, Scene] | None = None
        self._pictures: tuple[object, Tensor] = (None, torch.empty(0))

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="completion-mean",
            description="A cheat: the mean of all training objects, motions or latents, whatever it is given.",
            has_depth=False,
            classes=tuple(tabletop.CLASSES),
            details={"objects": OBJECTS, "frozen": FROZEN},
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
        key = (camera_key(request.cameras), request.size)
        if self._pictures[0] != key:  # most protocols ask for the same cameras in each scene
            self._pictures = key, _mean_of_objects(request.cameras, request.size)
        return Scene(self._pictures[1], request.cameras, label=request.label, seed=request.seed)


def _mean_of_objects(cameras: Cameras, size: int) -> Tensor:
    """The mean picture of the first training objects, of all classes alike: uint8 [V, size, size, 3]."""
    rendered = size // 2 if size >= SMALLEST_HALVED else size
    total = torch.zeros(len(cameras), rendered, rendered, 3, dtype=torch.float64)
    for seed in tabletop.TRAIN_SEEDS[:OBJECTS]:
        total += tabletop.sample(seed, seed % len(tabletop.CLASSES)).render(cameras, rendered).rgb
    mean = (total / OBJECTS).permute(0, 3, 1, 2)
    if rendered != size:
        mean = interpolate(mean, (size, size), mode="bilinear", align_corners=False)
    return mean.permute(0, 2, 3, 1).round().to(torch.uint8)


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
