"""Trained problems as methods of completion: a sample for each request, its randomness from the request's seed alone.

DFMScene        one picture to a radiance field, drawn from all cameras asked for
DFMMotion       one picture to a flow, and the picture it moves
DFMInversion    part of a picture to a latent, and the scene its generator makes of it
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ...scenes.errors import UserError
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ..gan.base import Views
from .core import Tensors
from .inverse_graphics import InverseGraphics
from .sampling import Sampling, sample
from .store import Stored, load_problem, shipped

__all__ = [
    "DFMInversion",
    "DFMMotion",
    "DFMScene",
    "load_dfm_small",
    "load_folder",
    "load_inversion_small",
    "load_motion_small",
    "load_pixelnerf_small",
    "load_shipped",
    "spread",
]

VERSION = "1"

DEFAULTS = {"scene": Sampling(steps=10), "motion": Sampling(), "inversion": Sampling(refine=30)}
"""How each kind of problem is sampled by default. Scenes: ten steps were as good as twenty with `small-mixed`, at half
the cost; `small-joint` was measured with ten only. Inversions are refined: their
encoders alone keep what is given to about 20 dB."""

VIEWS = 8
"""Views drawn at once. A constant, so that neither the batch nor the machine's memory decides how sums round."""


class _Method(ABC):
    """What the three have in common.

    Args:
        folder: what `viewsweep train` wrote into ``OUT/problem``.
        name: the method's name in tables.
        device: torch device.
        how: steps, guidance and temperature.

    Raises:
        UserError: no problem there, or another than the class is for.
        UnreadableFile: damaged or foreign files.
    """

    task = ""
    idea = ""

    def __init__(
        self, folder: str | Path, *, name: str = "dfm", device: str = "cpu", how: Sampling | None = None
    ) -> None:
        self.folder, self.name, self.device = Path(folder), name, torch.device(device)
        self.how = Sampling() if how is None else how
        self.stored: Stored = load_problem(self.folder, device)
        if self.stored.name != self.task:
            raise UserError(f"{folder}: this problem is {self.stored.name}, and {type(self).__name__} is {self.task}.")
        self.problem = self.stored.problem
        self._last: tuple[Request, Scene] | None = None

    def info(self) -> GeneratorInfo:
        """Name, weights and settings."""
        twin = self.problem.deterministic
        return GeneratorInfo(
            name=self.name,
            description=f"{self.idea}, {'one answer' if twin else 'sampled by diffusion with a forward model'}.",
            version=VERSION,
            has_depth=self.task != "motion",
            native_size=self.problem.observed[1],
            weights_sha256=self.stored.sha256,
            tasks=(self.task,),
            details={
                "parameters": sum(value.numel() for value in self.problem.parameters()),
                "steps": 1 if twin else self.how.steps,
                "guidance": self.how.guidance,
                "temperature": self.how.temperature,
                "refine": self.how.refine,
                "deterministic": twin,
            },
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request, each drawn by itself.

        Raises:
            UserError: no context, or one of another size.
        """
        for request in requests:
            context = self._given(request)
            if not self.problem.deterministic:
                yield self._scene(request, context)
                continue
            # a twin has one answer: the samples of a scene, which come one after another, share it
            if self._last is None or not _same_question(self._last[0], request):
                self._last = request, self._scene(request, context)
            yield replace(self._last[1], label=request.label, seed=request.seed, context=context)

    @abstractmethod
    def _scene(self, request: Request, context: Scene) -> Scene:
        """The sample a request asks for."""

    def _given(self, request: Request) -> Scene:
        where, size = f"{self.name}, scene {request.index}", self.problem.observed[1]
        if request.context is None:
            raise UserError(f"{where}: it completes what it is given, and was given nothing.")
        if request.size != size or request.context.size != (size, size):
            height, width = request.context.size
            raise UserError(
                f"{where}: {request.size} x {request.size} pixels were asked for and a picture of {width} x {height} "
                f"was given; it was trained for {size} x {size}.",
                hint="Choose a protocol of its size, or train another configuration.",
            )
        return request.context

    def _pictures(self, context: Scene) -> Tensor:
        """[V, 3, H, W] in [-1, 1]."""
        return (context.rgb.permute(0, 3, 1, 2).float() / 127.5 - 1).to(self.device)


class DFMScene(_Method):
    """Scenes from one picture; its camera must be known, and look at the origin from where the training's did."""

    task = "scene"
    idea = "A radiance field conditioned on a picture"

    @torch.no_grad()
    def _scene(self, request: Request, context: Scene) -> Scene:
        assert isinstance(self.problem, InverseGraphics)
        if context.cameras is None:
            raise UserError(f"{self.name}, scene {request.index}: the camera of what it is given is not known.")
        views = Views.of(context.cameras, self.device)
        given: Tensors = {
            "picture": self._pictures(context)[None],
            "pose": views.cam_to_world[None],
            "lens": views.intrinsics[None],
        }
        around = spread(views[:1], self.problem.targets)
        signal = sample(self.problem, given, around, [request.seed], self.how).signal
        parts = []
        for first in range(0, len(request.cameras), VIEWS):
            seen = self.problem.rendered(
                signal, Views.of(request.cameras[first : first + VIEWS], self.device), request.size, shared=True
            )
            parts.append((seen.values, seen.depth, seen.alpha))
        size = request.size
        rgb, depth, alpha = (torch.cat(part).unflatten(1, (size, size)).cpu() for part in zip(*parts, strict=True))
        return Scene(
            _bytes(rgb),
            request.cameras,
            depth.float(),
            (alpha * 255).round().clamp(0, 255).to(torch.uint8),
            label=request.label,
            seed=request.seed,
            context=context,
        )


class DFMMotion(_Method):
    """The picture after the motion, with its flow. Several views play the motion in equal parts, the last all of it."""

    task = "motion"
    idea = "A flow field that moves a picture"

    @torch.no_grad()
    def _scene(self, request: Request, context: Scene) -> Scene:
        given, whole = {"picture": self._pictures(context)[:1]}, {"share": torch.ones(1, device=self.device)}
        signal = sample(self.problem, given, whole, [request.seed], self.how).signal
        frames = len(request.cameras)
        shares = torch.arange(1, frames + 1, device=self.device) / frames
        rgb = torch.cat([self.problem.observe(signal, {"share": share[None]}) for share in shares])
        flow = signal["flow"].permute(0, 2, 3, 1) * shares[:, None, None, None]
        return Scene(
            _bytes(rgb.permute(0, 2, 3, 1).cpu()),
            request.cameras,
            label=request.label,
            seed=request.seed,
            context=context,
            flow=flow.float().cpu(),
        )


class DFMInversion(_Method):
    """What the frozen generator draws of a latent that agrees with part of a picture."""

    task = "inversion"
    idea = "A latent of a frozen generator"

    @torch.no_grad()
    def _scene(self, request: Request, context: Scene) -> Scene:
        assert self.stored.inverted is not None
        if context.cameras is None:
            raise UserError(f"{self.name}, scene {request.index}: the camera of what it is given is not known.")
        mask = torch.ones(context.rgb.shape[:3]) if context.mask is None else context.mask.float()
        mask = mask[:1, None].to(self.device)
        views = Views.of(context.cameras[:1], self.device)
        camera = {"pose": views.cam_to_world, "lens": views.intrinsics}
        given = {"picture": self._pictures(context)[:1] * mask, "mask": mask, **camera}
        signal = sample(self.problem, given, camera, [request.seed], self.how).signal
        scene = self.stored.inverted.scene_of(signal["latent"], request)
        return Scene(
            scene.rgb,
            request.cameras,
            scene.depth,
            scene.alpha,
            label=request.label,
            seed=request.seed,
            context=context,
            latent=scene.latent,
        )


KINDS: dict[str, type[_Method]] = {"scene": DFMScene, "motion": DFMMotion, "inversion": DFMInversion}


def spread(view: Views, targets: int) -> Tensors:
    """Cameras that together with `view` stand evenly around the origin: opposite to it, or a third of a turn apart."""
    poses = [turned(view.cam_to_world, 2 * math.pi * k / (targets + 1)) for k in range(1, targets + 1)]
    if targets == 1:
        return {"pose": poses[0], "lens": view.intrinsics}
    return {"pose": torch.stack(poses, 1), "lens": view.intrinsics[:, None].expand(-1, targets, 3, 3)}


def turned(pose: Tensor, angle: float) -> Tensor:
    """Cameras [N, 4, 4] carried about the vertical axis by `angle`, radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    turn = pose.new_tensor([[cos, 0, sin, 0], [0, 1, 0, 0], [-sin, 0, cos, 0], [0, 0, 0, 1]])
    return turn @ pose


def load_shipped(name: str, device: str = "cpu", how: Sampling | None = None) -> _Method:
    """One of the shipped methods by its name, e.g. ``dfm-motion-small``.

    Raises:
        UserError: there is none of that name.
    """
    folder = shipped(name)
    kind = load_problem(folder).name
    return KINDS[kind](folder, name=name, device=device, how=DEFAULTS[kind] if how is None else how)


def load_folder(folder: Path, *, name: str, device: str = "cpu") -> _Method:
    """A trained problem of any kind, sampled as the shipped ones.

    Raises:
        UserError: there is no problem in the folder.
    """
    kind = load_problem(folder).name
    return KINDS[kind](folder, name=name, device=device, how=DEFAULTS[kind])


def load_dfm_small(device: str = "cpu") -> _Method:
    """Radiance fields from one picture of tabletop, sampled."""
    return load_shipped("dfm-small", device)


def load_pixelnerf_small(device: str = "cpu") -> _Method:
    """Its deterministic twin."""
    return load_shipped("pixelnerf-small", device)


def load_motion_small(device: str = "cpu") -> _Method:
    """Motions of tabletop's objects, sampled."""
    return load_shipped("dfm-motion-small", device)


def load_inversion_small(device: str = "cpu") -> _Method:
    """Latents of `eg3d-small` from half of a picture, sampled."""
    return load_shipped("dfm-inversion-small", device)


def _same_question(one: Request, other: Request) -> bool:
    """Whether two requests differ in nothing but seed, label and number."""
    if one.cameras != other.cameras or one.size != other.size or one.context is None or other.context is None:
        return False
    first, second = one.context, other.context
    if first.cameras != second.cameras or not torch.equal(first.rgb, second.rgb):
        return False
    if first.mask is None or second.mask is None:
        return first.mask is second.mask
    return torch.equal(first.mask, second.mask)


def _bytes(picture: Tensor) -> Tensor:
    """Pictures in [-1, 1] as uint8."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
