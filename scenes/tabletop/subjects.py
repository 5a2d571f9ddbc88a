"""Objects that are hard in one known way each, for checking measures rather than generators.

plain       one matte colour all over: nothing but shading to match
textured    blotches without repetition on every part and on the turntable: the easy case
thin        a chair of rods: mostly edges, little surface
repetitive  the same checks on every part: places look alike
symmetric   a bottle turned on a lathe, lit from above: views half a turn apart are the same picture
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import UnknownName
from ..generator import scene_generator
from .classes import ObjectClass, Parameters
from .materials import PATTERNS, WAVES, MaterialTable
from .tracing import Field
from .world import TabletopObject, finish_materials, sample

__all__ = ["SUBJECTS", "subject"]

CHECKS = 8.0
"""Cycles of the repeated pattern over a unit of length."""

BLOTCHES = (30.0, 75.0)
"""Lengths of the wave vectors of the rich texture, radians a unit of length."""

ROD = 0.012
"""Radius of the thin chair's rods; chairs of the distribution have 0.016 and more."""

SLAT = 0.08
"""Half height of its back rest, as a share of the back."""


def subject(kind: str, seed: int = 0) -> TabletopObject:
    """The test object of that kind; other seeds give other shapes and colours.

    Args:
        kind: one of `SUBJECTS`.
        seed: any integer.

    Raises:
        UnknownName: there is no such kind.
    """
    if kind not in _MAKERS:
        raise UnknownName("test subject", kind, SUBJECTS)
    return _MAKERS[kind](seed, scene_generator(seed, f"tabletop.subject.{kind}"))


def _plain(seed: int, generator: torch.Generator) -> TabletopObject:
    thing = sample(seed, "animal")
    colour = 0.35 + 0.3 * torch.rand(3, generator=generator)
    return _painted(thing, [_material("plain", colour, colour)])


def _textured(seed: int, generator: torch.Generator) -> TabletopObject:
    return _rich(sample(seed, "animal"), generator)


def _thin(seed: int, generator: torch.Generator) -> TabletopObject:
    thing = sample(seed, "chair")
    shape = {**thing.field.parameters, "leg": torch.tensor([ROD]), "panel": torch.tensor([SLAT])}
    return _rich(replace(thing, field=replace(thing.field, parameters=shape)), generator)


def _repetitive(seed: int, generator: torch.Generator) -> TabletopObject:
    light, dark = 0.6 + 0.3 * torch.rand(3, generator=generator), 0.05 + 0.15 * torch.rand(3, generator=generator)
    return _painted(sample(seed, "animal"), [_material("checks", light, dark)])


def _symmetric(seed: int, generator: torch.Generator) -> TabletopObject:
    bottle = sample(seed, "bottle")
    kind = bottle.field.kind
    parts = {name: palettes for name, palettes in kind.parts.items() if name != "patch"}  # the label faces the front

    def turned(x: Tensor, y: Tensor, z: Tensor, q: Parameters) -> list[Tensor]:
        return kind.shape(x, y, z, q)[: len(parts)]

    lathe = ObjectClass(kind.name, kind.ranges, parts, turned)
    # both patterns are even in x and z together; checks alone would repeat after a quarter turn already
    rows = [_material(pattern, *_pair(generator)) for pattern in ["checks"] * len(parts) + ["stripes"]]
    thing = replace(bottle, field=Field(lathe, bottle.field.parameters), light=torch.tensor([0.0, 1.0, 0.0]))
    return _painted(thing, rows)


_MAKERS: dict[str, Callable[[int, torch.Generator], TabletopObject]] = {
    "plain": _plain,
    "textured": _textured,
    "thin": _thin,
    "repetitive": _repetitive,
    "symmetric": _symmetric,
}

SUBJECTS = tuple(_MAKERS)


def _rich(thing: TabletopObject, generator: torch.Generator) -> TabletopObject:
    """The same object with its own irregular blotches on every part."""
    low, high = BLOTCHES
    rows = []
    for _ in range(len(thing.field.kind.parts) + 1):
        wave = torch.nn.functional.normalize(torch.randn(WAVES, 3, generator=generator), dim=-1)
        wave = wave * (low + (high - low) * torch.rand(WAVES, 1, generator=generator))
        phase = 2 * math.pi * torch.rand(WAVES, generator=generator)
        rows.append(_material("blotches", *_pair(generator), wave, phase))
    return _painted(thing, rows)


def _pair(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A light and a dark colour, linear RGB, in either order."""
    light = 0.35 + 0.6 * torch.rand(3, generator=generator)
    dark = 0.02 + 0.2 * torch.rand(3, generator=generator)
    return (light, dark) if bool(torch.rand((), generator=generator) < 0.5) else (dark, light)


def _material(
    pattern: str, first: Tensor, second: Tensor, wave: Tensor | None = None, phase: Tensor | None = None
) -> MaterialTable:
    """One row; without `wave` the noise that every material carries vanishes."""
    return MaterialTable(
        first[None],
        second[None],
        torch.tensor([PATTERNS.index(pattern)]),
        torch.tensor([CHECKS]),
        torch.tensor([[1.0, 0.0, 0.0]]),
        torch.zeros(1),
        torch.zeros(1, WAVES, 3) if wave is None else wave[None],
        torch.zeros(1, WAVES) if phase is None else phase[None],
    )


def _painted(thing: TabletopObject, rows: list[MaterialTable]) -> TabletopObject:
    """`thing` with these materials: one for everything, or one a part and the turntable's last."""
    if len(rows) == 1:
        rows = rows * 2
    return replace(thing, material=finish_materials(rows))
