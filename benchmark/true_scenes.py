"""The true scenes behind a completion protocol, and what of them is given; made when asked for, and kept.

All of it follows from the protocol: drawing and evaluating make the same contexts, bit for bit, on
one machine. The truth of `scene` is the tabletop object of the scene's seed, that of `motion` its
clip, that of `inversion` the sweep its frozen generator draws from that seed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import overload

from torch import Tensor

from ..scenes import tabletop
from ..scenes.errors import UserError
from ..scenes.generator import Generator, Request
from ..scenes.scene import Scene
from ..scenes.tabletop import clips
from .completion import HIDDEN, Completion, FrozenGenerator, given_part, sample_seed
from .determinism import EVALUATION_THREADS, deterministic
from .registry import load_method

__all__ = ["CompletionRequests", "TrueScenes", "frozen_generator", "outlines"]

KEPT_BYTES = 256 << 20
"""Of true scenes; contexts and modes, which are small, are all kept."""


class TrueScenes:
    """Truth, context and possible outcomes of the true scenes of a protocol.

    Args:
        name: of the protocol, for messages.
        completion: what is given and asked for.
        worlds: one request a true scene, its seed that of the world, without context.

    Raises:
        UserError: (on first use) the frozen generator has other weights than the protocol names.
    """

    def __init__(self, name: str, completion: Completion, worlds: Sequence[Request]) -> None:
        self.name, self.completion, self.worlds = name, completion, worlds
        self._contexts: dict[int, Scene] = {}
        self._modes: dict[int, list[tuple[float, Scene]]] = {}
        self._truths: OrderedDict[int, Scene] = OrderedDict()
        self._generator: Generator | None = None

    def truth(self, scene: int) -> Scene:
        """The views asked for as they truly are, with the given part as `context`."""
        found = self._truths.get(scene)
        if found is None:
            with deterministic(EVALUATION_THREADS):
                found = self._make(scene)
            self._truths[scene] = found
            while len(self._truths) > 1 and sum(map(_size, self._truths.values())) > KEPT_BYTES:
                self._truths.popitem(last=False)
        self._truths.move_to_end(scene)
        return found

    def context(self, scene: int) -> Scene:
        """What is given of a true scene: rgb, cameras, mask and the world's seed; hidden pixels are grey."""
        if scene not in self._contexts:
            # from the whole truth: a view rendered alone may differ from itself in a sweep by a rounding
            given = self.truth(scene).context
            assert given is not None
            self._contexts[scene] = given
        return self._contexts[scene]

    def modes(self, scene: int) -> list[tuple[float, Scene]]:
        """Every outcome that was possible with its probability, where the world knows them; else nothing."""
        if self.completion.task != "motion":
            return []
        if scene not in self._modes:
            world = self.worlds[scene]
            with deterministic(EVALUATION_THREADS):
                modes = clips.sample(world.seed, world.label).modes(world.size)
            self._modes[scene] = [(mode.weight, replace(mode.scene, label=world.label)) for mode in modes]
        return self._modes[scene]

    def _make(self, scene: int) -> Scene:
        world, task = self.worlds[scene], self.completion.task
        if task == "motion":
            clip = clips.sample(world.seed, world.label).truth(world.size)
            assert clip.context is not None
            return replace(clip, label=world.label, context=self._given(scene, clip.context))
        drawn = _object(world) if task == "scene" else next(iter(self._frozen().generate([world])))
        return replace(drawn, context=self._given(scene, drawn.select(self.completion.context)))

    def _given(self, scene: int, shown: Scene) -> Scene:
        """The context made of the views `shown`."""
        seed = self.worlds[scene].seed
        if self.completion.shown == "all":
            return Scene(shown.rgb, shown.cameras, seed=seed)
        mask = given_part(self.completion.shown, seed, shown.views, shown.size[0])
        return Scene(shown.rgb.masked_fill(~mask[..., None], HIDDEN), shown.cameras, seed=seed, mask=mask)

    def _frozen(self) -> Generator:
        if self._generator is None:
            assert self.completion.frozen is not None
            self._generator = frozen_generator(self.completion.frozen, self.name)
        return self._generator


class CompletionRequests(Sequence[Request]):
    """Scenes x samples requests; a request's context is made when the request is looked at.

    Args:
        truths: the scenes behind them.
    """

    def __init__(self, truths: TrueScenes) -> None:
        self.truths = truths
        samples = truths.completion.samples
        self.outlines = [
            replace(world, index=scene * samples + sample, seed=sample_seed(world.seed, sample), sample=sample)
            for scene, world in enumerate(truths.worlds)
            for sample in range(samples)
        ]

    def __len__(self) -> int:
        return len(self.outlines)

    @overload
    def __getitem__(self, place: int) -> Request: ...

    @overload
    def __getitem__(self, place: slice) -> list[Request]: ...

    def __getitem__(self, place: int | slice) -> Request | list[Request]:
        if isinstance(place, slice):
            return [self._whole(outline) for outline in self.outlines[place]]
        return self._whole(self.outlines[place])

    def _whole(self, outline: Request) -> Request:
        return replace(outline, context=self.truths.context(outline.index // self.truths.completion.samples))


def outlines(requests: Sequence[Request]) -> Sequence[Request]:
    """The requests without their contexts, which may be costly to make."""
    return requests.outlines if isinstance(requests, CompletionRequests) else requests


def frozen_generator(frozen: FrozenGenerator, protocol: str) -> Generator:
    """The generator whose scenes a protocol has completed, on the CPU.

    Raises:
        UserError: it is not here, or has other weights.
    """
    generator = load_method(frozen.method)
    found = generator.info().weights_sha256
    if found != frozen.sha256:
        raise UserError(
            f"{protocol} has scenes of {frozen.method} completed, with the weights {frozen.sha256[:12]}; "
            f"installed is {(found or 'one without weights')[:12]}, whose numbers cannot be compared.",
            hint="Install the viewsweep the protocol came with, or write a protocol of your own for these weights.",
        )
    return generator


def _object(request: Request) -> Scene:
    shown = tabletop.sample(request.seed, request.label).render(request.cameras, request.size)
    return replace(shown, label=request.label)


def _size(scene: Scene) -> int:
    """Bytes of a scene's tensors."""
    held = [getattr(scene, entry.name) for entry in fields(scene)]
    return sum(part.numel() * part.element_size() for part in held if isinstance(part, Tensor))
