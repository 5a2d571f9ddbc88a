"""pi-GAN's field: a multilayer perceptron with sine activations whose frequencies and phases are the scene
(Chan et al., "pi-GAN: periodic implicit generative adversarial networks for 3D-aware image synthesis", CVPR 2021,
section 3.2; SIREN: Sitzmann et al. 2020).

A FiLM layer is sin(gamma' * (W x + b) + beta) with gamma' = 15 gamma + 30. Within a scene gamma' and beta are
constant, so they are folded into the layer's weights and bias, once for all points: what is left at each point is one
matrix product and one sine.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .equalised import full_precision
from .sine_layers import sine_layers

__all__ = ["FilmSiren", "FoldedLayer", "frequencies_of"]


def frequencies_of(raw: Tensor) -> Tensor:
    """gamma' of the mapping network's gamma."""
    return 15 * raw + 30


class FoldedLayer(NamedTuple):
    """A FiLM layer of N scenes: sin(x @ weight + bias)."""

    weight: Tensor  # [N, inputs, outputs]
    bias: Tensor  # [N, 1, outputs]


class FilmSiren(nn.Module):
    """Raw density and colour of points.

    Args:
        width: of every layer.
        layers: FiLM layers before the density; one more follows for the colour.
        box: side of the cube that points are scaled to [-1, 1] from.
        view_dependent: whether the colour layer is told the direction of view.
        gain: multiplies the raw density; a larger one makes opaque surfaces with smaller weights.
    """

    def __init__(self, width: int, layers: int, box: float, *, view_dependent: bool, gain: float = 1.0) -> None:
        super().__init__()
        sizes = [3] + [width] * layers
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.colour = nn.Linear(width + 3 * view_dependent, width)
        self.density = nn.Linear(width, 1)
        self.rgb = nn.Linear(width, 3)
        self.scale, self.view_dependent, self.gain = 2 / box, view_dependent, gain
        with torch.no_grad():
            for layer in (*self.layers, self.colour, self.density, self.rgb):
                assert isinstance(layer, nn.Linear)
                reach = 1 / 3 if layer is self.layers[0] else math.sqrt(6 / layer.in_features) / 25
                layer.weight.uniform_(-reach, reach)

    @property
    def films(self) -> int:
        """How many FiLM layers there are, the colour's included."""
        return len(self.layers) + 1

    def fold(self, frequencies: Tensor, phases: Tensor) -> list[FoldedLayer]:
        """The layers of N scenes, from gamma' and beta, [N, films, width] each."""
        folded = []
        for number, layer in enumerate((*self.layers, self.colour)):
            assert isinstance(layer, nn.Linear)
            frequency, phase = frequencies[:, number], phases[:, number]
            weight = (frequency[:, :, None] * layer.weight).transpose(1, 2)
            folded.append(FoldedLayer(weight, (frequency * layer.bias + phase)[:, None]))
        first = folded[0]
        folded[0] = FoldedLayer(first.weight * self.scale, first.bias)
        return folded

    def hidden(self, folded: list[FoldedLayer], points: Tensor) -> Tensor:
        """Features of points [N, P, 3] in the world, [N, P, width]."""
        x = points
        for layer in folded[:-1]:
            x = torch.baddbmm(layer.bias, x, layer.weight).sin()
        return x

    def raw_density(self, hidden: Tensor) -> Tensor:
        """Raw densities [N, P] of features [N, P, width]."""
        raw: Tensor = self.density(hidden).squeeze(-1)
        return raw * self.gain if self.gain != 1 else raw

    def forward(self, folded: list[FoldedLayer], points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        """Raw densities [N, R, S] and colours in [0, 1], [N, R, S, 3].

        Args:
            folded: of N scenes.
            points: in the world, [N, R, S, 3].
            units: unit directions of view, [N, R, 3].
        """
        shape = points.shape[1:3]
        with full_precision(points):  # a phase of 30 radians has no digits behind the point in bfloat16
            if not self.view_dependent:
                heads = self.density.weight * self.gain, self.density.bias * self.gain, self.rgb.weight, self.rgb.bias
                raw, colours = sine_layers(points.flatten(1, 2), folded, heads)
                return raw.squeeze(-1).unflatten(1, shape), colours.sigmoid().unflatten(1, shape)
            hidden = self.hidden(folded, points.flatten(1, 2))
            last = folded[-1]
            seen = torch.baddbmm(last.bias, units, last.weight[:, :3])  # once a ray, not once a sample
            bias = seen[:, :, None].expand(*points.shape[:3], -1).flatten(1, 2)
            colours = self.rgb(torch.baddbmm(bias, hidden, last.weight[:, 3:]).sin()).sigmoid()
            return self.raw_density(hidden).unflatten(1, shape), colours.unflatten(1, shape)
