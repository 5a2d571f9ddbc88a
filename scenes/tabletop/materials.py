"""Solid textures: the colour of a surface point from its position in the object, never from the view.

A material mixes two colours by one of eight patterns, edges softened over the footprint of a pixel
(so that small pictures do not alias), and modulates the result by smooth noise, which gives feature
detectors something to hold on to everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["MaterialTable", "draw_material", "shade_albedo", "stack_materials"]

WAVES = 6

PATTERNS = ("plain", "blotches", "stripes", "checks", "dots", "grain", "bricks", "rings")

_Palette = tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[float, float]]
PALETTES: Mapping[str, _Palette] = {
    # name: (patterns, pairs of sRGB colours, (low, high) cycles over a unit of length)
    "paint": (
        ("stripes", "checks", "dots", "blotches", "stripes", "plain"),
        (
            ("#e4572e", "#fff1d6"),
            ("#17bebb", "#fdfdf5"),
            ("#ffc914", "#d1495b"),
            ("#2e86ab", "#f6f5ae"),
            ("#8e4a9e", "#f3d9fa"),
            ("#3f8f4f", "#e9f5c9"),
            ("#d7263d", "#f7f7ff"),
            ("#f46036", "#2e294e"),
            ("#1b998b", "#fffd82"),
            ("#2d4cc8", "#ffb3c1"),
        ),
        (5.0, 9.0),
    ),
    "glaze": (
        ("rings", "blotches", "dots", "rings"),
        (
            ("#f2e8cf", "#386641"),
            ("#faf3dd", "#5e6472"),
            ("#f7ede2", "#e07a5f"),
            ("#e8eef2", "#2f4b7c"),
            ("#cbe4de", "#0e8388"),
            ("#fbe8d3", "#9d4edd"),
        ),
        (5.0, 9.0),
    ),
    "wood": (
        ("grain",),
        (("#b07d48", "#85552b"), ("#d3a26a", "#a9743f"), ("#8a5a35", "#5f3a20"), ("#e0bd8d", "#bb8f5a")),
        (9.0, 14.0),
    ),
    "stone": (("blotches",), (("#cfd2d6", "#9aa0a8"), ("#e4ddd2", "#b9aa97"), ("#8f99a6", "#66707e")), (5.0, 8.0)),
    "cloth": (
        ("checks", "stripes", "dots", "checks"),
        (
            ("#f4f1de", "#e07a5f"),
            ("#edf6f9", "#3d8f93"),
            ("#fff3e0", "#4f6d9a"),
            ("#f0ead2", "#7a9a4f"),
            ("#f5e6e8", "#9d5c8a"),
            ("#fefae0", "#c98a2b"),
        ),
        (6.0, 10.0),
    ),
    "metal": (("rings", "plain"), (("#aab4bf", "#7d8894"), ("#d8c39a", "#a98c56"), ("#5c6470", "#3f454e")), (6.0, 9.0)),
    "gold": (
        ("rings", "stripes"),
        (("#e8b93c", "#b47b15"), ("#e6e9ee", "#9ba5b3"), ("#e5a57f", "#a95f3f")),
        (7.0, 11.0),
    ),
    "bark": (("grain",), (("#7a5230", "#4e331d"), ("#93704d", "#5e452f")), (10.0, 15.0)),
    "leaf": (
        ("blotches", "dots", "blotches"),
        (
            ("#4c9a3f", "#276b35"),
            ("#7fb84a", "#46803a"),
            ("#2f8f6b", "#195c4d"),
            ("#e0952f", "#b3531f"),
            ("#f2a7bd", "#cf5f86"),
            ("#a5bf3f", "#5d7a26"),
        ),
        (7.0, 12.0),
    ),
    "wall": (
        ("bricks", "plain", "blotches", "stripes"),
        (
            ("#f3e3c3", "#dcbf8f"),
            ("#e9edf0", "#bcc9d3"),
            ("#f2c6a0", "#d08f68"),
            ("#c9dfc4", "#93b48b"),
            ("#f4d6d2", "#d49c98"),
        ),
        (7.0, 10.0),
    ),
    "tile": (
        ("bricks", "stripes", "bricks"),
        (("#b5452f", "#8a2f20"), ("#5b6678", "#3f4757"), ("#7d4f3a", "#56331f"), ("#3f7d6e", "#2a564b")),
        (9.0, 12.0),
    ),
    "brick": (("bricks",), (("#b0563f", "#e0c7b0"), ("#8b8680", "#c9c4bd")), (14.0, 18.0)),
    "pane": (("plain",), (("#8fd0f0", "#5fa8d3"), ("#ffe9a8", "#f5cd62"), ("#3b5b7d", "#27405c")), (6.0, 8.0)),
    "glass": (("plain",), (("#27364a", "#3f5873"), ("#2b3b3f", "#4a6b70"), ("#7fb4d6", "#a9d3ea")), (5.0, 7.0)),
    "rubber": (("plain",), (("#22242a", "#34373f"), ("#2c2523", "#413733")), (6.0, 8.0)),
    "light": (("plain",), (("#fff6cf", "#ffe58a"), ("#ffffff", "#dfefff")), (6.0, 8.0)),
    "fur": (
        ("blotches", "blotches", "stripes", "dots"),
        (
            ("#f0e2cc", "#7a4f2d"),
            ("#f4f4f2", "#3a3a3f"),
            ("#d99a52", "#7d4a1e"),
            ("#b9b4ae", "#77716b"),
            ("#f2b8a0", "#d98c74"),
            ("#e8c66a", "#6b4a1e"),
        ),
        (4.5, 7.5),
    ),
    "drink": (("plain",), (("#4a2c1a", "#643d25"), ("#a5682a", "#bf8444"), ("#f0e6d6", "#e3d3ba")), (5.0, 7.0)),
    "bottle": (
        ("plain", "blotches", "plain"),
        (
            ("#2f7d4f", "#1f5c3a"),
            ("#7a4a21", "#593414"),
            ("#2f6f9f", "#1f4f78"),
            ("#c8e0e4", "#9cc3cb"),
            ("#a83246", "#7c2030"),
        ),
        (5.0, 7.0),
    ),
    "shade": (
        ("stripes", "dots", "checks", "rings"),
        (
            ("#ffe8b8", "#f2b65a"),
            ("#fdeee4", "#e58f7b"),
            ("#e6f2ea", "#74b49b"),
            ("#eae6fa", "#8f7fd1"),
            ("#fff4d2", "#d1495b"),
        ),
        (6.0, 10.0),
    ),
    "gem": (
        ("stripes", "checks"),
        (("#e0225f", "#ff8fb1"), ("#1f6fe0", "#9cc9ff"), ("#12a56b", "#8ff0c4"), ("#8d3fe0", "#d9b3ff")),
        (8.0, 12.0),
    ),
}


@dataclass(frozen=True)
class MaterialTable:
    """Materials of P parts (or of B objects with P parts each, leading axis B).

    Colours are linear RGB; `pattern` indexes PATTERNS; `axis` is the direction of stripes; `wave`
    and `wave_phase` are the directions and offsets of the noise.
    """

    first: Tensor  # [P, 3]
    second: Tensor  # [P, 3]
    pattern: Tensor  # [P]
    frequency: Tensor  # [P]
    axis: Tensor  # [P, 3]
    phase: Tensor  # [P]
    wave: Tensor  # [P, WAVES, 3]
    wave_phase: Tensor  # [P, WAVES]

    def fields(self) -> tuple[Tensor, ...]:
        return (
            self.first,
            self.second,
            self.pattern,
            self.frequency,
            self.axis,
            self.phase,
            self.wave,
            self.wave_phase,
        )

    def at(self, index: Tensor) -> MaterialTable:
        """The materials of flat rows `index` [N]."""
        return MaterialTable(*(field.reshape(-1, *field.shape[self.pattern.ndim :])[index] for field in self.fields()))


def linear_from_hex(colour: str) -> Tensor:
    """'#rrggbb' to linear RGB [3]."""
    encoded = torch.tensor([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def draw_material(palettes: tuple[str, ...], generator: torch.Generator) -> MaterialTable:
    """A random material (one row) from one of the named palettes."""

    def pick(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    patterns, pairs, (low, high) = PALETTES[palettes[pick(len(palettes))]]
    first, second = (linear_from_hex(colour) for colour in pairs[pick(len(pairs))])
    pattern = PATTERNS.index(patterns[pick(len(patterns))])
    if pattern and pick(2):
        first, second = second, first
    tint = 1 + 0.12 * (2 * torch.rand(3, generator=generator) - 1)
    frequency = low + (high - low) * torch.rand((), generator=generator)
    axis = torch.nn.functional.normalize(torch.randn(3, generator=generator) * torch.tensor([0.6, 1.0, 0.6]), dim=0)
    phase = torch.rand((), generator=generator)
    wave = torch.nn.functional.normalize(torch.randn(WAVES, 3, generator=generator), dim=-1)
    wave = wave * (12 + 22 * torch.rand(WAVES, 1, generator=generator))
    return MaterialTable(
        (first * tint).clamp(0, 1)[None],
        (second * tint).clamp(0, 1)[None],
        torch.tensor([pattern]),
        frequency[None],
        axis[None],
        phase[None],
        wave[None],
        (6.2832 * torch.rand(WAVES, generator=generator))[None],
    )


def stack_materials(rows: list[MaterialTable], length: int) -> MaterialTable:
    """Rows one below the other, filled up to `length` by repeating the last."""
    rows = rows + [rows[-1]] * (length - len(rows))
    return MaterialTable(*(torch.cat(parts) for parts in zip(*(row.fields() for row in rows), strict=True)))


def shade_albedo(points: Tensor, normals: Tensor, material: MaterialTable, footprint: float) -> Tensor:
    """Linear RGB reflectance [N, 3] of surface points.

    Args:
        points: positions in the object's frame, [N, 3].
        normals: unit normals, [N, 3]; bricks follow the wall they are on.
        material: one row a point.
        footprint: width of a pixel at the object, in units of length.
    """
    f, phase = material.frequency, material.phase
    soft = (footprint * f).clamp(0.02, 0.45)
    x, y, z = points.unbind(-1)
    noise = _noise(points, material)
    along = (points * material.axis).sum(-1) * f + phase
    across = torch.where(normals[:, 0].abs() > normals[:, 2].abs(), z, x)
    radial = (x * x + z * z).sqrt()
    row = y * f * 1.6
    brick = torch.minimum(_line(row, 0.14, soft * 1.6), _line(across * f * 0.8 + 0.5 * row.floor(), 0.1, soft * 0.8))
    cell = torch.stack([x, y, z], -1) * f[:, None]
    distance = ((cell - cell.round()) ** 2).sum(-1).sqrt()
    waves = torch.stack(
        [
            0.5 + 0.25 * noise,
            _edge(noise, soft * 1.5),
            _square(along, soft),
            0.5 + 2 * (_square(x * f, soft) - 0.5) * (_square(y * f, soft) - 0.5) * (_square(z * f, soft) - 0.5) * 2,
            _edge(0.42 - distance, soft * 0.7),
            0.5 + 0.5 * torch.sin(6.2832 * (radial * f * 0.7 + 0.35 * noise + 0.3 * along)),
            brick,
            _square(y * f * 0.8 + phase, soft * 0.8),
        ]
    )
    mix = waves.gather(0, material.pattern[None])[0].clamp(0, 1)
    colour = material.first + (material.second - material.first) * mix[:, None]
    return colour * (1 + 0.16 * noise[:, None]).clamp(0.5, 1.5)


def _noise(points: Tensor, material: MaterialTable) -> Tensor:
    """Smooth noise in about [-1, 1]: sines along random directions."""
    argument = (material.wave * points[:, None]).sum(-1) + material.wave_phase
    return argument.sin().sum(-1) * (2.0 / WAVES)


def _edge(value: Tensor, width: Tensor) -> Tensor:
    """0 to 1 across value = 0, over `width`."""
    t = (value / width * 0.5 + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _square(value: Tensor, width: Tensor) -> Tensor:
    """Square wave of period 1 between 0 and 1 with edges softened over `width` periods."""
    triangle = ((value - value.floor()) - 0.5).abs() - 0.25
    return _edge(triangle, width)


def _line(value: Tensor, share: float, width: Tensor) -> Tensor:
    """1 except on a line that takes `share` of each period, where it is 0."""
    away = 0.5 - ((value - value.floor()) - 0.5).abs()
    return _edge(away - share / 2, width)
